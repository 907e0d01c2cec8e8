//! Reads a form while it comes: the files in it stand in memory up to a bound, and from there on in a temporary file that
//! has no name, so that the system removes it however this process ends.

use std::{
    fs::File,
    io::{self, Write as _},
    sync::{Arc, Once},
    time::Instant,
};

use bytes::Bytes;
use net::{ByteBudget, BytePermit, CollectError, RecvBody};
use tokio::sync::Semaphore;
use types::{Blob, Fault, Kind, Result};
use wire::multipart::{self, Files, Form, Parser};

use crate::doors::body_fault;

/// So much is gathered before it is written.
const BLOCK: usize = 64 * 1024;
/// So many uploads write at a time; the others wait, and hold no thread.
const WRITERS: usize = 8;

/// How large a form may be, and how much of its files stands in memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) most: usize,
    pub(crate) in_memory: usize,
}

/// A form, and the part of the budget that its bytes use, on disk or in memory.
pub(crate) struct Read {
    pub(crate) form: Form,
    pub(crate) permit: BytePermit,
}

/// Reads a form as it arrives. What is wrong with it is told at the earliest moment at which it is known.
///
/// # Errors
/// As for any body; `BadRequest` when it is no good form; `Overloaded` when the disk takes no more.
pub(crate) async fn form(
    body: RecvBody,
    kind: &str,
    sizes: Sizes,
    until: Instant,
    budget: &ByteBudget,
) -> Result<Read> {
    let parser = Parser::new(&multipart::boundary(kind)?, multipart::Limits::default());
    let reading = gather(body, parser, sizes, budget);
    match tokio::time::timeout_at(until.into(), reading).await {
        Ok(read) => read,
        Err(_) => Err(body_fault(CollectError::Timeout)),
    }
}

async fn gather(mut body: RecvBody, mut parser: Parser, sizes: Sizes, budget: &ByteBudget) -> Result<Read> {
    let (limit, announced) = (sizes.most, body.size_hint());
    let too_large = || body_fault(CollectError::TooLarge { limit, announced });
    if announced.is_some_and(|size| size > limit as u64) {
        return Err(too_large());
    }
    let mut permit = budget.take(0).ok_or_else(|| body_fault(CollectError::OverBudget))?;
    let (mut form, mut spool) = (Form::new(), Spool::new(sizes.in_memory));
    while let Some(piece) = body.chunk().await {
        let piece = piece.map_err(|error| body_fault(error.into()))?;
        if permit.bytes() + piece.len() > limit {
            return Err(too_large());
        }
        if !permit.grow(piece.len()) {
            return Err(body_fault(CollectError::OverBudget));
        }
        form.push(&mut parser, piece, &mut spool)?;
        spool.settle(BLOCK).await?;
    }
    parser.finish()?;
    spool.settle(0).await?;
    Ok(Read { form, permit })
}

/// Where the files of one form are kept.
struct Spool {
    /// So much may still be held in memory.
    room: usize,
    /// The file that is under way, while it is in memory.
    part: Vec<u8>,
    /// Where in the temporary file the one under way begins, once it goes there.
    begun: Option<u64>,
    file: Option<Arc<File>>,
    /// So much is written.
    written: u64,
    /// What is to be written behind that.
    pending: Vec<u8>,
}

impl Spool {
    const fn new(room: usize) -> Self {
        Self { room, part: Vec::new(), begun: None, file: None, written: 0, pending: Vec::new() }
    }

    /// Where the next byte for the temporary file will stand.
    fn end_of_file(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Sends what has no room in memory to the temporary file, if more than `block` bytes of it have gathered.
    async fn settle(&mut self, block: usize) -> Result<()> {
        if self.begun.is_none() && self.part.len() > self.room && self.has_file().await {
            self.begun = Some(self.end_of_file());
            // The room of what is moved is given up: many uploads wait for their rest at the same time.
            let part = std::mem::take(&mut self.part);
            if self.pending.is_empty() {
                self.pending = part;
            } else {
                self.pending.extend_from_slice(&part);
            }
        }
        let Some(file) = self.file.clone().filter(|_| self.pending.len() > block) else { return Ok(()) };
        let (at, bytes) = (self.written, std::mem::take(&mut self.pending));
        self.written += bytes.len() as u64;
        aside(move || write_at(&file, &bytes, at)).await.map_err(|error| {
            let text = "There is no room for the files of this call at the moment. Send it later, or a smaller one.";
            Fault::new(Kind::Overloaded, text).detail(error.to_string())
        })?;
        Ok(())
    }

    /// Whether there is a temporary file to write to. Where none can be made, memory serves, within the budget of all bodies.
    async fn has_file(&mut self) -> bool {
        static TOLD: Once = Once::new();
        if self.file.is_none() {
            match aside(tempfile::tempfile).await {
                Ok(file) => self.file = Some(Arc::new(file)),
                Err(error) => TOLD.call_once(|| {
                    tracing::warn!(%error, "no temporary file can be made (see TMPDIR): uploads are held in memory");
                }),
            }
        }
        self.file.is_some()
    }
}

impl Files for Spool {
    fn data(&mut self, data: Bytes) {
        let to = if self.begun.is_some() { &mut self.pending } else { &mut self.part };
        to.extend_from_slice(&data);
    }

    fn end(&mut self) -> Blob {
        match (self.begun.take(), &self.file) {
            (Some(begun), Some(file)) => {
                let len = usize::try_from(self.end_of_file() - begun).unwrap_or(usize::MAX);
                Blob::of_file(Arc::clone(file), begun, len)
            }
            _ => {
                self.room = self.room.saturating_sub(self.part.len());
                let mut part = std::mem::take(&mut self.part);
                part.shrink_to_fit();
                part.into()
            }
        }
    }
}

/// What was made here: in memory if it is no larger than `room`, else in a temporary file. Blocks.
pub(crate) fn keep(made: Vec<u8>, room: usize) -> Blob {
    if made.len() <= room {
        return made.into();
    }
    let written = tempfile::tempfile().and_then(|mut file| file.write_all(&made).map(|()| file));
    match written {
        Ok(file) => Blob::of_file(Arc::new(file), 0, made.len()),
        Err(_) => made.into(),
    }
}

fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(at))?;
    file.write_all(bytes)
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    static PLACES: Semaphore = Semaphore::const_new(WRITERS);
    let _place = PLACES.acquire().await.map_err(io::Error::other)?;
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|lost| Err(io::Error::other(lost)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wire::multipart::Content;

    use super::*;

    const KIND: &str = "multipart/form-data; boundary=x";

    fn body(files: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        for file in files {
            body.extend_from_slice(b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n");
            body.extend_from_slice(file);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--x--\r\n");
        body
    }

    fn read(body: &[u8], step: usize, most: usize) -> Result<Vec<Blob>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pieces: Vec<_> = body.chunks(step).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let budget = ByteBudget::new(64 << 20);
        let until = Instant::now() + Duration::from_secs(60);
        let sizes = Sizes { most, in_memory: 4096 };
        let read = runtime.block_on(form(RecvBody::script(pieces), KIND, sizes, until, &budget))?;
        assert_eq!(read.permit.bytes(), body.len());
        let files = read.form.fields.into_iter().map(|field| match field.content {
            Content::File(upload) => upload.bytes,
            Content::Text(text) => panic!("{text}"),
        });
        Ok(files.collect())
    }

    #[test]
    fn files_stand_in_memory_while_there_is_room_and_then_on_disk_byte_for_byte() {
        let of = |size: usize, mark: u8| (0..size).map(|n| (n % 251) as u8 ^ mark).collect::<Vec<u8>>();
        for sizes in [vec![0], vec![4096], vec![4097], vec![1, 3000, 2000, 700_000, 5, 300_000, 0, 4096]] {
            let files: Vec<_> = sizes.iter().zip(1..).map(|(size, mark)| of(*size, mark)).collect();
            let slices: Vec<_> = files.iter().map(Vec::as_slice).collect();
            for step in [313, 4096, 70_000, 10_000_000] {
                let read = read(&body(&slices), step, 32 << 20).unwrap();
                let same = read.iter().zip(&files).all(|(blob, file)| blob.to_bytes().unwrap() == file);
                assert!(same && read.len() == files.len(), "{sizes:?} in pieces of {step}");
                let in_memory: usize = read.iter().filter_map(Blob::in_memory).map(Bytes::len).sum();
                // What comes in one piece is in memory already.
                assert!(in_memory <= 4096 + step, "{sizes:?} in pieces of {step}: {in_memory}");
            }
        }
    }

    #[test]
    fn limits_are_kept_while_it_is_read() {
        let large = body(&[&[7; 70_000]]);
        assert_eq!(read(&large, 1000, 65_536).unwrap_err().kind, Kind::BodyTooLarge);
        let many: Vec<&[u8]> = vec![b"x"; 300];
        assert_eq!(read(&body(&many), 1000, 65_536).unwrap_err().kind, Kind::BadRequest);
        let cut = body(&[&[7; 20_000]]);
        assert_eq!(read(&cut[..15_000], 1000, 65_536).unwrap_err().kind, Kind::BadRequest);
    }

    #[test]
    fn what_is_made_here_is_kept_by_its_size() {
        assert!(keep(vec![1; 10], 10).in_memory().is_some());
        let large = keep(vec![1; 11], 10);
        assert!(large.in_memory().is_none() && large.to_bytes().unwrap() == vec![1; 11]);
    }
}
