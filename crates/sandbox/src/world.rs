//! The fixed world: every model that the Hub knows, who serves it, and under which name. `docs/sandbox.md` describes it.

mod extra;
mod media;

use crate::backends::{self, State};
use crate::knobs::Knobs;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) id: &'static str,
    /// The Hub's opaque id.
    pub(crate) hex: &'static str,
    pub(crate) pipeline: &'static str,
    pub(crate) conversational: bool,
    pub(crate) access: Access,
    pub(crate) mapping: Mapping,
    pub(crate) routes: &'static [Route],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Public,
    /// Seen by all, its mapping only by members.
    Gated,
    /// For others than members it does not exist.
    Private,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    Listed,
    /// The Hub's answer has no mapping member at all.
    Absent,
}

/// One backend that serves a model.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) backend: &'static str,
    pub(crate) provider_id: &'static str,
    pub(crate) status: &'static str,
    pub(crate) task: &'static str,
    pub(crate) facts: Facts,
    /// The file of a LoRA adapter in the Hub's repository, if the model is one.
    pub(crate) weights: Option<&'static str>,
}

/// What the router's list says of a route; every one is optional.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) context: Option<u32>,
    /// USD per million tokens, in and out.
    pub(crate) price: Option<(&'static str, &'static str)>,
    pub(crate) tools: Option<bool>,
    pub(crate) structured: Option<bool>,
    pub(crate) latency_ms: Option<&'static str>,
    pub(crate) throughput: Option<&'static str>,
}

const NOTHING: Facts =
    Facts { context: None, price: None, tools: None, structured: None, latency_ms: None, throughput: None };

const fn live(backend: &'static str, provider_id: &'static str) -> Route {
    Route { backend, provider_id, status: "live", task: "conversational", facts: NOTHING, weights: None }
}

const fn with(mut route: Route, price: (&'static str, &'static str), throughput: &'static str) -> Route {
    route.facts = Facts {
        context: Some(131_072),
        price: Some(price),
        tools: Some(true),
        structured: Some(true),
        latency_ms: Some("210.5"),
        throughput: Some(throughput),
    };
    route
}

const fn state(mut route: Route, status: &'static str) -> Route {
    route.status = status;
    route
}

const fn task(mut route: Route, task: &'static str) -> Route {
    route.task = task;
    route
}

const fn chat(id: &'static str, hex: &'static str, routes: &'static [Route]) -> Model {
    Model {
        id,
        hex,
        pipeline: "text-generation",
        conversational: true,
        access: Access::Public,
        mapping: Mapping::Listed,
        routes,
    }
}

const fn other(id: &'static str, hex: &'static str, pipeline: &'static str, routes: &'static [Route]) -> Model {
    let mut model = chat(id, hex, routes);
    model.pipeline = pipeline;
    model.conversational = false;
    model
}

const fn access(mut model: Model, access: Access) -> Model {
    model.access = access;
    model
}

const fn vision(mut model: Model) -> Model {
    model.pipeline = "image-text-to-text";
    model
}

const fn unmapped(mut model: Model) -> Model {
    model.mapping = Mapping::Absent;
    model
}

/// Old names: the Hub answers 307 with the new one.
pub(crate) const RENAMED: &[(&str, &str)] =
    &[("meta-llama/Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"), ("gpt2", "openai-community/gpt2")];

const CHAT: &[Model] = &[
    chat(
        "meta-llama/Llama-3.1-8B-Instruct",
        "66969ad27a033bc62173b3e3",
        &[
            live("hf-inference", "meta-llama/Llama-3.1-8B-Instruct"),
            with(live("cerebras", "llama3.1-8b"), ("0.1", "0.1"), "2200.5"),
            with(live("fireworks-ai", "accounts/fireworks/models/llama-v3p1-8b-instruct"), ("0.2", "0.2"), "180"),
            with(live("groq", "llama-3.1-8b-instant"), ("0.05", "0.08"), "750.25"),
            with(live("novita", "meta-llama/llama-3.1-8b-instruct"), ("0.02", "0.05"), "90.75"),
            live("nscale", "meta-llama/Llama-3.1-8B-Instruct"),
            live("ovhcloud", "Llama-3.1-8B-Instruct"),
            live("scaleway", "llama-3.1-8b-instruct"),
            with(live("together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"), ("0.18", "0.18"), "250"),
            live("featherless-ai", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
            live("deepinfra", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"),
        ],
    ),
    chat(
        "meta-llama/Llama-3.1-70B-Instruct",
        "66969ad27a033bc62173b3e4",
        &[
            with(live("cerebras", "llama-3.1-70b"), ("0.6", "0.6"), "450"),
            with(live("groq", "llama-3.1-70b-versatile"), ("0.59", "0.79"), "250"),
            live("hf-inference", "meta-llama/Llama-3.1-70B-Instruct"),
            live("together", "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo"),
            state(live("fireworks-ai", "accounts/fireworks/models/llama-v3p1-70b-instruct"), "staging"),
            state(live("nscale", "meta-llama/Llama-3.1-70B-Instruct"), "error"),
        ],
    ),
    chat(
        "openai/gpt-oss-120b",
        "68913539bd3d0a833438591d",
        &[
            with(live("cerebras", "gpt-oss-120b"), ("0.25", "0.69"), "3000"),
            with(live("fireworks-ai", "accounts/fireworks/models/gpt-oss-120b"), ("0.15", "0.6"), "300"),
            with(live("groq", "openai/gpt-oss-120b"), ("0.15", "0.75"), "500"),
            with(live("baseten", "openai/gpt-oss-120b"), ("0.1", "0.5"), "400"),
            live("together", "openai/gpt-oss-120b"),
            live("novita", "openai/gpt-oss-120b"),
            live("scaleway", "gpt-oss-120b"),
            live("ovhcloud", "gpt-oss-120b"),
            live("deepinfra", "openai/gpt-oss-120b-Turbo"),
        ],
    ),
    chat(
        "deepseek-ai/DeepSeek-V3-0324",
        "67e0c9e3e1a1b1a1b1a1b1a1",
        &[
            with(live("novita", "deepseek/deepseek-v3-0324"), ("0.28", "1.14"), "30"),
            with(live("together", "deepseek-ai/DeepSeek-V3"), ("1.25", "1.25"), "60"),
            live("fireworks-ai", "accounts/fireworks/models/deepseek-v3-0324"),
            live("baseten", "deepseek-ai/DeepSeek-V3-0324-fp8"),
        ],
    ),
    chat("CohereLabs/c4ai-command-r7b-12-2024", "675b3a0c0b1c9b2f6b0e6a11", &[live("cohere", "command-r7b-12-2024")]),
    chat(
        "zai-org/GLM-4.5",
        "687b7d0d0f7c7d5a2e3b8c21",
        &[
            live("zai-org", "glm-4.5"),
            live("novita", "zai-org/glm-4.5"),
            live("fireworks-ai", "accounts/fireworks/models/glm-4p5"),
        ],
    ),
    chat(
        "swiss-ai/Apertus-8B-Instruct-2509",
        "689d0f1f3d1c9b2f6b0e6a12",
        &[live("publicai", "swiss-ai/apertus-8b-instruct")],
    ),
    vision(chat(
        "Qwen/Qwen2.5-VL-72B-Instruct",
        "6795f2a3b4c5d6e7f8091a2b",
        &[
            live("ovhcloud", "Qwen2.5-VL-72B-Instruct"),
            live("novita", "qwen/qwen2.5-vl-72b-instruct"),
            live("featherless-ai", "Qwen/Qwen2.5-VL-72B-Instruct-AWQ"),
            live("hf-inference", "Qwen/Qwen2.5-VL-72B-Instruct"),
            live("together", "Qwen/Qwen2.5-VL-72B-Instruct-Turbo"),
        ],
    )),
    // One model that every chat backend serves, each under a name that is like its others.
    vision(chat(
        "sandbox/everywhere",
        "6a00000000000000000000e1",
        &[
            with(live("hf-inference", "sandbox/everywhere"), ("0.5", "0.5"), "20"),
            with(live("cerebras", "everywhere-1b"), ("0.4", "0.4"), "2000"),
            live("cohere", "command-everywhere"),
            live("featherless-ai", "sandbox/Everywhere-GGUF"),
            with(live("fireworks-ai", "accounts/fireworks/models/everywhere-v1p0"), ("0.2", "0.2"), "190.5"),
            with(live("groq", "everywhere-instant"), ("0.3", "0.1"), "800"),
            live("novita", "sandbox/everywhere-instruct"),
            live("nscale", "sandbox/Everywhere-Instruct"),
            live("ovhcloud", "Everywhere-1B"),
            live("publicai", "sandbox/everywhere-public"),
            live("scaleway", "everywhere-1b:fp8"),
            live("together", "sandbox/Everywhere-Turbo"),
            live("zai-org", "everywhere-z"),
            live("baseten", "sandbox/everywhere-bt"),
            live("deepinfra", "sandbox/Everywhere-DI"),
        ],
    )),
    access(chat("sandbox/gated", "6a00000000000000000000e2", &[live("groq", "gated-instant")]), Access::Gated),
    access(chat("sandbox/private", "6a00000000000000000000e3", &[live("groq", "private-instant")]), Access::Private),
    chat("sandbox/staging", "6a00000000000000000000e4", &[state(live("groq", "staging-instant"), "staging")]),
    chat("sandbox/failing", "6a00000000000000000000e5", &[state(live("groq", "failing-instant"), "error")]),
    chat("sandbox/no-providers", "6a00000000000000000000e6", &[]),
    unmapped(chat("sandbox/no-mapping", "6a00000000000000000000e7", &[])),
    // A text model without a chat template: TGI cannot make a prompt of messages.
    chat("google/gemma-2b", "65cba4c2e5a8b5c3a1b2c3d4", &[live("hf-inference", "google/gemma-2b")]),
    other(
        "openai-community/gpt2",
        "621ffdc036468d709f17434d",
        "text-generation",
        &[task(live("hf-inference", "openai-community/gpt2"), "text-generation")],
    ),
];

/// Where removed backends come back to when a test revives them.
const REVIVED: &[Route] = &[
    live("hyperbolic", "meta-llama/Llama-3.2-3B-Instruct"),
    live("nebius", "meta-llama/Meta-Llama-3.1-8B-Instruct-fast"),
    live("sambanova", "Meta-Llama-3.1-8B-Instruct"),
    live("clarifai", "openai/chat-completion/models/gpt-oss-120b"),
    live("nvidia", "meta/llama-3.1-8b-instruct"),
];

/// Every model of the fixed world.
pub(crate) fn models() -> impl Iterator<Item = &'static Model> {
    CHAT.iter().chain(media::MODELS)
}

/// Every model that lists have, those that a setting adds included.
pub(crate) fn listed(knobs: &Knobs) -> impl Iterator<Item = &'static Model> {
    models().chain(extra::models(knobs.extra_models))
}

pub(crate) fn model(id: &str) -> Option<&'static Model> {
    models().find(|model| model.id == id).or_else(|| extra::model(id))
}

pub(crate) fn renamed(id: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(old, _)| *old == id).map(|(_, new)| *new)
}

/// Removed backends, with the model that shows them again.
fn revived() -> impl Iterator<Item = (&'static str, &'static Route)> {
    let chat = REVIVED.iter().map(|route| ("meta-llama/Llama-3.1-8B-Instruct", route));
    chat.chain(media::REVIVED.iter().map(|(model, route)| (*model, route)))
}

impl Model {
    /// The routes of this model as they are now.
    pub(crate) fn routes(&'static self, knobs: &Knobs) -> impl Iterator<Item = &'static Route> {
        let again = knobs.revived.clone();
        let back =
            revived().filter(move |(model, route)| *model == self.id && again.iter().any(|id| id == route.backend));
        let gone = knobs.unlisted.clone();
        let listed = move |route: &&Route| !gone.iter().any(|gone| *gone == format!("{} {}", route.backend, self.id));
        self.routes.iter().chain(back.map(|(_, route)| route)).filter(listed)
    }
}

/// What a backend does under a name of its own: the task, and whether the name is an adapter's.
pub(crate) fn served(backend: &str, provider_id: &str) -> Option<&'static Route> {
    let all = models().flat_map(|model| model.routes).chain(revived().map(|(_, route)| route)).chain(media::OWN);
    all.chain(extra::route(provider_id)).find(|route| route.backend == backend && route.provider_id == provider_id)
}

/// Whether a backend serves a model for chat under this name.
pub(crate) fn serves(backend: &str, provider_id: &str) -> bool {
    let own = backends::find(backend).is_some_and(|found| found.own_models.contains(&provider_id));
    own || served(backend, provider_id).is_some_and(|route| route.task == "conversational")
}

/// Every public live route as `(task, backend, Hub id, the backend's own id)`.
pub(crate) fn routes() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    let public = models().filter(|model| model.access == Access::Public && model.id != "google/gemma-2b");
    public
        .flat_map(|model| model.routes.iter().map(move |route| (route, model.id)))
        .filter(|(route, _)| route.status == "live")
        .filter(|(route, _)| {
            backends::find(route.backend).is_some_and(|backend| matches!(backend.state, State::Live | State::NoChat))
        })
        .map(|(route, id)| (route.task, route.backend, id, route.provider_id))
        .collect()
}

/// Those for chat.
pub(crate) fn chat_routes() -> Vec<(&'static str, &'static str, &'static str)> {
    let chat = routes().into_iter().filter(|(task, ..)| *task == "conversational");
    chat.map(|(_, backend, id, own)| (backend, id, own)).collect()
}

#[cfg(test)]
mod tests {
    use super::{RENAMED, chat_routes, model, models, served};
    use crate::backends::{BACKENDS, State, find};

    #[test]
    fn every_route_leads_to_a_backend_and_every_old_name_to_a_model() {
        for model in models() {
            for route in model.routes {
                assert!(find(route.backend).is_some(), "{} {}", model.id, route.backend);
            }
        }
        assert!(RENAMED.iter().all(|(old, new)| model(old).is_none() && model(new).is_some()));
    }

    #[test]
    fn no_backend_has_one_name_for_two_tasks() {
        for route in models().flat_map(|model| model.routes) {
            let task = served(route.backend, route.provider_id).unwrap().task;
            assert_eq!(task, route.task, "{} {}", route.backend, route.provider_id);
        }
    }

    #[test]
    fn every_live_backend_serves_a_model_under_an_odd_name() {
        for backend in BACKENDS.iter().filter(|backend| backend.state == State::Live) {
            let routes = chat_routes();
            let mut mine = routes.iter().filter(|(id, ..)| *id == backend.id);
            // hf-inference has no names of its own: it uses the Hub's.
            assert!(mine.any(|(_, hub, own)| hub != own || backend.id == "hf-inference"), "{}", backend.id);
        }
    }
}
