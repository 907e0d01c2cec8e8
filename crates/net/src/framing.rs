//! How the end of an HTTP/1.1 body is known, and the payload taken out of what was read. Both sides use it.

use crate::chunked::{BadChunk, ChunkDecoder, Step};
use bytes::{Buf, Bytes};

/// How the end of a body is known.
#[derive(Debug)]
pub(crate) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(ChunkDecoder),
    /// The peer closes the connection.
    UntilClose,
}

/// What a look at some input gave.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) data: Bytes,
    /// The body is complete.
    pub(crate) end: bool,
}

impl Framing {
    /// Takes from `input` what belongs to the body. The payload is copied once, to its exact size: what is held of a
    /// stream is then never more than its own bytes.
    pub(crate) fn take(&mut self, input: &mut &[u8]) -> Result<Look, BadChunk> {
        match self {
            Self::UntilClose => Ok(Look { data: Bytes::copy_from_slice(std::mem::take(input)), end: false }),
            Self::Length(left) => {
                let (data, end) = count(left, input.len());
                let (data, rest) = (Bytes::copy_from_slice(&input[..data]), &input[data..]);
                *input = rest;
                Ok(Look { data, end })
            }
            Self::Chunked(decoder) => take_chunked(decoder, input),
        }
    }

    /// The same from bytes that are a body's own already: what has a length is not copied.
    pub(crate) fn take_owned(&mut self, input: &mut Bytes) -> Result<Look, BadChunk> {
        match self {
            Self::UntilClose => Ok(Look { data: std::mem::take(input), end: false }),
            Self::Length(left) => {
                let (data, end) = count(left, input.len());
                Ok(Look { data: input.split_to(data), end })
            }
            Self::Chunked(decoder) => {
                let mut rest = &input[..];
                let look = take_chunked(decoder, &mut rest);
                let used = input.len() - rest.len();
                input.advance(used);
                look
            }
        }
    }

    /// Bytes still to come, if that is known.
    pub(crate) const fn remaining(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// So many bytes of a body of known length were read past [`Self::take`]; true at its end.
    pub(crate) const fn passed(&mut self, n: usize) -> bool {
        match self {
            Self::Length(left) => {
                *left = left.saturating_sub(n as u64);
                *left == 0
            }
            Self::Chunked(_) | Self::UntilClose => false,
        }
    }
}

/// How many of `here` bytes belong to a body of which `left` are to come, and whether that is all of it.
fn count(left: &mut u64, here: usize) -> (usize, bool) {
    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(here);
    *left -= n as u64;
    (n, *left == 0)
}

/// The payloads of all chunks in one read become one piece: fewer writes, same moment.
fn take_chunked(decoder: &mut ChunkDecoder, input: &mut &[u8]) -> Result<Look, BadChunk> {
    let mut first: &[u8] = &[];
    let mut joined = Vec::new();
    loop {
        match decoder.next(input)? {
            Step::Data(data) if first.is_empty() => first = data,
            Step::Data(data) => {
                if joined.is_empty() {
                    joined.reserve_exact(first.len() + data.len() + input.len());
                    joined.extend_from_slice(first);
                }
                joined.extend_from_slice(data);
            }
            step => {
                let data = if joined.is_empty() { Bytes::copy_from_slice(first) } else { joined.into() };
                return Ok(Look { data, end: step == Step::End });
            }
        }
    }
}
