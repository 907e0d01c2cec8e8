//! What is kept of a response, and what can be made of it later.

use bytes::Bytes;
use serde_json::{Value, json};
use types::Fault;

use super::{
    Sealer,
    custom::{Brackets, FreeText},
    frames::Frames,
    input,
    items::{self, Body, Call, Item, Part},
    thought::Thought,
    tools::Known,
    writer::{self, Teller},
};

/// Items of the input are numbered from here, so that their ids differ from those of the output.
const INPUT: usize = 0x0080_0000;

/// The items of an input as they are listed and kept: with ids made from the id of what holds them, and messages in parts.
pub fn named_items(items: &[Value], holder: &str) -> Vec<(String, Value)> {
    let named = items.iter().enumerate().map(|(index, item)| named(item, holder, index));
    named.map(|item| (item["id"].as_str().unwrap_or_default().to_owned(), item)).collect()
}

/// The items of a response's output, with their ids.
pub fn output_of(response: &Value) -> Vec<(String, Value)> {
    let items = response["output"].as_array().into_iter().flatten();
    items.map(|item| (item["id"].as_str().unwrap_or_default().to_owned(), item.clone())).collect()
}

/// A kept item as it is listed: what was thought stands sealed in it only for whoever asks for that, and then always.
pub fn listed(mut item: Value, sealer: Option<&dyn Sealer>) -> Value {
    if item["type"] != "reasoning" {
        return item;
    }
    match (sealer, &mut item) {
        (None, Value::Object(members)) => drop(members.shift_remove("encrypted_content")),
        (Some(sealer), item) if !item["encrypted_content"].is_string() => {
            let thought = input::said_openly(item);
            if !thought.is_empty() {
                item["encrypted_content"] = Thought { text: thought, blocks: Vec::new() }.seal(sealer).into();
            }
        }
        _ => {}
    }
    item
}

/// The response, saying that it is not kept.
pub fn unkept(response: &Value) -> Value {
    let mut response = response.clone();
    response["store"] = false.into();
    response
}

/// An event of a stream with the response in it, saying that it is not kept; another event as it is.
pub fn unkept_event(event: Bytes) -> Bytes {
    let text = std::str::from_utf8(&event).unwrap_or_default();
    let Some((head, data)) = text.split_once("\ndata: ") else { return event };
    match serde_json::from_str::<Value>(data) {
        Ok(mut members) if members["response"].is_object() => {
            members["response"]["store"] = false.into();
            format!("{head}\ndata: {members}\n\n").into()
        }
        _ => event,
    }
}

/// The response of a call that went wrong before or while it was answered.
pub fn failed(mut response: Value, fault: &Fault) -> Value {
    response["status"] = "failed".into();
    response["error"] = writer::error_shape(fault);
    response
}

/// The response of a call that was called off.
pub fn cancelled(mut response: Value) -> Value {
    response["status"] = "cancelled".into();
    response
}

/// The beginning of a stream of a response in the background that nobody has worked on yet: the first events of its stream.
pub fn announce(waiting: &Value, out: &mut dyn FnMut(Bytes)) {
    Teller::new(Frames::default()).queue(waiting, out);
}

/// The event of this number that ends the stream of a response that was called off.
pub fn called_off_event(number: usize) -> Bytes {
    let mut event = Bytes::new();
    let mut teller = Teller::new(Frames::from_number(number as u64));
    teller.fail(&json!({"status": "cancelled"}), None, &mut |bytes| event = bytes);
    event
}

/// Streams a response that has ended, from the event after number `after`.
pub fn replay(response: &Value, after: Option<u64>, out: &mut dyn FnMut(Bytes)) {
    let mut teller = Teller::new(Frames::after(after));
    let mut before = response.as_object().cloned().unwrap_or_default();
    before.remove("usage");
    for (member, value) in [
        ("status", json!("in_progress")),
        ("output", json!([])),
        ("error", json!(null)),
        ("incomplete_details", json!(null)),
        ("completed_at", json!(null)),
    ] {
        before.insert(member.into(), value);
    }
    teller.begin(&before, out);
    let items: Vec<Item> = response["output"].as_array().into_iter().flatten().map(item).collect();
    match response["status"].as_str() {
        Some("failed" | "cancelled") => {
            teller.advance(&items, out);
            teller.fail(response, None, out);
        }
        _ => teller.finish(&items, response, out),
    }
}

/// An item of the input, as it is listed: with an id, and its content in parts.
fn named(item: &Value, response: &str, index: usize) -> Value {
    let mut item = item.clone();
    let kind = input::kind(&item).unwrap_or("item").to_owned();
    let prefix = match kind.as_str() {
        "message" => "msg",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        "reasoning" => "rs",
        _ => "item",
    };
    if !item["id"].is_string() {
        item["id"] = items::id(prefix, response, INPUT + index).into();
    }
    item["type"] = kind.as_str().into();
    if kind == "message" {
        let part = if item["role"] == "assistant" { "output_text" } else { "input_text" };
        if let Some(text) = item["content"].as_str() {
            item["content"] = json!([{"type": part, "text": text}]);
            if part == "output_text" {
                item["content"][0]["annotations"] = json!([]);
            }
        }
    }
    if kind != "reasoning" && item["status"].is_null() {
        item["status"] = "completed".into();
    }
    item
}

/// An item read back from a response.
fn item(shape: &Value) -> Item {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = text(&shape["id"]);
    let body = match shape["type"].as_str() {
        Some("reasoning") => {
            let summary = shape["content"].is_null();
            let thought = if summary { &shape["summary"][0]["text"] } else { &shape["content"][0]["text"] };
            Body::Reasoning {
                thought: Thought { text: text(thought), blocks: Vec::new() },
                summary,
                sealed: shape["encrypted_content"].as_str().map(Into::into),
            }
        }
        Some("message") => {
            let part = |part: &Value| {
                let refusal = part["type"] == "refusal";
                let logprobs = part["logprobs"].as_array().cloned().unwrap_or_default();
                Part { refusal, text: text(&part[if refusal { "refusal" } else { "text" }]), logprobs }
            };
            Body::Message(shape["content"].as_array().into_iter().flatten().map(part).collect())
        }
        kind => {
            let custom = kind == Some("custom_tool_call");
            let name = text(&shape["name"]);
            let namespace = shape["namespace"].as_str().map(Into::into);
            let mut free = FreeText::default();
            if custom {
                free.push(&json!({"input": shape["input"]}).to_string());
            }
            let (call_id, arguments) = (text(&shape["call_id"]), text(&shape["arguments"]));
            let known = Known { written: name.clone(), name, namespace, custom };
            Body::Call(Call { known, call_id, arguments, brackets: Brackets::default(), free })
        }
    };
    Item { id, body }
}
