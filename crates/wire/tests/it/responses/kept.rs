//! What is kept of a response, and what is made of it.

use serde_json::{Value, json};
use types::{Fault, Kind};
use wire::{
    openai::chat::Finish,
    openai::responses::{cancelled, failed, items_of, replay, response_of},
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
    let kept = items_of(&request(&first).unwrap(), &response);
    assert_eq!((kept.own, kept.input.len(), kept.output.len()), (0, 1, 2));
    assert_eq!(kept.input[0]["content"], json!([{"type": "input_text", "text": "What is the weather?"}]));

    let second = json!({
        "model": "m", "tools": tools, "instructions": "New.", "previous_response_id": response["id"],
        "input": [{"type": "function_call_output", "call_id": "call_1", "output": "rain"}],
    });
    let mut next = request(&second).unwrap();
    assert_eq!(next.previous(), Some("resp_0123456789abcdef"));
    next.compose(kept.input.into_iter().chain(kept.output).collect());
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
    let kept = items_of(&next, &response);
    assert_eq!((kept.own, kept.input.len()), (3, 4));
    assert!(kept.input.iter().all(|item| item["id"].is_string()));
}

#[test]
fn a_reference_finds_the_response_that_holds_it() {
    let (response, _) = answered(&json!({"model": "m", "input": "x"}), vec![text("y")]);
    let id = response["output"][0]["id"].as_str().unwrap();
    assert_eq!(response_of(id).as_deref(), response["id"].as_str());
    assert_eq!(response_of("msg_1"), None);
    assert_eq!(response_of("é"), None);
    let kept = items_of(&request(&json!({"model": "m", "input": "x"})).unwrap(), &response);
    assert_eq!(response_of(kept.input[0]["id"].as_str().unwrap()).as_deref(), response["id"].as_str());

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
    let failed = failed(waiting, &Fault::new(Kind::UpstreamRateLimited, "Too many."));
    assert_eq!(failed["error"], json!({"code": "rate_limit_exceeded", "message": "Too many."}));
    assert_eq!(failed["status"], "failed");
}
