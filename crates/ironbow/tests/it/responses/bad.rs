//! What cannot be read is refused by name, at once, and nothing is sent.

use serde_json::{Value, json};

use super::{call, post};
use crate::it::world::{World, and};

/// A member, and which values of those below are right for it.
type Case = (&'static str, fn(&Value) -> bool);

/// Values of the wrong kind, and of every size.
fn odd() -> Vec<Value> {
    vec![
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(true),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"a": 1}),
        json!(""),
        json!("\u{0}"),
        json!("no such word"),
        json!("x".repeat(100_000)),
    ]
}

#[test]
fn members_of_the_wrong_kind_are_named_and_nothing_is_sent() {
    let world = World::plain();
    let numbers = |value: &Value| value.is_u64();
    let cases: &[Case] = &[
        ("truncation", |_| false),
        ("max_output_tokens", numbers),
        ("previous_response_id", |_| false),
        ("conversation", |_| false),
        ("background", Value::is_boolean),
        ("store", Value::is_boolean),
        ("stream", Value::is_boolean),
        // A list of nothing asks for nothing.
        ("include", |value| *value == json!([])),
    ];
    for (member, good) in cases {
        for value in odd().into_iter().filter(|value| !good(value)) {
            let shown = value.to_string().chars().take(40).collect::<String>();
            let reply = post(&world, "/v1/responses", &and(call("x"), json!({ *member: value })));
            let error = &reply.json()["error"];
            assert!(matches!(reply.status, 400 | 404), "{member} = {shown}: {} {error}", reply.status);
            assert!(error["param"].as_str().unwrap_or("").starts_with(member), "{member} = {shown}: {error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(member) && message.len() < 1000, "{member} = {shown}: {message}");
        }
    }
    for value in odd() {
        let item =
            json!([{"type": "reasoning", "summary": [], "encrypted_content": value}, {"role": "user", "content": "x"}]);
        let reply = post(&world, "/v1/responses", &and(call("x"), json!({ "input": item })));
        let error = &reply.json()["error"];
        assert_eq!((reply.status, &error["param"]), (400, &json!("input[0].encrypted_content")), "{error}");
    }
    assert!(world.upstream_chats().is_empty(), "nothing was sent");
}
