//! OVHcloud AI Endpoints: OpenAI's shape and path.

use crate::{Backend, Op};

pub(crate) const BACKEND: Backend = Backend {
    id: "ovhcloud",
    aliases: &["ovhcloud-ai-endpoints"],
    hub_org: "ovhcloud",
    direct: Some("https://oai.endpoints.kepler.ai.cloud.ovh.net"),
    ops: &[Op::CHAT],
    ..Backend::ROUTED
};
