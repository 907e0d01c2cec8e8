//! The last state on disk, so that a restart during an outage of the Hub still knows its models.
//!
//! One file per state; written beside and renamed, so a file is whole or not there; readable by the owner only. A file
//! that is damaged, too large, of another version, of another Hub or of another token is not used.

use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use types::Secret;

/// The version of the files' shape.
const VERSION: u32 = 2;

/// The models looked up one by one.
pub(crate) const MODELS: &str = "models";

/// The merged listing.
pub(crate) const LISTING: &str = "listing";

/// The router's list.
pub(crate) const MARKET: &str = "market";

/// How large a file may be.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Where states are kept, and whose they are.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    owner: String,
}

#[derive(Serialize, Deserialize)]
struct File<T> {
    version: u32,
    /// Which Hub, and seen with which token: a fingerprint.
    owner: String,
    /// When it was taken, in seconds since 1970.
    taken: u64,
    state: T,
}

impl Disk {
    /// States of this Hub and router, as seen with this token, in `dir`.
    pub(crate) fn new(dir: PathBuf, addresses: &[&str], token: Option<&Secret>) -> Self {
        Self { dir, owner: fingerprint(addresses, token) }
    }

    /// Keeps a state under `name`. Blocks: call it where that is allowed.
    pub(crate) fn save<T: Serialize>(&self, name: &str, state: &T) -> io::Result<()> {
        let file = File { version: VERSION, owner: self.owner.clone(), taken: unix_now(), state };
        let bytes = serde_json::to_vec(&file).map_err(io::Error::other)?;
        if bytes.len() as u64 > LIMIT {
            return Err(io::Error::other("the state is larger than 64 MiB"));
        }
        make_dir(&self.dir)?;
        let beside = self.dir.join(format!(".{name}.{}.tmp", std::process::id()));
        let done =
            write_private(&beside, &bytes).and_then(|()| fs::rename(&beside, self.dir.join(format!("{name}.json"))));
        if done.is_err() {
            let _ = fs::remove_file(&beside);
        }
        done
    }

    /// The state kept under `name` with the time it was taken; `None` if there is none that can be used. Blocks.
    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Option<(T, u64)> {
        let path = self.dir.join(format!("{name}.json"));
        match self.read(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "the kept state of the catalogue cannot be used");
                None
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> io::Result<Option<(T, u64)>> {
        if fs::metadata(path)?.len() > LIMIT {
            return Err(io::Error::other("it is larger than 64 MiB"));
        }
        let bytes = fs::read(path)?;
        let stamp: File<serde::de::IgnoredAny> = serde_json::from_slice(&bytes)?;
        if stamp.version != VERSION || stamp.owner != self.owner {
            return Ok(None);
        }
        let file: File<T> = serde_json::from_slice(&bytes)?;
        Ok(Some((file.state, file.taken)))
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A short text that differs with the addresses and the token, and from which no token can be read back.
fn fingerprint(addresses: &[&str], token: Option<&Secret>) -> String {
    let hash = |domain: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(domain);
        for address in addresses {
            hasher.write(address.as_bytes());
            hasher.write_u8(0xff);
        }
        hasher.write(token.map_or("", Secret::expose).as_bytes());
        hasher.finish()
    };
    format!("{:016x}{:016x}", hash(1), hash(2))
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The instant of a time in seconds since 1970; a time in the future, or before this machine started, counts as now or as long ago as
/// can be told.
pub(crate) fn instant_of(unix: u64, now: Instant) -> Instant {
    let mut age = std::time::Duration::from_secs(unix_now().saturating_sub(unix));
    loop {
        match now.checked_sub(age) {
            Some(then) => return then,
            None => age /= 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("ironbow-catalog-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn a_kept_state_comes_back_to_its_owner_only() {
        let dir = place("owner");
        let token = Secret::new("hf_secret_token");
        let disk = Disk::new(dir.clone(), &["https://hub"], Some(&token));
        disk.save("models", &vec![1, 2]).unwrap();
        assert_eq!(disk.load::<Vec<i32>>("models").unwrap().0, [1, 2]);
        for other in
            [Disk::new(dir.clone(), &["https://hub"], None), Disk::new(dir.clone(), &["https://other"], Some(&token))]
        {
            assert!(other.load::<Vec<i32>>("models").is_none());
        }
        let text = fs::read_to_string(dir.join("models.json")).unwrap();
        assert!(!text.contains("hf_") && !text.contains("secret"), "{text}");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_of_the_process_may_read_it_and_nothing_lies_beside() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = place("mode");
        Disk::new(dir.clone(), &["h"], None).save("models", &1).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("models.json"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_damaged_file_or_one_of_another_version_is_not_used() {
        let dir = place("damaged");
        let disk = Disk::new(dir.clone(), &["h"], None);
        disk.save("models", &7).unwrap();
        let path = dir.join("models.json");
        let good = fs::read_to_string(&path).unwrap();
        for bad in ["", "{", &good[..good.len() - 1], &good.replace("\"version\":2", "\"version\":1"), "[]", "\0\0"] {
            fs::write(&path, bad).unwrap();
            assert!(disk.load::<i32>("models").is_none(), "{bad:?}");
        }
        fs::write(&path, good).unwrap();
        assert_eq!(disk.load::<i32>("models").unwrap().0, 7);
        assert!(disk.load::<i32>("other").is_none());
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_time_before_this_machine_started_is_still_a_time() {
        let now = Instant::now();
        assert!(instant_of(0, now) < now);
        assert_eq!(instant_of(unix_now() + 1000, now), now);
    }
}
