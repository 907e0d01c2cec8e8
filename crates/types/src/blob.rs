//! Bytes of a file that came with a call: in memory, or in a temporary file that has no name any more.

use std::{fmt, fs::File, io, sync::Arc};

use bytes::Bytes;

/// Bytes that are read in pieces, from memory or from a file. Cloning copies none of them.
#[derive(Clone, Default)]
pub struct Blob(Held);

#[derive(Clone)]
enum Held {
    Memory(Bytes),
    /// So many bytes of a file from a place on. The file is gone with its last blob.
    File {
        file: Arc<File>,
        at: u64,
        len: usize,
    },
}

impl Default for Held {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

impl Blob {
    /// `len` bytes of `file` from `at` on. Whoever makes it has written them, and writes there no more.
    pub const fn of_file(file: Arc<File>, at: u64, len: usize) -> Self {
        Self(Held::File { file, at, len })
    }

    /// How many bytes there are.
    pub const fn len(&self) -> usize {
        match &self.0 {
            Held::Memory(bytes) => bytes.len(),
            Held::File { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory.
    pub const fn in_memory(&self) -> Option<&Bytes> {
        match &self.0 {
            Held::Memory(bytes) => Some(bytes),
            Held::File { .. } => None,
        }
    }

    /// At most `most` bytes from `from` on; fewer only where the blob ends. Of memory it is a slice.
    ///
    /// # Errors
    /// What the system says when the file cannot be read; `UnexpectedEof` when it is shorter than it was.
    pub fn read_at(&self, from: usize, most: usize) -> io::Result<Bytes> {
        let from = from.min(self.len());
        let most = most.min(self.len() - from);
        match &self.0 {
            Held::Memory(bytes) => Ok(bytes.slice(from..from + most)),
            Held::File { file, at, .. } => {
                let mut piece = vec![0; most];
                read_exact_at(file, &mut piece, at + from as u64)?;
                Ok(piece.into())
            }
        }
    }

    /// All bytes in one piece; those of a file are read, which may take a moment.
    ///
    /// # Errors
    /// As [`Self::read_at`].
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        self.read_at(0, self.len())
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, piece, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut piece: &mut [u8], mut at: u64) -> io::Result<()> {
    while !piece.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, piece, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        piece = &mut piece[read..];
        at += read as u64;
    }
    Ok(())
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Self {
        Self(Held::Memory(bytes))
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

/// By place: two blobs of files are the same when they are the same part of the same file.
impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Held::Memory(a), Held::Memory(b)) => a == b,
            (Held::File { file: a, at: at_a, len: len_a }, Held::File { file: b, at: at_b, len: len_b }) => {
                Arc::ptr_eq(a, b) && at_a == at_b && len_a == len_b
            }
            _ => false,
        }
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.in_memory().is_some() { "memory" } else { "a file" };
        write!(f, "Blob({} bytes in {place})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_part_of_a_file_reads_like_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"..0123456789..").unwrap();
        let there = Blob::of_file(Arc::new(file), 2, 10);
        let here = Blob::from(Bytes::from_static(b"0123456789"));
        for (from, most) in [(0, 10), (0, 99), (3, 4), (9, 5), (10, 1), (50, 1)] {
            assert_eq!(there.read_at(from, most).unwrap(), here.read_at(from, most).unwrap(), "{from} {most}");
        }
        assert_eq!(there.to_bytes().unwrap(), "0123456789");
        assert!(there == there.clone() && there != here && there.in_memory().is_none());
    }

    #[test]
    fn a_file_that_lost_bytes_is_an_error() {
        let blob = Blob::of_file(Arc::new(tempfile::tempfile().unwrap()), 0, 3);
        assert_eq!(blob.to_bytes().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
