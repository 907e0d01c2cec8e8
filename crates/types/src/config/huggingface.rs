//! Hugging Face's part of the document: addresses, keys, billing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;

/// Hugging Face: addresses, keys, billing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HuggingFace {
    /// The Hub, which knows what each backend calls a model. `HF_ENDPOINT` sets it too.
    pub hub: String,
    /// The router, through which calls with an hf_ token go. `HF_ROUTER_URL` sets it too.
    pub router: String,
    /// Keys, the preferred one first. Without an hf_ token here, the one of the environment is taken.
    pub keys: Vec<Key>,
    /// Whether `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN` or the token file of Hugging Face's own clients is taken when `keys` has no hf_ token.
    pub implicit_token: bool,
    /// The organisation that pays for routed calls, unless a key names another one.
    pub bill_to: Option<String>,
    /// Whether an hf_ token that a caller presents is used for that caller's calls.
    pub caller_keys: CallerKeys,
}

impl Default for HuggingFace {
    fn default() -> Self {
        Self {
            hub: "https://huggingface.co".to_owned(),
            router: "https://router.huggingface.co".to_owned(),
            keys: Vec::new(),
            implicit_token: true,
            bill_to: None,
            caller_keys: CallerKeys::Auto,
        }
    }
}

/// One key: an hf_ token for the router, or a backend's own key for its own address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// A name of your choice, for logs and messages.
    pub name: String,
    /// Where the key is: `env:NAME` or `file:PATH`.
    pub value: SecretRef,
    /// The backend whose own key this is; calls with it go to that backend's own address. Left out for an hf_ token.
    #[serde(default)]
    pub backend: Option<String>,
    /// The organisation that pays for calls with this hf_ token.
    #[serde(default)]
    pub bill_to: Option<String>,
}

/// Whether an hf_ token that a caller presents is used for that caller's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallerKeys {
    /// On a loopback listener without an hf_ token of the gateway's own.
    #[default]
    Auto,
    /// Never: what callers present stays here.
    Never,
    /// Whenever a caller presents one.
    Always,
}
