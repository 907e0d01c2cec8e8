//! A conversation in each door's words becomes the chat that says the same; equal calls become equal bytes, and what has
//! no place anywhere is named.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use types::Result;
use wire::{
    bedrock, cohere, gemini,
    heard::Heard,
    json::Limits,
    openai::{completions, responses},
};

use super::talk::{Part, Said, Talk, failing, named, put, talk, words};
use crate::{doors::strict, support::cases};

const LIMITS: Limits = Limits { max_depth: 64, max_members: 100_000 };

/// A door that takes conversations.
pub(super) struct Door {
    /// How it says a conversation.
    pub write: fn(&Talk) -> Value,
    pub read: fn(&Bytes) -> Result<Chat>,
    /// How it has a tool's result said in a chat.
    pub result: fn(&str, bool) -> String,
    /// Whether it can say at which words to stop.
    stops: bool,
}

/// A call as chat has it, and what it lacks.
pub(super) type Chat = (Bytes, Vec<String>);

fn heard(heard: Result<Heard>) -> Result<Chat> {
    heard.map(|heard| (heard.chat, heard.dropped))
}

pub(super) const DOORS: &[Door] = &[
    Door {
        write: of_gemini,
        read: |body| heard(gemini::read(body, "m", gemini::Way::Whole, &strict, &LIMITS)),
        result: in_json,
        stops: true,
    },
    Door {
        write: of_cohere,
        read: |body| heard(cohere::read(body, None, &strict, &LIMITS)),
        result: failing,
        stops: true,
    },
    Door {
        write: of_bedrock,
        read: |body| heard(bedrock::read(body, "m", bedrock::Way::Whole, &strict, &LIMITS)),
        result: failing,
        stops: true,
    },
    Door {
        write: of_anthropic,
        read: |body| heard(crate::anthropic::read_bytes(body)),
        result: crate::anthropic::failing,
        stops: true,
    },
    Door {
        write: of_responses,
        read: |body| {
            let request = responses::Request::read(body, None, &strict, &LIMITS)?;
            request.heard(&crate::responses::told()).map(|heard| (heard.chat, heard.dropped))
        },
        result: failing,
        stops: false,
    },
    Door { write: Talk::chat, read: |body| Ok((body.clone(), Vec::new())), result: failing, stops: true },
];

/// Google's results are objects.
fn in_json(text: &str, failed: bool) -> String {
    json!({ if failed { "error" } else { "output" }: text }).to_string()
}

fn of_gemini(talk: &Talk) -> Value {
    let parts = |parts: &[Part]| -> Vec<Value> {
        let part = |part: &Part| match part {
            Part::Text(text) => json!({ "text": text }),
            Part::Picture(data) => json!({"inlineData": {"mimeType": "image/png", "data": data}}),
        };
        parts.iter().map(part).collect()
    };
    let mut contents = Vec::new();
    for exchange in &talk.exchanges {
        contents.push(json!({"role": "user", "parts": parts(&exchange.user)}));
        let Said { thought, text, calls } = &exchange.model;
        let mut said = Vec::new();
        if !thought.is_empty() {
            said.push(json!({"text": thought, "thought": true}));
        }
        if !text.is_empty() {
            said.push(json!({ "text": text }));
        }
        said.extend(
            calls
                .iter()
                .map(|call| json!({"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}})),
        );
        contents.push(json!({"role": "model", "parts": said}));
        let result = |(call, (text, failed)): (&super::talk::Call, &(String, bool))| {
            let said: Value = serde_json::from_str(&in_json(text, *failed)).unwrap();
            json!({"functionResponse": {"id": call.id, "name": call.name, "response": said}})
        };
        let results: Vec<Value> = calls.iter().zip(&exchange.results).map(result).collect();
        if !results.is_empty() {
            contents.push(json!({"role": "user", "parts": results}));
        }
    }
    contents.push(json!({"role": "user", "parts": parts(&talk.ask)}));
    let settings = &talk.settings;
    let mut config = json!({"maxOutputTokens": settings.max_tokens});
    put(
        &mut config,
        [
            ("temperature", settings.temperature().map(Value::from)),
            ("topP", settings.top_p().map(Value::from)),
            ("stopSequences", (!settings.stop.is_empty()).then(|| settings.stop.clone().into())),
            ("thinkingConfig", settings.effort.map(|effort| json!({"thinkingLevel": effort.to_uppercase()}))),
            ("responseMimeType", settings.schema.as_ref().map(|_| "application/json".into())),
            ("responseJsonSchema", settings.schema.clone()),
        ],
    );
    let mut body = json!({"contents": contents, "generationConfig": config});
    let declared: Vec<Value> = talk.tools.iter().map(|tool| named(tool, "parametersJsonSchema")).collect();
    put(
        &mut body,
        [
            ("systemInstruction", talk.system.as_ref().map(|text| json!({"parts": [{ "text": text }]}))),
            ("tools", (!declared.is_empty()).then(|| json!([{ "functionDeclarations": declared }]))),
            ("toolConfig", settings.must_call.then(|| json!({"functionCallingConfig": {"mode": "ANY"}}))),
        ],
    );
    body
}

fn of_cohere(talk: &Talk) -> Value {
    let parts = |parts: &[Part]| -> Vec<Value> {
        let part = |part: &Part| match part {
            Part::Text(text) => json!({"type": "text", "text": text}),
            Part::Picture(data) => {
                json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}})
            }
        };
        parts.iter().map(part).collect()
    };
    let mut messages: Vec<Value> = Vec::new();
    messages.extend(talk.system.as_ref().map(|text| json!({"role": "system", "content": text})));
    for exchange in &talk.exchanges {
        messages.push(json!({"role": "user", "content": parts(&exchange.user)}));
        let Said { thought, text, calls } = &exchange.model;
        let mut said = Vec::new();
        if !thought.is_empty() {
            said.push(json!({"type": "thinking", "thinking": thought}));
        }
        if !text.is_empty() {
            said.push(json!({"type": "text", "text": text}));
        }
        let mut message = json!({"role": "assistant", "content": said});
        let call = |call: &super::talk::Call| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments.to_string()}});
        put(&mut message, [("tool_calls", (!calls.is_empty()).then(|| calls.iter().map(call).collect()))]);
        messages.push(message);
        for (call, (text, failed)) in calls.iter().zip(&exchange.results) {
            messages.push(json!({"role": "tool", "tool_call_id": call.id, "content": failing(text, *failed)}));
        }
    }
    messages.push(json!({"role": "user", "content": parts(&talk.ask)}));
    let settings = &talk.settings;
    let mut body = json!({"model": "m", "messages": messages, "max_tokens": settings.max_tokens});
    let budget = settings.effort.map(|effort| match effort {
        "low" => 1000,
        "medium" => 9000,
        _ => 20_000,
    });
    let tool = |tool: &super::talk::Tool| json!({"type": "function", "function": named(tool, "parameters")});
    put(
        &mut body,
        [
            ("temperature", settings.temperature().map(Value::from)),
            ("p", settings.top_p().map(Value::from)),
            ("stop_sequences", (!settings.stop.is_empty()).then(|| settings.stop.clone().into())),
            ("thinking", budget.map(|budget| json!({"type": "enabled", "token_budget": budget}))),
            (
                "response_format",
                settings.schema.as_ref().map(|schema| json!({"type": "json_object", "json_schema": schema})),
            ),
            ("tools", (!talk.tools.is_empty()).then(|| talk.tools.iter().map(tool).collect())),
            ("tool_choice", settings.must_call.then(|| "REQUIRED".into())),
        ],
    );
    body
}

fn of_bedrock(talk: &Talk) -> Value {
    let parts = |parts: &[Part]| -> Vec<Value> {
        let part = |part: &Part| match part {
            Part::Text(text) => json!({ "text": text }),
            Part::Picture(data) => json!({"image": {"format": "png", "source": {"bytes": data}}}),
        };
        parts.iter().map(part).collect()
    };
    let mut messages = Vec::new();
    for exchange in &talk.exchanges {
        messages.push(json!({"role": "user", "content": parts(&exchange.user)}));
        let Said { thought, text, calls } = &exchange.model;
        let mut said = Vec::new();
        if !thought.is_empty() {
            said.push(json!({"reasoningContent": {"reasoningText": {"text": thought}}}));
        }
        if !text.is_empty() {
            said.push(json!({ "text": text }));
        }
        said.extend(
            calls
                .iter()
                .map(|call| json!({"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}})),
        );
        messages.push(json!({"role": "assistant", "content": said}));
        let result = |(call, (text, failed)): (&super::talk::Call, &(String, bool))| {
            let status = if *failed { "error" } else { "success" };
            json!({"toolResult": {"toolUseId": call.id, "content": [{ "text": text }], "status": status}})
        };
        let results: Vec<Value> = calls.iter().zip(&exchange.results).map(result).collect();
        if !results.is_empty() {
            messages.push(json!({"role": "user", "content": results}));
        }
    }
    messages.push(json!({"role": "user", "content": parts(&talk.ask)}));
    let settings = &talk.settings;
    let mut config = json!({"maxTokens": settings.max_tokens});
    put(
        &mut config,
        [
            ("temperature", settings.temperature().map(Value::from)),
            ("topP", settings.top_p().map(Value::from)),
            ("stopSequences", (!settings.stop.is_empty()).then(|| settings.stop.clone().into())),
        ],
    );
    let format = |schema: &Value| json!({"type": "json_schema", "structure": {"jsonSchema": {"name": "n", "schema": schema.to_string()}}});
    let mut output = json!({});
    put(
        &mut output,
        [("effort", settings.effort.map(Value::from)), ("textFormat", settings.schema.as_ref().map(format))],
    );
    let tool = |tool: &super::talk::Tool| {
        let mut spec = named(tool, "inputSchema");
        spec["inputSchema"] = json!({ "json": tool.schema });
        json!({ "toolSpec": spec })
    };
    let mut tools = json!({"tools": talk.tools.iter().map(tool).collect::<Vec<_>>()});
    put(&mut tools, [("toolChoice", settings.must_call.then(|| json!({"any": {}})))]);
    let mut body = json!({"messages": messages, "inferenceConfig": config, "outputConfig": output});
    put(
        &mut body,
        [
            ("system", talk.system.as_ref().map(|text| json!([{ "text": text }]))),
            ("toolConfig", (!talk.tools.is_empty()).then_some(tools)),
        ],
    );
    body
}

pub(super) fn of_anthropic(talk: &Talk) -> Value {
    let parts = |parts: &[Part]| -> Vec<Value> {
        let part = |part: &Part| match part {
            Part::Text(text) => json!({"type": "text", "text": text}),
            Part::Picture(data) => {
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
            }
        };
        parts.iter().map(part).collect()
    };
    let mut messages = Vec::new();
    for exchange in &talk.exchanges {
        messages.push(json!({"role": "user", "content": parts(&exchange.user)}));
        let Said { thought, text, calls } = &exchange.model;
        let mut said = Vec::new();
        if !thought.is_empty() {
            let signature = crate::anthropic::signature(thought);
            said.push(json!({"type": "thinking", "thinking": thought, "signature": signature}));
        }
        if !text.is_empty() {
            said.push(json!({"type": "text", "text": text}));
        }
        let call = |call: &super::talk::Call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments});
        said.extend(calls.iter().map(call));
        messages.push(json!({"role": "assistant", "content": said}));
        let result = |(call, (text, failed)): (&super::talk::Call, &(String, bool))| json!({"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": failed});
        let results: Vec<Value> = calls.iter().zip(&exchange.results).map(result).collect();
        if !results.is_empty() {
            messages.push(json!({"role": "user", "content": results}));
        }
    }
    messages.push(json!({"role": "user", "content": parts(&talk.ask)}));
    let settings = &talk.settings;
    let mut body = json!({"model": "m", "max_tokens": settings.max_tokens, "messages": messages});
    let mut output = json!({});
    let format = |schema: &Value| json!({"type": "json_schema", "schema": schema});
    put(&mut output, [("effort", settings.effort.map(Value::from)), ("format", settings.schema.as_ref().map(format))]);
    put(
        &mut body,
        [
            ("system", talk.system.clone().map(Value::from)),
            ("temperature", settings.temperature().map(Value::from)),
            ("top_p", settings.top_p().map(Value::from)),
            ("stop_sequences", (!settings.stop.is_empty()).then(|| settings.stop.clone().into())),
            ("output_config", Some(output)),
            (
                "tools",
                (!talk.tools.is_empty()).then(|| talk.tools.iter().map(|tool| named(tool, "input_schema")).collect()),
            ),
            ("tool_choice", settings.must_call.then(|| json!({"type": "any"}))),
        ],
    );
    body
}

fn of_responses(talk: &Talk) -> Value {
    let parts = |parts: &[Part]| -> Vec<Value> {
        let part = |part: &Part| match part {
            Part::Text(text) => json!({"type": "input_text", "text": text}),
            Part::Picture(data) => {
                json!({"type": "input_image", "image_url": format!("data:image/png;base64,{data}")})
            }
        };
        parts.iter().map(part).collect()
    };
    let mut input = Vec::new();
    for exchange in &talk.exchanges {
        input.push(json!({"role": "user", "content": parts(&exchange.user)}));
        let Said { thought, text, calls } = &exchange.model;
        if !thought.is_empty() {
            let content = json!([{"type": "reasoning_text", "text": thought}]);
            input.push(json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": content}));
        }
        if !text.is_empty() {
            let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
            input.push(json!({"type": "message", "role": "assistant", "content": content}));
        }
        input.extend(calls.iter().map(|call| {
            json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments.to_string()})
        }));
        input.extend(calls.iter().zip(&exchange.results).map(|(call, (text, failed))| {
            json!({"type": "function_call_output", "call_id": call.id, "output": failing(text, *failed)})
        }));
    }
    input.push(json!({"role": "user", "content": parts(&talk.ask)}));
    let settings = &talk.settings;
    let mut body = json!({"model": "m", "input": input, "max_output_tokens": settings.max_tokens});
    let tool = |tool: &super::talk::Tool| {
        let mut said = named(tool, "parameters");
        said["type"] = "function".into();
        said
    };
    let format = |schema: &Value| json!({"format": {"type": "json_schema", "name": "n", "schema": schema}});
    put(
        &mut body,
        [
            ("instructions", talk.system.clone().map(Value::from)),
            ("temperature", settings.temperature().map(Value::from)),
            ("top_p", settings.top_p().map(Value::from)),
            ("reasoning", settings.effort.map(|effort| json!({ "effort": effort }))),
            ("text", settings.schema.as_ref().map(format)),
            ("tools", (!talk.tools.is_empty()).then(|| talk.tools.iter().map(tool).collect())),
            ("tool_choice", settings.must_call.then(|| "required".into())),
        ],
    );
    body
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_conversation_becomes_the_chat_that_says_the_same(talk in talk()) {
        for door in DOORS {
            let mut talk = talk.clone();
            if !door.stops {
                talk.settings.stop.clear();
            }
            let body = Bytes::from((door.write)(&talk).to_string());
            let (chat, dropped) = (door.read)(&body).map_err(|fault| TestCaseError::fail(format!("{fault}")))?;
            talk.is_in(&serde_json::from_slice(&chat).unwrap(), door.result)?;
            prop_assert!(dropped.is_empty(), "{:?}", dropped);
        }
    }

    #[test]
    fn a_prompt_becomes_the_chat_that_says_the_same(
        prompt in words(), limit in 1..9999_u32, stop in proptest::collection::vec(words(), 1..3), more in super::talk::object(),
    ) {
        let body = json!({"model": "m", "prompt": prompt, "max_tokens": limit, "stop": stop, "temperature": 0.5, "their_own": more});
        let body = Bytes::from(body.to_string());
        let read = || completions::read(&body, None, &strict, &LIMITS);
        let heard = read().unwrap();
        let chat: Value = serde_json::from_slice(&heard.chat).unwrap();
        prop_assert_eq!(&chat["messages"], &json!([{"role": "user", "content": prompt}]));
        prop_assert_eq!(&chat["max_completion_tokens"], &json!(limit));
        prop_assert_eq!(&chat["stop"], &json!(stop));
        prop_assert_eq!(chat["their_own"].to_string(), more.to_string());
        prop_assert_eq!(read().unwrap().chat, heard.chat);
    }
}
