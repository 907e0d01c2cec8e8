//! A secret that lives as long as the folder: for hashes that must mean the same after a restart.

use std::{fs, io, path::Path};

use super::folder;
use crate::StoreError;

/// Its length in bytes.
const LENGTH: usize = 32;

/// Reads the secret; makes it when there is none. A crash leaves none or all of it.
pub(super) fn of(dir: &Path) -> Result<[u8; LENGTH], StoreError> {
    let path = dir.join("owners.key");
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            StoreError::folder(path)(io::Error::other("it is damaged; without it nobody reaches the jobs of before"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = random()?;
            write(dir, &path, &made).map_err(StoreError::folder(path))?;
            Ok(made)
        }
        Err(error) => Err(StoreError::folder(path)(error)),
    }
}

/// Random bytes from the operating system.
pub(crate) fn random() -> Result<[u8; LENGTH], StoreError> {
    let mut bytes = [0; LENGTH];
    let no_bits = |e| types::ports::PortError::Unavailable(format!("no random bits: {e}"));
    getrandom::fill(&mut bytes).map_err(no_bits)?;
    Ok(bytes)
}

fn write(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = dir.join("owners.key.new");
    folder::delete(&new)?;
    folder::write_new(&new, [Ok(bytes)].into_iter())?;
    fs::rename(&new, path)?;
    folder::sync_dir(path)
}
