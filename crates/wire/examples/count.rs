//! The steps of the byte path that every call pays, one at a time and a chosen number of times, to be counted under
//! valgrind: `scripts/test --only "instruction counts"` runs it twice for each and divides the difference.
//!
//! `count list` names the steps; `count NAME TIMES` does one.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring tool may fail loudly and prints its names")]

use bytes::Bytes;
use std::{hint::black_box, sync::Arc};
use wire::{
    anthropic::{self, Sealer},
    events::{Reader, Write, of_answer},
    json::Limits,
    openai::{
        chat::{AnswerContext, Ask, Call, Dialect, Stream, StreamContext, answer, encode},
        embeddings,
        responses::{Request, Told},
    },
    sse::Splitter,
};

/// What is done again and again.
type Step = Box<dyn FnMut()>;

/// Makes a step.
type Made = fn() -> Step;

/// Names, and what makes the step.
const STEPS: [(&str, Made); 14] = [
    ("envelope, 0.5 KB", || envelope(512)),
    ("envelope, 100 KB of source code", || envelope(100 << 10)),
    ("splice, 0.5 KB", splice),
    ("answer, 0.6 KB", whole_answer),
    ("embeddings, an answer of 20 KB", vectors),
    ("stream, a chunk that passes", chunk),
    ("stream, where a frame ends", boundary),
    ("translation, a call of Anthropic's", || calls(anthropic_call)),
    ("translation, a call of Responses", || calls(responses_call)),
    ("translation, a chunk for Anthropic", || chunks(anthropic_call)),
    ("translation, a chunk for Responses", || chunks(responses_call)),
    ("translation, an answer for Anthropic", || answers(anthropic_call)),
    ("translation, an answer for Responses", || answers(responses_call)),
    ("tokens of 10 KB, estimated", tokens),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [list] if list == "list" => STEPS.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] => {
            let mut step = STEPS.iter().find(|(known, _)| known == name).unwrap().1();
            for _ in 0..times.parse::<usize>().unwrap() {
                step();
            }
        }
        _ => println!("count list | count NAME TIMES"),
    }
}

fn body(size: usize) -> Bytes {
    let text = "    let x = map.get(\\\"key\\\").unwrap_or(&\\\"\\\\n\\\");\\n\\tif x.is_empty() {\\n";
    let content = text.repeat(size.saturating_sub(300).div_ceil(text.len()));
    format!(
        "{{\"model\":\"huggingface/groq/org/some-model-70b\",\"messages\":[{{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"}},{{\"role\":\"user\",\"content\":\"{content}\"}}],\"temperature\":0.7,\"max_tokens\":256,\"stream\":true,\"stream_options\":{{\"include_usage\":true}}}}"
    )
    .into()
}

fn envelope(size: usize) -> Step {
    let (body, limits) = (body(size), Limits::default());
    Box::new(move || drop(black_box(Call::read(black_box(body.clone()), &limits).unwrap())))
}

fn splice() -> Step {
    let call = Call::read(body(512), &Limits::default()).unwrap();
    Box::new(move || {
        let encoded = encode(black_box(&call), &Dialect::COMPATIBLE, "org/Some-Model-70B", Ask::default());
        drop(black_box(encoded.unwrap()));
    })
}

fn whole_answer() -> Step {
    let body = whole_body();
    let ours = AnswerContext { id: "x", model: "m", created: 0 };
    Box::new(move || drop(black_box(answer(black_box(&body), &ours).unwrap())))
}

fn whole_body() -> Bytes {
    let text = "The quick brown fox says \\\"hello\\\" to the lazy dog.\\n".repeat(5);
    Bytes::from(format!(
        "{{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":100,\"completion_tokens\":100,\"total_tokens\":200}}}}"
    ))
}

fn vectors() -> Step {
    let numbers: Vec<String> =
        (0..1536_u32).map(|n| format!("{:.9}", f64::from(n * 7919 % 2000) / 1e4 - 0.1)).collect();
    let vector = numbers.join(",");
    let body = Bytes::from(format!(
        "{{\"object\":\"list\",\"data\":[{{\"object\":\"embedding\",\"index\":0,\"embedding\":[{vector}]}}],\"model\":\"m\",\"usage\":{{\"prompt_tokens\":8,\"total_tokens\":8}}}}"
    ));
    let call = embeddings::Call::read("{\"model\":\"m\",\"input\":\"a\"}".into(), &Limits::default()).unwrap();
    Box::new(move || {
        let context = embeddings::Context::of(&call, "m");
        drop(black_box(embeddings::answer(black_box(&body), &context).unwrap()));
    })
}

fn frame() -> Bytes {
    Bytes::from_static(b"data: {\"id\":\"chatcmpl-deed8a97\",\"object\":\"chat.completion.chunk\",\"created\":1741627526,\"model\":\"llama-3.3-70b\",\"system_fingerprint\":\"fp_5fb719f1e4\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" quick\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n")
}

fn chunk() -> Step {
    let frame = frame();
    let mut stream = Stream::new(StreamContext::default());
    Box::new(move || stream.push(black_box(frame.clone()), &mut |piece| drop(black_box(piece))).unwrap())
}

fn boundary() -> Step {
    let frame = frame();
    let mut splitter = Splitter::default();
    Box::new(move || splitter.push(black_box(&frame), |frame| drop(black_box(frame))).unwrap())
}

/// Seals nothing: there is no thinking in what is counted.
struct Open;

impl Sealer for Open {
    fn seal(&self, _: &[u8]) -> String {
        String::new()
    }

    fn open(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// A small call in another dialect, read and written as chat; gives what writes its answer.
type Translated = fn() -> Box<dyn Write>;

fn sealer() -> Arc<dyn Sealer> {
    Arc::new(Open)
}

fn anthropic_call() -> Box<dyn Write> {
    let call = Bytes::from_static(
        b"{\"model\":\"m\",\"max_tokens\":9,\"stream\":true,\"system\":\"Be brief.\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
    );
    anthropic::read(&call, None, &|_| None, &Limits::default(), &sealer()).unwrap().writer
}

fn responses_call() -> Box<dyn Write> {
    let call = Bytes::from_static(
        b"{\"model\":\"m\",\"max_output_tokens\":9,\"stream\":true,\"instructions\":\"Be brief.\",\"input\":[{\"role\":\"user\",\"content\":\"hi\"}],\"store\":false}",
    );
    let told = Told { id: "resp_1".into(), created_at: 0, now: || 0, sealer: sealer() };
    Request::read(&call, None, &|_| None, &Limits::default()).unwrap().heard(&told).unwrap().writer
}

fn calls(read: Translated) -> Step {
    Box::new(move || drop(black_box(read())))
}

/// A whole answer, read and written in the dialect of the call; with a call each, as a writer writes one answer.
fn answers(read: Translated) -> Step {
    let body = whole_body();
    Box::new(move || drop(black_box(read().whole(&of_answer(black_box(&body)).unwrap()))))
}

fn tokens() -> Step {
    let text = "The quick brown fox says \"hello\" to the lazy dog, twice (at 10:45).\n".repeat(147);
    Box::new(move || {
        black_box(anthropic::tokens::of_text(black_box(&text)));
    })
}

fn chunks(read: Translated) -> Step {
    let (frame, mut reader, mut write) = (frame(), Reader::default(), read());
    Box::new(move || {
        let mut out = |bytes: Bytes| drop(black_box(bytes));
        reader.push(black_box(&frame), &mut |event| write.event(&event, &mut out)).unwrap();
    })
}
