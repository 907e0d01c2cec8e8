//! Vendors whose own models callers may ask for: which one a name may mean, and what goes on to it.
//!
//! A name means a vendor when it begins as the vendor's own names do (`claude-…`), or when it is the vendor's organisation
//! and a model that the Hub does not know, and only while calls may go to that vendor: with a key of the gateway's own,
//! or with the caller's where that is allowed.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use net::Fields;
use policy::Presented;
use providers::{Backend, TABLE, Vendor};
use types::{Asked, BackendName, Result};
use wire::native::Dialect;

use crate::{Snapshot, doors::Door, steps::authenticate::Caller};

/// A vendor that a name may mean, and the model's name there.
#[derive(Debug)]
pub(crate) struct Meant<'n> {
    /// Its id.
    pub(crate) id: BackendName,
    /// The vendor.
    pub(crate) vendor: &'static Vendor,
    /// The model.
    pub(crate) model: &'n str,
}

fn vendors() -> impl Iterator<Item = (&'static Backend, &'static Vendor)> {
    TABLE.iter().filter_map(|backend| Some((backend, backend.vendor?)))
}

fn opens(snapshot: &Snapshot, caller: &Caller, id: &BackendName) -> bool {
    let presented = Presented { token: caller.credential.as_ref(), bill_to: None };
    snapshot.config.enabled(id) && snapshot.config.keys.opens(id, presented)
}

/// The vendor that a name without any route means by what it begins with.
pub(crate) fn of_family<'n>(snapshot: &Snapshot, caller: &Caller, name: &'n str) -> Option<Meant<'n>> {
    if name.len() > policy::name::MAX_LENGTH || name.contains('/') || name.chars().any(char::is_control) {
        return None;
    }
    let (backend, vendor) = vendors().find(|(_, vendor)| vendor.has_family(name))?;
    let id = BackendName::new(backend.id);
    opens(snapshot, caller, &id).then_some(Meant { id, vendor, model: name })
}

/// The vendor whose organisation on the Hub a name begins with. It is meant only if the Hub does not know the model.
pub(crate) fn of_organisation<'n>(snapshot: &Snapshot, caller: &Caller, hub_id: &'n str) -> Option<Meant<'n>> {
    let of = |id| hub_id.strip_prefix(id)?.strip_prefix('/');
    let (backend, vendor, model) = vendors().find_map(|(backend, vendor)| Some((backend, vendor, of(backend.id)?)))?;
    let id = BackendName::new(backend.id);
    opens(snapshot, caller, &id).then_some(Meant { id, vendor, model })
}

/// The vendor that a caller's name may mean, before the Hub was asked.
pub(crate) fn perhaps<'n>(snapshot: &'n Snapshot, caller: &Caller, name: &'n str) -> Option<Meant<'n>> {
    let names = &snapshot.config.names;
    match names.meaning(name) {
        Some(Asked::Pinned { backend, model }) => {
            let (_, vendor) = vendors().find(|(known, _)| known.id == backend.as_str())?;
            Some(Meant { id: backend.clone(), vendor, model })
        }
        Some(Asked::Auto { model, .. }) => of_organisation(snapshot, caller, model),
        None => of_organisation(snapshot, caller, name.split(':').next().unwrap_or(name))
            .or_else(|| of_family(snapshot, caller, name)),
    }
}

/// What a model's name means, a vendor's own names among them.
///
/// # Errors
/// What is wrong with the name.
pub(crate) fn meaning(snapshot: &Snapshot, caller: &Caller, name: &str) -> Result<Asked> {
    policy::parse(name, &snapshot.config.names).or_else(|fault| {
        let meant = of_family(snapshot, caller, name).ok_or(fault)?;
        Ok(Asked::Pinned { backend: meant.id, model: meant.model.into() })
    })
}

/// The dialect of a door that a vendor may speak itself.
pub(crate) const fn dialect(door: Door) -> Option<Dialect> {
    match door {
        Door::Messages => Some(Dialect::Messages),
        Door::Responses => Some(Dialect::Responses),
        _ => None,
    }
}

/// Of a caller's headers, those that any vendor reads.
pub(crate) fn readable(headers: &Fields) -> HeaderMap {
    let mut readable = HeaderMap::new();
    for name in vendors().flat_map(|(_, vendor)| vendor.carried) {
        for value in headers.get_all(*name) {
            // What came in as a header can go out as one.
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                readable.append(HeaderName::from_static(name), value);
            }
        }
    }
    readable
}

/// The caller's headers that go on to the vendor.
pub(crate) fn carried(vendor: &Vendor, headers: &HeaderMap) -> Arc<HeaderMap> {
    let mut carried = HeaderMap::new();
    for name in vendor.carried {
        let name = HeaderName::from_static(name);
        for value in headers.get_all(&name) {
            carried.append(name.clone(), value.clone());
        }
    }
    carried.into()
}
