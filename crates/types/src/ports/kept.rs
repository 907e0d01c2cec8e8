//! Kept files: results that are handed over as an address, and results of jobs that are too large to stand in a row.
//!
//! A file belongs to nobody: who has its address may read it, until it expires. So the address is unguessable.

use std::fmt;

use bytes::Bytes;

use super::{Answer, Moment, id};
use crate::SendBody;

id! {
    /// The id of a kept file. Who has it may read the file.
    FileId, "file_"
}

/// A file to keep.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its media type, as it was sniffed, not as somebody claimed.
    pub media_type: String,
    /// Its bytes.
    pub body: SendBody,
    /// When it is forgotten.
    pub expires: Moment,
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    /// Its id.
    pub id: FileId,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was put here.
    pub created: Moment,
    /// When it is forgotten.
    pub expires: Moment,
}

/// Keeps files for a while. A full keeper refuses: an address that was given out stays good until it expires.
pub trait Kept: Send + Sync + fmt::Debug {
    /// Keeps a file. Refused when it is too large, or when all files together would be.
    fn put(&self, file: NewFile, now: Moment) -> Answer<'_, KeptFile>;

    /// The file of this id, unless it is expired.
    fn get<'a>(&'a self, id: &'a FileId, now: Moment) -> Answer<'a, Option<KeptFile>>;

    /// At most `len` bytes of a file from `offset`; empty at its end. Fewer may come. An expired file can be read until it is deleted,
    /// so that a reader who has begun can go on.
    fn read<'a>(&'a self, id: &'a FileId, offset: u64, len: usize) -> Answer<'a, Bytes>;

    /// Deletes files that were expired at `then`; says how many. Who calls it gives readers some time: `then` lies a little back.
    fn expire(&self, then: Moment) -> Answer<'_, u64>;
}
