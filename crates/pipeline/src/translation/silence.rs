//! Nothing of a call is lost in silence: a member that nobody knows, wherever it stands, reaches the backend, is named
//! as taken out, or has the call refused by name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    CASES,
    asking::{self, Asked},
    dialects::{self, Dialect},
    doors, meet,
    pair::Pair,
};

/// A member that nobody knows.
const UNKNOWN: &str = "zz_unknown";

/// What is left out without a word, by its door and how its place ends: marks for Anthropic's caches, as that door's
/// documentation says; the notes of a response, which stand in its answer; the frame around a schema, which some
/// backends spell otherwise.
const SILENT: &[(&str, &str)] = &[
    ("messages", "/cache_control"),
    ("responses", "/metadata"),
    ("chat", "/response_format"),
    ("chat", "/response_format/json_schema"),
    ("completions", "/response_format"),
    ("completions", "/response_format/json_schema"),
];

/// The call with that member in each of its objects, by the object's place.
fn everywhere(door: &str, call: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    find(call, String::new(), &mut places);
    places.retain(|place| !SILENT.iter().any(|(silent, end)| *silent == door && place.ends_with(end)));
    let with = |place: String| {
        let mut call = call.clone();
        call.pointer_mut(&place).unwrap()[UNKNOWN] = "value".into();
        (place, call)
    };
    places.into_iter().map(with).collect()
}

fn find(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                find(value, format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), places);
            }
            places.push(place);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find(item, format!("{place}/{index}"), places);
            }
        }
        _ => {}
    }
}

/// Everything that a caller asks in a case: its call, and what it says after the answer.
fn calls(pair: &Pair<'_>, case: &'static str, asked: &Asked) -> Vec<Value> {
    let answer = || {
        let sent = pair.send(&asked.call, false, false).ok()?;
        pair.whole(sent, &dialects::said(pair.dialect, case, false)).ok()
    };
    let next = asked.next.as_ref().and_then(|next| {
        let answer = answer()?;
        Some(asking::filled(next, &serde_json::from_slice(&answer).unwrap()))
    });
    std::iter::once(asked.call.clone()).chain(next).collect()
}

/// Whether it is seen what became of the member at this place.
fn is_seen(pair: &Pair<'_>, place: &str, call: &Value) -> bool {
    match pair.send(call, false, false) {
        Err(fault) => format!("{fault} {:?}", fault.param).contains(UNKNOWN),
        Ok(sent) => {
            // Whoever is told of a member is told of what is in it.
            let whole = place.split('/').nth(1).unwrap_or_default();
            sent.dropped.iter().any(|name| name.contains(UNKNOWN) || name == whole)
                || sent.body.to_string().contains(UNKNOWN)
        }
    }
}

#[test]
fn a_member_that_nobody_knows_is_passed_on_named_or_refused_wherever_it_stands() {
    let dialects = dialects::all();
    let (mut silent, mut seen) = (BTreeSet::new(), 0);
    for (door, name) in doors() {
        let asked = asking::read(name);
        // The others differ from the common one in data only.
        let telling = |dialect: &&Dialect| dialect.is_common() || !dialect.is_chat() || dialect.name == "openai";
        for dialect in dialects.iter().filter(telling).filter(|dialect| meet(door, dialect)) {
            let pair = Pair { door, dialect };
            for (case, asked) in CASES.iter().filter_map(|case| Some((*case, asked.get(*case)?))) {
                let calls = calls(&pair, case, asked).into_iter();
                // What is refused as it is says nothing of its members.
                for call in calls.filter(|call| pair.send(call, false, false).is_ok()) {
                    for (place, call) in everywhere(name, &call) {
                        seen += 1;
                        if !is_seen(&pair, &place, &call) {
                            silent.insert(format!("{name} to {}: {case} {place}", dialect.name));
                        }
                    }
                }
            }
        }
    }
    assert!(silent.is_empty(), "lost in silence:\n{}", silent.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(seen > 1000, "{seen}");
}
