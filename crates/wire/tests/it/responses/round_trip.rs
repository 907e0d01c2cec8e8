//! Whatever an answer says comes back to the model as it said it.

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::openai::chat::Finish;

use super::{arguments, call, ending, heard, start, stream, text, thought};

proptest! {
    #[test]
    fn an_answer_that_is_sent_back_says_what_the_model_said(
        thoughts in proptest::collection::vec("[a-zé\"\\\\\n]{1,8}", 0..3),
        words in proptest::collection::vec("[a-zé\"\\\\\n]{1,8}", 1..4),
        inputs in proptest::collection::vec("[a-zé\"\\\\\n{}]{0,12}", 0..3),
        sealed in any::<bool>(),
        cut in 0usize..40,
    ) {
        let include: Vec<&str> = if sealed { vec!["reasoning.encrypted_content"] } else { vec![] };
        let tools = json!([{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]);
        let body = json!({"model": "m", "input": "x", "tools": tools, "include": include});
        let mut answer = heard(&body).unwrap();
        let mut events = vec![start()];
        events.extend(thoughts.iter().map(|said| thought(said)));
        events.extend(words.iter().map(|said| text(said)));
        let mut wanted_calls = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let name = if index % 2 == 0 { "c" } else { "f" };
            let id = format!("call_{index}");
            let json = json!({"input": input}).to_string();
            let number = u32::try_from(index).unwrap();
            events.push(call(number, &id, name));
            let cut = (0..=cut.min(json.len())).rev().find(|cut| json.is_char_boundary(*cut)).unwrap();
            events.extend([arguments(number, &json[..cut]), arguments(number, &json[cut..])]);
            wanted_calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": json}}));
        }
        events.extend(ending(Finish::Stop));
        stream(&mut answer, &events);
        let response = answer.answered.response().unwrap().clone();

        let mut input = vec![json!({"role": "user", "content": "x"})];
        input.extend(response["output"].as_array().unwrap().iter().cloned());
        let again = heard(&json!({"model": "m", "input": input, "tools": tools})).unwrap();
        let chat: Value = serde_json::from_slice(&again.chat).unwrap();
        let said = &chat["messages"][1];
        prop_assert_eq!(said["content"].as_str().unwrap(), words.concat());
        prop_assert_eq!(said["reasoning_content"].as_str().unwrap_or_default(), thoughts.concat());
        prop_assert_eq!(said["tool_calls"].as_array().cloned().unwrap_or_default(), wanted_calls);
    }
}
