//! What an operator may say about single backends, and servers of one's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, SecretRef, Size};

/// What differs for one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backend {
    /// Whether the backend may be asked for by name. Hugging Face's router may still choose it for calls that name none.
    pub enabled: bool,
    /// The backend's own address, to which calls with its own key go.
    pub base_url: Option<String>,
    /// The largest body sent to this backend, instead of `limits.hugging_face_body` and `limits.body`.
    pub body_limit: Option<Size>,
    /// Times that differ for this backend.
    pub timeouts: BackendTimeouts,
}

impl Default for Backend {
    fn default() -> Self {
        Self { enabled: true, base_url: None, body_limit: None, timeouts: BackendTimeouts::default() }
    }
}

/// Times that differ for one backend or server; what is left out is as under `timeouts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackendTimeouts {
    /// From the call to the first event of a stream.
    pub first_event: Option<Period>,
    /// Between two events of a stream.
    pub between_events: Option<Period>,
    /// A whole stream.
    pub stream: Option<Period>,
    /// A whole answer that is not streamed.
    pub answer: Option<Period>,
    /// Opening a connection.
    pub connect: Option<Period>,
}

/// A model server of your own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its address. A path is kept: `/v1` and `/v1/chat/completions` at the end are understood.
    pub url: String,
    /// What kind of server it is.
    #[serde(default)]
    pub dialect: Dialect,
    /// Where its key is, if it wants one: `env:NAME` or `file:PATH`. Nobody else's key is ever sent to it.
    #[serde(default)]
    pub key: Option<SecretRef>,
    /// The names of its models, for the list of models and for calls that name a model and no backend. Names that are not listed are passed on all the same.
    #[serde(default)]
    pub models: Vec<String>,
    /// Whether the server is asked which models it has, besides those that are listed here. Left out, it is asked when none are.
    #[serde(default)]
    pub discover: Option<bool>,
    /// How often the server is asked whether it is there; `0s` never.
    #[serde(default = "half_a_minute")]
    pub check_every: Period,
    /// Whether its models appear in the list of models.
    #[serde(default = "yes")]
    pub advertised: bool,
    /// The largest body sent to this server, instead of `limits.body`.
    #[serde(default)]
    pub body_limit: Option<Size>,
    /// Times that differ for this server.
    #[serde(default)]
    pub timeouts: BackendTimeouts,
}

const fn half_a_minute() -> Period {
    Period::seconds(30)
}

const fn yes() -> bool {
    true
}

/// What kind of server it is: decides paths and what it understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Anything that speaks OpenAI's API.
    #[default]
    Openai,
    /// Text Generation Inference.
    Tgi,
    /// vLLM.
    Vllm,
    /// llama.cpp's server.
    Llamacpp,
    /// Text Embeddings Inference.
    Tei,
    /// A dedicated Inference Endpoint of Hugging Face.
    InferenceEndpoint,
}

impl Dialect {
    /// The name as the configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Tgi => "tgi",
            Self::Vllm => "vllm",
            Self::Llamacpp => "llamacpp",
            Self::Tei => "tei",
            Self::InferenceEndpoint => "inference-endpoint",
        }
    }
}
