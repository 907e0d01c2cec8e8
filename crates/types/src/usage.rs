//! Tokens that a call used.

/// Token counts of one answer. The classes inside a total are parts of it, never added to it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included (OpenAI: `prompt_tokens`).
    pub input: u64,
    /// Tokens of the answer, reasoning included (OpenAI: `completion_tokens`).
    pub output: u64,
    /// The part of `input` that was read from a cache.
    pub cached_input: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
}

impl Usage {
    /// Prompt and answer together.
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
