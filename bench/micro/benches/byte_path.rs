//! `cargo bench -p micro`. Each step of ours stands beside a full parse by serde_json, which is what it saves.

use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use micro::SIZES;
use wire::json::Limits;
use wire::openai::chat::{AnswerContext, Ask, Call, Dialect, Stream, StreamContext, answer, encode};

fn main() {
    divan::main();
}

fn dialect() -> &'static Dialect {
    let chats = providers::TABLE.iter().find(|backend| backend.id == "groq").and_then(|backend| backend.chat.as_ref());
    &chats.expect("the backend chats").dialect
}

fn read(body: &Bytes) -> Call {
    Call::read(body.clone(), &Limits::default()).expect("the body is good")
}

/// Reading the envelope: the whole body is checked, nothing is built.
#[divan::bench(args = SIZES)]
fn envelope(bencher: Bencher, size: usize) {
    let body = micro::call(size);
    bencher.counter(BytesCount::new(body.len())).bench(|| read(black_box(&body)));
}

/// The same body as a tree, for comparison.
#[divan::bench(args = SIZES)]
fn full_parse_by_serde_json(bencher: Bencher, size: usize) {
    let body = micro::call(size);
    let parse = || serde_json::from_slice::<serde_json::Value>(black_box(&body)).expect("the body is good");
    bencher.counter(BytesCount::new(body.len())).bench(parse);
}

/// Writing the call for a backend: a new model, the rest as it came.
#[divan::bench(args = SIZES)]
fn splice(bencher: Bencher, size: usize) {
    let body = micro::call(size);
    let call = read(&body);
    let write = || encode(black_box(&call), dialect(), "bench-model", Ask::default()).expect("the call is good");
    bencher.counter(BytesCount::new(body.len())).bench(write);
}

/// Reading a whole answer that passes untouched.
#[divan::bench(args = SIZES)]
fn whole_answer(bencher: Bencher, size: usize) {
    let body = micro::answer(size);
    let context = AnswerContext { id: "chatcmpl-x", model: "m", created: 1_800_000_000 };
    bencher.counter(BytesCount::new(body.len())).bench(|| answer(black_box(&body), &context).expect("it is good"));
}

fn pass(chunks: &[Bytes]) -> usize {
    let mut stream = Stream::new(StreamContext::default());
    let mut passed = 0;
    let mut out = |bytes: Bytes| passed += bytes.len();
    for chunk in chunks {
        stream.push(chunk.clone(), &mut out).expect("the stream is good");
    }
    stream.end(&mut out).expect("the stream is whole");
    passed
}

/// A stream whose frames arrive one by one.
#[divan::bench(args = [100])]
fn frames_one_by_one(bencher: Bencher, tokens: usize) {
    let frames = micro::frames(tokens);
    bencher.counter(ItemsCount::new(frames.len())).bench(|| pass(black_box(&frames)));
}

/// The same frames, arriving in pieces of 16 KiB.
#[divan::bench(args = [100])]
fn frames_in_bursts(bencher: Bencher, tokens: usize) {
    let frames = micro::frames(tokens);
    let whole = Bytes::from(frames.concat());
    let bursts: Vec<Bytes> =
        (0..whole.len()).step_by(16_384).map(|at| whole.slice(at..whole.len().min(at + 16_384))).collect();
    bencher.counter(ItemsCount::new(frames.len())).bench(|| pass(black_box(&bursts)));
}

/// Each frame as a tree, for comparison.
#[divan::bench(args = [100])]
fn frames_parsed_by_serde_json(bencher: Bencher, tokens: usize) {
    let frames = micro::frames(tokens);
    let parse = || {
        let data = frames.iter().filter_map(|frame| frame.strip_prefix(b"data: ".as_slice()));
        data.filter_map(|data| serde_json::from_slice::<serde_json::Value>(black_box(data)).ok()).count()
    };
    bencher.counter(ItemsCount::new(frames.len())).bench(parse);
}
