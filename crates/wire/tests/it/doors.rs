//! What the tests of the front doors share: fixtures of calls, the same answers for every door, golden files.
//!
//! `IRONBOW_GOLDEN=write` writes golden files anew.

use std::{fmt::Write as _, fs, path::PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};
use types::{Fault, Kind, Result};
use wire::{
    events::{Event, Reader, Write, of_answer},
    heard::Heard,
    json::Limits,
    openai::chat::Call,
};

/// The headers of a caller who wants everything or nothing.
pub(crate) fn strict(_: &str) -> Option<&str> {
    None
}

/// The headers of a caller who takes what can be had.
pub(crate) fn lenient(name: &str) -> Option<&str> {
    (name == "x-ironbow-lenient").then_some("true")
}

fn folder(door: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(door)
}

/// Compares with a golden file.
pub(crate) fn golden(door: &str, name: &str, text: &str) {
    let path = folder(door).join(name);
    if std::env::var_os("IRONBOW_GOLDEN").is_some_and(|how| how == "write") {
        fs::create_dir_all(folder(door)).unwrap();
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == golden, "{} differs; set IRONBOW_GOLDEN=write to accept:\n{text}", path.display());
}

/// Reads every `*.request.json` of a door: the chat that it becomes is golden, good, and the same every time.
pub(crate) fn requests(door: &str, read: impl Fn(&Bytes) -> Result<Heard>) {
    let mut files: Vec<_> = fs::read_dir(folder(door)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut seen = 0;
    for path in files {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = file.strip_suffix(".request.json") else { continue };
        seen += 1;
        let body = Bytes::from(fs::read(&path).unwrap());
        let heard = read(&body).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        let call = Call::read(heard.chat.clone(), &Limits::default()).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        assert_eq!(call.model(), heard.model, "{file}");
        assert_eq!(read(&body).unwrap().chat, heard.chat, "{file}: equal calls give equal bytes");
        let chat: Value = serde_json::from_slice(&heard.chat).unwrap();
        let text = format!("{}\n// dropped: {:?}\n", serde_json::to_string_pretty(&chat).unwrap(), heard.dropped);
        golden(door, &format!("{name}.chat.txt"), &text);
    }
    assert!(seen > 0, "no requests for {door}");
}

/// Reads every call of `refused.json`: each is refused by name, and taken when the caller is lenient if that helps.
pub(crate) fn refusals(door: &str, read: impl Fn(&Bytes, &dyn Fn(&str) -> Option<&str>) -> Result<Heard>) {
    let calls: Vec<Value> = serde_json::from_slice(&fs::read(folder(door).join("refused.json")).unwrap()).unwrap();
    let mut text = String::new();
    for call in calls {
        let body = Bytes::from(call.to_string());
        let fault = read(&body, &strict).expect_err(&call.to_string());
        assert!(fault.param.is_some(), "no member is named: {call}");
        let _ = writeln!(text, "{call}\n  {fault}\n  param: {:?}", fault.param);
        match read(&body, &lenient) {
            Ok(heard) => {
                assert_eq!(fault.kind, Kind::UnsupportedParameter, "{call}");
                let _ = writeln!(text, "  lenient: dropped {:?}", heard.dropped);
            }
            Err(fault) => {
                let _ = writeln!(text, "  lenient: {fault}");
            }
        }
    }
    golden(door, "refused.txt", &text);
}

/// An answer: its name, and the deltas, why it ended, what it used.
pub(crate) struct Case {
    pub name: &'static str,
    pub deltas: Vec<Value>,
    pub finish: &'static str,
}

/// The answers that every door writes.
pub(crate) fn cases() -> Vec<Case> {
    let text = |text: &str| json!({ "content": text });
    let start = |index: u32, name: &str| {
        json!({"tool_calls": [{"index": index, "id": format!("call_{index}"), "type": "function",
            "function": {"name": name, "arguments": ""}}]})
    };
    let arguments = |index: u32, json: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]});
    let case = |name, deltas, finish| Case { name, deltas, finish };
    vec![
        case("text", vec![text("Grüße"), text(", \"world\"\n")], "stop"),
        case("nothing", vec![text("")], "stop"),
        case("json", vec![text("{\"a\":"), text("1}")], "stop"),
        case("length", vec![text("Once upon")], "length"),
        case("filtered", vec![text("I")], "content_filter"),
        case("refusal", vec![json!({"refusal": "I will"}), json!({"refusal": " not."})], "stop"),
        case(
            "reasoning",
            vec![json!({"reasoning_content": "Hm"}), json!({"reasoning_content": "m."}), text("42")],
            "stop",
        ),
        case("tool", vec![start(0, "look"), arguments(0, "{\"at\""), arguments(0, ":\"a\"}")], "tool_calls"),
        case("text-and-tool", vec![text("Let me look."), start(0, "look"), arguments(0, "{}")], "tool_calls"),
        case(
            "parallel-tools",
            vec![start(0, "look"), arguments(0, "{\"at\":1}"), start(1, "hear"), arguments(1, "{\"at\":2}")],
            "tool_calls",
        ),
        case(
            "tools-in-turns",
            vec![start(0, "look"), start(1, "hear"), arguments(1, "{\"at\""), arguments(0, "{}"), arguments(1, ":2}")],
            "tool_calls",
        ),
    ]
}

impl Case {
    /// As OpenAI's chat streams it.
    pub(crate) fn stream(&self) -> String {
        let chunk = |choices: Value, usage: Value| {
            let mut chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
                "model": "org/name", "choices": choices});
            if !usage.is_null() {
                chunk["usage"] = usage;
            }
            format!("data: {chunk}\n\n")
        };
        let mut stream = String::new();
        for delta in &self.deltas {
            stream += &chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null);
        }
        stream += &chunk(json!([{"index": 0, "delta": {}, "finish_reason": self.finish}]), Value::Null);
        stream += &chunk(json!([]), usage());
        stream + "data: [DONE]\n\n"
    }

    /// As OpenAI's chat answers it whole.
    pub(crate) fn whole(&self) -> Vec<u8> {
        let mut message = json!({"role": "assistant", "content": null});
        for delta in &self.deltas {
            for name in ["content", "refusal", "reasoning_content"] {
                if let Some(more) = delta[name].as_str() {
                    message[name] = (message[name].as_str().unwrap_or_default().to_owned() + more).into();
                }
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                if message["tool_calls"].is_null() {
                    message["tool_calls"] = json!([]);
                }
                let calls = message["tool_calls"].as_array_mut().unwrap();
                if calls.len() == index {
                    calls.push(call.clone());
                } else {
                    let known = &mut calls[index]["function"]["arguments"];
                    let more = call["function"]["arguments"].as_str().unwrap();
                    *known = (known.as_str().unwrap().to_owned() + more).into();
                }
            }
        }
        let answer = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "org/name",
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish}], "usage": usage()});
        answer.to_string().into_bytes()
    }
}

fn usage() -> Value {
    json!({"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19,
        "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 3}})
}

/// What a writer makes of a stream, cut into these pieces.
pub(crate) fn written<'a>(writer: &mut dyn Write, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for piece in pieces {
        let mut each = |event: Event| writer.event(&event, &mut |bytes| out.extend_from_slice(&bytes));
        reader.push(&Bytes::copy_from_slice(piece), &mut each).unwrap();
    }
    out
}

/// Writes every answer, whole and streamed, and a stream that breaks. `show` makes a stream readable, `gather` makes a
/// whole answer of it, which must be the one that is written at once.
pub(crate) fn answers(
    door: &str,
    writer: impl Fn() -> Box<dyn Write>,
    show: impl Fn(&[u8]) -> String,
    gather: impl Fn(&[u8]) -> Value,
) {
    let mut text = String::new();
    for case in cases() {
        let stream = case.stream();
        let out = written(&mut *writer(), [stream.as_bytes()]);
        for cut in 0..stream.len() {
            let (left, right) = stream.as_bytes().split_at(cut);
            assert_eq!(written(&mut *writer(), [left, right]), out, "{} cut at {cut}", case.name);
        }
        let whole = writer().whole(&of_answer(&case.whole()).unwrap()).to_bytes();
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(gather(&out), whole, "{}: the stream is the whole answer", case.name);
        let _ = write!(
            text,
            "== {}\n{}-- whole\n{}\n\n",
            case.name,
            show(&out),
            serde_json::to_string_pretty(&whole).unwrap()
        );
    }
    let mut broken = writer();
    let stream = cases().remove(0).stream();
    let cut = stream.find("\n\n").unwrap() + 2;
    let mut out = written(&mut *broken, [&stream.as_bytes()[..cut]]);
    let fault = Fault::new(Kind::UpstreamTruncated, "The answer ended in its middle.");
    broken.fault(&fault, "req-1", &mut |bytes| out.extend_from_slice(&bytes));
    let _ = write!(text, "== error inside\n{}", show(&out));
    golden(door, "answers.txt", &text);
}

/// The matrix of kinds of faults at a door.
pub(crate) fn faults(door: &str, fault: impl Fn(&Fault, &str) -> (u16, &'static str, Vec<u8>)) {
    let mut matrix = String::new();
    for kind in Kind::ALL {
        let bare = Fault::new(*kind, "What is wrong, and what to do.");
        let mut full = Fault::new(*kind, "What is wrong, and what to do.").param("messages[0].role").code("own_code");
        full = full.backend("somewhere").retry_after(std::time::Duration::from_millis(1500));
        full.upstream_request_id = Some("req-theirs".into());
        full.detail = Some("inner detail".into());
        for said in [bare, full] {
            let (status, media, body) = fault(&said, "req-ours");
            let body = String::from_utf8(body).unwrap();
            assert!(!body.contains("inner detail"));
            assert!(serde_json::from_str::<Value>(&body).is_ok());
            let _ = write!(matrix, "{} {status} {media}\n  {body}\n", kind.name());
        }
    }
    golden(door, "faults.txt", &matrix);
}

/// The data of server-sent events.
pub(crate) fn data(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    lines.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// Adds text to a string that may not be there yet.
pub(crate) fn append(place: &mut Value, more: &Value) {
    *place = (place.as_str().unwrap_or_default().to_owned() + more.as_str().unwrap_or_default()).into();
}
