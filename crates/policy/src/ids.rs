//! What this crate must know of each backend. The table itself belongs to `providers`.

/// How Hugging Face treats a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// The router forwards to it.
    Live,
    /// The router once did and no longer does. Its name still means the backend.
    Retired,
    /// The router never did. With one slash its name means the Hub organisation of the same name.
    Never,
}

/// The names of a backend and how it is reached.
#[derive(Clone, Copy, Debug)]
pub struct BackendIds<'a> {
    /// The id as Hugging Face spells it.
    pub id: &'a str,
    /// Other names that callers use for it.
    pub aliases: &'a [&'a str],
    /// How Hugging Face treats it.
    pub routing: Routing,
    /// Its own address, if calls with its own key are possible.
    pub direct_base: Option<&'a str>,
    /// What is known of it if it is a vendor whose own API callers may use ([`types::config::Provider`]).
    pub vendor: Option<VendorIds>,
}

/// What this crate must know of a vendor.
#[derive(Clone, Copy, Debug)]
pub struct VendorIds {
    /// Whether a credential looks like a key of this vendor.
    pub is_key: fn(&str) -> bool,
    /// The variable in which the vendor's own clients look for a key.
    pub variable: &'static str,
}
