//! How each backend writes a chat answer, whole and as a stream: literal templates, mostly taken from recorded traffic.
//!
//! Slots: `$ID` `$T` (seconds) `$M` (the model as a JSON string) `$C` (choices) `$U` (usage, or what stands for none),
//! `$I` (index) `$D` (delta or message) `$F` (finish reason or null) `$L` (logprobs or null) `$X` (the text as a JSON string),
//! `$R` (reasoning members, comma in front, or nothing) `$K` (tool-call members, likewise), `$N` (a made-up token number).

/// How one backend's bytes look.
#[derive(Debug)]
pub(crate) struct Style {
    /// What stands before each JSON of a stream.
    pub(crate) data: &'static str,
    /// Whether a stream ends with `[DONE]`.
    pub(crate) done: bool,
    /// Bytes after the last frame that belong to nothing.
    pub(crate) stray: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// What an answer's id begins with; empty: the id is empty.
    pub(crate) id: &'static str,
    pub(crate) chunk: &'static str,
    /// A chunk's choice, and the one that carries the finish reason.
    pub(crate) choice: &'static str,
    pub(crate) last_choice: &'static str,
    /// The first delta, before any text; empty when text comes at once.
    pub(crate) first: &'static str,
    pub(crate) text: &'static str,
    /// The delta of the last chunk; empty when the last text carries the finish reason.
    pub(crate) last: &'static str,
    pub(crate) usage: UsageAt,
    /// What `$U` is in a chunk without and with usage.
    pub(crate) no_usage: &'static str,
    pub(crate) with_usage: &'static str,
    pub(crate) whole: &'static str,
    pub(crate) whole_choice: &'static str,
    pub(crate) message: &'static str,
    /// The finish reason where OpenAI says `stop`.
    pub(crate) stop: &'static str,
    /// The member that carries reasoning text.
    pub(crate) reasoning: &'static str,
    pub(crate) tools: Tools,
    /// How many words go into one chunk.
    pub(crate) words: usize,
}

/// Where a stream's usage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsageAt {
    /// In a chunk of its own without choices, if asked for.
    Asked,
    /// In the last chunk with a choice, asked or not.
    Last,
    /// In every chunk, asked or not.
    Every,
}

/// How a tool call is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tools {
    /// Id and name first, then the arguments in pieces.
    Pieces,
    /// The whole call in one chunk.
    AtOnce,
    /// As TGI did in 2024: id is the number 0, the arguments an object.
    OldTgi,
}

/// vLLM's way, which most self-hosting providers have.
pub(crate) const VLLM: Style = Style {
    data: "data: ",
    done: true,
    stray: "",
    media_type: "text/event-stream; charset=utf-8",
    headers: &[],
    id: "chatcmpl-",
    chunk: r#"{"id":"$ID","object":"chat.completion.chunk","created":$T,"model":$M,"choices":[$C]$U}"#,
    choice: r#"{"index":$I,"delta":$D,"logprobs":$L,"finish_reason":$F}"#,
    last_choice: r#"{"index":$I,"delta":$D,"logprobs":$L,"finish_reason":$F,"stop_reason":null}"#,
    first: r#"{"role":"assistant","content":""}"#,
    text: r#"{"content":$X}"#,
    last: r#"{"content":""}"#,
    usage: UsageAt::Asked,
    no_usage: "",
    with_usage: r#","usage":$U"#,
    whole: r#"{"id":"$ID","object":"chat.completion","created":$T,"model":$M,"choices":[$C],"usage":$U,"prompt_logprobs":null}"#,
    whole_choice: r#"{"index":$I,"message":$D,"logprobs":$L,"finish_reason":$F,"stop_reason":null}"#,
    message: r#"{"role":"assistant","content":$X$R$K}"#,
    stop: "stop",
    reasoning: "reasoning_content",
    tools: Tools::Pieces,
    words: 1,
};

/// The same with reasoning under vLLM's newer name.
pub(crate) const VLLM_CONTENT: Style = Style { reasoning: "reasoning", ..VLLM };

pub(crate) const OPENAI: Style = Style {
    chunk: r#"{"id":"$ID","object":"chat.completion.chunk","created":$T,"model":$M,"service_tier":"default","system_fingerprint":"fp_3b956da36b","choices":[$C]$U,"obfuscation":"Zq8"}"#,
    last_choice: r#"{"index":$I,"delta":$D,"logprobs":$L,"finish_reason":$F}"#,
    first: r#"{"role":"assistant","content":"","refusal":null}"#,
    last: "{}",
    whole: r#"{"id":"$ID","object":"chat.completion","created":$T,"model":$M,"choices":[$C],"usage":$U,"service_tier":"default","system_fingerprint":"fp_3b956da36b"}"#,
    whole_choice: r#"{"index":$I,"message":$D,"logprobs":$L,"finish_reason":$F}"#,
    message: r#"{"role":"assistant","content":$X,"refusal":null,"annotations":[]$R$K}"#,
    reasoning: "reasoning",
    ..VLLM
};

/// Text Generation Inference 3, which hf-inference runs.
pub(crate) const TGI: Style = Style {
    media_type: "text/event-stream",
    headers: &[("x-compute-type", "2-a10-g")],
    id: "",
    chunk: r#"{"object":"chat.completion.chunk","id":"","created":$T,"model":$M,"system_fingerprint":"3.2.1-native","choices":[$C]$U}"#,
    last_choice: r#"{"index":$I,"delta":$D,"logprobs":$L,"finish_reason":$F}"#,
    first: "",
    text: r#"{"role":"assistant","content":$X}"#,
    last: r#"{"role":"assistant","content":""}"#,
    no_usage: r#","usage":null"#,
    whole: r#"{"object":"chat.completion","id":"","created":$T,"model":$M,"system_fingerprint":"3.2.1-native","choices":[$C],"usage":$U}"#,
    whole_choice: r#"{"index":$I,"message":$D,"logprobs":$L,"finish_reason":$F}"#,
    reasoning: "reasoning",
    ..VLLM
};

/// Text Generation Inference as it was in 2024: no space, no `[DONE]`, its own finish reason.
pub(crate) const OLD_TGI: Style = Style {
    data: "data:",
    done: false,
    chunk: r#"{"id":"","object":"text_completion","created":$T,"model":$M,"system_fingerprint":"2.0.1-sha-2d0a717","choices":[$C]$U}"#,
    last: r#"{"role":"assistant","content":"</s>"}"#,
    no_usage: "",
    with_usage: "",
    whole: r#"{"id":"","object":"text_completion","created":$T,"model":$M,"system_fingerprint":"2.0.1-sha-2d0a717","choices":[$C],"usage":$U}"#,
    stop: "eos_token",
    tools: Tools::OldTgi,
    ..TGI
};

pub(crate) const CEREBRAS: Style = Style {
    done: false,
    headers: &[("x-ratelimit-limit-requests-day", "216000"), ("x-ratelimit-remaining-requests-day", "215967")],
    chunk: r#"{"id":"$ID","choices":[$C],"created":$T,"model":$M,"system_fingerprint":"fp_5fb719f1e4","object":"chat.completion.chunk"$U}"#,
    choice: r#"{"delta":$D,"index":$I}"#,
    last_choice: r#"{"delta":$D,"finish_reason":$F,"index":$I}"#,
    first: r#"{"role":"assistant"}"#,
    last: "{}",
    usage: UsageAt::Last,
    with_usage: r#","usage":$U,"time_info":{"queue_time":0.000094581,"prompt_time":0.002329582,"completion_time":0.01709422,"total_time":0.02123236656188965,"created":$T}"#,
    whole: r#"{"id":"$ID","choices":[$C],"created":$T,"model":$M,"system_fingerprint":"fp_5fb719f1e4","object":"chat.completion","usage":$U,"time_info":{"queue_time":9.163e-05,"prompt_time":0.002692986,"completion_time":0.302867283,"total_time":0.30690574645996094,"created":$T}}"#,
    whole_choice: r#"{"finish_reason":$F,"index":$I,"message":$D}"#,
    message: r#"{"content":$X,"role":"assistant"$R$K}"#,
    reasoning: "reasoning",
    ..VLLM
};

pub(crate) const COHERE: Style = Style {
    media_type: "text/event-stream",
    id: "8bb1b33e-53d9-4fae-8958-",
    chunk: r#"{"id":"$ID","choices":[$C],"created":$T,"model":$M,"object":"chat.completion.chunk"$U}"#,
    choice: r#"{"index":$I,"finish_reason":$F,"delta":$D}"#,
    last_choice: r#"{"index":$I,"finish_reason":$F,"delta":$D}"#,
    first: r#"{"content":"","role":"assistant"}"#,
    last: "{}",
    usage: UsageAt::Last,
    whole: r#"{"id":"$ID","choices":[$C],"created":$T,"model":$M,"object":"chat.completion","usage":$U}"#,
    whole_choice: r#"{"index":$I,"finish_reason":$F,"message":$D}"#,
    ..VLLM
};

pub(crate) const FIREWORKS: Style = Style {
    id: "495bd036-ee82-4009-b829-",
    choice: r#"{"index":$I,"delta":$D,"finish_reason":$F}"#,
    last_choice: r#"{"index":$I,"delta":$D,"finish_reason":$F}"#,
    first: r#"{"role":"assistant"}"#,
    last: "{}",
    usage: UsageAt::Last,
    no_usage: r#","usage":null"#,
    whole: r#"{"id":"$ID","object":"chat.completion","created":$T,"model":$M,"choices":[$C],"usage":$U}"#,
    whole_choice: r#"{"index":$I,"message":$D,"finish_reason":$F}"#,
    words: 3,
    ..VLLM
};

pub(crate) const GROQ: Style = Style {
    media_type: "text/event-stream",
    chunk: r#"{"id":"$ID","object":"chat.completion.chunk","created":$T,"model":$M,"system_fingerprint":"fp_510c177af0","choices":[$C]$U}"#,
    last_choice: r#"{"index":$I,"delta":$D,"logprobs":$L,"finish_reason":$F}"#,
    last: "{}",
    no_usage: "",
    with_usage: r#","usage":$U,"x_groq":{"id":"req_01jbd6g2qdfw2adyrt2az8hz4w"}"#,
    whole: r#"{"id":"$ID","object":"chat.completion","created":$T,"model":$M,"choices":[$C],"usage":$U,"system_fingerprint":"fp_510c177af0","x_groq":{"id":"req_01jbd6g2qdfw2adyrt2az8hz4w"}}"#,
    whole_choice: r#"{"index":$I,"message":$D,"logprobs":$L,"finish_reason":$F}"#,
    reasoning: "reasoning",
    tools: Tools::AtOnce,
    ..VLLM
};

const FILTERS: &str = r#""content_filter_results":{"hate":{"filtered":false},"self_harm":{"filtered":false},"sexual":{"filtered":false},"violence":{"filtered":false},"jailbreak":{"filtered":false,"detected":false},"profanity":{"filtered":false,"detected":false}}"#;

/// The slot `$FILTERS` of the templates below.
pub(crate) const FILTERS_SLOT: (&str, &str) = ("FILTERS", FILTERS);

pub(crate) const NOVITA: Style = Style {
    media_type: "text/event-stream",
    chunk: r#"{"id":"$ID","object":"chat.completion.chunk","created":$T,"model":$M,"choices":[$C],"system_fingerprint":""$U}"#,
    choice: r#"{"index":$I,"delta":$D,"finish_reason":$F,$FILTERS}"#,
    last_choice: r#"{"index":$I,"delta":$D,"finish_reason":$F,$FILTERS}"#,
    first: r#"{"role":"assistant"}"#,
    last: "",
    usage: UsageAt::Asked,
    whole: r#"{"id":"$ID","object":"chat.completion","created":$T,"model":$M,"choices":[$C],"usage":$U,"system_fingerprint":""}"#,
    whole_choice: r#"{"index":$I,"message":$D,"finish_reason":$F,$FILTERS}"#,
    words: 4,
    ..VLLM
};

pub(crate) const TOGETHER: Style = Style {
    media_type: "text/event-stream;charset=utf-8",
    headers: &[
        ("retry-after", "2"),
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "199"),
        ("x-ratelimit-reset", "2"),
    ],
    id: "9116",
    chunk: r#"{"id":"$ID","object":"chat.completion.chunk","created":$T,"choices":[$C],"model":$M$U}"#,
    choice: r#"{"index":$I,"text":$X,"logprobs":$L,"finish_reason":$F,"seed":null,"delta":$D}"#,
    last_choice: r#"{"index":$I,"text":$X,"logprobs":$L,"finish_reason":$F,"seed":14687020407684524000,"delta":$D}"#,
    first: "",
    text: r#"{"token_id":$N,"role":"assistant","content":$X,"tool_calls":null}"#,
    last: "",
    usage: UsageAt::Last,
    no_usage: r#","usage":null"#,
    whole: r#"{"id":"$ID","object":"chat.completion","created":$T,"model":$M,"prompt":[],"choices":[$C],"usage":$U}"#,
    whole_choice: r#"{"finish_reason":$F,"seed":14687020407684524000,"logprobs":$L,"index":$I,"message":$D}"#,
    message: r#"{"role":"assistant","content":$X$R$K}"#,
    stop: "eos",
    reasoning: "reasoning",
    ..VLLM
};

pub(crate) const ZAI: Style = Style {
    media_type: "text/event-stream;charset=UTF-8",
    id: "20250728",
    chunk: r#"{"id":"$ID","created":$T,"model":$M,"choices":[$C]$U}"#,
    choice: r#"{"index":$I,"delta":$D}"#,
    last_choice: r#"{"index":$I,"finish_reason":$F,"delta":$D}"#,
    first: "",
    text: r#"{"role":"assistant","content":$X}"#,
    last: r#"{"role":"assistant","content":""}"#,
    usage: UsageAt::Last,
    whole: r#"{"choices":[$C],"created":$T,"id":"$ID","model":$M,"request_id":"$ID","usage":$U}"#,
    whole_choice: r#"{"finish_reason":$F,"index":$I,"message":$D}"#,
    tools: Tools::AtOnce,
    ..VLLM
};

/// JSON with spaces, and usage in every chunk.
pub(crate) const HYPERBOLIC: Style = Style {
    id: "chat-",
    chunk: r#"{"id": "$ID", "object": "chat.completion.chunk", "created": $T, "model": $M, "choices": [$C]$U}"#,
    choice: r#"{"index": $I, "delta": $D, "logprobs": $L, "finish_reason": $F}"#,
    last_choice: r#"{"index": $I, "delta": $D, "logprobs": $L, "finish_reason": $F, "stop_reason": null}"#,
    first: r#"{"role": "assistant", "content": ""}"#,
    text: r#"{"content": $X}"#,
    last: "",
    usage: UsageAt::Every,
    with_usage: r#", "usage": $U"#,
    ..VLLM
};

pub(crate) const NEBIUS: Style = Style {
    chunk: r#"{"id":"$ID","choices":[$C],"created":$T,"model":$M,"object":"chat.completion.chunk"$U}"#,
    choice: r#"{"delta":$D,"finish_reason":$F,"index":$I,"logprobs":$L}"#,
    last_choice: r#"{"delta":$D,"finish_reason":$F,"index":$I,"logprobs":$L,"stop_reason":null}"#,
    first: r#"{"content":"","role":"assistant"}"#,
    ..VLLM
};

/// The middle of an answer comes in few large pieces.
pub(crate) const SAMBANOVA: Style = Style {
    id: "c6e406aa-6639-4c82-8136-",
    chunk: r#"{"choices":[$C],"created":$T,"id":"$ID","model":$M,"object":"chat.completion.chunk","system_fingerprint":"fastcoe"$U}"#,
    choice: r#"{"delta":$D,"finish_reason":$F,"index":$I,"logprobs":$L}"#,
    last_choice: r#"{"delta":$D,"finish_reason":$F,"index":$I,"logprobs":$L}"#,
    first: r#"{"content":"","role":"assistant"}"#,
    text: r#"{"content":$X,"role":"assistant"}"#,
    whole: r#"{"choices":[$C],"created":$T,"id":"$ID","model":$M,"object":"chat.completion","system_fingerprint":"fastcoe","usage":$U}"#,
    whole_choice: r#"{"finish_reason":$F,"index":$I,"logprobs":$L,"message":$D}"#,
    message: r#"{"content":$X,"role":"assistant"$R$K}"#,
    tools: Tools::AtOnce,
    words: 12,
    ..VLLM
};

/// llama.cpp's server: usage only when asked, timings in every last chunk.
pub(crate) const LLAMACPP: Style = Style {
    media_type: "text/event-stream",
    chunk: r#"{"choices":[$C],"created":$T,"id":"$ID","model":$M,"system_fingerprint":"b6500-sandbox","object":"chat.completion.chunk"$U}"#,
    choice: r#"{"finish_reason":$F,"index":$I,"delta":$D}"#,
    last_choice: r#"{"finish_reason":$F,"index":$I,"delta":$D}"#,
    first: r#"{"role":"assistant","content":null}"#,
    last: "{}",
    with_usage: r#","usage":$U,"timings":{"prompt_n":1,"prompt_ms":12.5,"predicted_n":1,"predicted_ms":30.25}"#,
    whole: r#"{"choices":[$C],"created":$T,"model":$M,"system_fingerprint":"b6500-sandbox","object":"chat.completion","usage":$U,"id":"$ID","timings":{"prompt_n":1,"prompt_ms":12.5,"predicted_n":1,"predicted_ms":30.25}}"#,
    whole_choice: r#"{"finish_reason":$F,"index":$I,"message":$D}"#,
    ..VLLM
};
