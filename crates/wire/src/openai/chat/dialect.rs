//! What a chat server understands of OpenAI's protocol, as data.

/// One server's dialect. Start from [`Dialect::OPENAI`] or [`Dialect::COMPATIBLE`] and name the differences:
///
/// ```
/// use wire::openai::chat::{Dialect, JsonSchema};
/// const STRICT: Dialect = Dialect {
///     json_schema: JsonSchema::ObjectWithSchema,
///     refuse: &["logprobs", "n"],
///     ..Dialect::COMPATIBLE
/// };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// How `response_format` spells a JSON schema.
    pub json_schema: JsonSchema,
    /// Which of the two names for the token limit it knows.
    pub max_tokens: MaxTokens,
    /// What may stand in messages and at the top.
    pub messages: Messages,
    /// Which tools it takes.
    pub tools: Tools,
    /// Whether usage can be asked for in a stream.
    pub stream_options: StreamOptions,
    /// Whether it goes on with an answer that it is given the beginning of.
    pub prefill: Prefill,
    /// Advisory members (see [`ADVISORY`]) that it would refuse: taken out and named.
    pub drop: &'static [&'static str],
    /// Members that change the answer and that it cannot honour: the call is refused, or, if the caller is lenient,
    /// they are taken out and named. A value that asks for nothing (`"n":1`) is taken out in silence.
    pub refuse: &'static [&'static str],
}

impl Dialect {
    /// OpenAI's own service: everything goes as it came.
    pub const OPENAI: Self = Self {
        json_schema: JsonSchema::AsIs,
        max_tokens: MaxTokens::Both,
        messages: Messages::AsIs,
        tools: Tools::AsIs,
        stream_options: StreamOptions::Ask,
        prefill: Prefill::Unsupported,
        drop: &[],
        refuse: &[],
    };

    /// A server that speaks the common part of the protocol, and knows nothing of what only OpenAI's service has.
    pub const COMPATIBLE: Self = Self {
        json_schema: JsonSchema::AsIs,
        max_tokens: MaxTokens::MaxTokens,
        messages: Messages::Plain,
        tools: Tools::Functions,
        stream_options: StreamOptions::Ask,
        prefill: Prefill::Unsupported,
        drop: ADVISORY,
        refuse: &["audio", "web_search_options"],
    };
}

/// Members that advise the service and do not change what is answered: where a backend would refuse them they are
/// taken out and named in the answer's head.
pub const ADVISORY: &[&str] = &[
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
];

/// How `response_format` spells a JSON schema; OpenAI has `{type: "json_schema", json_schema: {name, schema, strict}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonSchema {
    /// As OpenAI has it.
    AsIs,
    /// `{type: "json_schema", schema}`
    SchemaBesideType,
    /// `{type: "json_object", schema}`
    ObjectWithSchema,
    /// `{type: "json_object", value: schema}`
    ObjectWithValue,
    /// As OpenAI has it, with `strict` always false.
    NotStrict,
    /// As OpenAI has it, and the schema once more as the member `guided_json`.
    WithGuidedJson,
}

/// Which name for the token limit a server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_tokens` and `max_completion_tokens`: nothing changes.
    Both,
    /// `max_tokens` only.
    MaxTokens,
    /// `max_completion_tokens` only.
    MaxCompletionTokens,
}

/// What may stand in messages and at the top of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// Everything goes as it came.
    AsIs,
    /// The role `developer` becomes `system`; null members go, save a message's `content`; so do members that only an
    /// answer has (`refusal`, `annotations`, LiteLLM's `provider_specific_fields` and `thinking_blocks`, an empty `tool_calls`) in assistant
    /// messages that are played back.
    Plain,
    /// As `Plain`, but the role `developer` is known.
    PlainWithDeveloper,
    /// As `Plain`; what an assistant message thought is called `reasoning` instead of `reasoning_content`.
    PlainWithReasoning,
}

/// Which tools a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tools {
    /// Every type, as it came.
    AsIs,
    /// Functions only: `custom` tools become a function with one string, hosted tools are taken out and named.
    Functions,
}

/// Whether usage can be asked for in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOptions {
    /// `stream_options.include_usage` is asked for in every stream.
    Ask,
    /// The server refuses `stream_options`: they are taken out.
    Never,
}

/// Whether a server goes on with the beginning of an answer, when that is the last message of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefill {
    /// It answers anew, or nobody knows.
    Unsupported,
    /// It does.
    LastMessage,
    /// It does when it is told to: `add_generation_prompt` false and `continue_final_message` true, as vLLM has it.
    Flags,
}
