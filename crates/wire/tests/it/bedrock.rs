//! Bedrock's door.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};
use wire::{
    bedrock::{self, Way, frame},
    json::Limits,
};

use super::doors::{self, append, strict};

const MODEL: &str = "huggingface/groq/org/name";

#[test]
fn calls_become_chats() {
    doors::requests("bedrock", |body| bedrock::read(body, MODEL, Way::Stream, &strict, &Limits::default()));
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    doors::refusals("bedrock", |body, headers| bedrock::read(body, MODEL, Way::Whole, headers, &Limits::default()));
}

fn writer() -> Box<dyn wire::events::Write> {
    let body = Bytes::from_static(br#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#);
    bedrock::read(&body, MODEL, Way::Stream, &strict, &Limits::default()).unwrap().writer
}

/// The messages of a stream: the kind of each, and its payload. Every length and checksum must be right.
fn messages(mut stream: &[u8]) -> Vec<(String, Value)> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let mut messages = Vec::new();
    while !stream.is_empty() {
        let (total, head) = (number(stream) as usize, number(&stream[4..]) as usize);
        assert_eq!(number(&stream[8..]), frame::checksum(&stream[..8]));
        assert_eq!(number(&stream[total - 4..]), frame::checksum(&stream[..total - 4]));
        let (mut headers, mut kind) = (&stream[12..12 + head], String::new());
        while !headers.is_empty() {
            let name = usize::from(headers[0]);
            let (key, rest) = headers[1..].split_at(name);
            assert_eq!(rest[0], 7, "a string");
            let value = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
            if key == b":event-type" || key == b":exception-type" {
                kind = String::from_utf8(rest[3..3 + value].to_vec()).unwrap();
            }
            headers = &rest[3 + value..];
        }
        messages.push((kind, serde_json::from_slice(&stream[12 + head..total - 4]).unwrap()));
        stream = &stream[total..];
    }
    messages
}

fn show(stream: &[u8]) -> String {
    messages(stream).iter().fold(String::new(), |mut text, (kind, payload)| {
        let _ = writeln!(text, "{kind} {payload}");
        text
    })
}

pub(crate) fn gather(stream: &[u8]) -> Value {
    let mut answer = json!({"metrics": {"latencyMs": 0}});
    let mut content: Vec<Value> = Vec::new();
    let mut arguments: Vec<String> = Vec::new();
    for (kind, said) in messages(stream) {
        let at = usize::try_from(said["contentBlockIndex"].as_u64().unwrap_or(0)).unwrap();
        match kind.as_str() {
            "contentBlockStart" => {
                assert_eq!(at, content.len());
                content.push(said["start"].clone());
                arguments.push(String::new());
            }
            "contentBlockDelta" => {
                let delta = &said["delta"];
                if at == content.len() {
                    content.push(json!({}));
                    arguments.push(String::new());
                }
                let block = &mut content[at];
                if delta["text"].is_string() {
                    append(&mut block["text"], &delta["text"]);
                } else if delta["reasoningContent"]["signature"].is_string() {
                    let signature = delta["reasoningContent"]["signature"].clone();
                    block["reasoningContent"]["reasoningText"]["signature"] = signature;
                } else if delta["reasoningContent"].is_object() {
                    append(&mut block["reasoningContent"]["reasoningText"]["text"], &delta["reasoningContent"]["text"]);
                } else {
                    arguments[at] += delta["toolUse"]["input"].as_str().unwrap();
                }
            }
            "contentBlockStop" => {
                if content[at]["toolUse"].is_object() {
                    content[at]["toolUse"]["input"] = serde_json::from_str(&arguments[at]).unwrap();
                }
            }
            "messageStop" => answer["stopReason"] = said["stopReason"].clone(),
            "metadata" => answer["usage"] = said["usage"].clone(),
            "messageStart" => {}
            other => panic!("{other}"),
        }
    }
    answer["output"] = json!({"message": {"role": "assistant", "content": content}});
    answer
}

#[test]
fn answers_are_the_same_whole_and_as_messages() {
    doors::answers("bedrock", writer, show, gather);
}

#[test]
fn faults_are_as_written_down() {
    doors::faults("bedrock", bedrock::fault);
}

#[test]
fn every_fault_has_an_exception_of_bedrocks_own() {
    let known = [
        "AccessDeniedException",
        "InternalServerException",
        "ModelErrorException",
        "ModelTimeoutException",
        "ResourceNotFoundException",
        "ServiceUnavailableException",
        "ThrottlingException",
        "ValidationException",
    ];
    for kind in types::Kind::ALL {
        assert!(known.contains(&bedrock::error_type(&types::Fault::new(*kind, "x"))), "{kind:?}");
    }
}

#[test]
fn a_signature_is_refused_by_name() {
    let signed =
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=abc";
    let fault = bedrock::refuse_signature(Some(signed)).unwrap_err();
    assert_eq!(fault.kind, types::Kind::Unauthenticated);
    assert!(fault.message.contains("SigV4") && fault.message.contains("AWS_BEARER_TOKEN_BEDROCK"));
    assert!(!fault.message.contains("AKIA"));
    assert!(bedrock::refuse_signature(Some("Bearer x")).is_ok());
    assert!(bedrock::refuse_signature(None).is_ok());
}

#[test]
fn a_path_names_the_model() {
    assert_eq!(
        bedrock::model("huggingface%2Fgroq%2Forg%2Fname%3Afastest").unwrap(),
        "huggingface/groq/org/name:fastest"
    );
    assert!(bedrock::model("%ff").is_err());
}
