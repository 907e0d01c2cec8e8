//! For the same call, we send what Hugging Face's own clients send. Every difference has a written reason.
//!
//! The fixtures were captured from both clients; their paths begin after the router's address and the backend's id.

use std::collections::{BTreeMap, BTreeSet};

use providers::{Endpoint, Routing, TABLE, find};
use serde_json::Value;
use types::Operation;
use wire::openai::chat::Ask;

use crate::sent::{differing, json_files, send};

const ROUTER: &str = "https://router.example";

/// A difference that is meant.
struct Meant {
    client: &'static str,
    backends: &'static [&'static str],
    calls: &'static [&'static str],
    member: &'static str,
    why: &'static str,
}

const EVERY: &[&str] = &[];

const MEANT: &[Meant] = &[
    Meant {
        client: "python",
        backends: EVERY,
        calls: &["plain", "tools", "json_schema", "vision"],
        member: "stream",
        why: "the Python client says `stream: false` aloud; left out, it is the default",
    },
    Meant {
        client: "js",
        backends: &["cohere", "fireworks-ai", "hf-inference"],
        calls: &["json_schema"],
        member: "response_format",
        why: "the JavaScript client leaves the schema as OpenAI has it; the Python client knows the backend's own spelling, and so do we",
    },
    Meant {
        client: "python",
        backends: &["fireworks-ai"],
        calls: &["stream"],
        member: "stream_options",
        why: "it gives usage unasked, and has refused this member",
    },
    Meant {
        client: "js",
        backends: &["fireworks-ai"],
        calls: &["stream"],
        member: "stream_options",
        why: "it gives usage unasked, and has refused this member",
    },
];

impl Meant {
    fn covers(&self, client: &str, backend: &str, call: &str, member: &str) -> bool {
        self.client == client
            && (self.backends.is_empty() || self.backends.contains(&backend))
            && self.calls.contains(&call)
            && self.member == member
    }
}

#[test]
fn the_official_clients_send_what_we_send() {
    let mut used = BTreeSet::new();
    let mut compared = 0;
    for client in ["python", "js"] {
        for (name, fixture) in json_files(&format!("tests/captured/{client}")) {
            for way in ["routed", "direct"] {
                if fixture[way].is_null() {
                    continue;
                }
                compare(client, &name, way, &fixture, &mut used);
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "only {compared} calls were compared");
    for (at, meant) in MEANT.iter().enumerate() {
        assert!(used.contains(&at), "no fixture differs any more in this way: {}", meant.why);
    }
}

fn compare(client: &str, name: &str, way: &str, fixture: &Value, used: &mut BTreeSet<usize>) {
    let place = format!("{client}/{name} {way}");
    let (backend, call) = (fixture["backend"].as_str().unwrap(), fixture["call"].as_str().unwrap());
    let theirs = &fixture[way];
    let endpoint = endpoint(backend, way);
    let model = theirs["body"]["model"].as_str().unwrap();
    let ours = send(&endpoint, &fixture["asked"], model, Ask::default()).unwrap();

    assert_eq!(theirs["method"], "POST", "{place}");
    let before = if way == "routed" && backend != "auto" { format!("/{backend}") } else { String::new() };
    assert_eq!(ours.target, format!("{before}{}", theirs["path"].as_str().unwrap()), "{place}: path");
    assert_eq!(our_headers(&ours.headers), their_headers(&theirs["headers"]), "{place}: headers");
    assert!(ours.text.starts_with("{\"model\":"), "{place}: the model goes first");
    for (member, our, their) in differing(&ours.body, &theirs["body"]) {
        let meant = MEANT.iter().position(|meant| meant.covers(client, backend, call, &member));
        match meant {
            Some(at) => used.insert(at),
            None => panic!("{place}: `{member}` differs\n ours {our:?}\n theirs {their:?}"),
        };
    }
}

fn endpoint(backend: &str, way: &str) -> Endpoint {
    if backend == "auto" {
        return Endpoint::router(ROUTER).unwrap();
    }
    let known = find(backend).unwrap_or_else(|| panic!("{backend} is not in the table"));
    assert_eq!(known.id, backend, "the official clients know ids only");
    let endpoint = match way {
        "routed" => Endpoint::routed(known, Operation::Chat, ROUTER),
        _ => Endpoint::direct(known, Operation::Chat, None),
    };
    endpoint.unwrap().unwrap_or_else(|| panic!("{backend} cannot chat {way}"))
}

/// Without what says who we are.
fn our_headers(headers: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut headers = headers.clone();
    assert!(headers.remove("user-agent").unwrap().starts_with("ironbow/"));
    let key = headers.get_mut("authorization").unwrap();
    *key = key.split(' ').next().unwrap().to_owned();
    headers
}

/// Without `accept: */*`, which says nothing.
fn their_headers(headers: &Value) -> BTreeMap<String, String> {
    let pairs =
        headers.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let mut headers: BTreeMap<_, _> =
        pairs.filter(|(name, value)| (name.as_str(), value.as_str()) != ("accept", "*/*")).collect();
    let key = headers.get_mut("authorization").unwrap();
    *key = key.split(' ').next().unwrap().to_owned();
    headers
}

#[test]
fn every_backend_in_service_has_fixtures_of_both_clients() {
    for client in ["python", "js"] {
        let fixtures: BTreeMap<_, _> = json_files(&format!("tests/captured/{client}")).into_iter().collect();
        for backend in TABLE.iter().filter(|b| b.chat().is_some() && b.routing != Routing::Removed) {
            for call in ["plain", "stream", "tools", "json_schema", "vision"] {
                let name = format!("{}.{call}", backend.id);
                let fixture = fixtures.get(&name).unwrap_or_else(|| panic!("{client}/{name}.json is missing"));
                assert_eq!(fixture["routed"].is_null(), backend.routing == Routing::Never, "{client}/{name}: routed");
                assert_eq!(fixture["direct"].is_null(), backend.direct.is_none(), "{client}/{name}: direct");
            }
        }
    }
}
