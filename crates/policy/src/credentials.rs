//! Whose key is used for an attempt, and which way the call goes with it.
//!
//! An hf_ token goes to the router and nowhere else; a backend's own key goes to that backend's own address and nowhere
//! else; a server's key goes to that server. A caller's token is used only where the configuration allows it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use types::{BackendName, Fault, Kind, Result, Secret};

use crate::ids::Routing;

/// The keys of one configuration.
#[derive(Debug, Default)]
pub struct Keys {
    /// hf_ tokens, the preferred one first.
    pub(crate) routed: Vec<Key>,
    /// Backends' own keys, the preferred one first.
    pub(crate) direct: HashMap<BackendName, Vec<Key>>,
    /// Keys of declared servers.
    pub(crate) servers: HashMap<BackendName, Key>,
    /// Whether a caller's hf_ token may be used.
    pub(crate) callers: bool,
    /// Vendors of which a caller's own key may be used, with what such a key looks like.
    pub(crate) vendors: BTreeMap<BackendName, fn(&str) -> bool>,
}

/// A key of the gateway's own.
#[derive(Debug, Clone)]
pub struct Key {
    /// The name that the operator gave it.
    pub name: Arc<str>,
    /// The key.
    pub secret: Secret,
    /// Who pays, if it is an hf_ token and an organisation is named.
    pub bill_to: Option<Arc<str>>,
}

/// What the caller sent with the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'a> {
    /// The bearer token.
    pub token: Option<&'a Secret>,
    /// The value of `X-HF-Bill-To`.
    pub bill_to: Option<&'a str>,
}

/// What an attempt goes to.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A backend of the table.
    Backend {
        /// Its id.
        id: &'a BackendName,
        /// How Hugging Face treats it.
        routing: Routing,
        /// Whether the Hub's live mapping of this model names the backend. A retired backend that it names is routed again.
        mapped: bool,
    },
    /// A server that the operator declared.
    Server(&'a BackendName),
    /// The router chooses the backend.
    Router,
}

/// Which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Through Hugging Face's router.
    Routed,
    /// To the backend's or server's own address.
    Direct,
}

/// Whose credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The caller's own.
    Caller,
    /// The gateway's.
    Operator,
}

/// The key for one attempt.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The key; none only for a declared server without one.
    pub secret: Option<Secret>,
    /// Which way the call goes with it.
    pub way: Way,
    /// The value for `X-HF-Bill-To`, on routed calls only.
    pub bill_to: Option<Arc<str>>,
    /// Whose it is. Nothing shared may mix two of them.
    pub whose: Whose,
    /// The operator's name for the key, for logs.
    pub name: Option<Arc<str>>,
}

impl Keys {
    /// Chooses the key for an attempt where only one is made.
    ///
    /// # Errors
    /// As [`Keys::usable`].
    pub fn choose(&self, target: Target<'_>, presented: Presented<'_>) -> Result<Chosen> {
        match self.keyring(target, presented)? {
            Ring::Bare => Ok(Chosen::BARE),
            Ring::Caller(token) => callers(token, presented),
            Ring::CallersKey(key) => Ok(Chosen::of_caller(key)),
            Ring::Operator { direct, routed } => {
                let first = direct.first().map(|key| Chosen::operators(key, Way::Direct));
                let first = first.or_else(|| routed.first().map(|key| Chosen::operators(key, Way::Routed)));
                // A ring is never empty.
                first.ok_or_else(|| self.none(None, presented))
            }
        }
    }

    /// Every key that may be used for an attempt, the preferred one first; never none. A caller's own token is the only
    /// one where it may be used: who brings a key pays, and nobody else does.
    ///
    /// # Errors
    /// [`Kind::NoCredential`] when none may be used; it says what to set. [`Kind::BadRequest`] for an `X-HF-Bill-To`
    /// that is not the name of an organisation.
    pub fn usable(&self, target: Target<'_>, presented: Presented<'_>) -> Result<Vec<Chosen>> {
        match self.keyring(target, presented)? {
            Ring::Bare => Ok(vec![Chosen::BARE]),
            Ring::Caller(token) => callers(token, presented).map(|chosen| vec![chosen]),
            Ring::CallersKey(key) => Ok(vec![Chosen::of_caller(key)]),
            Ring::Operator { direct, routed } => {
                let direct = direct.iter().map(|key| Chosen::operators(key, Way::Direct));
                Ok(direct.chain(routed.iter().map(|key| Chosen::operators(key, Way::Routed))).collect())
            }
        }
    }

    /// Whether [`Keys::usable`] would give exactly one.
    pub fn is_single(&self, target: Target<'_>, presented: Presented<'_>) -> bool {
        match self.keyring(target, presented) {
            Ok(Ring::Operator { direct, routed }) => direct.len() + routed.len() == 1,
            Ok(Ring::Bare | Ring::Caller(_) | Ring::CallersKey(_)) => true,
            Err(_) => false,
        }
    }

    fn keyring<'a>(&'a self, target: Target<'_>, presented: Presented<'a>) -> Result<Ring<'a>> {
        let operator = |direct: &'a [Key], routed: &'a [Key], backend: Option<&BackendName>| {
            if direct.is_empty() && routed.is_empty() {
                return Err(self.none(backend, presented));
            }
            Ok(Ring::Operator { direct, routed })
        };
        match target {
            Target::Server(name) => Ok(match self.servers.get(name) {
                Some(key) => Ring::Operator { direct: std::slice::from_ref(key), routed: &[] },
                None => Ring::Bare,
            }),
            Target::Router => match self.callers_token(presented) {
                Some(token) => Ok(Ring::Caller(token)),
                None => operator(&[], &self.routed, None),
            },
            Target::Backend { id, routing, mapped } => {
                let routable = routing == Routing::Live || (routing == Routing::Retired && mapped);
                if routable && let Some(token) = self.callers_token(presented) {
                    return Ok(Ring::Caller(token));
                }
                if let Some(key) = self.callers_key(id, presented) {
                    return Ok(Ring::CallersKey(key));
                }
                let direct = self.direct.get(id).map_or(&[][..], Vec::as_slice);
                if !routable && direct.is_empty() {
                    return Err(not_routed(id, routing));
                }
                // What the Hub does not list under this name, the router does not know either.
                let routed = if routable && (mapped || direct.is_empty()) { &self.routed[..] } else { &[] };
                operator(direct, routed, Some(id))
            }
        }
    }

    /// The token with which the Hub is asked: the caller's own where it may be used, else the first of the gateway's.
    pub fn for_hub<'a>(&'a self, presented: Presented<'a>) -> Option<&'a Secret> {
        self.callers_token(presented).or_else(|| self.routed.first().map(|key| &key.secret))
    }

    /// Whether the gateway has an hf_ token of its own.
    pub fn has_routed(&self) -> bool {
        !self.routed.is_empty()
    }

    /// Whether callers' hf_ tokens may be used.
    pub fn allow_callers(&self) -> bool {
        self.callers
    }

    /// Whether the gateway has this backend's own key.
    pub fn has_direct(&self, backend: &BackendName) -> bool {
        self.direct.contains_key(backend)
    }

    /// A declared server's key.
    pub fn server(&self, name: &BackendName) -> Option<&Secret> {
        self.servers.get(name).map(|key| &key.secret)
    }

    /// Whether calls may go to this vendor: with a key of the gateway's own, or with the caller's.
    pub fn opens(&self, vendor: &BackendName, presented: Presented<'_>) -> bool {
        self.has_direct(vendor) || self.callers_key(vendor, presented).is_some()
    }

    /// Whether a caller's own key may be used for this backend.
    pub fn takes_callers(&self, backend: &BackendName) -> bool {
        self.vendors.contains_key(backend)
    }

    /// The caller's own key of this vendor, where it may be used.
    fn callers_key<'a>(&self, vendor: &BackendName, presented: Presented<'a>) -> Option<&'a Secret> {
        let is_key = self.vendors.get(vendor)?;
        presented.token.filter(|token| is_key(token.expose()))
    }

    /// Every key of the gateway, for masking foreign text and for start-up messages.
    pub fn all(&self) -> impl Iterator<Item = &Key> {
        self.routed.iter().chain(self.direct.values().flatten()).chain(self.servers.values())
    }

    /// The caller's own Hugging Face token, where it may be used: the call then goes out with it.
    pub fn callers_token<'a>(&self, presented: Presented<'a>) -> Option<&'a Secret> {
        presented.token.filter(|token| self.callers && is_hugging_face(token))
    }

    #[cold]
    fn none(&self, backend: Option<&BackendName>, presented: Presented<'_>) -> Box<Fault> {
        let callers = match presented.token {
            _ if self.callers => " or send an hf_ token as the API key of the call",
            Some(token) if is_hugging_face(token) => {
                " (an hf_ token came with the call, but huggingface.caller_keys does not allow it to be used)"
            }
            _ => "",
        };
        let direct = backend.map_or_else(String::new, |id| {
            format!(", or give the backend's own key with backend = \"{id}\" under [[huggingface.keys]]")
        });
        let fault = Fault::new(
            Kind::NoCredential,
            format!("The gateway has no Hugging Face token: set HF_TOKEN where it runs{direct}{callers}."),
        );
        match backend {
            Some(id) => fault.backend(id.as_str()),
            None => fault,
        }
    }
}

/// The keys that may be used for one target.
enum Ring<'a> {
    /// None is needed.
    Bare,
    /// The caller's own hf_ token.
    Caller(&'a Secret),
    /// The caller's own key of the vendor.
    CallersKey(&'a Secret),
    /// The gateway's, the backend's or server's own first.
    Operator { direct: &'a [Key], routed: &'a [Key] },
}

impl Chosen {
    /// A call without a key.
    const BARE: Self = Self { secret: None, way: Way::Direct, bill_to: None, whose: Whose::Operator, name: None };

    fn of_caller(key: &Secret) -> Self {
        Self { secret: Some(key.clone()), way: Way::Direct, bill_to: None, whose: Whose::Caller, name: None }
    }

    fn operators(key: &Key, way: Way) -> Self {
        Self {
            secret: Some(key.secret.clone()),
            way,
            bill_to: if way == Way::Routed { key.bill_to.clone() } else { None },
            whose: Whose::Operator,
            name: Some(key.name.clone()),
        }
    }
}

fn callers(token: &Secret, presented: Presented<'_>) -> Result<Chosen> {
    let bill_to = match presented.bill_to {
        Some(name) if !is_organisation(name) => {
            return Err(Fault::new(
                Kind::BadRequest,
                "The header X-HF-Bill-To holds the name of an organisation on Hugging Face: letters, digits, '-', '_' and '.'.",
            )
            .param("X-HF-Bill-To"));
        }
        Some(name) => Some(name.into()),
        None => None,
    };
    Ok(Chosen { secret: Some(token.clone()), way: Way::Routed, bill_to, whose: Whose::Caller, name: None })
}

#[cold]
fn not_routed(id: &BackendName, routing: Routing) -> Box<Fault> {
    let reason = match routing {
        Routing::Retired => format!("Hugging Face no longer routes calls to {id}"),
        _ => format!("Hugging Face does not route calls to {id}"),
    };
    Fault::new(
        Kind::NoCredential,
        format!("{reason}; it serves calls with its own key only: add one with backend = \"{id}\" under [[huggingface.keys]]."),
    )
    .code("backend_not_routed")
    .backend(id.as_str())
}

/// Whether it is a token of Hugging Face, which goes to the router and never to a backend itself.
pub(crate) fn is_hugging_face(token: &Secret) -> bool {
    token.expose().starts_with("hf_")
}

/// Whether it can be the name of an organisation, and stand in a header.
pub(crate) fn is_organisation(name: &str) -> bool {
    (1..=96).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
