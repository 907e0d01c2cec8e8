//! How much to think, and whether to show it.
//!
//! | asked | becomes |
//! |---|---|
//! | `thinking.type: enabled`, `budget_tokens` up to 2,048 | `reasoning_effort: low` |
//! | … up to 12,288 | `medium` |
//! | … beyond | `high` |
//! | `adaptive`, `between_tools`, or nothing | nothing: the model decides |
//! | `disabled` | nothing, and thinking is not shown |
//! | `output_config.effort` | the same word; `xhigh` and `max` become `high`, and are named; wins over a budget |

use serde_json::{Map, Value};
use types::Result;

use super::members::{text, wrong};
use crate::heard::{self, Notes};

/// What the caller sees of what was thought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Blocks with text and signature.
    #[default]
    Shown,
    /// Blocks with a signature only.
    Omitted,
    /// No blocks.
    Hidden,
}

/// Reads `thinking`: what is shown, and the effort that a budget comes to.
pub(super) fn read(mut said: Map<String, Value>) -> Result<(Thinking, Option<&'static str>)> {
    let shown = match said.get("display") {
        None | Some(Value::Null) => Thinking::Shown,
        Some(Value::String(display)) if display == "summarized" => Thinking::Shown,
        Some(Value::String(display)) if display == "omitted" => Thinking::Omitted,
        Some(_) => return Err(wrong("thinking.display", "must be \"summarized\" or \"omitted\"")),
    };
    match text(&mut said, "type", "thinking")?.as_str() {
        "enabled" => {
            let budget = said.get("budget_tokens").and_then(Value::as_u64);
            let budget = budget.ok_or_else(|| wrong("thinking.budget_tokens", "must be a whole number"))?;
            Ok((shown, Some(heard::effort(budget))))
        }
        "adaptive" | "between_tools" => Ok((shown, None)),
        "disabled" => Ok((Thinking::Hidden, None)),
        _ => Err(wrong("thinking.type", "must be \"enabled\", \"adaptive\", \"between_tools\" or \"disabled\"")),
    }
}

/// Reads `output_config.effort`.
pub(super) fn effort(said: &Value, notes: &mut Notes) -> Result<Option<&'static str>> {
    let member = "output_config.effort";
    Ok(match said {
        Value::Null => None,
        Value::String(word) => Some(match word.as_str() {
            "low" => "low",
            "medium" => "medium",
            "high" => "high",
            "xhigh" | "max" => {
                notes.took_out(member);
                "high"
            }
            _ => return Err(wrong(member, "must be \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"")),
        }),
        _ => return Err(wrong(member, "must be a string")),
    })
}
