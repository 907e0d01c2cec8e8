//! The scanner against serde_json, and splicing against doing it by hand.

use bytes::Bytes;
use proptest::prelude::*;
use wire::json::{Edits, Error, Flaw, Kind, Limits, Reader, Slot, Span, TakeOut, text, validate};

fn ours(bytes: &[u8]) -> Result<(), Error> {
    validate(bytes, Limits { max_depth: 127, max_members: 1 << 20 })
}

fn theirs(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// A JSON text with odd white space, escapes, and numbers of any form.
fn json_text() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[a-z]{0,8}".prop_map(|s| format!("\"{s}\"")),
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        "([a-z]|\\\\n|\\\\\\\\|\\\\\"|\\\\u00e9|\\\\ud83d\\\\ude00|\\\\ud800|é){0,90}".prop_map(|s| format!("\"{s}\"")),
    ];
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?",
    ];
    let leaf =
        prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned()), string.clone(), number];
    let space = "[ \n\r\t]{0,3}";
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            (prop::collection::vec((space, inner.clone(), space), 0..6)).prop_map(|items| format!(
                "[{}]",
                items.iter().map(|(a, v, b)| format!("{a}{v}{b}")).collect::<Vec<_>>().join(",")
            )),
            (prop::collection::vec((space, string.clone(), space, inner), 0..6)).prop_map(|members| format!(
                "{{{}}}",
                members.iter().map(|(a, k, b, v)| format!("{a}{k}{b}:{b}{v}{a}")).collect::<Vec<_>>().join(",")
            )),
        ]
    })
}

proptest! {
    #![proptest_config(crate::support::cases(600))]

    #[test]
    fn every_good_text_is_taken(text in json_text()) {
        prop_assert!(theirs(text.as_bytes()), "the generator must make good JSON: {text}");
        prop_assert_eq!(ours(text.as_bytes()), Ok(()));
    }

    #[test]
    fn a_damaged_text_is_judged_as_serde_json_judges_it(
        text in json_text(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'u'), Just(b'{'), Just(b'}'), Just(b','), Just(b':'), Just(b'0')]), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (place, how, byte) in damage {
            let at = place.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => { bytes.remove(at); }
                2 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.truncate(at),
            }
        }
        let verdict = ours(&bytes);
        prop_assert_eq!(verdict.is_ok(), theirs(&bytes), "{:?}: {:?}", String::from_utf8_lossy(&bytes), verdict);
        if let Err(error) = verdict {
            prop_assert!(error.at <= bytes.len());
        }
    }

    #[test]
    fn escapes_are_judged_alike_wherever_they_lie_in_a_block(
        before in 0..140_usize,
        escape in prop_oneof![Just("\\n"), Just("\\\\"), Just("\\\""), Just("\\u00e9"), Just("\\u00g9"), Just("\\x"), Just("\\u12"), Just("\\"), Just("\\\\\\"), Just("\u{1}"), Just("\\/\\b\\f\\r\\t")],
        after in 0..140_usize,
        closed in any::<bool>(),
    ) {
        let text = format!("\"{}{escape}{}{}", "a".repeat(before), "b".repeat(after), if closed { "\"" } else { "" });
        prop_assert_eq!(ours(text.as_bytes()).is_ok(), theirs(text.as_bytes()), "{}", text);
    }

    #[test]
    fn runs_of_escapes_are_judged_alike(pieces in prop::collection::vec(prop_oneof![Just("\\\\"), Just("\\\""), Just("\\n"), Just("\\u0041"), Just("x"), Just("\\"), Just("é")], 0..120)) {
        let text = format!("\"{}\"", pieces.concat());
        prop_assert_eq!(ours(text.as_bytes()).is_ok(), theirs(text.as_bytes()), "{}", text);
    }

    #[test]
    fn decoding_undoes_encoding(plain in any::<String>()) {
        let encoded = text::encoded(&plain);
        prop_assert_eq!(serde_json::from_slice::<String>(&encoded).unwrap(), plain.clone());
        prop_assert_eq!(text::decode(&encoded[1..encoded.len() - 1]), plain.clone());
        let theirs = serde_json::to_string(&plain).unwrap();
        prop_assert_eq!(text::decode(&theirs.as_bytes()[1..theirs.len() - 1]), plain);
    }

    #[test]
    fn edits_come_to_the_same_as_building_the_text_by_hand(
        text in "[ -~]{0,600}",
        cuts in prop::collection::btree_set(0..600_usize, 0..12),
        words in prop::collection::vec("[a-z]{0,5}", 12),
    ) {
        let cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
        let (mut edits, mut wanted, mut at) = (Edits::new(), String::new(), 0);
        for (pair, word) in cuts.chunks(2).zip(&words) {
            let (start, end) = (pair[0], *pair.last().unwrap());
            wanted += &text[at..start];
            wanted += word;
            at = end;
            edits.replace(Span::new(start, end), word.clone().into_bytes());
        }
        wanted += &text[at..];
        let bytes = Bytes::from(text);
        let body = edits.clone().apply(&bytes);
        prop_assert_eq!(body.to_bytes(), wanted.as_bytes());
        prop_assert_eq!(body.len(), wanted.len());
        let mut written = Vec::new();
        edits.write(&bytes, &mut written);
        prop_assert_eq!(written, wanted.as_bytes());
    }

    #[test]
    fn any_choice_of_members_can_be_taken_out(keep in prop::collection::vec(any::<bool>(), 0..9), space in "[ \n]{0,2}") {
        let members: Vec<_> = (0..keep.len()).map(|i| format!("{space}\"m{i}\"{space}:{space}{i}{space}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let mut reader = Reader::new(text.as_bytes(), Limits::default()).unwrap();
        reader.open_object().unwrap();
        let mut slots: Vec<Slot> = Vec::new();
        while let Some(name) = reader.next_key().unwrap() {
            let start = name.outer().start;
            if let Some(last) = slots.last_mut() { last.next = Some(start); }
            let before = slots.last().map_or(start, |last| last.whole.end);
            let value = reader.skip().unwrap();
            slots.push(Slot { ordinal: slots.len(), before, whole: Span::new(start, value.end), next: None });
        }
        let (mut edits, mut gone) = (Edits::new(), TakeOut::default());
        for slot in slots.iter().filter(|slot| !keep[slot.ordinal]) {
            edits.remove(gone.span(slot));
        }
        let mut out = Vec::new();
        edits.write(text.as_bytes(), &mut out);
        let left: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&out).expect("good JSON is left");
        let names: Vec<_> = (0..keep.len()).filter(|i| keep[*i]).map(|i| format!("m{i}")).collect();
        prop_assert_eq!(left.keys().cloned().collect::<Vec<_>>(), names);
    }
}

#[test]
fn flaws_are_named_with_their_place() {
    let deep = "[".repeat(65);
    for (text, at, flaw) in [
        (&b""[..], 0, Flaw::Ends),
        (b"{\"a\":1", 6, Flaw::Ends),
        (b"NaN", 0, Flaw::Unexpected),
        (b"nul", 3, Flaw::Ends),
        (b"nulk", 3, Flaw::Unexpected),
        (b"[1,]", 3, Flaw::Unexpected),
        (b"{,}", 1, Flaw::Unexpected),
        (b"{\"a\" 1}", 5, Flaw::Unexpected),
        (b"{\"a\":1}}", 7, Flaw::Trailing),
        (b"1 2", 2, Flaw::Trailing),
        (b"\xef\xbb\xbf{}", 0, Flaw::ByteOrderMark),
        (b"\"a\xff\"", 2, Flaw::Utf8),
        (b"\"a\x01\"", 2, Flaw::Control),
        (b"\"a\\q\"", 3, Flaw::Escape),
        (b"\"\\u12x4\"", 5, Flaw::Escape),
        (b"-", 1, Flaw::Ends),
        (b"[1.]", 3, Flaw::Number),
        (deep.as_bytes(), 64, Flaw::Depth),
    ] {
        let error = validate(text, Limits::default()).unwrap_err();
        assert_eq!((error.at, error.flaw), (at, flaw), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn members_and_items_are_counted_over_the_whole_text() {
    let limits = Limits { max_depth: 64, max_members: 5 };
    assert_eq!(validate(b"{\"a\":[1,2],\"b\":{\"c\":3}}", limits), Ok(()));
    let error = validate(b"{\"a\":[1,2],\"b\":{\"c\":3},\"d\":0}", limits).unwrap_err();
    assert_eq!(error.flaw, Flaw::Members);
}

#[test]
fn depth_counts_what_is_walked_and_what_is_skipped() {
    let limits = Limits { max_depth: 2, max_members: 100 };
    let mut reader = Reader::new(b"[[[]]]", limits).unwrap();
    reader.open_array().unwrap();
    assert!(reader.next_item().unwrap());
    assert_eq!(reader.skip().unwrap_err().flaw, Flaw::Depth);
    assert_eq!(validate(b"[[]]", limits), Ok(()));
}

#[test]
fn a_lone_surrogate_is_good_json_and_decodes_to_a_replacement() {
    assert_eq!(validate(br#""\ud800""#, Limits::default()), Ok(()));
    assert_eq!(text::decode(br"a\ud800b\udc00\ud83d\ude00\ud83dx"), "a\u{fffd}b\u{fffd}😀\u{fffd}x");
}

#[test]
fn a_name_written_with_escapes_is_the_same_name() {
    let text = br#"{"\u006dodel":1}"#;
    let mut reader = Reader::new(text, Limits::default()).unwrap();
    reader.open_object().unwrap();
    let key = reader.next_key().unwrap().unwrap();
    assert!(key.is(text, "model") && key.escaped);
    assert_eq!(reader.peek().unwrap(), Kind::Number);
}

#[test]
fn long_unchanged_stretches_are_shared_and_not_copied() {
    let text = Bytes::from(format!("{{\"a\":\"{}\",\"b\":1}}", "x".repeat(5000)));
    let mut edits = Edits::new();
    edits.replace(Span::new(1, 4), "\"renamed\"");
    let body = edits.apply(&text);
    let within = text.as_ptr_range();
    let pieces: Vec<Bytes> = body.pieces().map(Result::unwrap).collect();
    let shared: usize = pieces.iter().filter(|s| within.contains(&s.as_ptr())).map(Bytes::len).sum();
    assert_eq!(shared, text.len() - 4);
    assert_eq!(pieces.len(), 2);
}
