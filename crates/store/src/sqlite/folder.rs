//! The data folder: 0700, its files 0600, and one process at a time.
//!
//! ```text
//! lock                 held while a process uses the folder
//! ironbow.sqlite       the database (with -wal and -shm beside it)
//! files/file_…         the bytes of kept files
//! owners.key           the secret under which the owners of jobs are hashed
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use types::ports::kept::FileId;

use crate::StoreError;

/// A folder that is ready, and ours.
pub(super) struct Folder {
    pub(super) database: PathBuf,
    pub(super) files: PathBuf,
    pub(super) lock: Lock,
}

/// Keeps other processes out for as long as it lives.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not do: a child process that is about to start holds it open for a moment longer.
        let _freed = self.0.unlock();
    }
}

/// Makes the folder and what must stand in it before the database is opened, and takes its lock.
pub(super) fn prepare(dir: &Path) -> Result<Folder, StoreError> {
    make_dir(dir)?;
    let lock = private_file(&dir.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => return Err(StoreError::folder(dir.join("lock"))(error)),
    }
    let files = dir.join("files");
    make_dir(&files)?;
    // SQLite gives a new database the process's usual rights, and the files beside it those of the database: so it is made here.
    let database = dir.join("ironbow.sqlite");
    private_file(&database)?;
    Ok(Folder { database, files, lock: Lock(lock) })
}

/// Makes a folder that only its owner may enter. One that exists keeps its rights: the operator chose them.
fn make_dir(dir: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(StoreError::folder(dir))
}

/// Opens or makes a file that only its owner may read.
fn private_file(path: &Path) -> Result<File, StoreError> {
    let open = || {
        let file = private(OpenOptions::new().read(true).write(true).create(true)).open(path)?;
        make_private(&file)?;
        Ok(file)
    };
    open().map_err(StoreError::folder(path))
}

#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { file.set_permissions(fs::Permissions::from_mode(0o600)) }
}

#[cfg(not(unix))]
fn make_private(_: &File) -> io::Result<()> {
    Ok(())
}

/// `options` with the rights of a new file.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Writes a new file so that it survives the loss of power.
pub(super) fn write_new(path: &Path, pieces: impl Iterator<Item = io::Result<impl AsRef<[u8]>>>) -> io::Result<()> {
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    for piece in pieces {
        io::Write::write_all(&mut file, piece?.as_ref())?;
    }
    file.sync_all()?;
    sync_dir(path)
}

/// Makes the name of a file as durable as its bytes.
#[cfg(unix)]
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(not(unix))]
pub(super) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

/// At most `len` bytes from `offset`.
pub(super) fn read_part(path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    use io::{Read as _, Seek as _};
    let mut file = File::open(path)?;
    let left = file.metadata()?.len().saturating_sub(offset);
    let len = usize::try_from(left).unwrap_or(len).min(len);
    if len == 0 {
        return Ok(Vec::new());
    }
    file.seek(io::SeekFrom::Start(offset))?;
    let mut part = vec![0; len];
    file.read_exact(&mut part)?;
    Ok(part)
}

/// Deletes a file; one that is not there is as good.
pub(super) fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names of kept files that stand in a folder; what else stands there is not ours.
pub(super) fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        names.extend(name.to_str().filter(|n| FileId::parse(n).is_some()).map(str::to_owned));
    }
    Ok(names)
}
