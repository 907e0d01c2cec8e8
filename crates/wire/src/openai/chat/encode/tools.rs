//! Tools for servers that know functions only.

use std::borrow::Cow;

use types::Result;

use super::{Dropped, Writing};
use crate::{
    json::{Part, Span, TakeOut},
    openai::chat::call::{Choice, OddTool, ToolKind},
};

/// The parameters of a function that stands for a tool of free text.
const FREE_TEXT: &str =
    ",\"parameters\":{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},\"required\":[\"input\"]}}}";

impl Writing<'_> {
    /// Turns `custom` tools into functions, and takes hosted tools out.
    pub(super) fn tools(&mut self) -> Result<()> {
        if self.staying("tools").is_none() {
            return Ok(());
        }
        let call = self.call;
        let hosted = call.facts.odd_tools.iter().filter(|tool| matches!(tool.kind, ToolKind::Hosted(_))).count();
        self.tool_choice(hosted == call.facts.tools && hosted > 0)?;
        let all_go = hosted == call.facts.tools && hosted > 0;
        let mut gone = TakeOut::default();
        for OddTool { slot, kind } in &call.facts.odd_tools {
            match kind {
                ToolKind::Hosted(kind) => {
                    self.dropped.push(Dropped { member: shown(kind, slot.ordinal) });
                    if !all_go {
                        self.edits.remove(gone.span(slot));
                    }
                }
                ToolKind::Custom { name, description } => self.free_text(slot.whole, *name, *description),
            }
        }
        if all_go {
            for member in ["tools", "tool_choice", "parallel_tool_calls"] {
                self.drop_member(member);
            }
        }
        Ok(())
    }

    fn free_text(&mut self, whole: Span, name: Option<Span>, description: Option<Span>) {
        let mut parts = vec![Part::Static("{\"type\":\"function\",\"function\":{\"name\":")];
        parts.push(name.map_or(Part::Static("\"\""), Part::Original));
        if let Some(description) = description {
            parts.extend([Part::Static(",\"description\":"), Part::Original(description)]);
        }
        parts.push(Part::Static(FREE_TEXT));
        self.edits.replace_all(whole, parts);
    }

    fn tool_choice(&mut self, only_hosted: bool) -> Result<()> {
        if self.staying("tool_choice").is_none() {
            return Ok(());
        }
        match &self.call.facts.choice {
            Choice::Custom { value, name } if !only_hosted => self.edits.replace_all(
                *value,
                [
                    Part::Static("{\"type\":\"function\",\"function\":{\"name\":"),
                    Part::Original(*name),
                    Part::Static("}}"),
                ],
            ),
            Choice::Vendor(kind) => {
                let why = format!(": it demands `{}`, which only its vendor can run", shown_kind(kind));
                self.leave_out("tool_choice", "tool_choice", &why)?;
                self.drop_member("tool_choice");
            }
            Choice::Required | Choice::Custom { .. } if only_hosted => {
                self.leave_out(
                    "tool_choice",
                    "tool_choice",
                    ": it demands a tool, and only the vendor of those in `tools` can run them",
                )?;
                self.drop_member("tool_choice");
            }
            Choice::Required | Choice::Custom { .. } | Choice::Any => {}
        }
        Ok(())
    }
}

/// A tool's type as it may stand in a header and a message.
fn shown_kind(kind: &str) -> &str {
    let plain = kind.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if plain && !kind.is_empty() && kind.len() <= 64 { kind } else { "a tool" }
}

fn shown(kind: &str, index: usize) -> Cow<'static, str> {
    match shown_kind(kind) {
        "a tool" => format!("tools[{index}]").into(),
        kind => format!("tools.{kind}").into(),
    }
}
