//! Damaged and hostile bytes: whatever comes, there is an answer or a fault, never a panic and never broken JSON.

use bytes::Bytes;
use proptest::prelude::*;
use types::Kind;
use wire::{
    hub,
    json::Limits,
    openai::chat::{AnswerContext, Ask, Call, Dialect, JsonSchema, MaxTokens, answer, encode},
    upstream_error,
};

use crate::support::{context, run};

const CALL: &str = r#"{"store":1,"extra_body":{"top_k":3},"response_format":{"type":"json_schema","json_schema":{"schema":{"b":2}}},"user":null,"stream":true,"stream_options":{},"max_completion_tokens":9,"messages":[{"role":"developer","name":null},{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[]},{"role":"user","content":[{"type":"image_url"}]}],"tools":[{"type":"web_search"},{"type":"custom","custom":{"name":"c"}}],"tool_choice":{"type":"custom","custom":{"name":"c"}},"model":"m"}"#;
const STREAM: &str = "data:{\"id\":\"\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":1}}\r\n\r\n: c\n\ndata: {\"id\":7,\"object\":null,\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":0,\"function\":{\"name\":\"f\",\"arguments\":{}}}]},\"finish_reason\":\"eos\"}]}\n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"b\",\"function\":{\"name\":\"g\"}},{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}],\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"tool_calls\":null},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
const ANSWER: &str = r#"{"id":"","object":"text_completion","choices":[{"finish_reason":"eos_token","message":{"tool_calls":[{"id":0,"function":{"name":"f","arguments":{"a":[1]}}}]}}],"usage":{"prompt_tokens":1,"completion_tokens_details":{"reasoning_tokens":3}}}"#;
const ERROR: &str = r#"{"error":{"message":["m",{"loc":["a",0],"msg":"x"}],"code":429,"type":"t"},"warnings":["w"],"detail":[{"loc":["b"],"msg":"m"}],"estimated_time":2.5}"#;
const HUB: &str = r#"{"id":"a/b","inferenceProviderMapping":{"x":{"status":"live","providerId":"p","task":"conversational"}},"data":[{"id":"m","providers":[{"provider":"x","pricing":{"input":0.5}}]}]}"#;

/// A text with a few bytes changed, taken out, put in, or cut off, and pieces said twice.
fn damaged(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..6_u8, any::<u8>());
    prop::collection::vec(change, 0..5).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (one, other, how, byte) in changes {
            let (a, b) = (one.index(bytes.len() + 1), other.index(bytes.len() + 1));
            let (from, to) = (a.min(b), a.max(b));
            match how {
                0 if from < bytes.len() => bytes[from] = byte,
                1 => bytes.insert(from, b"\"\\{}[],:0n\n "[usize::from(byte) % 12]),
                2 => drop(bytes.drain(from..to.min(from + 9))),
                3 => {
                    let piece = bytes[from..to].to_vec();
                    bytes.splice(to..to, piece);
                }
                4 if byte < 40 => bytes.truncate(to),
                _ => {}
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(crate::support::cases(1500))]

    #[test]
    fn a_damaged_call_is_refused_or_written_as_good_json(bytes in damaged(CALL), lenient in any::<bool>(), shape in 0..4_usize) {
        let json_schema = [JsonSchema::WithGuidedJson, JsonSchema::NotStrict, JsonSchema::ObjectWithValue, JsonSchema::AsIs][shape];
        let max_tokens = [MaxTokens::MaxTokens, MaxTokens::MaxCompletionTokens, MaxTokens::Both, MaxTokens::MaxTokens][shape];
        let dialect = Dialect { json_schema, max_tokens, ..Dialect::COMPATIBLE };
        match Call::read(bytes.into(), &Limits::default()) {
            Err(fault) => prop_assert_eq!(fault.kind, Kind::BadRequest),
            Ok(call) => {
                if let Ok(encoded) = encode(&call, &dialect, "m", Ask { lenient, backend: "b" }) {
                    let sent = encoded.body.to_bytes();
                    let again = Call::read(sent.clone(), &Limits::default());
                    prop_assert!(again.is_ok_and(|again| again.model() == "m"), "{}", String::from_utf8_lossy(&sent));
                }
            }
        }
    }

    #[test]
    fn a_damaged_stream_comes_to_the_same_at_any_split(bytes in damaged(STREAM), show in any::<bool>(), size in 1..40_usize) {
        let whole = run(context(show), [&bytes[..]]);
        let split = run(context(show), bytes.chunks(size));
        prop_assert_eq!(String::from_utf8_lossy(&whole.out), String::from_utf8_lossy(&split.out));
        prop_assert_eq!(whole.fault.as_ref().map(|f| &f.message), split.fault.as_ref().map(|f| &f.message));
        prop_assert_eq!(whole.fault.is_none(), whole.stream.is_closed());
        for data in crate::support::data_lines(String::from_utf8_lossy(&whole.out).as_bytes()).iter().filter(|data| !data.starts_with("[DONE]")) {
            let read = serde_json::from_str::<serde_json::Value>(data);
            prop_assert!(read.is_ok(), "{data}");
        }
    }

    #[test]
    fn a_damaged_answer_is_a_fault_or_good_json(bytes in damaged(ANSWER)) {
        let ours = AnswerContext { id: "x", model: "m", created: 0 };
        if let Ok(came) = answer(&Bytes::from(bytes), &ours) {
            let value: serde_json::Value = serde_json::from_slice(&came.body.to_bytes()).unwrap();
            prop_assert!(value["choices"].is_array());
        }
    }

    #[test]
    fn a_damaged_error_still_says_something(bytes in damaged(ERROR), status in 200..600_u16) {
        prop_assert!(!upstream_error::read(status, &|_| None, &bytes, 0).message.is_empty());
        prop_assert!(!upstream_error::in_good_status(&bytes).message.is_empty());
    }

    #[test]
    fn damaged_lists_do_no_harm(bytes in damaged(HUB)) {
        let _ = (hub::mapping(&bytes), hub::models(&bytes), hub::router_models(&bytes), hub::router_model(&bytes));
    }
}
