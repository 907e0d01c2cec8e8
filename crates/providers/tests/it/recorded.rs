//! What was recorded on the way to today's addresses is what we would send. Every recorded chat is compared, or has a
//! written reason why not.

use providers::{Endpoint, TABLE};
use serde_json::Value;
use types::{Kind, Operation};
use wire::openai::chat::Ask;

use crate::sent::{differing, json_files, send};

const ROUTER: &str = "https://router.huggingface.co";

const REFUSED: &str = "refused here before anything is sent";

/// Recordings that are not compared: the beginning of the id, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("custom.chat.stream.200.38d1feac6db9", "a server that no table knows"),
    ("hf-inference.chat.200.1f74eddc1738", "the body was not recorded"),
    ("hf-inference.chat.stream.200.00a7204ad0a7", "the body was not recorded"),
    ("hf-inference.chat.200.fe44ad9935a5", "the address without the chat path is no longer used"),
    ("hf-inference.chat.422.7228db8c7689", "the address without the chat path is no longer used"),
    ("hf-inference.chat.stream.200.0faeeca3c24f", "the address without the chat path is no longer used"),
    ("hf-inference.chat.422.a9fd2479f934", "`messages` is a text: refused here before anything is sent"),
    ("hf-inference.chat.stream.422.513f8b7502a1", "no `messages`: refused here before anything is sent"),
    ("hyperbolic.chat.422.66beb46729ae", "no `messages`: refused here before anything is sent"),
    ("novita.chat.200.54c2cb8fd56d", "the address without version is dead"),
    ("novita.chat.stream.200.9464c203c18c", "the address without version is dead"),
];

/// Members that differ on purpose, in streams and in whole answers.
const MEANT: &[(&str, &str)] =
    &[("stream_options", "usage is asked for in every stream, and shown only if the caller asked")];

#[test]
fn recorded_requests_are_what_we_would_send() {
    let mut compared = Vec::new();
    let mut left_out = Vec::new();
    for (id, recording) in json_files("../wire/tests/recordings") {
        if recording["task"] != "chat" || !recording["legacy_route"].is_null() {
            continue;
        }
        if let Some((_, why)) = LEFT_OUT.iter().find(|(known, _)| *known == id) {
            if why.ends_with(REFUSED) {
                let endpoint = Endpoint::router(ROUTER).unwrap();
                let refused = send(&endpoint, &recording["request"]["body"], "m", Ask::default());
                assert_eq!(refused.unwrap_err().kind, Kind::BadRequest, "{id}");
            }
            left_out.push(id);
            continue;
        }
        compare(&id, &recording);
        compared.push(id);
    }
    assert_eq!(left_out.len(), LEFT_OUT.len(), "a reason without a recording: {left_out:?}");
    for backend in [
        "cerebras",
        "cohere",
        "fireworks-ai",
        "hf-inference",
        "hyperbolic",
        "nebius",
        "novita",
        "openai",
        "sambanova",
        "together",
    ] {
        assert!(compared.iter().any(|id| id.starts_with(&format!("{backend}."))), "nothing of {backend}");
    }
}

fn compare(id: &str, recording: &Value) {
    let request = &recording["request"];
    let url = request["url"].as_str().unwrap();
    let body = &request["body"];
    // TGI had the name `tgi` in the body and the model in the path only; here both are the model.
    let model = match url.split_once("/models/") {
        Some((_, rest)) => rest.strip_suffix("/v1/chat/completions").unwrap(),
        None => body["model"].as_str().unwrap(),
    };
    let mut asked = body.clone();
    asked.as_object_mut().unwrap().remove("model");
    let endpoint = endpoint(url).unwrap_or_else(|| panic!("{id}: nobody has the address {url}"));
    let ours = send(&endpoint, &asked, model, Ask::default()).unwrap_or_else(|fault| panic!("{id}: {fault}"));
    assert_eq!(format!("{}{}", endpoint.origin(), ours.target), url, "{id}");
    for (member, our, their) in differing(&ours.body, body) {
        let same_place = member == "model" && url.contains("/models/");
        let meant = MEANT.iter().any(|(name, _)| *name == member);
        assert!(same_place || meant, "{id}: `{member}` differs\n ours {our:?}\n theirs {their:?}");
    }
}

/// The endpoint that a recorded address belongs to.
fn endpoint(url: &str) -> Option<Endpoint> {
    TABLE.iter().find_map(|backend| {
        let routed = Endpoint::routed(backend, Operation::Chat, ROUTER).unwrap();
        let direct = Endpoint::direct(backend, Operation::Chat, None).unwrap();
        routed.into_iter().chain(direct).find(|endpoint| {
            let here = endpoint.target("m").unwrap();
            let start = here.split("/m/").next().unwrap();
            url.starts_with(&format!("{}{start}", endpoint.origin()))
        })
    })
}
