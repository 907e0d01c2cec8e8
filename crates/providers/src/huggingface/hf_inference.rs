//! Hugging Face's own servers (TGI): the path names the model; no address beside the router.

use crate::{Backend, Chat, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "hf-inference",
    hub_org: "hf-inference",
    chat: Some(Chat { path: "models/{model}/v1/chat/completions", dialect: dialects::HF_INFERENCE, ..Chat::V1 }),
    ..Backend::ROUTED
};
