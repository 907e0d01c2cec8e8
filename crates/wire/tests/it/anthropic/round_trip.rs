//! What both sides can say comes back as it was said.

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{events::Event, openai::chat::Finish};

use super::read;

#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Thought(String),
    Call(Value),
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let words = "[a-zé漢\"\\\\\n {}]{1,12}";
    let object = proptest::collection::vec(("[a-z\"}]{1,4}", words), 0..4)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<Value>());
    let one = prop_oneof![words.prop_map(Said::Text), words.prop_map(Said::Thought), object.prop_map(Said::Call)];
    proptest::collection::vec(one, 0..8)
}

fn events(said: &[Said], cut: usize) -> Vec<Event> {
    let mut events = vec![Event::Start { id: "a".into(), model: "m".into(), created: 1 }];
    let pieces = |text: &str| -> Vec<String> {
        let letters: Vec<char> = text.chars().collect();
        letters.chunks(cut).map(|piece| piece.iter().collect()).collect()
    };
    let mut calls = 0;
    for one in said {
        match one {
            Said::Text(text) => events.extend(pieces(text).into_iter().map(|text| Event::Text { choice: 0, text })),
            Said::Thought(text) => {
                events.extend(pieces(text).into_iter().map(|text| Event::Reasoning { choice: 0, text }));
            }
            Said::Call(input) => {
                events.push(Event::ToolStart { choice: 0, index: calls, id: format!("c{calls}"), name: "f".into() });
                let all = pieces(&input.to_string()).into_iter();
                events.extend(all.map(|json| Event::ToolArguments { choice: 0, index: calls, json }));
                calls += 1;
            }
        }
    }
    events.push(Event::Finish { choice: 0, reason: Finish::Stop });
    events.push(Event::Done);
    events
}

proptest! {
    #[test]
    fn an_answer_that_is_sent_back_says_what_the_backend_said(said in said(), cut in 1_usize..5) {
        let call = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}"#;
        let events = events(&said, cut);
        let whole: Value = serde_json::from_slice(&read(call).unwrap().writer.whole(&events).to_bytes()).unwrap();
        let mut writer = read(call).unwrap().writer;
        let mut out = String::new();
        for event in &events {
            writer.event(event, &mut |bytes| out += std::str::from_utf8(&bytes).unwrap());
        }
        prop_assert_eq!(&super::answers::gathered(&out), &whole);

        let replay = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "assistant", "content": whole["content"]}]});
        let chat: Value = serde_json::from_slice(&read(&replay.to_string()).unwrap().chat).unwrap();
        let turn = &chat["messages"][0];
        let text: String = said.iter().filter_map(|one| if let Said::Text(text) = one { Some(text.as_str()) } else { None }).collect();
        let thought: String = said.iter().filter_map(|one| if let Said::Thought(text) = one { Some(text.as_str()) } else { None }).collect();
        prop_assert_eq!(turn["content"].as_str().unwrap_or(""), text);
        prop_assert_eq!(turn["reasoning_content"].as_str().unwrap_or(""), thought);
        let calls: Vec<Value> = turn["tool_calls"].as_array().into_iter().flatten()
            .map(|call| serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap()).collect();
        let wanted: Vec<Value> = said.iter().filter_map(|one| if let Said::Call(input) = one { Some(input.clone()) } else { None }).collect();
        prop_assert_eq!(calls, wanted);
    }
}
