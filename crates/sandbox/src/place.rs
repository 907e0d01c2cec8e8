//! Where a path leads: the Hub, the router's own surface, a backend (routed or direct), a self-hosted server, or nowhere.

use crate::ask::Ask;
use crate::backends::{self, Backend};
use crate::custom::{self, Server};
use crate::{tasks, vendors};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Through the router, with an `hf_` token.
    Routed,
    /// On the backend's own address, with the backend's own key.
    Direct,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    Hub(Hub),
    /// `/v1/…` of the router; the text is what follows `/v1/`.
    Router(String),
    Backend {
        backend: &'static Backend,
        door: Door,
        /// The path without the base, no slash in front.
        route: String,
        /// The address of the backend's queue, where that is another than its own.
        queue: bool,
    },
    Custom {
        server: &'static Server,
        route: String,
    },
    /// A result that waits to be fetched.
    Asset(String),
    Nowhere,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hub {
    List,
    Model(String),
    Whoami,
    Partners(String),
    Unknown,
}

impl Backend {
    /// What Hugging Face never routes has no path at the router, and its own backend has no other address.
    fn has(&self, door: Door) -> bool {
        match door {
            Door::Routed => self.state != backends::State::NeverRouted,
            Door::Direct => self.id != "hf-inference",
        }
    }
}

/// Reads a path.
pub(crate) fn find(path: &str) -> Place {
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first {
        "api" => Place::Hub(hub(rest)),
        "v1" => Place::Router(rest.to_owned()),
        "direct" => {
            let (id, route) = rest.split_once('/').unwrap_or((rest, ""));
            match id {
                // `queue.fal.run` beside `fal.run`.
                "fal-ai-queue" => backend("fal-ai", Door::Direct, route, true),
                id => backend(id, Door::Direct, route, false),
            }
        }
        "custom" => {
            let (name, route) = rest.split_once('/').unwrap_or((rest, ""));
            custom::find(name).map_or(Place::Nowhere, |server| Place::Custom { server, route: route.to_owned() })
        }
        "_assets" => Place::Asset(rest.to_owned()),
        id => backend(id, Door::Routed, rest, false),
    }
}

fn backend(id: &str, door: Door, route: &str, queue: bool) -> Place {
    match backends::find(id) {
        Some(found) if found.has(door) => Place::Backend { backend: found, door, route: route.to_owned(), queue },
        _ => Place::Nowhere,
    }
}

fn hub(rest: &str) -> Hub {
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["models"] => Hub::List,
        ["models", name @ ..] if name.len() <= 2 => Hub::Model(name.join("/")),
        ["whoami-v2"] => Hub::Whoami,
        ["partners", id, "models"] => Hub::Partners((*id).to_owned()),
        _ => Hub::Unknown,
    }
}

impl Place {
    pub(crate) fn area(&self) -> &'static str {
        match self {
            Self::Hub(_) => "hub",
            Self::Router(_) => "router",
            Self::Backend { door: Door::Routed, .. } => "routed",
            Self::Backend { door: Door::Direct, .. } => "direct",
            Self::Custom { .. } => "custom",
            Self::Asset(_) => "asset",
            Self::Nowhere => "nowhere",
        }
    }

    pub(crate) fn backend(&self) -> Option<&'static str> {
        match self {
            Self::Backend { backend, .. } => Some(backend.id),
            Self::Custom { server, .. } => Some(server.name),
            _ => None,
        }
    }

    pub(crate) fn operation(&self, ask: &Ask) -> &'static str {
        match self {
            Self::Asset(_) => "asset",
            Self::Hub(Hub::List) => "hub_list",
            Self::Hub(Hub::Model(_)) => "hub_model",
            Self::Hub(Hub::Whoami) => "whoami",
            Self::Hub(Hub::Partners(_)) => "partners",
            Self::Router(rest) if rest.starts_with("models") => "models",
            Self::Router(route) | Self::Backend { route, .. } | Self::Custom { route, .. }
                if route.ends_with("chat/completions") =>
            {
                "chat"
            }
            Self::Backend { backend, route, queue, .. } => vendors::operation(backend, route)
                .or_else(|| tasks::operation(backend, route, *queue, ask))
                .unwrap_or("other"),
            Self::Custom { route, .. } => tasks::custom_operation(route, ask).unwrap_or("other"),
            _ => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, find};
    use crate::ask::Ask;
    use crate::knobs::Knobs;
    use bytes::Bytes;

    #[test]
    fn paths_lead_where_they_should() {
        for (path, area, backend, operation) in [
            ("/api/models/a/b", "hub", None, "hub_model"),
            ("/api/models", "hub", None, "hub_list"),
            ("/v1/chat/completions", "router", None, "chat"),
            ("/v1/models/a/b", "router", None, "models"),
            ("/groq/openai/v1/chat/completions", "routed", Some("groq"), "chat"),
            ("/direct/groq/openai/v1/chat/completions", "direct", Some("groq"), "chat"),
            ("/direct/openai/v1/chat/completions", "direct", Some("openai"), "chat"),
            ("/openai/v1/chat/completions", "nowhere", None, "other"),
            ("/fireworks/inference/v1/chat/completions", "nowhere", None, "other"),
            ("/custom/tgi/v1/chat/completions", "custom", Some("tgi"), "chat"),
            ("/custom/tei/embed", "custom", Some("tei"), "embeddings"),
            ("/_assets/a.png", "asset", None, "asset"),
            ("/scaleway/v1/embeddings", "routed", Some("scaleway"), "embeddings"),
            (
                "/hf-inference/models/facebook/bart-base/pipeline/feature-extraction",
                "routed",
                Some("hf-inference"),
                "embeddings",
            ),
            ("/hf-inference/models/sandbox/speaks", "routed", Some("hf-inference"), "speech"),
            ("/fal-ai/fal-ai/flux/dev", "routed", Some("fal-ai"), "image"),
            ("/fal-ai/fal-ai/flux/dev/stream", "routed", Some("fal-ai"), "image_stream"),
            ("/direct/fal-ai-queue/fal-ai/edits/v1", "direct", Some("fal-ai"), "image_edit"),
            ("/replicate/v1/models/sandbox/speaks-model/predictions", "routed", Some("replicate"), "speech"),
            ("/replicate/v1/predictions/x/cancel", "routed", Some("replicate"), "cancel"),
        ] {
            let place = find(path);
            let (parts, ()) = hyper::Request::post(path).body(()).unwrap_or_default().into_parts();
            let ask = Ask::new(&parts, Bytes::from_static(b"{}"), Knobs::default());
            assert_eq!((place.area(), place.backend(), place.operation(&ask)), (area, backend, operation), "{path}");
        }
        assert!(matches!(find("/"), Place::Nowhere));
    }
}
