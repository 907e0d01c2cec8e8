//! OVHcloud AI Endpoints: OpenAI's shape and path.

use crate::{Backend, Chat};

pub(crate) const BACKEND: Backend = Backend {
    id: "ovhcloud",
    aliases: &["ovhcloud-ai-endpoints"],
    hub_org: "ovhcloud",
    direct: Some("https://oai.endpoints.kepler.ai.cloud.ovh.net"),
    chat: Some(Chat::V1),
    ..Backend::ROUTED
};
