//! Writing a call for one backend: the caller's bytes, changed only where the dialect asks for it.

mod tools;

use std::borrow::Cow;

use types::{Fault, Kind as FaultKind, Result, SendBody};

use super::super::envelope::bit;
use super::{
    call::{Asked, Call, Format, Member, MessageFlaw},
    dialect::{Dialect, JsonSchema, MaxTokens, Messages, Prefill, StreamOptions, Tools},
};
use crate::json::{Edits, Kind, Part, Span, TakeOut, names, text};

/// What the caller asked of the translation itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// Whether what the backend cannot do is left out instead of refused.
    pub lenient: bool,
    /// The backend's name, for refusals.
    pub backend: &'a str,
}

impl Ask<'_> {
    /// Says that something which changes the answer is left out, if the caller is lenient; refuses it by name if not.
    pub(crate) fn leave_out(self, name: impl Into<Cow<'static, str>>, param: &str, why: &str) -> Result<Dropped> {
        if self.lenient {
            return Ok(Dropped { member: name.into() });
        }
        let backend = if self.backend.is_empty() { "this backend" } else { self.backend };
        let message = format!(
            "`{param}` is not supported by {backend}{why}. Leave it out, choose another backend, or send the header `x-ironbow-lenient: true` to have it left out for you."
        );
        let mut fault = Fault::new(FaultKind::UnsupportedParameter, message).param(param);
        fault.backend = (!self.backend.is_empty()).then(|| self.backend.to_owned());
        Err(fault)
    }
}

/// A body to send.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The body.
    pub body: SendBody,
    /// What was left out, to be named to the caller.
    pub dropped: Vec<Dropped>,
}

/// Something of the call that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its name, e.g. `store` or `tools.web_search`: visible ASCII without commas, fit for a header.
    pub member: Cow<'static, str>,
}

// Members that are the gateway's own, and one that it writes.
names!(Own { Model = b"model", Models = b"models", Fallbacks = b"fallbacks", StreamOptions = b"stream_options" });

/// The name of what was thought, as most servers have it.
const REASONING: &[u8] = b"\"reasoning_content\"";

/// Writes `call` for a server that speaks `dialect` and calls the model `model`.
///
/// Equal calls give equal bytes. `model` comes first; the order of the rest is kept.
///
/// # Errors
/// `UnsupportedParameter` when the call asks for what the dialect refuses and `ask` is not lenient.
pub fn encode(call: &Call, dialect: &Dialect, model: &str, ask: Ask<'_>) -> Result<Encoded> {
    let mut writing = Writing {
        call,
        dialect,
        ask,
        edits: Edits::new(),
        gone: vec![false; call.members().len()],
        dropped: Vec::new(),
    };
    writing.members()?;
    writing.token_limit();
    writing.response_format();
    writing.messages();
    if dialect.tools == Tools::Functions {
        writing.tools()?;
    }
    writing.ask_for_usage();
    writing.go_on()?;
    let dropped = std::mem::take(&mut writing.dropped);
    Ok(Encoded { body: writing.finish(model), dropped })
}

/// The translation under way.
struct Writing<'a> {
    call: &'a Call,
    dialect: &'a Dialect,
    ask: Ask<'a>,
    edits: Edits,
    /// Which members at the top go.
    gone: Vec<bool>,
    dropped: Vec<Dropped>,
}

impl Writing<'_> {
    /// Decides which members at the top go.
    fn members(&mut self) -> Result<()> {
        type Names = &'static [&'static str];
        const NONE: Names = &[];
        let (body, dialect) = (self.call.body(), self.dialect);
        // Most members are in neither list, which their bits say.
        let in_lists = dialect.drop.iter().chain(dialect.refuse).fold(0, |bits, name| bits | bit(name.as_bytes()));
        for (index, member) in self.call.members().iter().enumerate() {
            let (drop, refuse) =
                if member.bits(body) & in_lists == 0 { (NONE, NONE) } else { (dialect.drop, dialect.refuse) };
            let listed = |list: Names| list.iter().find(|listed| member.name.is(body, listed)).copied();
            let never = match Own::of(&member.name, body) {
                Own::Model | Own::Models | Own::Fallbacks => {
                    self.gone[index] = true;
                    continue;
                }
                Own::StreamOptions => dialect.stream_options == StreamOptions::Never,
                Own::Other => false,
            };
            if member.kind == Kind::Null {
                self.gone[index] = dialect.messages != Messages::AsIs;
            } else if let Some(advice) = listed(drop) {
                self.gone[index] = true;
                self.dropped.push(Dropped { member: advice.into() });
            } else if let Some(refused) = listed(refuse) {
                if !asks_for_nothing(refused, member, body) {
                    self.leave_out(refused, refused, "")?;
                }
                self.gone[index] = true;
            } else {
                self.gone[index] = never;
            }
        }
        // Without tools there is nothing to choose among.
        if self.is_gone("tools") {
            self.drop_member("tool_choice");
            self.drop_member("parallel_tool_calls");
        }
        Ok(())
    }

    /// Leaves something out that changes the answer, if the caller is lenient.
    fn leave_out(&mut self, name: impl Into<Cow<'static, str>>, param: &str, why: &str) -> Result<()> {
        self.dropped.push(self.ask.leave_out(name, param, why)?);
        Ok(())
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.call.index_of(name)
    }

    fn is_gone(&self, name: &str) -> bool {
        self.index_of(name).is_some_and(|index| self.gone[index])
    }

    fn drop_member(&mut self, name: &str) {
        if let Some(index) = self.index_of(name) {
            self.gone[index] = true;
        }
    }

    /// The member, if it is there, stays, and says something.
    fn staying(&self, name: &str) -> Option<(usize, &Member)> {
        let index = self.index_of(name)?;
        let member = &self.call.members()[index];
        (!self.gone[index] && member.kind != Kind::Null).then_some((index, member))
    }

    /// One name for the token limit: the one that the server knows wins, the other is renamed or left out.
    fn token_limit(&mut self) {
        let (known, other, written) = match self.dialect.max_tokens {
            MaxTokens::Both => return,
            MaxTokens::MaxTokens => ("max_tokens", "max_completion_tokens", "\"max_tokens\""),
            MaxTokens::MaxCompletionTokens => ("max_completion_tokens", "max_tokens", "\"max_completion_tokens\""),
        };
        let Some((index, member)) = self.staying(other) else { return };
        let name = member.name.outer();
        if self.staying(known).is_some() {
            self.gone[index] = true;
            self.dropped.push(Dropped { member: other.into() });
        } else {
            // A null of the known name would stand beside the renamed one.
            self.drop_member(known);
            self.edits.replace(name, written);
        }
    }

    fn response_format(&mut self) {
        let Format::Schema { whole, schema, strict, inside } = self.call.facts.format else { return };
        if self.staying("response_format").is_none() {
            return;
        }
        let schema_as = |edits: &mut Edits, opening: &'static str| {
            edits.replace_all(whole, [Part::Static(opening), Part::Original(schema), Part::Static("}")]);
        };
        match self.dialect.json_schema {
            JsonSchema::AsIs => {}
            JsonSchema::SchemaBesideType => schema_as(&mut self.edits, "{\"type\":\"json_schema\",\"schema\":"),
            JsonSchema::ObjectWithSchema => schema_as(&mut self.edits, "{\"type\":\"json_object\",\"schema\":"),
            JsonSchema::ObjectWithValue => schema_as(&mut self.edits, "{\"type\":\"json_object\",\"value\":"),
            JsonSchema::NotStrict => match strict {
                Some(value) if value.of(self.call.body()) == b"false" => {}
                Some(value) => self.edits.replace(value, "false"),
                None => self.edits.insert(inside, "\"strict\":false,"),
            },
            JsonSchema::WithGuidedJson => {
                if self.staying("guided_json").is_none() {
                    self.append(",\"guided_json\":", Some(schema));
                }
            }
        }
    }

    fn messages(&mut self) {
        let developer = match self.dialect.messages {
            Messages::AsIs => return,
            Messages::Plain | Messages::PlainWithReasoning => true,
            Messages::PlainWithDeveloper => false,
        };
        let renamed = self.dialect.messages == Messages::PlainWithReasoning;
        let mut gone = TakeOut::default();
        let mut message = usize::MAX;
        for spot in &self.call.facts.spots {
            if spot.message != message {
                message = spot.message;
                gone = TakeOut::default();
            }
            match spot.flaw {
                MessageFlaw::Developer if developer => self.edits.replace(spot.value, "\"system\""),
                MessageFlaw::Reasoning if renamed => {
                    let name = Span::new(spot.slot.whole.start, spot.slot.whole.start + REASONING.len());
                    // Written with escapes it stays as it is, and the backend says what it thinks of that.
                    if name.of(self.call.body()) == REASONING {
                        self.edits.replace(name, "\"reasoning\"");
                    }
                }
                MessageFlaw::Developer | MessageFlaw::Reasoning => {}
                // Where nobody knows of refusals, it is what was said.
                MessageFlaw::Refused(refusal) => self.edits.replace(spot.value, refusal),
                MessageFlaw::Null | MessageFlaw::ReplayOnly => self.edits.remove(gone.span(&spot.slot)),
            }
        }
    }

    /// Asks the backend for usage in a stream, whether or not the caller wants to see it: it is accounted.
    fn ask_for_usage(&mut self) {
        if !self.call.stream() || self.dialect.stream_options == StreamOptions::Never {
            return;
        }
        match self.call.facts.usage {
            Asked::Nothing => {
                self.drop_member("stream_options");
                self.append(",\"stream_options\":{\"include_usage\":true}", None);
            }
            Asked::Silent { at, alone } => {
                self.edits.insert(at, if alone { "\"include_usage\":true" } else { "\"include_usage\":true," });
            }
            Asked::Said { yes: true, .. } => {}
            Asked::Said { value, .. } => self.edits.replace(value, "true"),
        }
    }

    /// Has the backend go on with the last message, where that is the beginning of the answer.
    fn go_on(&mut self) -> Result<()> {
        match self.dialect.prefill {
            _ if !self.call.goes_on() => Ok(()),
            Prefill::Unsupported => Err(unable_to_go_on(self.ask.backend)),
            Prefill::LastMessage => Ok(()),
            Prefill::Flags => {
                self.append(",\"add_generation_prompt\":false,\"continue_final_message\":true", None);
                Ok(())
            }
        }
    }

    /// Adds a member behind the last one.
    fn append(&mut self, name: &'static str, value: Option<Span>) {
        let Some(last) = self.call.members().last() else { return };
        self.edits.insert(last.value.end, name);
        if let Some(value) = value {
            self.edits.insert(last.value.end, Part::Original(value));
        }
    }

    /// Takes out what goes, and writes `model` first; gives the text.
    fn finish(mut self, model: &str) -> SendBody {
        let mut gone = TakeOut::default();
        for index in (0..self.gone.len()).filter(|index| self.gone[*index]) {
            self.edits.remove(gone.span(&self.call.slot(index)));
        }
        let text = self.call.body();
        let Some(first) = self.call.members().first() else { return text.clone().into() };
        let mut opening = Vec::with_capacity(Edits::room(text) + model.len());
        opening.extend_from_slice(b"{\"model\":");
        text::encode(model, &mut opening);
        // `messages` always stays, so a member always follows.
        opening.push(b',');
        self.edits.apply_behind(opening, first.name.outer().start, text)
    }
}

/// The fault of a backend that cannot go on with an answer that another one began.
pub fn unable_to_go_on(backend: &str) -> Box<Fault> {
    let text = "This backend cannot go on with an answer that was begun elsewhere.";
    Fault::new(FaultKind::UnsupportedOperation, text).backend(backend)
}

/// Whether a member that a server refuses has a value that changes nothing.
pub(super) fn asks_for_nothing(name: &str, member: &Member, body: &[u8]) -> bool {
    let raw = member.value.of(body);
    match name {
        "n" => raw == b"1",
        "logprobs" => member.kind == Kind::False,
        "top_logprobs" | "presence_penalty" | "frequency_penalty" => matches!(raw, b"0" | b"0.0"),
        "parallel_tool_calls" => member.kind == Kind::True,
        "logit_bias" => raw == b"{}",
        "tools" | "functions" | "stop" => raw == b"[]",
        "tool_choice" => matches!(raw, b"\"auto\"" | b"\"none\""),
        "modalities" => raw == b"[\"text\"]",
        "response_format" => raw == b"{\"type\":\"text\"}",
        _ => false,
    }
}
