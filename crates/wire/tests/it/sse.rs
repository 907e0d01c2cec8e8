//! Frames at any split.

use bytes::Bytes;
use proptest::prelude::*;
use wire::sse::{Frame, Splitter, TooLong};

fn frames(chunks: &[&[u8]]) -> (Vec<Bytes>, Bytes) {
    let mut splitter = Splitter::default();
    let mut out = Vec::new();
    for chunk in chunks {
        splitter.push(&Bytes::copy_from_slice(chunk), |frame| out.push(frame)).unwrap();
    }
    let rest = splitter.rest();
    (out, rest)
}

/// Data and name of every event, by the book.
fn events(frames: &[Bytes]) -> Vec<(Option<String>, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    frames
        .iter()
        .map(|frame| {
            let read = Frame::read(frame);
            (read.event.map(text), read.data.as_deref().map(text))
        })
        .filter(|event| *event != (None, None))
        .collect()
}

#[test]
fn every_line_end_and_every_field_is_understood() {
    let data = |text: &str| (None, Some(text.to_owned()));
    for (stream, wanted) in [
        ("data: a\n\ndata:b\n\n", vec![data("a"), data("b")]),
        ("data: a\r\n\r\ndata: b\r\n\r\n", vec![data("a"), data("b")]),
        ("data: a\r\rdata: b\r\r", vec![data("a"), data("b")]),
        ("data: a\r\n\ndata: b\n\r\ndata: c\n\rdata: d\n\n", vec![data("a"), data("b"), data("c"), data("d")]),
        ("data:  two spaces\n\n", vec![data(" two spaces")]),
        ("data: a\ndata: b\ndata\n\n", vec![data("a\nb\n")]),
        (": comment\n\n:\n\ndata: a\n\n", vec![data("a")]),
        ("id: 1\nretry: 5\nevent: error\ndata: x\n\n", vec![(Some("error".into()), Some("x".into()))]),
        ("\n\n\ndata: a\n\n\n\n", vec![data("a")]),
        ("database: no\ndata: a\n\n", vec![data("a")]),
        ("event: ping\n\n", vec![(Some("ping".into()), None)]),
    ] {
        assert_eq!(events(&frames(&[stream.as_bytes()]).0), wanted, "{stream:?}");
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(events(&frames(&bytes).0), wanted, "{stream:?} byte by byte");
    }
}

#[test]
fn what_has_not_ended_is_held() {
    let (done, rest) = frames(&[b"data: a\n\nda", b"ta: b\n"]);
    assert_eq!(done, ["data: a\n\n"]);
    assert_eq!(rest, "data: b\n");
}

#[test]
fn a_frame_within_a_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let mut splitter = Splitter::default();
    let mut places = Vec::new();
    splitter.push(&chunk, |frame| places.push(frame.as_ptr() as usize - chunk.as_ptr() as usize)).unwrap();
    assert_eq!(places, [0, 9]);
}

#[test]
fn a_frame_longer_than_the_bound_is_an_error_whole_or_in_pieces() {
    let long = vec![b'x'; 101];
    assert_eq!(Splitter::new(100).push(&Bytes::from(long.clone()), |_| ()), Err(TooLong(100)));
    let mut splitter = Splitter::new(100);
    let mut result = Ok(());
    for piece in long.chunks(10) {
        result = splitter.push(&Bytes::copy_from_slice(piece), |_| ());
    }
    assert_eq!(result, Err(TooLong(100)));
    let many = Bytes::from("data: short\n\n".repeat(100));
    assert_eq!(Splitter::new(100).push(&many, |_| ()), Ok(()));
}

proptest! {
    #![proptest_config(crate::support::cases(500))]

    #[test]
    fn no_byte_is_lost_and_no_split_matters(
        pieces in prop::collection::vec(prop_oneof![Just("data: x"), Just("data:"), Just("event: e"), Just(": c"), Just("é"), Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n")], 0..30),
        cuts in prop::collection::btree_set(0..200_usize, 0..6),
    ) {
        let stream = pieces.concat();
        let (whole, rest) = frames(&[stream.as_bytes()]);
        let joined = [whole.concat(), rest.to_vec()].concat();
        prop_assert_eq!(&joined, stream.as_bytes());
        let (mut chunks, mut at) = (Vec::new(), 0);
        for cut in cuts.into_iter().filter(|cut| *cut <= stream.len()) {
            chunks.push(&stream.as_bytes()[at..cut]);
            at = cut;
        }
        chunks.push(&stream.as_bytes()[at..]);
        let (split, split_rest) = frames(&chunks);
        prop_assert_eq!([split.concat(), split_rest.to_vec()].concat(), joined);
        prop_assert_eq!(events(&split), events(&whole));
    }
}
