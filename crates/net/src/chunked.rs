//! The chunked coding, read strictly and at any split: what another reader could take differently is refused.

/// Digits of a chunk size: 15 hexadecimal digits are more than any message needs.
const MAX_SIZE_DIGITS: u8 = 15;
/// Bytes of one chunk's extensions and padding; they mean nothing here and are passed over. Some servers pad every
/// size with spaces, so the limit is per chunk: a stream may have any number of them.
const MAX_EXTENSIONS: u32 = 256;
/// Bytes of the trailer section; trailers are passed over.
const MAX_TRAILERS: u32 = 16_384;

/// An incremental reader of the chunked coding.
#[derive(Clone, Debug)]
pub(crate) struct ChunkDecoder {
    state: State,
    /// What is left of the chunk, or the size while it is read.
    size: u64,
    digits: u8,
    extensions: u32,
    trailers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// Spaces between the size and what follows: some servers pad there.
    SizePadding,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
    End,
}

/// What one call of [`ChunkDecoder::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// Payload.
    Data(&'a [u8]),
    /// The input is used up; the message is not complete.
    More,
    /// The message is complete; what is left of the input is not part of it.
    End,
}

/// The framing is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadChunk(pub(crate) &'static str);

impl ChunkDecoder {
    pub(crate) const fn new() -> Self {
        Self { state: State::Size, size: 0, digits: 0, extensions: 0, trailers: 0 }
    }

    #[cfg(test)]
    fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// Reads on in `input` and takes from it what was read.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, BadChunk> {
        loop {
            if self.state == State::End {
                return Ok(Step::End);
            }
            if input.is_empty() {
                return Ok(Step::More);
            }
            if self.state == State::Data {
                let n = usize::try_from(self.size).unwrap_or(usize::MAX).min(input.len());
                let (data, rest) = input.split_at(n);
                *input = rest;
                self.size -= n as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Step::Data(data));
            }
            let byte = input[0];
            *input = &input[1..];
            self.state = self.framing(byte)?;
        }
    }

    /// One byte of what is not payload.
    fn framing(&mut self, byte: u8) -> Result<State, BadChunk> {
        Ok(match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.digits += 1;
                if self.digits > MAX_SIZE_DIGITS {
                    return Err(BadChunk("a chunk size has too many digits"));
                }
                self.size = self.size * 16 + u64::from((byte as char).to_digit(16).unwrap_or_default());
                State::Size
            }
            (State::Size, _) if self.digits == 0 => return Err(BadChunk("a chunk has no size")),
            (State::Size | State::SizePadding, b'\r') => State::SizeLf,
            (State::Size | State::SizePadding, b' ' | b'\t') => self.extension(State::SizePadding)?,
            (State::Size | State::SizePadding, b';') => self.extension(State::Extension)?,
            (State::Extension, b'\r') => State::SizeLf,
            // A bare LF or another control character here is read as a line end by some, as text by others.
            (State::Extension, b'\t' | 0x20..=0x7e | 0x80..) => self.extension(State::Extension)?,
            (State::SizeLf, b'\n') => {
                (self.digits, self.extensions) = (0, 0);
                if self.size == 0 { State::TrailerStart } else { State::Data }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size,
            (State::TrailerStart, b'\r') => State::LastLf,
            // A trailer may not begin with a space: that would be a folded line.
            (State::TrailerStart, 0x21..=0x7e) => self.trailer()?,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::Trailer, b'\t' | 0x20..=0x7e | 0x80..) => self.trailer()?,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::LastLf, b'\n') => State::End,
            (State::DataCr | State::DataLf, _) => return Err(BadChunk("a chunk is longer than its size")),
            (State::TrailerStart | State::Trailer | State::TrailerLf | State::LastLf, _) => {
                return Err(BadChunk("the trailer section is malformed"));
            }
            _ => return Err(BadChunk("a chunk size line is malformed")),
        })
    }

    fn extension(&mut self, next: State) -> Result<State, BadChunk> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS { Err(BadChunk("chunk extensions are too long")) } else { Ok(next) }
    }

    fn trailer(&mut self) -> Result<State, BadChunk> {
        self.trailers += 1;
        if self.trailers > MAX_TRAILERS { Err(BadChunk("the trailer section is too long")) } else { Ok(State::Trailer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Payload, bytes left over, and whether it ended; the input cut at the given places.
    fn read(input: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, usize, bool), BadChunk> {
        let mut decoder = ChunkDecoder::new();
        let (mut payload, mut from) = (Vec::new(), 0);
        for to in cuts.iter().copied().chain([input.len()]) {
            let mut piece = &input[from..to];
            loop {
                match decoder.next(&mut piece)? {
                    Step::Data(data) => payload.extend_from_slice(data),
                    Step::More => break,
                    Step::End => return Ok((payload, piece.len() + input.len() - to, true)),
                }
            }
            from = to;
        }
        Ok((payload, 0, decoder.is_end()))
    }

    #[test]
    fn good_messages_are_read() {
        for (input, payload, left) in [
            ("0\r\n\r\n", "", 0),
            ("5\r\nhello\r\n0\r\n\r\n", "hello", 0),
            ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", "hello world", 3),
            ("00005\r\nhello\r\n000\r\n\r\n", "hello", 0),
            ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 0),
            ("5;name=value\r\nhello\r\n0;x\r\n\r\n", "hello", 0),
            ("5  \r\nhello\r\n0\r\n\r\n", "hello", 0),
            ("5 ;a=\"b c\"\r\nhello\r\n0\r\n\r\n", "hello", 0),
            ("3\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r", 0),
            ("1\r\nx\r\n0\r\nExpires: never\r\nx:y\r\n\r\n", "x", 0),
        ] {
            assert_eq!(read(input.as_bytes(), &[]), Ok((payload.into(), left, true)), "{input:?}");
        }
    }

    #[test]
    fn broken_framing_is_refused() {
        for input in [
            "\r\n",
            "\n",
            " 5\r\n",
            "x\r\n",
            "-1\r\n",
            "+5\r\n",
            "0x5\r\n",
            "5\n",
            "5\r\r\n",
            "5\rhello",
            "5 5\r\n",
            ";x\r\n",
            "5;x\nhello",
            "5;\0\r\n",
            "5;x\r\r\n",
            "5\r\nhello!\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\rX",
            "5\r\nhello0\r\n\r\n",
            "0\r\n\n",
            "0\r\n\rX",
            "0\r\n folded: x\r\n\r\n",
            "0\r\na: b\n\r\n",
            "0\r\na\0: b\r\n\r\n",
            "fffffffffffffffff\r\n",
            "0000000000000005\r\n",
        ] {
            assert!(read(input.as_bytes(), &[]).is_err(), "{input:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(MAX_EXTENSIONS as usize));
        assert!(read(long.as_bytes(), &[]).is_err());
        let padded = format!("{}0\r\n\r\n", "1       \r\nx\r\n".repeat(6_000));
        assert!(read(padded.as_bytes(), &[]).is_ok());
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(MAX_TRAILERS as usize / 3));
        assert!(read(trailers.as_bytes(), &[]).is_err());
    }

    #[test]
    fn a_message_cut_short_is_not_at_its_end() {
        let whole = b"5;x\r\nhello\r\n0\r\na: b\r\n\r\n";
        for n in 0..whole.len() {
            assert!(!read(&whole[..n], &[]).unwrap().2, "{n}");
        }
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut input = Vec::new();
            for chunk in &chunks {
                input.extend_from_slice(format!("{:x};e\r\n", chunk.len()).as_bytes());
                input.extend_from_slice(chunk);
                input.extend_from_slice(b"\r\n");
            }
            input.extend_from_slice(b"0\r\nt: u\r\n\r\n");
            for (at, byte) in noise {
                let at = at.index(input.len());
                input[at] = byte;
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len())).collect();
            cuts.sort_unstable();
            let every: Vec<_> = (1..input.len()).collect();
            let whole = read(&input, &[]);
            prop_assert_eq!(&read(&input, &cuts), &whole);
            prop_assert_eq!(&read(&input, &every), &whole);
        }
    }
}
