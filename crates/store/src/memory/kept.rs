//! Kept files in memory.

use bytes::Bytes;
use types::ports::{
    Answer, Kept, Moment, PortError,
    kept::{FileId, KeptFile, NewFile},
};

use super::{Memory, answer};
use crate::{ids::random_bits, limits::READ};

impl Kept for Memory {
    fn put(&self, file: NewFile, now: Moment) -> Answer<'_, KeptFile> {
        answer(self.put_file(file, now))
    }

    fn get<'a>(&'a self, id: &'a FileId, now: Moment) -> Answer<'a, Option<KeptFile>> {
        answer(Ok(self.files().get(id).map(|(file, _)| file).filter(|f| f.expires > now).cloned()))
    }

    fn read<'a>(&'a self, id: &'a FileId, offset: u64, len: usize) -> Answer<'a, Bytes> {
        let gone = || PortError::Unavailable("the file is gone".to_owned());
        let bytes = self.files().get(id).map(|(_, bytes)| bytes.clone()).ok_or_else(gone);
        answer(bytes.map(|bytes| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            bytes.slice(from..from + len.min(READ).min(bytes.len() - from))
        }))
    }

    fn expire(&self, then: Moment) -> Answer<'_, u64> {
        let mut files = self.files();
        let before = files.len();
        files.retain(|_, (file, _)| file.expires > then);
        answer(Ok((before - files.len()) as u64))
    }
}

impl Memory {
    fn put_file(&self, new: NewFile, now: Moment) -> Result<KeptFile, PortError> {
        self.limits.check_file(&new)?;
        let mut files = self.files();
        let bytes = files.values().map(|(file, _)| file.size).sum();
        self.limits.check_room_for_file(files.len() as u64, bytes, new.body.len())?;
        let file = KeptFile {
            id: FileId::from_bits(random_bits()?),
            media_type: new.media_type,
            size: new.body.len() as u64,
            created: now,
            expires: new.expires,
        };
        files.insert(file.id.clone(), (file.clone(), new.body.to_bytes()));
        Ok(file)
    }
}
