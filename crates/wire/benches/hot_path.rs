//! What every call and every frame pays: reading the envelope, splicing, scanning frames; and what translation adds.
//!
//! `cargo bench -p wire` prints bytes per second for bodies of 0.5, 10 and 100 KB in several kinds of text.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark may fail loudly")]

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use std::sync::Arc;
use wire::{
    anthropic::{self, Sealer},
    events::{Reader, Write, of_answer},
    json::{Limits, validate},
    multipart::{Attachment, Parser, boundary, write},
    openai::{
        chat::{AnswerContext, Ask, Call, Dialect, Stream, StreamContext, answer, encode},
        embeddings,
        responses::{Request, Told},
    },
    sse::Splitter,
};

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [512, 10 << 10, 100 << 10];
const KINDS: [&str; 6] = ["plain", "model_last", "lines", "code", "escaped", "utf8"];

/// Text of about `size` bytes as it stands in a JSON string.
fn content(kind: &str, size: usize) -> String {
    let unit = match kind {
        // Prose on one line.
        "plain" | "model_last" => "The quick brown fox jumps over the lazy dog, and then it does so once again. ",
        // Prose in short lines.
        "lines" => "The quick brown fox jumps over the lazy dog.\\n- and then\\n- once again\\n\\n",
        // Source code: quotes, backslashes, line breaks, indentation.
        "code" => "    let x = map.get(\\\"key\\\").unwrap_or(&\\\"\\\\n\\\");\\n\\tif x.is_empty() {\\n",
        // What a client writes that escapes everything beyond ASCII.
        "escaped" => "\\u3053\\u3093\\u306b\\u3061\\u306f\\u4e16\\u754c\\u3002",
        // The same as UTF-8.
        "utf8" => "こんにちは世界。Grüße! ",
        other => panic!("{other}"),
    };
    unit.repeat(size.div_ceil(unit.len()))
}

fn body(kind: &str, size: usize) -> Bytes {
    let messages = format!(
        "\"messages\":[{{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"}},{{\"role\":\"user\",\"content\":\"{}\"}}]",
        content(kind, size.saturating_sub(260))
    );
    let rest = "\"temperature\":0.7,\"max_tokens\":256,\"stream\":true,\"stream_options\":{\"include_usage\":true}";
    match kind {
        "model_last" => format!("{{{messages},{rest},\"model\":\"huggingface/auto/org/some-model-70b\"}}"),
        _ => format!("{{\"model\":\"huggingface/auto/org/some-model-70b\",{messages},{rest}}}"),
    }
    .into()
}

fn cases() -> impl Iterator<Item = (&'static str, usize)> {
    KINDS.into_iter().flat_map(|kind| SIZES.map(|size| (kind, size)))
}

struct Case(&'static str, usize);

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>6} {}", self.1, self.0)
    }
}

fn all() -> Vec<Case> {
    cases().map(|(kind, size)| Case(kind, size)).collect()
}

/// The envelope: one full validating scan.
#[divan::bench(args = all())]
fn envelope(bencher: Bencher<'_, '_>, case: &Case) {
    let body = body(case.0, case.1);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench_local(|| Call::read(black_box(body.clone()), &Limits::default()).unwrap());
}

/// The grammar alone.
#[divan::bench(args = all())]
fn grammar(bencher: Bencher<'_, '_>, case: &Case) {
    let body = body(case.0, case.1);
    bencher.counter(BytesCount::new(body.len())).bench_local(|| validate(black_box(&body), Limits::default()).unwrap());
}

/// What a whole parse into a tree costs, to compare with.
#[divan::bench(args = [Case("plain", 100 << 10), Case("code", 100 << 10)])]
fn serde_json_tree(bencher: Bencher<'_, '_>, case: &Case) {
    let body = body(case.0, case.1);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench_local(|| serde_json::from_slice::<serde_json::Value>(black_box(&body)).unwrap());
}

/// Writing the call for a backend, the envelope being read.
#[divan::bench(args = [Case("plain", 512), Case("plain", 100 << 10), Case("model_last", 512), Case("model_last", 100 << 10)])]
fn splice(bencher: Bencher<'_, '_>, case: &Case) {
    let call = Call::read(body(case.0, case.1), &Limits::default()).unwrap();
    bencher
        .bench_local(|| encode(black_box(&call), &Dialect::COMPATIBLE, "org/Some-Model-70B", Ask::default()).unwrap());
}

/// A stream of about `size` bytes: frames alike but for their text.
fn stream(size: usize, id: &str) -> Bytes {
    let words = ["The", " quick", " brown", " fox", " jumps,\\n", " over", " \\\"the\\\"", " lazy", " dog"];
    let mut text = String::new();
    for word in words.iter().cycle() {
        text += &format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":1741627526,\"model\":\"llama-3.3-70b\",\"system_fingerprint\":\"fp_5fb719f1e4\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
        );
        if text.len() >= size {
            break;
        }
    }
    text.into()
}

fn run(stream: &Bytes, piece: usize, show_usage: bool) -> usize {
    let context = StreamContext { show_usage, id: "chatcmpl-x".into(), model: "m".into(), ..StreamContext::default() };
    let mut state = Stream::new(context);
    let mut out = 0;
    let mut at = 0;
    while at < stream.len() {
        let end = (at + piece).min(stream.len());
        state.push(stream.slice(at..end), &mut |piece| out += piece.len()).unwrap();
        at = end;
    }
    out
}

/// Frames that pass as they are, in pieces as a socket gives them.
#[divan::bench(args = SIZES)]
fn frames_that_pass(bencher: Bencher<'_, '_>, size: usize) {
    let stream = stream(size, "chatcmpl-deed8a97");
    bencher.counter(BytesCount::new(stream.len())).bench_local(|| run(black_box(&stream), 16 << 10, true));
}

/// The same, one frame in each piece.
#[divan::bench(args = [100 << 10])]
fn frames_one_by_one(bencher: Bencher<'_, '_>, size: usize) {
    let stream = stream(size, "chatcmpl-deed8a97");
    let mut frames = Vec::new();
    Splitter::default().push(&stream, |frame| frames.push(frame)).unwrap();
    bencher.counter(BytesCount::new(stream.len())).bench_local(|| {
        let mut state = Stream::new(StreamContext::default());
        let mut out = 0;
        for frame in &frames {
            state.push(frame.clone(), &mut |piece| out += piece.len()).unwrap();
        }
        out
    });
}

/// Frames that must be mended: an empty id in each.
#[divan::bench(args = SIZES)]
fn frames_that_change(bencher: Bencher<'_, '_>, size: usize) {
    let stream = stream(size, "");
    bencher.counter(BytesCount::new(stream.len())).bench_local(|| run(black_box(&stream), 16 << 10, true));
}

/// Finding where frames end, and nothing else.
#[divan::bench(args = [100 << 10])]
fn boundaries(bencher: Bencher<'_, '_>, size: usize) {
    let stream = stream(size, "chatcmpl-deed8a97");
    bencher.counter(BytesCount::new(stream.len())).bench_local(|| {
        let mut frames = 0;
        Splitter::default().push(black_box(&stream), |_| frames += 1).unwrap();
        frames
    });
}

/// A whole answer that passes as it is.
#[divan::bench(args = SIZES)]
fn whole_answer(bencher: Bencher<'_, '_>, size: usize) {
    let body = Bytes::from(format!(
        "{{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}}}",
        content("lines", size)
    ));
    let ours = AnswerContext { id: "x", model: "m", created: 0 };
    bencher.counter(BytesCount::new(body.len())).bench_local(|| answer(black_box(&body), &ours).unwrap());
}

/// Seals nothing: there is no thinking in what is measured.
struct Open;

impl Sealer for Open {
    fn seal(&self, _: &[u8]) -> String {
        String::new()
    }

    fn open(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// The dialects that are translated.
const DIALECTS: [&str; 2] = ["anthropic", "responses"];

/// A call in another dialect, its text of about `size` bytes.
fn foreign(dialect: &str, size: usize) -> Bytes {
    let said = format!("[{{\"role\":\"user\",\"content\":\"{}\"}}]", content("lines", size));
    match dialect {
        "anthropic" => format!("{{\"model\":\"m\",\"max_tokens\":9,\"system\":\"Be brief.\",\"messages\":{said}}}"),
        _ => format!("{{\"model\":\"m\",\"instructions\":\"Be brief.\",\"store\":false,\"input\":{said}}}"),
    }
    .into()
}

/// Reads it and writes it as chat; gives what writes its answer.
fn translated(dialect: &str, call: &Bytes) -> Box<dyn Write> {
    let sealer: Arc<dyn Sealer> = Arc::new(Open);
    if dialect == "anthropic" {
        return anthropic::read(call, None, &|_| None, &Limits::default(), &sealer).unwrap().writer;
    }
    let told = Told { id: "resp_1".into(), created_at: 0, now: || 0, sealer };
    Request::read(call, None, &|_| None, &Limits::default()).unwrap().heard(&told).unwrap().writer
}

/// A call in another dialect, read and written as chat.
#[divan::bench(args = DIALECTS, consts = [512, 102_400])]
fn translated_calls<const SIZE: usize>(bencher: Bencher<'_, '_>, dialect: &str) {
    let call = foreign(dialect, SIZE);
    bencher.counter(BytesCount::new(call.len())).bench_local(|| translated(dialect, black_box(&call)));
}

/// The frames of a stream, read as events and written in another dialect.
#[divan::bench(args = DIALECTS)]
fn translated_frames(bencher: Bencher<'_, '_>, dialect: &str) {
    let (stream, call) = (stream(100 << 10, "chatcmpl-deed8a97"), foreign(dialect, 512));
    let mut pieces = Vec::new();
    Splitter::default().push(&stream, |frame| pieces.push(frame)).unwrap();
    bencher.counter(BytesCount::new(stream.len())).with_inputs(|| translated(dialect, &call)).bench_local_values(
        |mut writer| {
            let (mut reader, mut out) = (Reader::default(), 0);
            for piece in &pieces {
                reader.push(piece, &mut |event| writer.event(&event, &mut |bytes| out += bytes.len())).unwrap();
            }
            out
        },
    );
}

/// A whole answer, read as events and written in another dialect.
#[divan::bench(args = DIALECTS)]
fn translated_answers(bencher: Bencher<'_, '_>, dialect: &str) {
    let call = foreign(dialect, 512);
    let body = format!(
        "{{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}}}",
        content("lines", 512)
    );
    bencher
        .counter(BytesCount::new(body.len()))
        .with_inputs(|| translated(dialect, &call))
        .bench_local_values(|mut writer| writer.whole(&of_answer(black_box(body.as_bytes())).unwrap()));
}

/// What comes back for inputs of 1,536 dimensions each: 20 KB a vector as floats, 8 KB as base64.
fn vectors(inputs: usize, base64: bool) -> Bytes {
    let numbers: Vec<String> =
        (0..1536_u32).map(|n| format!("{:.8}", f64::from(n * 7919 % 2000) / 1e4 - 0.1)).collect();
    let vector = if base64 { format!("\"{}\"", "zczMPQrX".repeat(1024)) } else { format!("[{}]", numbers.join(",")) };
    let item = |index| format!("{{\"object\":\"embedding\",\"index\":{index},\"embedding\":{vector}}}");
    let items: Vec<String> = (0..inputs).map(item).collect();
    let usage = "\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}";
    format!("{{\"object\":\"list\",\"data\":[{}],\"model\":\"m\",{usage}}}", items.join(",")).into()
}

fn embeddings_call(inputs: usize, encoding: &str) -> embeddings::Call {
    let texts = vec!["\"a text\""; inputs].join(",");
    let body = format!("{{\"model\":\"m\",\"input\":[{texts}],\"encoding_format\":\"{encoding}\"}}");
    embeddings::Call::read(body.into(), &Limits::default()).unwrap()
}

fn read_vectors(bencher: Bencher<'_, '_>, body: &Bytes, call: &embeddings::Call) {
    let context = embeddings::Context::of(call, "m");
    bencher.counter(BytesCount::new(body.len())).bench_local(|| embeddings::answer(black_box(body), &context).unwrap());
}

/// Vectors that pass as they are.
#[divan::bench(args = [1, 64])]
fn embeddings_floats_that_pass(bencher: Bencher<'_, '_>, inputs: usize) {
    read_vectors(bencher, &vectors(inputs, false), &embeddings_call(inputs, "float"));
}

/// The same in base64.
#[divan::bench(args = [1, 64])]
fn embeddings_base64_that_passes(bencher: Bencher<'_, '_>, inputs: usize) {
    read_vectors(bencher, &vectors(inputs, true), &embeddings_call(inputs, "base64"));
}

/// Floats that become base64.
#[divan::bench(args = [1, 64])]
fn embeddings_converted(bencher: Bencher<'_, '_>, inputs: usize) {
    read_vectors(bencher, &vectors(inputs, false), &embeddings_call(inputs, "base64"));
}

/// The same vectors as a tree, to compare with.
#[divan::bench(args = [1, 64])]
fn embeddings_as_a_tree(bencher: Bencher<'_, '_>, inputs: usize) {
    let body = vectors(inputs, false);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench_local(|| serde_json::from_slice::<serde_json::Value>(black_box(&body)).unwrap());
}

/// A form with a file of 1 MB, in pieces as a socket gives them.
#[divan::bench]
fn form_with_a_file(bencher: Bencher<'_, '_>) {
    let sound = Bytes::from((0..1_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>());
    let file = Attachment { name: "file", file_name: "a.wav", content_type: "audio/wav", bytes: &sound.into() };
    let (kind, body) = write(&[("model", "m")], &[file]).unwrap();
    let (boundary, body) = (boundary(&kind).unwrap(), body.to_bytes());
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        let mut parser = Parser::new(&boundary, wire::multipart::Limits::default());
        let mut events = 0;
        for at in (0..body.len()).step_by(16 << 10) {
            let piece = body.slice(at..body.len().min(at + (16 << 10)));
            parser.push(black_box(piece), &mut |_| events += 1).unwrap();
        }
        events
    });
}
