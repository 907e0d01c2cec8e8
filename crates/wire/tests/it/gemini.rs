//! Google's door.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    gemini::{self, Ask, Target, Way},
    json::Limits,
};

use super::doors::{self, append, strict};

const MODEL: &str = "huggingface/groq/org/name";

fn heard(body: &Value) -> types::Result<wire::heard::Heard> {
    gemini::read(&Bytes::from(body.to_string()), MODEL, Way::Whole, &strict, &Limits::default())
}

#[test]
fn calls_become_chats() {
    doors::requests("gemini", |body| gemini::read(body, MODEL, Way::Events, &strict, &Limits::default()));
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    doors::refusals("gemini", |body, headers| gemini::read(body, MODEL, Way::Whole, headers, &Limits::default()));
}

fn writer(way: Way) -> Box<dyn wire::events::Write> {
    let body = Bytes::from_static(br#"{"contents":[{"parts":[{"text":"x"}]}]}"#);
    gemini::read(&body, MODEL, way, &strict, &Limits::default()).unwrap().writer
}

/// One answer of many pieces.
pub(crate) fn gather(items: &[Value]) -> Value {
    let mut whole = items.last().unwrap().clone();
    let mut parts: Vec<Value> = Vec::new();
    for part in items.iter().flat_map(|item| item["candidates"][0]["content"]["parts"].as_array().unwrap()) {
        if part["text"] == "" && part["thoughtSignature"].is_null() {
            continue;
        }
        match parts.last_mut() {
            Some(last)
                if part["text"] != ""
                    && !part["text"].is_null()
                    && !last["text"].is_null()
                    && last["thought"] == part["thought"] =>
            {
                append(&mut last["text"], &part["text"]);
            }
            _ => parts.push(part.clone()),
        }
    }
    if parts.is_empty() {
        parts.push(json!({"text": ""}));
    }
    whole["candidates"][0]["content"]["parts"] = parts.into();
    whole
}

#[test]
fn answers_are_the_same_whole_and_as_events() {
    let show = |stream: &[u8]| String::from_utf8(stream.to_vec()).unwrap().replace('\r', "");
    doors::answers("gemini", || writer(Way::Events), show, |stream| gather(&doors::data(stream)));
}

#[test]
fn without_events_a_stream_is_one_array() {
    for case in doors::cases() {
        let stream = case.stream();
        let events = doors::written(&mut *writer(Way::Events), [stream.as_bytes()]);
        let array = doors::written(&mut *writer(Way::Array), [stream.as_bytes()]);
        let items: Vec<Value> = serde_json::from_slice(&array).unwrap();
        assert_eq!(items, doors::data(&events), "{}", case.name);
    }
    let (mut broken, mut out) = (writer(Way::Array), Vec::new());
    let fault = types::Fault::new(types::Kind::UpstreamFailed, "It failed.");
    broken.fault(&fault, "r", &mut |bytes| out.extend_from_slice(&bytes));
    let items: Vec<Value> = serde_json::from_slice(&out).unwrap();
    assert_eq!(items[0]["error"]["status"], "UNAVAILABLE");
}

#[test]
fn thoughts_stay_hidden_when_the_caller_says_so() {
    let body = json!({"contents": "x", "generationConfig": {"thinkingConfig": {"includeThoughts": false}}});
    let case = doors::cases().into_iter().find(|case| case.name == "reasoning").unwrap();
    let mut writer = heard(&body).unwrap().writer;
    let whole = writer.whole(&wire::events::of_answer(&case.whole()).unwrap()).to_bytes();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["candidates"][0]["content"]["parts"], json!([{"text": "42"}]));
}

#[test]
fn several_answers_and_their_sureness_keep_apart() {
    let answer = json!({"id": "a", "model": "m", "created": 1, "choices": [
        {"index": 0, "message": {"content": "x"}, "finish_reason": "stop", "logprobs": {"content": [
            {"token": "x", "logprob": -0.5, "top_logprobs": [{"token": "y", "logprob": -1.0}]}]}},
        {"index": 1, "message": {"content": "z"}, "finish_reason": "length"}]});
    let whole = writer(Way::Whole).whole(&wire::events::of_answer(answer.to_string().as_bytes()).unwrap()).to_bytes();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(
        whole["candidates"][0]["logprobsResult"]["chosenCandidates"],
        json!([{"token": "x", "logProbability": -0.5}])
    );
    assert_eq!(whole["candidates"][1]["finishReason"], "MAX_TOKENS");
    assert_eq!(whole["candidates"][1]["content"]["parts"][0]["text"], "z");
}

#[test]
fn faults_are_as_written_down() {
    doors::faults("gemini", gemini::fault);
}

#[test]
fn a_path_names_model_and_method() {
    let read = |rest, query| Target::read(rest, query).map(|target| (target.model, target.ask));
    let model = || MODEL.to_owned();
    assert_eq!(read("huggingface/groq/org/name:generateContent", None).unwrap(), (model(), Ask::Generate(Way::Whole)));
    let encoded = "huggingface%2Fgroq%2Forg%2Fname:streamGenerateContent";
    assert_eq!(read(encoded, Some("key=x&alt=sse")).unwrap(), (model(), Ask::Generate(Way::Events)));
    assert_eq!(read(encoded, None).unwrap(), (model(), Ask::Generate(Way::Array)));
    assert_eq!(read("org/name:fastest:countTokens", None).unwrap(), ("org/name:fastest".into(), Ask::Count));
    assert_eq!(read("m:batchEmbedContents", None).unwrap().1, Ask::EmbedBatch);
    for wrong in ["m", "m:predict", ":generateContent"] {
        assert_eq!(read(wrong, None).unwrap_err().kind, types::Kind::NotFound, "{wrong}");
    }
}

#[test]
fn embeddings_come_and_go() {
    let limits = Limits::default();
    let one =
        br#"{"content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}"#;
    let call = gemini::embeddings(&Bytes::from_static(one), "m", Ask::Embed, &strict, &limits).unwrap();
    assert_eq!(call.call, r#"{"model":"m","input":"ab","encoding_format":"float","dimensions":8}"#);
    assert_eq!(call.dropped, ["taskType"]);
    let answer = br#"{"object":"list","data":[{"index":0,"embedding":[0.10,1e-7]}],"usage":{"prompt_tokens":1}}"#;
    assert_eq!(call.answer(answer).unwrap(), br#"{"embedding":{"values":[0.10,1e-7]}}"#);
    let two = br#"{"model":"models/m","requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#;
    let call = gemini::embeddings(&Bytes::from_static(two), "m", Ask::EmbedBatch, &strict, &limits).unwrap();
    assert_eq!(call.call, r#"{"model":"m","input":["a","b"],"encoding_format":"float"}"#);
    let answer = br#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[2]}]}"#;
    assert_eq!(call.answer(answer).unwrap(), br#"{"embeddings":[{"values":[1]},{"values":[2]}]}"#);
    assert_eq!(call.answer(b"{}").unwrap_err().kind, types::Kind::UpstreamBadReply);
}

#[test]
fn tokens_are_estimated() {
    let body = Bytes::from_static(
        br#"{"contents":[{"parts":[{"text":"The quick brown fox jumps over the lazy dog."},
        {"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}"#,
    );
    let answer: Value =
        serde_json::from_slice(&gemini::count_tokens(&body, &strict, &Limits::default()).unwrap()).unwrap();
    assert_eq!(answer["totalTokens"], 11 + 4 + 258);
}

#[test]
fn models_are_listed() {
    let model = wire::openai::models::Model {
        id: "huggingface/groq/org/name",
        operations: vec![types::Operation::Chat],
        context_length: Some(8192),
        ..Default::default()
    };
    let mut list = gemini::List::default();
    list.push(&model);
    list.push(&model);
    let list: Value = serde_json::from_slice(&list.end(Some("next\""))).unwrap();
    assert_eq!(list["models"][1]["name"], "models/huggingface/groq/org/name");
    assert_eq!(list["models"][0]["supportedGenerationMethods"], json!(["generateContent", "countTokens"]));
    assert_eq!(list["nextPageToken"], "next\"");
    assert_eq!(list["models"][0], serde_json::from_slice::<Value>(&gemini::model(&model)).unwrap());
}

proptest! {
    /// What a turn says comes back from the answer's side as it went in.
    #[test]
    fn texts_thoughts_and_calls_survive_the_way_there_and_back(
        text in "\\PC{1,20}", thought in "\\PC{1,20}", name in "[a-z]{1,8}", key in "[a-z]{1,5}", number in -999_i64..999,
    ) {
        let parts = json!([
            {"text": thought, "thought": true},
            {"text": text},
            {"functionCall": {"id": "c1", "name": name, "args": {key: number}}},
        ]);
        let body = json!({"contents": [{"parts": [{"text": "x"}]}, {"role": "model", "parts": parts}]});
        let chat: Value = serde_json::from_slice(&heard(&body).unwrap().chat).unwrap();
        let answer = json!({"id": "a", "model": "m", "created": 1,
            "choices": [{"index": 0, "message": chat["messages"][1], "finish_reason": "stop"}]});
        let events = wire::events::of_answer(answer.to_string().as_bytes()).unwrap();
        let whole: Value = serde_json::from_slice(&writer(Way::Whole).whole(&events).to_bytes()).unwrap();
        prop_assert_eq!(&whole["candidates"][0]["content"]["parts"], &parts);
    }
}
