//! Prompt caches survive: equal calls are equal bytes, the order of everything is kept, and what comes later changes nothing
//! that was said before.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{chat, heard, request, told};

/// A schema whose members stand in an order of their own.
fn schema() -> impl Strategy<Value = Value> {
    proptest::collection::vec("[a-z]{1,6}", 1..5).prop_shuffle().prop_map(|names| {
        let members: Map<String, Value> = names.iter().map(|name| (name.clone(), json!({"type": "string"}))).collect();
        json!({"type": "object", "properties": members, "required": names})
    })
}

fn tools() -> impl Strategy<Value = Vec<Value>> {
    let tool = (any::<bool>(), schema()).prop_map(|(strict, schema)| (strict, schema));
    proptest::collection::vec(tool, 0..5).prop_map(|tools| {
        let tool = |(index, (strict, schema)): (usize, (bool, Value))| {
            json!({"type": "function", "name": format!("f{}", index * 7 % 5), "strict": strict, "parameters": schema})
        };
        tools.into_iter().enumerate().map(tool).collect()
    })
}

fn items() -> impl Strategy<Value = Vec<Value>> {
    let item = (prop_oneof![Just("user"), Just("assistant")], "[a-zé\"\\\\\n]{1,12}")
        .prop_map(|(role, text)| json!({"type": "message", "role": role, "content": text}));
    proptest::collection::vec(item, 1..6)
}

proptest! {
    #[test]
    fn equal_calls_are_equal_bytes_in_the_callers_order(tools in tools(), items in items()) {
        let body = json!({"model": "m", "instructions": "i", "input": items, "tools": tools});
        let sent = heard(&body).unwrap().chat;
        prop_assert_eq!(&sent, &heard(&body).unwrap().chat);
        let (text, chat) = (String::from_utf8(sent.to_vec()).unwrap(), chat(&body));
        let names = |tools: &Value| -> Vec<Value> {
            tools.as_array().into_iter().flatten().map(|tool| tool["function"]["name"].clone()).collect()
        };
        let wanted: Vec<Value> = tools.iter().map(|tool| tool["name"].clone()).collect();
        prop_assert_eq!(names(&chat["tools"]), wanted);
        for tool in &tools {
            prop_assert!(text.contains(&tool["parameters"].to_string()), "members keep their order: {}", text);
        }
    }

    #[test]
    fn what_is_played_back_is_what_was_sent_by_hand_and_the_beginning_stays(
        tools in tools(),
        before in items(),
        input in items(),
    ) {
        // What follows the assistant's words in the same turn belongs to it: a turn of the user's closes it.
        let before: Vec<Value> =
            before.into_iter().chain([json!({"type": "message", "role": "user", "content": "."})]).collect();
        let body = |input: &[Value]| json!({"model": "m", "instructions": "i", "input": input, "tools": tools});
        let first = request(&body(&before)).unwrap();
        let kept: Vec<Value> = first.own_items("resp_1").into_iter().map(|(_, item)| item).collect();

        let mut chained = body(&input);
        chained["previous_response_id"] = "resp_1".into();
        let mut next = request(&chained).unwrap();
        next.compose(kept);
        let chained = next.heard(&told()).unwrap().chat;
        let by_hand = heard(&body(&[before.clone(), input.clone()].concat())).unwrap().chat;
        prop_assert_eq!(&chained, &by_hand);

        let messages = |chat: &[u8]| -> Vec<Value> {
            let chat: Value = serde_json::from_slice(chat).unwrap();
            chat["messages"].as_array().unwrap().clone()
        };
        let earlier = messages(&first.heard(&told()).unwrap().chat);
        prop_assert_eq!(&messages(&chained)[..earlier.len()], &earlier[..]);
    }
}
