//! Vendors whose own API callers may use through the gateway.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CallerKeys, SecretRef};

/// A vendor whose own models can be asked for, in the vendor's own dialect or by translation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    /// The vendor's address, if it is not the usual one. A path is kept; `/v1` is put behind it.
    pub base_url: Option<String>,
    /// Keys, the preferred one first.
    pub keys: Vec<ProviderKey>,
    /// Whether the variable of the vendor's own clients (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`) is taken when `keys` is empty.
    pub environment_key: bool,
    /// Whether a key of this vendor that a caller presents is used for that caller's calls: auto (on a loopback listener
    /// without a key of the gateway's own), never, always.
    pub caller_keys: CallerKeys,
}

/// A vendor's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderKey {
    /// A name of your choice, for logs and messages.
    pub name: String,
    /// Where the key is: `env:NAME` or `file:PATH`.
    pub value: SecretRef,
}
