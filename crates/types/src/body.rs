//! Outgoing bodies: segments of known length that can be written again from the start.

use bytes::Bytes;

/// A body to send: spans of the original and literals, in order. Cloning copies no payload.
#[derive(Clone, Debug, Default)]
pub struct SendBody {
    segments: Vec<Bytes>,
    len: usize,
}

impl SendBody {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self { segments: Vec::new(), len: 0 }
    }

    /// A body with room for `n` segments.
    pub fn with_capacity(n: usize) -> Self {
        Self { segments: Vec::with_capacity(n), len: 0 }
    }

    /// Appends a segment; an empty one is left out.
    pub fn push(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.len += segment.len();
            self.segments.push(segment);
        }
    }

    /// Length in bytes, as it will be sent.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to send.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The segments in order; none of them is empty.
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The whole body in one piece. Copies, unless there is one segment: for tests and small bodies.
    pub fn to_bytes(&self) -> Bytes {
        match self.segments.as_slice() {
            [] => Bytes::new(),
            [one] => one.clone(),
            many => {
                let mut whole = Vec::with_capacity(self.len);
                for segment in many {
                    whole.extend_from_slice(segment);
                }
                whole.into()
            }
        }
    }
}

impl From<Bytes> for SendBody {
    fn from(bytes: Bytes) -> Self {
        let mut body = Self::with_capacity(1);
        body.push(bytes);
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
    use super::*;

    #[test]
    fn the_length_is_the_sum_of_the_segments_and_empty_ones_vanish() {
        let mut body = SendBody::empty();
        body.push(Bytes::from_static(b"ab"));
        body.push(Bytes::new());
        body.push(Bytes::from_static(b"c"));
        assert_eq!((body.len(), body.segments().len()), (3, 2));
        assert_eq!(body.to_bytes(), "abc");
    }
}
