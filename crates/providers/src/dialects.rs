//! What each kind of server understands of OpenAI's chat and embeddings, where that differs from the common part of the
//! protocol, and what a declared server can do.
//!
//! Sources: Hugging Face's two clients for the spelling of JSON schemas and for `store`; recorded traffic for usage in
//! streams; the backends' own references for what they refuse. What no source says is not claimed: such a member is
//! passed on, and the backend's own words come back.
//!
//! Who goes on with the beginning of an answer (`prefill`): the engines' own sources for vLLM, TGI (from 3.1) and llama.cpp; for
//! backends Groq's reference, and what a public table of tests through another router found (<https://rentry.org/or-prefill>).

use types::{Operation, config};
pub use wire::openai::chat::Dialect;
use wire::openai::{
    chat::{JsonSchema, Messages, Prefill, StreamOptions},
    embeddings,
};
use wire::servers::Told;

use crate::{Codec, Flow};

/// OpenAI's own service.
pub const OPENAI: Dialect = Dialect::OPENAI;

/// A server with the common part of the protocol, whose strictness is not known: advisory members stay here.
pub const COMPATIBLE: Dialect = Dialect::COMPATIBLE;

/// A server that ignores members it does not know, so that advisory ones may reach it.
pub const TOLERANT: Dialect = Dialect { drop: &[], ..COMPATIBLE };

/// Hugging Face's router, which chooses the backend: the strictest of them may get the call.
pub const ROUTER: Dialect = COMPATIBLE;

/// Refuses every member that it does not know, `top_k` among them; has `user` and `service_tier`.
/// Calls what was thought `reasoning`.
pub(crate) const CEREBRAS: Dialect = Dialect {
    messages: Messages::PlainWithReasoning,
    drop: STRICT,
    refuse: &["audio", "top_k", "web_search_options"],
    prefill: Prefill::LastMessage,
    ..COMPATIBLE
};

/// Refuses every member that it does not know, `top_k` among them, log probabilities, biases and more than one choice.
/// Calls what was thought `reasoning`.
pub(crate) const GROQ: Dialect = Dialect {
    messages: Messages::PlainWithReasoning,
    drop: STRICT,
    refuse: &["audio", "logit_bias", "logprobs", "n", "top_k", "top_logprobs", "web_search_options"],
    prefill: Prefill::LastMessage,
    ..COMPATIBLE
};

/// Knows `user`; its JSON schema stands beside the type of an object.
pub(crate) const COHERE: Dialect =
    Dialect { json_schema: JsonSchema::ObjectWithSchema, drop: KNOWS_USER, ..COMPATIBLE };

/// Refuses every member that it does not know, in the past `stream_options` too, and gives usage unasked.
pub(crate) const FIREWORKS: Dialect = Dialect {
    json_schema: JsonSchema::ObjectWithSchema,
    stream_options: StreamOptions::Never,
    drop: &["metadata", "prediction", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "store"],
    prefill: Prefill::LastMessage,
    ..COMPATIBLE
};

/// Text Generation Inference: its JSON schema is a grammar; it ignores members that it does not know.
pub(crate) const TGI: Dialect =
    Dialect { json_schema: JsonSchema::ObjectWithValue, prefill: Prefill::LastMessage, ..TOLERANT };

/// Hugging Face's own servers run TGI.
pub(crate) const HF_INFERENCE: Dialect = TGI;

/// Speaks the common part, and goes on with the beginning of an answer.
pub(crate) const PREFILLED: Dialect = Dialect { prefill: Prefill::LastMessage, ..COMPATIBLE };

/// Wants the schema once more, under the name that its engine knows.
pub(crate) const NEBIUS: Dialect =
    Dialect { json_schema: JsonSchema::WithGuidedJson, prefill: Prefill::LastMessage, ..COMPATIBLE };

/// Ignores advisory members.
pub(crate) const NOVITA: Dialect = Dialect { prefill: Prefill::LastMessage, ..TOLERANT };

/// Refuses a JSON schema that claims to be strict.
pub(crate) const SAMBANOVA: Dialect = Dialect { json_schema: JsonSchema::NotStrict, ..COMPATIBLE };

/// Its JSON schema stands beside the type; it ignores advisory members.
pub(crate) const TOGETHER: Dialect = Dialect { json_schema: JsonSchema::SchemaBesideType, ..TOLERANT };

/// vLLM ignores members that it does not know.
pub(crate) const VLLM: Dialect = Dialect { prefill: Prefill::Flags, ..TOLERANT };

/// llama.cpp ignores members that it does not know.
pub(crate) const LLAMACPP: Dialect = Dialect { prefill: Prefill::LastMessage, ..TOLERANT };

/// Embeddings in OpenAI's shape, of which only floats are expected, in batches as large as OpenAI's own.
pub(crate) const EMBEDDINGS: embeddings::Dialect =
    embeddings::Dialect { max_inputs: Some(2048), ..embeddings::Dialect::COMPATIBLE };

/// Smaller batches.
pub(crate) const DEEPINFRA_EMBEDDINGS: embeddings::Dialect =
    embeddings::Dialect { max_inputs: Some(1024), ..EMBEDDINGS };

/// Small batches, and vectors of one length.
pub(crate) const SAMBANOVA_EMBEDDINGS: embeddings::Dialect =
    embeddings::Dialect { max_inputs: Some(32), refuse: &["dimensions"], ..EMBEDDINGS };

/// Vectors of one length.
pub(crate) const TOGETHER_EMBEDDINGS: embeddings::Dialect =
    embeddings::Dialect { refuse: &["dimensions"], ..EMBEDDINGS };

/// A server of one's own: it says itself whether it takes tokens, and ignores what it does not know.
pub(crate) const OWN_EMBEDDINGS: embeddings::Dialect = embeddings::Dialect { tokens: true, drop: &[], ..EMBEDDINGS };

/// Hugging Face's feature extraction: bare arrays. Its servers (TEI) take batches of 32.
pub(crate) const HF_FEATURES: embeddings::Dialect =
    embeddings::Dialect { max_inputs: Some(32), ..embeddings::Dialect::HF_INFERENCE };

/// Where a declared server has an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Under OpenAI's API.
    Api(&'static str),
    /// At the address itself, with this behind it.
    Own(&'static str),
}

/// Where a declared server says which models it has, the likeliest place first.
pub const fn lists(kind: config::Dialect) -> &'static [(Place, Told)] {
    match kind {
        config::Dialect::Openai | config::Dialect::Vllm => &[(Place::Api("models"), Told::List)],
        config::Dialect::Llamacpp => &[(Place::Api("models"), Told::List), (Place::Own("props"), Told::Props)],
        config::Dialect::Tei => &[(Place::Own("info"), Told::Info)],
        config::Dialect::Tgi | config::Dialect::InferenceEndpoint => {
            &[(Place::Own("info"), Told::Info), (Place::Api("models"), Told::List)]
        }
    }
}

/// Where a declared server has an operation, and how it is written there; `None` when its kind cannot do it.
pub const fn declared(kind: config::Dialect, operation: Operation) -> Option<(Place, Codec)> {
    match operation {
        Operation::Chat => match chat_of(kind) {
            Some(dialect) => Some((Place::Api("chat/completions"), Codec::Chat(dialect))),
            None => None,
        },
        Operation::Embeddings => match kind {
            config::Dialect::Openai | config::Dialect::Vllm | config::Dialect::Llamacpp => {
                Some((Place::Api("embeddings"), Codec::Embeddings(OWN_EMBEDDINGS)))
            }
            config::Dialect::Tei => Some((Place::Own("embed"), Codec::Embeddings(embeddings::Dialect::TEI))),
            config::Dialect::InferenceEndpoint => Some((Place::Own(""), Codec::Embeddings(HF_FEATURES))),
            config::Dialect::Tgi => None,
        },
        Operation::Speech => exchange_of(kind, "audio/speech"),
        Operation::Transcription => exchange_of(kind, "audio/transcriptions"),
        // llama.cpp makes no pictures.
        Operation::Image | Operation::ImageEdit if matches!(kind, config::Dialect::Llamacpp) => None,
        Operation::Image => exchange_of(kind, "images/generations"),
        Operation::ImageEdit => exchange_of(kind, "images/edits"),
        Operation::ImageStream | Operation::ImageEditStream => None,
    }
}

/// The dialect of chat of a declared server; `None` when its kind cannot chat.
pub const fn chat_of(kind: config::Dialect) -> Option<Dialect> {
    match kind {
        config::Dialect::Openai => Some(COMPATIBLE),
        config::Dialect::Tgi | config::Dialect::InferenceEndpoint => Some(TGI),
        config::Dialect::Vllm => Some(VLLM),
        config::Dialect::Llamacpp => Some(LLAMACPP),
        config::Dialect::Tei => None,
    }
}

const fn exchange_of(kind: config::Dialect, api: &'static str) -> Option<(Place, Codec)> {
    match kind {
        config::Dialect::Openai | config::Dialect::Vllm | config::Dialect::Llamacpp => {
            Some((Place::Api(api), Codec::Exchange(Flow::Openai)))
        }
        config::Dialect::InferenceEndpoint => Some((Place::Own(""), Codec::Exchange(Flow::HfInference))),
        config::Dialect::Tgi | config::Dialect::Tei => None,
    }
}

/// Every kind of server that can be declared.
pub const DECLARED: &[config::Dialect] = &[
    config::Dialect::Openai,
    config::Dialect::Tgi,
    config::Dialect::Vllm,
    config::Dialect::Llamacpp,
    config::Dialect::Tei,
    config::Dialect::InferenceEndpoint,
];

/// What a strict server refuses of the advisory members: all but `service_tier` and `user`, which those that we know have.
const STRICT: &[&str] = &[
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
];

/// All advisory members but `user`.
const KNOWS_USER: &[&str] = &[
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
];

#[cfg(test)]
mod tests {
    use super::*;
    use wire::openai::chat::{MaxTokens, dialect::ADVISORY};

    #[test]
    fn what_is_dropped_is_advisory() {
        for backend in crate::TABLE {
            for member in backend.chat().into_iter().flat_map(|chat| chat.drop) {
                assert!(ADVISORY.contains(member), "{}: {member}", backend.id);
            }
        }
    }

    #[test]
    fn only_openai_itself_hears_what_only_openai_knows() {
        for backend in crate::TABLE.iter().filter(|b| b.id != "openai") {
            let Some(chat) = backend.chat() else { continue };
            assert!(matches!(chat.messages, Messages::Plain | Messages::PlainWithReasoning), "{}", backend.id);
            assert_eq!(chat.max_tokens, MaxTokens::MaxTokens, "{}", backend.id);
        }
    }

    #[test]
    fn the_strictest_backend_behind_the_router_is_satisfied() {
        for backend in crate::TABLE.iter().filter(|b| b.routing == crate::Routing::Live) {
            for member in backend.chat().into_iter().flat_map(|chat| chat.drop) {
                assert!(ROUTER.drop.contains(member), "{}: {member}", backend.id);
            }
        }
    }
}
