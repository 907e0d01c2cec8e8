//! What a vendor keeps: which of its responses were asked for by whom, and with which key they were made. With the gateway's keys
//! the responses of all callers lie together at the vendor; a note of each says whose it is.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use policy::credentials::{Chosen, Whose};
use serde::{Deserialize, Serialize};
use types::{
    BackendName, Fault, Kind, Result,
    ports::{
        PortError,
        jobs::Owner,
        sessions::{Item, NewSession, SessionId},
    },
};
use wire::native::Kept;

use crate::{
    Gateway,
    steps::{plan::Attempt, resolve::Place},
};

/// The longest id of a vendor's that is noted.
const LONGEST_ID: usize = 128;
/// The item of a note that says that what was used was not counted yet.
const UNCOUNTED: &str = "away:uncounted";

/// A note about a response that a vendor keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Whose it is.
    owner: String,
    /// The vendor.
    vendor: String,
    /// The operator's name of the key with which it was made; none: its caller's own.
    key: Option<String>,
}

/// The way to what a vendor keeps: this key and no other.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) vendor: BackendName,
    key: Option<String>,
    /// The member that names it.
    param: &'static str,
}

/// All notes are kept under one name: a note itself says whose it is.
fn keeper() -> Owner {
    Owner::new("away")
}

fn id_of(vendors_id: &str) -> Option<SessionId> {
    if !is_sound(vendors_id) {
        return None;
    }
    let hash = digest(&SHA256, vendors_id.as_bytes());
    let bits = hash.as_ref().first_chunk::<16>()?;
    Some(SessionId::away(u128::from_be_bytes(*bits)))
}

/// Whether a text can be a vendor's id, and stand in a path.
pub(crate) fn is_sound(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(plain)
}

/// Notes a response that a vendor keeps from now on. Without the note it is answered all the same.
pub(crate) async fn note(gateway: &Gateway, owner: &Owner, attempt: &Attempt, kept: &Kept) {
    let Some(id) = id_of(&kept.id) else { return };
    let note = Note {
        owner: owner.as_str().to_owned(),
        vendor: attempt.endpoint.backend.as_str().to_owned(),
        key: attempt.key_name.as_deref().map(str::to_owned),
    };
    let (sessions, now) = (&gateway.0.archive.sessions, crate::clock());
    let uncounted = Item { id: UNCOUNTED.to_owned(), answer: true, body: "{}".into() };
    let new = NewSession {
        id: id.clone(),
        owner: keeper(),
        previous: None,
        conversation: None,
        expires: now.after(attempt.snapshot.config.responses.keep),
        ended: true,
        asked: false,
        body: serde_json::to_vec(&note).unwrap_or_default().into(),
        items: kept.open.then_some(uncounted).into_iter().collect(),
    };
    // A vendor that gives an id twice means the newer one.
    let noted = match sessions.delete(&keeper(), &id, now).await {
        Ok(_) => sessions.create(new, now).await,
        Err(error) => Err(error),
    };
    match noted {
        Ok(()) => {}
        Err(error @ PortError::Unavailable(_)) => {
            tracing::warn!(%error, "which key a vendor's response was made with is not noted");
        }
        Err(error) => tracing::debug!(%error, "which key a vendor's response was made with is not noted"),
    }
}

/// What was noted about a vendor's response.
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// Somebody else asked for it: for this caller it does not exist.
    Others,
    /// The way to it.
    Way(Bound),
}

/// What was noted about a vendor's response, for this caller; `param` names it in faults.
///
/// # Errors
/// `Overloaded` when the keeper fails.
pub(crate) async fn find(gateway: &Gateway, owner: &Owner, vendors_id: &str, param: &'static str) -> Result<Found> {
    let Some(id) = id_of(vendors_id) else { return Ok(Found::Nothing) };
    let kept = gateway.0.archive.sessions.get(&keeper(), &id, crate::clock()).await?;
    let note: Option<Note> = kept.and_then(|kept| serde_json::from_slice(&kept.body).ok());
    Ok(match note {
        None => Found::Nothing,
        Some(note) if note.owner != owner.as_str() => Found::Others,
        Some(note) => Found::Way(Bound { vendor: BackendName::new(&note.vendor), key: note.key, param }),
    })
}

/// Forgets a vendor's response.
pub(crate) async fn forget(gateway: &Gateway, vendors_id: &str) {
    let Some(id) = id_of(vendors_id) else { return };
    if let Err(error) = gateway.0.archive.sessions.delete(&keeper(), &id, crate::clock()).await {
        tracing::debug!(%error, "a note about a vendor's response stays until its time");
    }
}

/// Whether what a response used is still to be counted: says yes once.
pub(crate) async fn counts(gateway: &Gateway, vendors_id: &str) -> bool {
    let Some(id) = id_of(vendors_id) else { return false };
    let taken = gateway.0.archive.sessions.remove(&keeper(), &id, UNCOUNTED, crate::clock()).await;
    taken.unwrap_or_else(|error| {
        tracing::warn!(%error, "what a vendor's response used cannot be counted now");
        false
    })
}

impl Bound {
    /// Whether this key at this place leads to it.
    pub(crate) fn opens(&self, place: &Place, chosen: &Chosen) -> bool {
        let there = matches!(place, Place::Backend { id, .. } if *id == self.vendor);
        let same = match &self.key {
            Some(key) => chosen.name.as_deref() == Some(key.as_str()),
            None => chosen.whose == Whose::Caller,
        };
        there && same
    }

    /// The fault when the call goes to somebody else, or the key is gone.
    #[cold]
    pub(crate) fn fault(&self, place: &Place) -> Box<Fault> {
        let (param, vendor) = (self.param, &self.vendor);
        if matches!(place, Place::Backend { id, .. } if *id == self.vendor) {
            let text = match &self.key {
                Some(key) => format!(
                    "`{param}` names a response that was made at `{vendor}` with the key `{key}`, which the configuration no longer has."
                ),
                None => format!(
                    "`{param}` names a response that was made at `{vendor}` with a key of your own: send that key."
                ),
            };
            return Fault::new(Kind::NoCredential, text).param(param).backend(vendor.as_str());
        }
        let text =
            format!("`{param}` names a response that `{vendor}` keeps: only a model of `{vendor}` can continue it.");
        Fault::new(Kind::BadRequest, text).param(param)
    }
}

/// The way of a call, shared by all its attempts.
pub(crate) type Binding = Option<Arc<Bound>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_id_is_noted_under_its_hash_and_odd_ones_are_not() {
        let id = id_of("resp_67cb71b351908190a308f3859487620d06981a8637e6bc44").unwrap();
        assert!(id.as_str().starts_with("away_") && SessionId::parse_any(id.as_str()).is_none());
        assert_ne!(Some(id), id_of("resp_67cb71b351908190a308f3859487620d06981a8637e6bc45"));
        for odd in ["", "resp/../x", "resp_1?x", "resp 1", "resp_%2e", &"a".repeat(129), "é"] {
            assert!(id_of(odd).is_none(), "{odd}");
        }
    }
}
