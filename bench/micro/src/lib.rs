//! The bodies that the micro-benchmarks are run on: shaped like real ones, the same in every run.

use bytes::Bytes;
use serde_json::{Value, json};

/// Sizes of chat calls, in bytes.
pub const SIZES: [usize; 3] = [500, 10_000, 100_000];

const WORDS: &str =
    "the model reads a long prompt and then it writes an answer about rivers, \"quoted\" things and cafés.\n";

fn text(bytes: usize) -> String {
    WORDS.chars().cycle().take(bytes).collect()
}

/// A chat call of about this many bytes: a system prompt and turns of two kilobytes.
pub fn call(bytes: usize) -> Bytes {
    let mut messages = vec![json!({"role": "system", "content": "You are a helpful assistant."})];
    let mut left = bytes.saturating_sub(260);
    while left > 0 {
        let turn = left.min(2_000);
        let role = if messages.len() % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": text(turn.saturating_sub(60).max(1))}));
        left -= turn;
    }
    let body = json!({"messages": messages, "model": "huggingface/groq/bench/model", "temperature": 0.7,
        "max_tokens": 256, "user": "user-1234", "stream": true, "stream_options": {"include_usage": true}});
    body.to_string().into()
}

/// A whole answer with this much text.
pub fn answer(bytes: usize) -> Bytes {
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_800_000_000, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text(bytes)}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 100, "total_tokens": 120}})
    .to_string()
    .into()
}

/// The frames of a stream of this many tokens, `[DONE]` included.
pub fn frames(tokens: usize) -> Vec<Bytes> {
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_800_000_000, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut frames = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    frames.extend((0..tokens).map(|n| chunk(json!({"content": format!(" word{n}")}), Value::Null)));
    frames.push(chunk(json!({}), json!("stop")));
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    frames
}
