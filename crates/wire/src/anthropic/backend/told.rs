//! What a stream of Anthropic's says of itself, whoever reads it for what else.

use serde_json::Value;
use types::{Result, Usage};

use super::{answer, fault, finish};
use crate::openai::chat::Finish;

/// What was said so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What was used, as was last said.
    pub usage: Option<Usage>,
    /// Why the answer ended, once that is known.
    pub finish: Option<Finish>,
    /// Whether the end came: nothing that follows matters.
    pub over: bool,
}

impl Told {
    /// Takes what an event of this kind says; `data` is all of it.
    ///
    /// # Errors
    /// Anthropic's own error when the event is one.
    pub(crate) fn take(&mut self, kind: &str, said: &Value, data: &[u8]) -> Result<()> {
        match kind {
            "error" => return Err(fault(data)),
            "message_start" => self.used(&said["message"]["usage"]),
            "message_delta" => {
                self.used(&said["usage"]);
                self.finish = said["delta"]["stop_reason"].as_str().map(finish).or(self.finish);
            }
            "message_stop" => self.over = true,
            _ => {}
        }
        Ok(())
    }

    fn used(&mut self, said: &Value) {
        if said.is_object() {
            self.usage = Some(answer::usage(said, self.usage.unwrap_or_default()));
        }
    }
}
