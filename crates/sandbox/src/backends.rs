//! What each backend is: its path, what it accepts, how it answers and how it refuses. Data, written from the providers'
//! documented wire formats and from recorded traffic, on purpose not shared with the gateway's own table.
//! The exception: `strict` and `refused` were set with that table in view. They show when it changes, not whether it is right.
//!
//! Where no recording or client source says how a backend behaves, the entry is our assumption; `docs/sandbox.md` lists those.

use crate::chat::errors::Shape;
use crate::chat::style::{self, Style};

#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) id: &'static str,
    /// The chat path under the base; `$MODEL` is the provider's model id.
    pub(crate) chat: &'static str,
    pub(crate) state: State,
    pub(crate) schema: Schema,
    /// The shape of a refusal.
    pub(crate) refusal: Shape,
    pub(crate) style: &'static Style,
    /// Where unknown members are refused: what it knows beside the common ones.
    pub(crate) strict: Option<&'static [&'static str]>,
    /// Common members that it refuses all the same, `n` if it is more than one.
    pub(crate) refused: &'static [&'static str],
    /// The word in front of its own key.
    pub(crate) scheme: &'static str,
    pub(crate) developer_role: bool,
    /// Whether `max_completion_tokens` limits the answer; where not, it is an unknown member.
    pub(crate) max_completion_tokens: bool,
    /// Whether it goes on with an answer whose beginning is the last message.
    pub(crate) prefills: bool,
    /// Headers that must be there, by name and value.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Models that the backend serves under its own names although the Hub's mapping does not list them.
    pub(crate) own_models: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Live,
    /// Hugging Face routed to it until July 2026.
    Removed,
    /// Only with its own key.
    NeverRouted,
    /// Live, but without chat.
    NoChat,
}

/// The shape in which a backend takes a JSON schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// `{type: json_schema, json_schema: {schema}}`
    OpenAi,
    /// `{type: json_schema, schema}`
    Flat,
    /// `{type: json_object, schema}`
    InObject,
    /// `{type: json_object, value}`
    TgiValue,
    /// The OpenAI shape, with `guided_json` beside it.
    Guided,
    /// The OpenAI shape, `strict` must not be true.
    NotStrict,
}

const OPENAI_LIKE: Backend = Backend {
    id: "",
    chat: "v1/chat/completions",
    state: State::Live,
    schema: Schema::OpenAi,
    refusal: Shape::OpenAi,
    style: &style::VLLM,
    strict: None,
    refused: &[],
    scheme: "Bearer",
    developer_role: false,
    max_completion_tokens: false,
    prefills: false,
    headers: &[],
    own_models: &[],
};

/// What OpenAI's own service has beside the common members.
const OPENAI_ALSO: &[&str] = &[
    "audio",
    "metadata",
    "modalities",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
    "verbosity",
    "web_search_options",
];

pub(crate) const BACKENDS: &[Backend] = &[
    Backend {
        id: "hf-inference",
        chat: "models/$MODEL/v1/chat/completions",
        schema: Schema::TgiValue,
        refusal: Shape::Tgi,
        style: &style::TGI,
        prefills: true,
        ..OPENAI_LIKE
    },
    Backend {
        id: "cerebras",
        refusal: Shape::Cerebras,
        style: &style::CEREBRAS,
        strict: Some(&["service_tier", "user"]),
        max_completion_tokens: true,
        own_models: &["llama-3.1-70b-instruct"],
        prefills: true,
        ..OPENAI_LIKE
    },
    Backend {
        id: "cohere",
        chat: "compatibility/v1/chat/completions",
        schema: Schema::InObject,
        refusal: Shape::Message,
        style: &style::COHERE,
        strict: Some(&["user"]),
        ..OPENAI_LIKE
    },
    Backend { id: "featherless-ai", prefills: true, ..OPENAI_LIKE },
    Backend {
        id: "fireworks-ai",
        chat: "inference/v1/chat/completions",
        schema: Schema::InObject,
        refusal: Shape::Fireworks,
        style: &style::FIREWORKS,
        strict: Some(&["min_p", "prompt_cache_key", "repetition_penalty", "service_tier", "top_k", "user"]),
        own_models: &["mixtral-8x7b-instruct"],
        prefills: true,
        ..OPENAI_LIKE
    },
    Backend {
        id: "groq",
        chat: "openai/v1/chat/completions",
        style: &style::GROQ,
        strict: Some(&["include_reasoning", "reasoning_format", "service_tier", "user"]),
        refused: &["logit_bias", "logprobs", "n", "top_logprobs"],
        max_completion_tokens: true,
        own_models: &["llama-3.2-90b-vision-instruct"],
        prefills: true,
        ..OPENAI_LIKE
    },
    Backend {
        id: "novita",
        chat: "v3/openai/chat/completions",
        refusal: Shape::CodeReason,
        style: &style::NOVITA,
        prefills: true,
        ..OPENAI_LIKE
    },
    Backend { id: "nscale", refusal: Shape::ErrorText, ..OPENAI_LIKE },
    Backend { id: "ovhcloud", refusal: Shape::OldVllm, ..OPENAI_LIKE },
    Backend { id: "publicai", ..OPENAI_LIKE },
    Backend { id: "scaleway", refusal: Shape::OldVllm, ..OPENAI_LIKE },
    Backend { id: "together", schema: Schema::Flat, refusal: Shape::Together, style: &style::TOGETHER, ..OPENAI_LIKE },
    Backend {
        id: "zai-org",
        chat: "api/paas/v4/chat/completions",
        refusal: Shape::Zai,
        style: &style::ZAI,
        headers: &[("x-source-channel", "hugging_face"), ("accept-language", "en-US,en")],
        ..OPENAI_LIKE
    },
    Backend { id: "baseten", refusal: Shape::ErrorText, style: &style::VLLM_CONTENT, ..OPENAI_LIKE },
    Backend {
        id: "deepinfra",
        chat: "v1/openai/chat/completions",
        refusal: Shape::DetailError,
        style: &style::VLLM_CONTENT,
        max_completion_tokens: true,
        prefills: true,
        ..OPENAI_LIKE
    },
    Backend {
        id: "openai",
        state: State::NeverRouted,
        style: &style::OPENAI,
        strict: Some(OPENAI_ALSO),
        developer_role: true,
        max_completion_tokens: true,
        own_models: &["gpt-4o-mini", "gpt-4o", "gpt-5-mini", "gpt-5-codex", "o3"],
        ..OPENAI_LIKE
    },
    Backend {
        id: "anthropic",
        // It has no chat of OpenAI's here: its own dialect is in `vendors`.
        chat: "-",
        state: State::NeverRouted,
        refusal: Shape::Anthropic,
        scheme: "x-api-key",
        own_models: &[
            "claude-opus-4-6",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5",
            "claude-haiku-4-5-20251001",
            "claude-haiku-4-5",
            "claude-3-5-sonnet-20241022",
            "sandbox/everywhere",
        ],
        ..OPENAI_LIKE
    },
    Backend {
        id: "hyperbolic",
        state: State::Removed,
        refusal: Shape::Hyperbolic,
        style: &style::HYPERBOLIC,
        own_models: &["meta-llama/Llama-3.2-3B-Instruct"],
        ..OPENAI_LIKE
    },
    Backend {
        id: "nebius",
        state: State::Removed,
        schema: Schema::Guided,
        refusal: Shape::DetailText,
        style: &style::NEBIUS,
        own_models: &["meta-llama/Meta-Llama-3.1-8B-Instruct-fast"],
        prefills: true,
        ..OPENAI_LIKE
    },
    Backend {
        id: "sambanova",
        state: State::Removed,
        schema: Schema::NotStrict,
        style: &style::SAMBANOVA,
        own_models: &["Meta-Llama-3.1-8B-Instruct"],
        ..OPENAI_LIKE
    },
    Backend {
        id: "clarifai",
        chat: "v2/ext/openai/v1/chat/completions",
        state: State::Removed,
        scheme: "Key",
        own_models: &["openai/chat-completion/models/gpt-oss-120b"],
        ..OPENAI_LIKE
    },
    Backend {
        id: "nvidia",
        state: State::Removed,
        refusal: Shape::Problem,
        own_models: &["meta/llama-3.1-8b-instruct"],
        ..OPENAI_LIKE
    },
    Backend { id: "fal-ai", state: State::NoChat, refusal: Shape::Fal, scheme: "Key", ..OPENAI_LIKE },
    Backend { id: "replicate", state: State::NoChat, refusal: Shape::Problem, ..OPENAI_LIKE },
    Backend { id: "wavespeed", state: State::NoChat, refusal: Shape::Message, ..OPENAI_LIKE },
];

/// The backend with this Hugging Face id; an alias finds nothing, as upstream.
pub(crate) fn find(id: &str) -> Option<&'static Backend> {
    BACKENDS.iter().find(|backend| backend.id == id)
}

impl Backend {
    /// Whether a route is this backend's chat route; with the model id if it stands in the path.
    pub(crate) fn chat_route<'a>(&self, route: &'a str) -> Option<Option<&'a str>> {
        if self.state == State::NoChat {
            return None;
        }
        match self.chat.split_once("$MODEL") {
            None => (route == self.chat).then_some(None),
            Some((before, after)) => {
                let model = route.strip_prefix(before)?.strip_suffix(after)?;
                (!model.is_empty()).then_some(Some(model))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BACKENDS, find};

    #[test]
    fn ids_are_unique_and_aliases_find_nothing() {
        for (at, backend) in BACKENDS.iter().enumerate() {
            assert!(BACKENDS[..at].iter().all(|other| other.id != backend.id), "{}", backend.id);
        }
        for alias in
            ["fireworks", "fal", "z-ai", "zai", "public-ai", "ovhcloud-ai-endpoints", "featherless", "togetherai"]
        {
            assert!(find(alias).is_none(), "{alias}");
        }
    }

    #[test]
    fn the_model_is_read_from_the_path_where_it_stands_there() {
        let hf = find("hf-inference").unwrap();
        assert_eq!(hf.chat_route("models/a/b/v1/chat/completions"), Some(Some("a/b")));
        assert_eq!(hf.chat_route("v1/chat/completions"), None);
        let groq = find("groq").unwrap();
        assert_eq!(groq.chat_route("openai/v1/chat/completions"), Some(None));
        assert_eq!(groq.chat_route("v1/chat/completions"), None);
    }
}
