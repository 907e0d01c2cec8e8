//! Outgoing bodies: segments of known length that can be written again from the start.

use std::{io, vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use crate::Blob;

/// So much of a blob is taken at a time: a multiple of three, so that pieces in base64 join without padding.
const PIECE: usize = 48 * 1024;

/// A body to send: spans of the original, literals, and blobs that are read (and put into base64) while they are written.
/// Cloning copies no payload.
#[derive(Clone, Debug, Default)]
pub struct SendBody {
    /// Most bodies are one segment, which needs no list.
    first: Option<Segment>,
    more: Vec<Segment>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Segment {
    /// As they are.
    Bytes(Bytes),
    /// A blob's bytes.
    Blob(Blob),
    /// A blob's bytes in base64 with padding.
    Base64(Blob),
}

impl SendBody {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self { first: None, more: Vec::new(), len: 0 }
    }

    /// A body with room for `n` segments.
    pub fn with_capacity(n: usize) -> Self {
        Self { first: None, more: Vec::with_capacity(n.saturating_sub(1)), len: 0 }
    }

    fn add(&mut self, segment: Segment) {
        if self.first.is_none() { self.first = Some(segment) } else { self.more.push(segment) }
    }

    /// Appends a segment; an empty one is left out.
    pub fn push(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.len += segment.len();
            self.add(Segment::Bytes(segment));
        }
    }

    /// Appends a blob's bytes.
    pub fn push_blob(&mut self, blob: Blob) {
        match blob.in_memory() {
            Some(bytes) => self.push(bytes.clone()),
            None if blob.is_empty() => {}
            None => {
                self.len += blob.len();
                self.add(Segment::Blob(blob));
            }
        }
    }

    /// Appends a blob's bytes in base64, which is written piece by piece and never stands in memory as a whole.
    pub fn push_base64(&mut self, blob: Blob) {
        if !blob.is_empty() {
            self.len += blob.len().div_ceil(3) * 4;
            self.add(Segment::Base64(blob));
        }
    }

    /// Appends all of another body.
    pub fn append(&mut self, other: &Self) {
        self.len += other.len;
        other.first.iter().chain(&other.more).for_each(|segment| self.add(segment.clone()));
    }

    /// Length in bytes, as it will be sent.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to send.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes in order, in pieces of which none is empty: spans as they are, blobs in pieces of some 64 KiB.
    pub fn pieces(&self) -> Pieces {
        self.clone().into_pieces()
    }

    /// The same of a body that is needed no more.
    pub fn into_pieces(self) -> Pieces {
        Pieces { first: self.first, more: self.more.into_iter(), under_way: None }
    }

    /// The whole body in one piece, for tests and for answers, which are in memory. Copies, unless there is one segment; what
    /// a file does not give is missing.
    pub fn to_bytes(&self) -> Bytes {
        match (&self.first, &self.more[..]) {
            (None, _) => Bytes::new(),
            (Some(Segment::Bytes(one)), []) => one.clone(),
            _ => {
                let mut whole = Vec::with_capacity(self.len);
                for piece in self.pieces().map_while(Result::ok) {
                    whole.extend_from_slice(&piece);
                }
                whole.into()
            }
        }
    }
}

/// The bytes of a body from its start on. An error is the last that comes.
#[derive(Debug)]
pub struct Pieces {
    first: Option<Segment>,
    more: vec::IntoIter<Segment>,
    under_way: Option<(Blob, usize, bool)>,
}

impl Iterator for Pieces {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.under_way.is_none() {
            match self.first.take().or_else(|| self.more.next())? {
                Segment::Bytes(bytes) => return Some(Ok(bytes)),
                Segment::Blob(blob) => self.under_way = Some((blob, 0, false)),
                Segment::Base64(blob) => self.under_way = Some((blob, 0, true)),
            }
        }
        let (blob, at, encode) = self.under_way.as_mut()?;
        let piece = blob.read_at(*at, PIECE);
        *at += PIECE;
        let encode = *encode;
        if *at >= blob.len() || piece.is_err() {
            self.under_way = None;
        }
        if piece.is_err() {
            self.more = Vec::new().into_iter();
        }
        Some(piece.map(|piece| if encode { STANDARD.encode(&piece).into() } else { piece }))
    }
}

impl From<Bytes> for SendBody {
    fn from(bytes: Bytes) -> Self {
        let mut body = Self::with_capacity(1);
        body.push(bytes);
        body
    }
}

impl From<Blob> for SendBody {
    fn from(blob: Blob) -> Self {
        let mut body = Self::with_capacity(1);
        body.push_blob(blob);
        body
    }
}

impl From<Vec<u8>> for SendBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for SendBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _, sync::Arc};

    use super::*;

    fn on_disk(bytes: &[u8]) -> Blob {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Blob::of_file(Arc::new(file), 0, bytes.len())
    }

    #[test]
    fn the_length_is_the_sum_of_the_segments_and_empty_ones_vanish() {
        let mut body = SendBody::empty();
        body.push(Bytes::from_static(b"ab"));
        body.push(Bytes::new());
        body.push_blob(Blob::default());
        body.push_base64(Blob::default());
        body.push(Bytes::from_static(b"c"));
        assert_eq!((body.len(), body.pieces().count()), (3, 2));
        assert_eq!(body.to_bytes(), "abc");
    }

    #[test]
    fn blobs_are_encoded_while_they_are_written_and_as_often_as_asked() {
        for size in [1, 2, 3, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..size).map(|n| (n * 31 % 251) as u8).collect();
            for blob in [on_disk(&bytes), bytes.clone().into()] {
                let mut body = SendBody::empty();
                body.push(Bytes::from_static(b"\""));
                body.push_base64(blob.clone());
                body.push(Bytes::from_static(b"\" "));
                body.push_blob(blob);
                let wanted = [b"\"", STANDARD.encode(&bytes).as_bytes(), b"\" ", &bytes].concat();
                assert_eq!(body.len(), wanted.len(), "{size}");
                assert!(body.to_bytes() == wanted && body.to_bytes() == wanted, "{size}");
                assert!(body.pieces().skip(1).all(|piece| piece.unwrap().len() <= wanted.len().max(PIECE / 3 * 4)));
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_ends_the_body_with_an_error() {
        let mut body = SendBody::from(Bytes::from_static(b"ok"));
        body.push_blob(Blob::of_file(Arc::new(File::open("/dev/null").unwrap()), 0, 10));
        body.push(Bytes::from_static(b"never"));
        let mut pieces = body.pieces();
        assert_eq!(pieces.next().unwrap().unwrap(), "ok");
        assert!(pieces.next().unwrap().is_err() && pieces.next().is_none());
    }
}
