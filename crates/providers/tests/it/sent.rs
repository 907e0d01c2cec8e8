//! What an endpoint sends for a call: target, headers and body together.

use std::{collections::BTreeMap, path::PathBuf};

use bytes::Bytes;
use providers::{Codec, Dress, Endpoint};
use serde_json::Value;
use types::Secret;
use wire::{
    anthropic::backend,
    json::Limits,
    openai::chat::{Ask, Call, encode},
};

/// One outgoing call.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) body: Value,
    pub(crate) dropped: Vec<String>,
}

pub(crate) const KEY: &str = "test-key-0123456789";

/// Sends `asked` (a call without `model`) for the backend's own `model`.
pub(crate) fn send(endpoint: &Endpoint, asked: &Value, model: &str, ask: Ask<'_>) -> types::Result<Sent> {
    let mut call = asked.clone();
    call["model"] = "huggingface/some/name".into();
    let call = Call::read(Bytes::from(call.to_string()), &Limits::default())?;
    let encoded = match &endpoint.codec {
        Codec::Messages => backend::encode(&call, model, ask)?,
        _ => encode(&call, endpoint.chat().unwrap(), model, ask)?,
    };
    let text = String::from_utf8(encoded.body.to_bytes().to_vec()).unwrap();
    let key = Secret::new(KEY);
    let headers = endpoint.headers(Dress { key: Some(&key), bill_to: None })?;
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let body = serde_json::from_str(&text).unwrap();
    let dropped = encoded.dropped.iter().map(|d| d.member.to_string()).collect();
    Ok(Sent { target: endpoint.target(model)?, headers, text, body, dropped })
}

/// The members at the top whose values differ between two bodies, with both values.
pub(crate) fn differing(ours: &Value, theirs: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    let mut names: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    let pairs = names.into_iter().map(|name| (name.clone(), ours.get(name).cloned(), theirs.get(name).cloned()));
    pairs.filter(|(_, ours, theirs)| ours != theirs).collect()
}

/// A folder beside this crate's tests.
pub(crate) fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The JSON files of a folder, by name, in order.
pub(crate) fn json_files(path: &str) -> Vec<(String, Value)> {
    let entries = std::fs::read_dir(folder(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    files.sort_by(|a: &(String, Value), b| a.0.cmp(&b.0));
    files
}
