//! The settings that can be changed while the sandbox runs: what is answered, how it is cut, and how strict it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tokens::Token;

/// What `POST /_sandbox/settings` changes. A member that is left out keeps its value, `null` takes it back to none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Knobs {
    /// Answer with this many numbered words, one per frame, instead of the echo.
    pub(crate) chunks: Option<usize>,
    /// Pad each numbered word to this many bytes.
    pub(crate) chunk_bytes: usize,
    /// The pause between two frames of a stream.
    pub(crate) gap_ms: u64,
    /// Answer with this text instead of the echo.
    pub(crate) answer: Option<String>,
    /// Answer with these calls, whatever is asked.
    pub(crate) tool_calls: Option<Vec<ScriptedCall>>,
    /// What the model does turn by turn, where the tools are offered that it calls: for clients that work on a task.
    pub(crate) script: Option<Vec<Turn>>,
    /// Take the OpenAI shape of a JSON schema where the backend has a shape of its own.
    pub(crate) lenient_schema: bool,
    /// hf-inference and the custom TGI answer as TGI did in 2024.
    pub(crate) old_tgi: bool,
    /// Removed backends that are routed again.
    pub(crate) revived: Vec<String>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) any_hf_token: bool,
    /// How many polls of a job answer that it is not done yet.
    pub(crate) queue_polls: usize,
    /// How jobs end.
    pub(crate) queue_ends: Ends,
    /// What a job that failed says.
    pub(crate) queue_message: String,
    /// Replicate's `Prefer: wait` runs out before there is an output.
    pub(crate) slow_predictions: bool,
    /// How many sketches a stream of pictures shows before the finished one.
    pub(crate) sketches: u32,
    /// What stands in front of `/_assets/…` in the addresses of results; none: this sandbox.
    pub(crate) asset_base: Option<String>,
    /// How many inputs a call for embeddings may have; none: the backend's own limit.
    pub(crate) max_inputs: Option<usize>,
    /// Embeddings come last first, each with its right index.
    pub(crate) reversed_embeddings: bool,
    /// How many made-up models the Hub lists besides.
    pub(crate) extra_models: usize,
    /// Models that a backend does not serve any more, as far as the Hub and the router say: `{backend} {Hub id}`.
    pub(crate) unlisted: Vec<String>,
}

/// How a job ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ends {
    #[default]
    Completed,
    Failed,
    Canceled,
    /// Never.
    Stuck,
}

/// One turn of a script.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Turn {
    /// What it says, in front of the calls if there are any.
    pub(crate) text: String,
    /// What it calls.
    pub(crate) tool_calls: Vec<ScriptedCall>,
}

/// A call that is written down beforehand.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptedCall {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            chunks: None,
            chunk_bytes: 0,
            gap_ms: 0,
            answer: None,
            tool_calls: None,
            script: None,
            lenient_schema: false,
            old_tgi: false,
            revived: Vec::new(),
            tokens: Vec::new(),
            any_hf_token: true,
            queue_polls: 1,
            queue_ends: Ends::Completed,
            queue_message: "The model could not make this".into(),
            slow_predictions: false,
            sketches: 2,
            asset_base: None,
            max_inputs: None,
            reversed_embeddings: false,
            extra_models: 0,
            unlisted: Vec::new(),
        }
    }
}

impl Knobs {
    pub(crate) fn gap(&self) -> Duration {
        Duration::from_millis(self.gap_ms)
    }

    /// These knobs with some members replaced; all or nothing.
    pub(crate) fn changed(&self, change: &Value) -> Result<Self, String> {
        let Value::Object(change) = change else { return Err("settings must be a JSON object".into()) };
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(members) = &mut whole {
            members.extend(change.clone());
        }
        serde_json::from_value(whole).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Knobs;
    use serde_json::json;

    #[test]
    fn a_change_touches_only_what_it_names() {
        let knobs = Knobs::default().changed(&json!({"chunks": 5, "gap_ms": 7})).unwrap();
        let knobs = knobs.changed(&json!({"chunks": null})).unwrap();
        assert_eq!((knobs.chunks, knobs.gap_ms), (None, 7));
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(Knobs::default().changed(&json!({"chunk": 5})).unwrap_err().contains("chunk"));
    }
}
