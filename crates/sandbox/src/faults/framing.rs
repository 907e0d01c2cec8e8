//! The same events, framed in every way that the event-stream format allows, and some that it does not.

use bytes::Bytes;
use serde::Deserialize;

use crate::reply::Step;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Framing {
    /// Lines end with CR LF.
    Crlf,
    /// Lines end with CR.
    Cr,
    /// Every byte is a write of its own.
    Bytes,
    /// All frames are one write.
    OneWrite,
    /// Each JSON is spread over two `data` lines.
    TwoDataLines,
    /// A byte-order mark comes first.
    Bom,
    /// No space after `data:`.
    NoSpace,
    /// `event`, `id` and `retry` lines beside each `data`.
    Fields,
    /// A comment between all frames.
    Comments,
    /// The stream just ends after the last chunk.
    NoDone,
    /// The last frame lacks its empty line.
    NoLastBlank,
    /// A stray quote after the end.
    Stray,
    /// Frames with empty data in between.
    EmptyData,
}

fn text(frames: &[Bytes], each: impl Fn(&str) -> String) -> Vec<Step> {
    frames.iter().map(|frame| Step::Send(Bytes::from(each(&String::from_utf8_lossy(frame))))).collect()
}

/// The steps that send these frames in another framing.
pub(crate) fn framed(frames: &[Bytes], how: Framing) -> Vec<Step> {
    match how {
        Framing::Crlf => text(frames, |frame| frame.replace('\n', "\r\n")),
        Framing::Cr => text(frames, |frame| frame.replace('\n', "\r")),
        Framing::Bytes => {
            let single = |byte: u8| [Step::Send(Bytes::copy_from_slice(&[byte])), Step::Flush];
            frames.iter().flat_map(|frame| frame.to_vec()).flat_map(single).collect()
        }
        Framing::OneWrite => vec![Step::Send(Bytes::from(frames.concat()))],
        Framing::TwoDataLines => text(frames, |frame| frame.replacen(",\"", ",\ndata: \"", 1)),
        Framing::Bom => {
            let mut steps = vec![Step::Send(Bytes::from_static(b"\xef\xbb\xbf"))];
            steps.extend(frames.iter().cloned().map(Step::Send));
            steps
        }
        Framing::NoSpace => text(frames, |frame| frame.replacen("data: ", "data:", 1)),
        Framing::Fields => text(frames, |frame| format!("event: message\nid: 7\nretry: 100\nunknown\n{frame}")),
        Framing::Comments => text(frames, |frame| format!(": keep-alive\n\n{frame}:\n\n")),
        Framing::NoDone => {
            let kept: Vec<Bytes> = frames.iter().filter(|frame| !frame.ends_with(b"[DONE]\n\n")).cloned().collect();
            text(&kept, str::to_owned)
        }
        Framing::NoLastBlank => {
            let mut all = frames.concat();
            while all.last() == Some(&b'\n') {
                all.pop();
            }
            vec![Step::Send(Bytes::from(all))]
        }
        Framing::Stray => {
            let mut steps = text(frames, str::to_owned);
            steps.push(Step::Send(Bytes::from_static(b"\"")));
            steps
        }
        Framing::EmptyData => text(frames, |frame| format!("data:\n\n{frame}\n\n")),
    }
}
