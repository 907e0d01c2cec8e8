//! What is kept of a response, and what can be made of it later.

use bytes::Bytes;
use serde_json::{Value, json};
use types::Fault;

use super::{
    custom::{Brackets, FreeText},
    frames::Frames,
    input,
    items::{self, Body, Call, Item, Part},
    request::Request,
    tools::Known,
    writer::{self, Teller},
};

/// Items of the input are numbered from here, so that their ids differ from those of the output.
const INPUT: usize = 0x0080_0000;

/// What a response was asked and what it answered, as items with ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// What was asked: first what came from before, then the call's own input.
    pub input: Vec<Value>,
    /// Where the call's own input begins in `input`.
    pub own: usize,
    /// What was answered.
    pub output: Vec<Value>,
}

/// The items to keep of a call and its response. What was asked and answered, together, is the history of a call that
/// continues this one.
pub fn items_of(request: &Request, response: &Value) -> Kept {
    let id = response["id"].as_str().unwrap_or_default();
    let mut input = request.history.clone();
    let own = input.len();
    input.extend(request.input.iter().enumerate().map(|(index, item)| named(item, id, index)));
    Kept { input, own, output: response["output"].as_array().cloned().unwrap_or_default() }
}

/// The response that an item belongs to, told from the item's id; nothing for an id that was not made here.
pub fn response_of(item_id: &str) -> Option<String> {
    let (_, own) = item_id.split_once('_')?;
    let own = own.get(..own.len().checked_sub(6)?)?;
    (!own.is_empty()).then(|| format!("resp_{own}"))
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

/// Streams a response that is complete, from the event after number `after`.
pub fn replay(response: &Value, after: Option<u64>, out: &mut dyn FnMut(Bytes)) {
    let mut teller = Teller::new(Frames::after(after));
    let mut before = response.as_object().cloned().unwrap_or_default();
    for (member, value) in
        [("status", json!("in_progress")), ("output", json!([])), ("usage", json!(null)), ("error", json!(null))]
    {
        before.insert(member.into(), value);
    }
    before.insert("incomplete_details".into(), Value::Null);
    teller.begin(&before, out);
    let items: Vec<Item> = response["output"].as_array().into_iter().flatten().map(item).collect();
    teller.finish(&items, response, out);
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
                text: text(thought),
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
