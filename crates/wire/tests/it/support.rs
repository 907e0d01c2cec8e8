//! What several tests share.

use bytes::Bytes;
use proptest::test_runner::Config;
use types::{Fault, Result};
use wire::openai::chat::{Stream, StreamContext};

/// So many cases, or more if the environment asks for more (`PROPTEST_CASES`), as the long run of the tests does.
pub(crate) fn cases(at_least: u32) -> Config {
    let asked = Config::default();
    Config { cases: asked.cases.max(at_least), failure_persistence: None, ..asked }
}

/// A context with names that are easy to see in a result.
pub(crate) fn context(show_usage: bool) -> StreamContext {
    StreamContext {
        show_usage,
        id: "chatcmpl-ours".into(),
        model: "asked-model".into(),
        created: 1_700_000_000,
        ..StreamContext::default()
    }
}

/// What a stream came to: all bytes that went out, the fault if it ended with one, and the stream itself.
pub(crate) struct Run {
    pub out: Vec<u8>,
    pub fault: Option<Box<Fault>>,
    pub stream: Stream,
}

impl Run {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Every JSON event that went out.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        data_lines(&self.out).iter().filter(|d| *d != "[DONE]").map(|d| serde_json::from_str(d).expect(d)).collect()
    }
}

/// The data of the events in a stream, read naively.
pub(crate) fn data_lines(stream: &[u8]) -> Vec<String> {
    let text = String::from_utf8(stream.to_vec()).unwrap();
    let lines = text.split(['\n', '\r']).filter_map(|line| line.strip_prefix("data:"));
    lines.map(|data| data.trim_start().to_owned()).collect()
}

/// Runs a stream over chunks.
pub(crate) fn run<'a>(context: StreamContext, chunks: impl IntoIterator<Item = &'a [u8]>) -> Run {
    let mut stream = Stream::new(context);
    let mut out = Vec::new();
    let mut write = |piece: Bytes| out.extend_from_slice(&piece);
    let mut result: Result<()> = Ok(());
    for chunk in chunks {
        result = stream.push(Bytes::copy_from_slice(chunk), &mut write);
        if result.is_err() {
            break;
        }
    }
    let result = result.and_then(|()| stream.end(&mut write));
    Run { out, fault: result.err(), stream }
}

/// Runs a stream whole, and checks that every way of cutting it in two, and one byte at a time, comes to the same.
pub(crate) fn run_at_every_split(context: &StreamContext, bytes: &[u8]) -> Run {
    let whole = run(context.clone(), [bytes]);
    let same = |other: &Run, how: &str| {
        assert_eq!(other.text(), whole.text(), "{how}");
        assert_eq!(other.fault.as_ref().map(|f| &f.message), whole.fault.as_ref().map(|f| &f.message), "{how}");
        assert_eq!(other.stream.usage(), whole.stream.usage(), "{how}");
        assert_eq!(other.stream.finish(), whole.stream.finish(), "{how}");
    };
    for at in 0..bytes.len() {
        same(&run(context.clone(), [&bytes[..at], &bytes[at..]]), &format!("cut at {at}"));
    }
    same(&run(context.clone(), bytes.chunks(1)), "byte by byte");
    whole
}
