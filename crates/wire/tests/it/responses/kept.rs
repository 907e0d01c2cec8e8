//! What is kept of a response, and what is made of it.

use serde_json::{Value, json};
use types::{Fault, Kind};
use wire::{
    openai::chat::Finish,
    openai::responses::{announce, cancelled, failed, output_of, replay, unkept, unkept_event},
};

use super::{arguments, call, ending, read_stream, request, start, stream, text, thought, told};

fn answered(body: &Value, middle: Vec<wire::events::Event>) -> (Value, String) {
    let mut heard = request(body).unwrap().heard(&told()).unwrap();
    let mut events = vec![start()];
    events.extend(middle);
    events.extend(ending(Finish::Stop));
    let stream = stream(&mut heard, &events);
    (heard.answered.response().unwrap().clone(), stream)
}

#[test]
fn a_conversation_goes_on_where_it_was_left() {
    let tools = json!([{"type": "function", "name": "f"}]);
    let first = json!({"model": "m", "input": "What is the weather?", "tools": tools, "instructions": "Old."});
    let (response, _) = answered(&first, vec![thought("Ask f."), call(0, "call_1", "f"), arguments(0, "{}")]);
    let id = response["id"].as_str().unwrap();
    let asked = request(&first).unwrap().own_items(id);
    let kept: Vec<Value> = asked.into_iter().chain(output_of(&response)).map(|(_, item)| item).collect();
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[0]["content"], json!([{"type": "input_text", "text": "What is the weather?"}]));

    let second = json!({
        "model": "m", "tools": tools, "instructions": "New.", "previous_response_id": response["id"],
        "input": [{"type": "function_call_output", "call_id": "call_1", "output": "rain"}],
    });
    let mut next = request(&second).unwrap();
    assert_eq!(next.previous(), Some("resp_0123456789abcdef"));
    next.compose(kept);
    let chat: Value = serde_json::from_slice(&next.heard(&told()).unwrap().chat).unwrap();
    assert_eq!(
        chat["messages"],
        json!([
            {"role": "system", "content": "New."},
            {"role": "user", "content": "What is the weather?"},
            {"role": "assistant", "content": null, "reasoning_content": "Ask f.",
             "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        ])
    );
    let own = next.own_items("resp_0123");
    assert_eq!((own.len(), &own[0].1["id"]), (1, &json!(own[0].0)));
    assert_eq!(own[0].0, "fco_0123800000");
}

#[test]
fn a_reference_becomes_the_item_that_it_names() {
    let (response, _) = answered(&json!({"model": "m", "input": "x"}), vec![text("y")]);
    let id = response["output"][0]["id"].as_str().unwrap();
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "x"}, {"type": "item_reference", "id": id}, {"role": "user", "content": "z"},
    ]});
    let mut request = request(&body).unwrap();
    assert_eq!(request.references(), [id]);
    assert!(request.heard(&told()).is_err());
    request.resolve(|wanted| (wanted == id).then(|| response["output"][0].clone()));
    assert!(request.references().is_empty());
    let chat: Value = serde_json::from_slice(&request.heard(&told()).unwrap().chat).unwrap();
    assert_eq!(chat["messages"][1], json!({"role": "assistant", "content": "y"}));
}

#[test]
fn a_kept_response_is_streamed_again_from_any_event() {
    let body = json!({"model": "m", "input": "x", "tools": [{"type": "custom", "name": "c"}]});
    let middle = vec![thought("t"), text("y"), call(0, "call_1", "c"), arguments(0, "{\"input\":\"a\\nb\"}")];
    let (response, live) = answered(&body, middle);
    let mut again = String::new();
    replay(&response, None, &mut |bytes| again.push_str(std::str::from_utf8(&bytes).unwrap()));
    let strip = |stream: &str| {
        let mut events = read_stream(stream);
        for event in &mut events[..2] {
            event["response"]["model"] = Value::Null;
        }
        events
    };
    assert_eq!(strip(&again), strip(&live));
    let mut tail = String::new();
    replay(&response, Some(3), &mut |bytes| tail.push_str(std::str::from_utf8(&bytes).unwrap()));
    assert!(again.ends_with(&tail));
    assert!(tail.contains("\"sequence_number\":4,") && !tail.contains("\"sequence_number\":3,"));
}

#[test]
fn a_call_in_the_background_has_a_response_before_its_answer() {
    let body = json!({"model": "m", "input": "x", "background": true});
    let waiting = request(&body).unwrap().waiting(&told(), "queued").unwrap();
    assert_eq!((&waiting["status"], &waiting["output"]), (&json!("queued"), &json!([])));
    assert_eq!(cancelled(waiting.clone())["status"], "cancelled");
    let mut begun = String::new();
    announce(&waiting, &mut |bytes| begun.push_str(std::str::from_utf8(&bytes).unwrap()));
    let kinds: Vec<Value> = read_stream(&begun).iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["response.created", "response.queued"]);
    let mut told = String::new();
    let called_off = cancelled(waiting.clone());
    replay(&called_off, None, &mut |bytes| told.push_str(std::str::from_utf8(&bytes).unwrap()));
    assert!(told.starts_with(&begun), "the same stream goes on");
    assert_eq!(read_stream(&told).last().unwrap()["code"], "response_cancelled");
    let failed = failed(waiting, &Fault::new(Kind::UpstreamRateLimited, "Too many."));
    assert_eq!(failed["error"], json!({"code": "rate_limit_exceeded", "message": "Too many."}));
    assert_eq!(failed["status"], "failed");
    let mut told = String::new();
    replay(&failed, None, &mut |bytes| told.push_str(std::str::from_utf8(&bytes).unwrap()));
    let kinds: Vec<Value> = read_stream(&told).iter().map(|event| event["type"].clone()).collect();
    let wanted =
        ["response.created", "response.queued", "response.in_progress", "error", "response.failed"].map(Value::from);
    assert_eq!(kinds, wanted);
}

#[test]
fn what_could_not_be_kept_says_so_whole_and_streamed() {
    let body = json!({"model": "m", "input": "x", "store": true});
    let mut heard = request(&body).unwrap().heard(&told()).unwrap();
    heard.answered.not_kept();
    let events: Vec<_> = std::iter::once(start()).chain([text("y")]).chain(ending(Finish::Stop)).collect();
    let stream = stream(&mut heard, &events);
    for event in read_stream(&stream).iter().filter(|event| event["response"].is_object()) {
        assert_eq!(event["response"]["store"], json!(false), "{event}");
    }
    let (response, live) = answered(&body, vec![text("y")]);
    assert_eq!((&response["store"], &unkept(&response)["store"]), (&json!(true), &json!(false)));
    let last = live.split_inclusive("\n\n").last().unwrap().to_owned();
    let changed = unkept_event(last.clone().into());
    assert_eq!(changed, last.replace("\"store\":true", "\"store\":false"));
    assert_eq!(unkept_event("data: {}\n\n".into()), "data: {}\n\n");
}
