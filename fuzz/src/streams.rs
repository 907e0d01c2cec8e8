//! What is read as it comes: the same at every split.

use bytes::Bytes;
use wire::{
    openai::chat::{Stream, StreamContext},
    sse::Splitter,
};

/// The chunked coding, as `net` has it.
#[path = "../../crates/net/src/chunked.rs"]
mod chunked;

/// A stream that goes through whole, and cut into pieces, comes to the same bytes and the same end.
pub(crate) fn chat(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let run = |size: usize| {
        let context =
            StreamContext { show_usage: choice & 1 == 1, id: "ours".into(), model: "m".into(), ..Default::default() };
        let (mut stream, mut out) = (Stream::new(context), Vec::new());
        let mut write = |piece: Bytes| out.extend_from_slice(&piece);
        let pushed = bytes.chunks(size).try_for_each(|chunk| stream.push(Bytes::copy_from_slice(chunk), &mut write));
        let ended = pushed.and_then(|()| stream.end(&mut write));
        (out, ended.err().map(|fault| fault.message))
    };
    let whole = run(bytes.len().max(1));
    assert_eq!(whole, run(1));
    assert_eq!(whole, run(1 + usize::from(choice >> 1) % 40));
}

/// No byte of a stream is lost between its frames.
pub(crate) fn frames(data: &[u8]) {
    let split = |size: usize| {
        let (mut splitter, mut frames) = (Splitter::default(), Vec::new());
        for chunk in data.chunks(size) {
            if splitter.push(&Bytes::copy_from_slice(chunk), |frame| frames.push(frame)).is_err() {
                return None;
            }
        }
        Some((frames, splitter.rest()))
    };
    let whole = split(data.len().max(1));
    assert_eq!(whole, split(1));
    if let Some((frames, rest)) = whole {
        assert_eq!([frames.concat(), rest.to_vec()].concat(), data);
    }
}

/// The chunked coding gives the same payload at every split, or is refused at every split.
pub(crate) fn chunks(data: &[u8]) {
    let read = |size: usize| {
        let (mut decoder, mut payload) = (chunked::ChunkDecoder::new(), Vec::new());
        for mut piece in data.chunks(size) {
            loop {
                match decoder.next(&mut piece).ok()? {
                    chunked::Step::Data(data) => payload.extend_from_slice(data),
                    chunked::Step::More => break,
                    chunked::Step::End => return Some((payload, true)),
                }
            }
        }
        Some((payload, false))
    };
    let whole = read(data.len().max(1));
    assert_eq!(whole, read(1));
    assert_eq!(whole, read(3));
}
