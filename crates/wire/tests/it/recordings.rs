//! Every recorded exchange: read by what reads its kind, or listed with the reason why it is not for chat.
//!
//! What an exchange means (text, calls, usage, end) is worked out here with serde_json from the raw recording, and
//! compared with the meaning of what comes out, apart from the bytes.

use std::{collections::BTreeSet, fs, path::PathBuf};

use bytes::Bytes;
use serde_json::Value;
use types::Kind;
use wire::{
    hub,
    openai::chat::{AnswerContext, answer},
    upstream_error,
};

use crate::support::{context, data_lines, run, run_at_every_split};

/// Tasks whose good answers are not for chat, and why.
const NOT_CHAT: &[(&str, &str)] = &[
    ("asset-download", "bytes of pictures, films and sounds behind addresses that answers named: images and speech"),
    ("automatic-speech-recognition", "transcriptions"),
    ("embeddings", "vectors: the embeddings operation"),
    ("image-to-image", "pictures: the edit operation"),
    ("text-completion", "the older completions protocol, which has no door here"),
    ("text-to-image", "pictures: the image operation"),
    ("text-to-speech", "sound: the speech operation"),
    ("text-to-video", "films: no operation here"),
];

struct Recording {
    name: String,
    task: String,
    status: u16,
    body: Option<String>,
    headers: Value,
}

fn recordings() -> Vec<Recording> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            Recording {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                task: value["task"].as_str().unwrap().into(),
                status: value["response"]["status"].as_u64().unwrap().try_into().unwrap(),
                body: value["response"]["body"].as_str().map(str::to_owned),
                headers: value["response"]["headers"].clone(),
            }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

impl Recording {
    fn is_stream(&self) -> bool {
        self.headers["content-type"].as_str().is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_else(|| panic!("{} has no text", self.name))
    }
}

/// What an answer means, whatever its bytes.
#[derive(Debug, Default, PartialEq)]
struct Meaning {
    text: String,
    /// Name and arguments, as values.
    calls: Vec<(String, Value)>,
    finish: Option<String>,
    /// Prompt and completion.
    usage: Option<(u64, u64)>,
    model: String,
}

impl Meaning {
    /// Adds what a message or delta says. Arguments may be a text or, from older servers, an object.
    fn add(&mut self, said: &Value, choice: &Value) {
        self.text += said["content"].as_str().unwrap_or("");
        for call in said["tool_calls"].as_array().into_iter().flatten() {
            let arguments = match &call["function"]["arguments"] {
                Value::String(text) => serde_json::from_str(text).unwrap(),
                other => other.clone(),
            };
            self.calls.push((call["function"]["name"].as_str().unwrap().into(), arguments));
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(reason.into());
        }
    }

    fn add_usage(&mut self, usage: &Value) {
        if usage.is_object() {
            self.usage = Some((usage["prompt_tokens"].as_u64().unwrap(), usage["completion_tokens"].as_u64().unwrap()));
        }
    }

    fn of_answer(value: &Value) -> Self {
        let mut meaning = Self { model: value["model"].as_str().unwrap().into(), ..Self::default() };
        for choice in value["choices"].as_array().unwrap() {
            meaning.add(&choice["message"], choice);
        }
        meaning.add_usage(&value["usage"]);
        meaning
    }

    fn of_events(events: &[Value]) -> Self {
        let mut meaning = Self::default();
        for event in events {
            meaning.model = event["model"].as_str().unwrap().into();
            for choice in event["choices"].as_array().unwrap() {
                meaning.add(&choice["delta"], choice);
            }
            meaning.add_usage(&event["usage"]);
        }
        meaning
    }

    /// With the ends that OpenAI's schema knows.
    fn promised(mut self) -> Self {
        if let Some("eos" | "eos_token") = self.finish.as_deref() {
            self.finish = Some("stop".into());
        }
        if !self.calls.is_empty() && self.finish.as_deref() == Some("stop") {
            self.finish = Some("tool_calls".into());
        }
        self
    }
}

fn raw_events(body: &str) -> Vec<Value> {
    let lines = data_lines(body.as_bytes());
    let json = lines.iter().map(|line| line.trim_end_matches('"')).filter(|line| *line != "[DONE]");
    json.map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn check_stream(recording: &Recording) {
    let raw = Meaning::of_events(&raw_events(recording.body())).promised();
    for show_usage in [false, true] {
        let bytes = recording.body().as_bytes();
        let came = if bytes.len() <= 5_500 {
            run_at_every_split(&context(show_usage), bytes)
        } else {
            let whole = run(context(show_usage), [bytes]);
            for size in 1..=24 {
                assert_eq!(run(context(show_usage), bytes.chunks(size)).text(), whole.text(), "pieces of {size}");
            }
            whole
        };
        assert!(came.fault.is_none(), "{:?}", came.fault);
        assert!(came.text().ends_with("data: [DONE]\n\n"));
        let events = came.events();
        let meaning = Meaning::of_events(&events);
        assert_eq!(
            Meaning { usage: None, ..meaning },
            Meaning { usage: None, ..Meaning::of_events(&raw_events(recording.body())).promised() }
        );
        let used = came.stream.usage().map(|usage| (usage.input, usage.output));
        assert_eq!(used, raw.usage);
        assert_eq!(came.stream.finish().map(|f| f.name().to_owned()), raw.finish);
        let shown: Vec<_> = events.iter().filter(|event| event["usage"].is_object()).collect();
        match (show_usage, raw.usage) {
            (true, Some(_)) => {
                assert_eq!(shown, [events.last().unwrap()]);
                assert_eq!(events.last().unwrap()["choices"], Value::Array(vec![]));
                assert_eq!(Meaning::of_events(&events).usage, raw.usage);
            }
            _ => assert!(shown.is_empty()),
        }
        let id = events[0]["id"].as_str().unwrap();
        for event in &events {
            assert!(!id.is_empty() && event["id"] == id);
            assert_eq!(event["object"], "chat.completion.chunk");
            assert!(event["created"].is_u64());
        }
    }
}

fn check_answer(recording: &Recording) {
    let raw: Value = serde_json::from_str(recording.body()).unwrap();
    let ours = AnswerContext { id: "chatcmpl-ours", model: "asked-model", created: 1_700_000_000 };
    let body = Bytes::from(recording.body().to_owned());
    let came = answer(&body, &ours).unwrap();
    let value: Value = serde_json::from_slice(&came.body.to_bytes()).unwrap();
    let promised = Meaning::of_answer(&raw).promised();
    assert_eq!(Meaning::of_answer(&value), promised);
    assert_eq!(came.usage.map(|usage| (usage.input, usage.output)), promised.usage);
    assert_eq!(came.finish.map(|f| f.name().to_owned()), promised.finish);
    assert_eq!(value["object"], "chat.completion");
    assert!(!value["id"].as_str().unwrap().is_empty());
    let mut ids = BTreeSet::new();
    for call in value["choices"][0]["message"]["tool_calls"].as_array().into_iter().flatten() {
        assert!(ids.insert(call["id"].as_str().unwrap().to_owned()) && call["function"]["arguments"].is_string());
    }
    // Whatever is there that nobody knows is there still.
    for (name, member) in raw.as_object().unwrap() {
        if !["id", "object", "choices"].contains(&name.as_str()) {
            assert_eq!(&value[name], member, "{name}");
        }
    }
    if ids.is_empty() && raw["id"] != "" && raw["object"] == "chat.completion" {
        assert_eq!(came.body.to_bytes(), body, "nothing had to change");
    }
}

/// The words that a person would find in the body.
fn words(body: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return body.trim().into() };
    let places = ["/error/message", "/error", "/error/0", "/message", "/detail", "/detail/0/msg"];
    places.iter().find_map(|place| value.pointer(place)?.as_str()).unwrap_or_else(|| panic!("{body}")).trim().into()
}

fn check_error(recording: &Recording) {
    let header = |name: &str| recording.headers[name].as_str();
    let fault = upstream_error::read(recording.status, &header, recording.body().as_bytes(), 0);
    assert!(fault.message.starts_with(&words(recording.body())), "{}", fault.message);
    let loading = recording.body().contains("estimated_time");
    let kind = match recording.status {
        // More tokens asked for than fit.
        422 if recording.body().contains("tokens + `max_new_tokens`") => Kind::ContextLength,
        400 | 422 => Kind::UpstreamRejected,
        404 => Kind::UpstreamNotFound,
        429 => Kind::UpstreamRateLimited,
        500 => Kind::UpstreamFailed,
        503 if loading => Kind::UpstreamLoading,
        503 => Kind::UpstreamFailed,
        other => panic!("a status that this test does not know: {other}"),
    };
    assert_eq!((fault.kind, fault.status), (kind, Some(recording.status)));
    assert_eq!(fault.retry_after.is_some(), loading);
    // The same words inside a stream or a good status are a fault as well.
    if recording.body().starts_with('{') && upstream_error::speaks_of_one(recording.body().as_bytes()) {
        let event = format!("data: {}\n\n", recording.body());
        let fault = run(context(true), [event.as_bytes()]).fault.expect("an error in a stream is a fault");
        assert!(fault.message.starts_with(&words(recording.body())));
        let ours = AnswerContext { id: "x", model: "m", created: 0 };
        assert!(answer(&Bytes::from(recording.body().to_owned()), &ours).is_err());
    }
}

fn check_hub(recording: &Recording) {
    if recording.status == 307 {
        // A renamed model: the reader must not take the words of a redirect for an answer.
        assert!(recording.headers["location"].is_string() && hub::mapping(recording.body().as_bytes()).is_err());
        return;
    }
    let raw: Value = serde_json::from_str(recording.body()).unwrap();
    if raw.is_array() {
        let listed = hub::models(recording.body().as_bytes()).unwrap();
        assert_eq!(listed.len(), raw.as_array().unwrap().len());
        return;
    }
    let info = hub::mapping(recording.body().as_bytes()).unwrap();
    assert_eq!(info.id, raw["id"]);
    let expected = raw.get("inferenceProviderMapping").and_then(Value::as_object);
    assert_eq!(info.mappings.is_some(), expected.is_some());
    for (mapping, (provider, entry)) in info.mappings.iter().flatten().zip(expected.into_iter().flatten()) {
        assert_eq!(
            (&mapping.provider, mapping.provider_id.as_str()),
            (provider, entry["providerId"].as_str().unwrap())
        );
        assert_eq!(
            (mapping.state.as_str(), mapping.task.as_str()),
            (entry["status"].as_str().unwrap(), entry["task"].as_str().unwrap())
        );
    }
    assert_eq!(info.mappings.map_or(0, |all| all.len()), expected.map_or(0, serde_json::Map::len));
}

#[test]
fn every_recording_is_read_or_listed_with_a_reason() {
    let all = recordings();
    assert_eq!(all.len(), 207, "a recording was added or lost: say here what it is for");
    let (mut read, mut listed, mut used) = (0, 0, BTreeSet::new());
    for recording in &all {
        // The name is told when a check fails.
        eprintln!("{}", recording.name);
        match recording.task.as_str() {
            _ if recording.status >= 400 => check_error(recording),
            "chat" if recording.is_stream() => check_stream(recording),
            "chat" => check_answer(recording),
            "hub-model-info" | "hub-model-mapping" => check_hub(recording),
            task => {
                let (task, reason) =
                    NOT_CHAT.iter().find(|(name, _)| *name == task).unwrap_or_else(|| panic!("{task}: give a reason"));
                assert!(!reason.is_empty());
                used.insert(*task);
                listed += 1;
                continue;
            }
        }
        read += 1;
    }
    assert_eq!((read, listed), (114, 93));
    assert_eq!(used.len(), NOT_CHAT.len(), "a reason that no recording needs");
}
