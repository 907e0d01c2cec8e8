//! What a response was asked, as its owner can list it.

use serde_json::{Value, json};

use super::{call, id, post, respond};
use crate::it::world::{World, and};

fn listed(world: &World, response: &Value, query: &str) -> Value {
    let reply = world.get(&format!("/v1/responses/{}/input_items?{query}", id(response)));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn texts(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["content"][0]["text"].as_str().unwrap_or("")).collect()
}

#[test]
fn the_input_of_a_response_in_a_conversation_begins_with_what_was_said_before() {
    let world = World::plain();
    let begun = json!({"items": [{"role": "user", "content": "zero"}]});
    let conversation = post(&world, "/v1/conversations", &begun).json();
    let said = |text: &str, more: Value| {
        let call = and(call(text), json!({"conversation": conversation["id"]}));
        respond(&world, &and(call, more))
    };
    let first = said("one", json!({}));
    let second = said("two", json!({}));
    post(
        &world,
        &format!("/v1/conversations/{}/items", id(&conversation)),
        &json!({"items": [{"role": "user", "content": "later"}]}),
    );
    for _ in 0..2 {
        assert_eq!(texts(&listed(&world, &first, "order=asc")), ["zero", "one"]);
        assert_eq!(texts(&listed(&world, &second, "order=asc")), ["zero", "one", "echo: one", "two"]);
    }
    assert_eq!(texts(&listed(&world, &second, "")), ["two", "echo: one", "one", "zero"], "the newest first");
    let page = listed(&world, &second, "order=asc&limit=2");
    assert_eq!((texts(&page), &page["has_more"]), (vec!["zero", "one"], &json!(true)));
    let after = page["last_id"].as_str().unwrap();
    let rest = listed(&world, &second, &format!("order=asc&limit=2&after={after}"));
    assert_eq!((texts(&rest), &rest["has_more"]), (vec!["echo: one", "two"], &json!(false)));
    // One that refers to an item of before has it where it stands now.
    let referring = json!([{"type": "item_reference", "id": page["first_id"]}, {"role": "user", "content": "three"}]);
    let third = said("", json!({"input": referring}));
    let all = ["zero", "one", "echo: one", "two", "echo: two", "later", "zero", "three"];
    assert_eq!(texts(&listed(&world, &third, "order=asc")), all);
    // What was taken out of the conversation is gone here, too; a conversation that is deleted leaves each its own.
    let item = format!("/v1/conversations/{}/items/{after}", id(&conversation));
    assert_eq!(world.send("DELETE", &item, &[], b"").status, 200);
    assert_eq!(texts(&listed(&world, &second, "order=asc")), ["zero", "echo: one", "two"]);
    world.send("DELETE", &format!("/v1/conversations/{}", id(&conversation)), &[], b"");
    assert_eq!(texts(&listed(&world, &second, "order=asc")), ["two"]);
}

#[test]
fn the_input_of_a_chain_is_the_whole_chain_and_reasoning_is_sealed_for_who_asks() {
    let world = World::plain();
    let first = respond(&world, &and(call("one"), json!({"reasoning": {"effort": "low"}})));
    let chained = and(call("two"), json!({"previous_response_id": first["id"]}));
    let second = respond(&world, &chained);
    let plain = listed(&world, &second, "order=asc");
    let kinds: Vec<&str> =
        plain["data"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "reasoning", "message", "message"]);
    assert_eq!(plain["data"][1]["encrypted_content"], Value::Null);
    for include in ["include[]=reasoning.encrypted_content", "include=reasoning.encrypted_content"] {
        let sealed = listed(&world, &second, &format!("order=asc&{include}"));
        let thought = &sealed["data"][1];
        assert!(thought["encrypted_content"].as_str().is_some_and(|sealed| sealed.len() > 20), "{sealed}");
        // And it is good for what it is there for.
        let again = json!([sealed["data"][0], {"type": "reasoning", "summary": [], "encrypted_content": thought["encrypted_content"]},
            sealed["data"][2], {"role": "user", "content": "three"}]);
        respond(&world, &and(call(""), json!({"input": again})));
        let chats = world.upstream_chats();
        let body: Value = serde_json::from_str(chats.last().unwrap()["body"].as_str().unwrap()).unwrap();
        let thought = &body["messages"][1];
        let thought = thought["reasoning"].as_str().or(thought["reasoning_content"].as_str());
        assert!(thought.is_some_and(|thought| !thought.is_empty()), "{body}");
    }
}

#[test]
fn what_cannot_be_listed_is_refused_by_name() {
    let world = World::plain();
    let response = respond(&world, &call("one"));
    let conversation = post(&world, "/v1/conversations", &json!({})).json();
    for at in [
        format!("/v1/responses/{}/input_items", id(&response)),
        format!("/v1/conversations/{}/items", id(&conversation)),
    ] {
        for (query, param) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=1e3", "limit"),
            ("limit=99999999999999999999999", "limit"),
            ("order=sideways", "order"),
            ("after=msg_nobody", "after"),
            ("before=", "before"),
            ("include=everything", "include"),
            ("include[]=reasoning", "include"),
            ("after=%ff", "after"),
        ] {
            let reply = world.get(&format!("{at}?{query}"));
            let error = &reply.json()["error"];
            assert_eq!((reply.status, &error["param"]), (400, &json!(param)), "{at} {query}: {error}");
            assert!(error["message"].as_str().unwrap().contains(param) || query.contains("%ff"), "{error}");
        }
    }
}
