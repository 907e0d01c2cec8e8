//! The messages of a call: how many, what they hold, and the spots that a stricter server would stumble over.

use super::{Scan, Scanned, duplicate, wrong_type};
use crate::json::{Kind, Slot, Span, names};

/// A spot in a message that some servers do not take.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Spot {
    /// Which message.
    pub message: usize,
    /// What it is.
    pub flaw: MessageFlaw,
    /// The member.
    pub slot: Slot,
    /// The member's value.
    pub value: Span,
}

/// What a spot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum MessageFlaw {
    /// The role `developer`.
    Developer,
    /// A member that is null.
    Null,
    /// A member of an assistant message that only an answer has.
    ReplayOnly,
    /// What an assistant message thought, under the name `reasoning_content`.
    Reasoning,
    /// The null content of an assistant message that refused, in these words.
    Refused(Span),
}

// Members of a message that are judged.
names!(Name {
    Role = b"role",
    Content = b"content",
    ToolCalls = b"tool_calls",
    Refusal = b"refusal",
    Annotations = b"annotations",
    ProviderSpecificFields = b"provider_specific_fields",
    ThinkingBlocks = b"thinking_blocks",
    ReasoningContent = b"reasoning_content",
});

/// What one message said so far.
#[derive(Default)]
struct Said {
    role: bool,
    assistant: bool,
    content: bool,
    tool_calls: bool,
    /// A content that is null.
    nothing: Option<Span>,
    /// What an assistant message would not do, in its words.
    refusal: Option<Span>,
}

impl Scan<'_> {
    pub(super) fn messages(&mut self) -> Scanned {
        self.reader.open_array()?;
        let mut index = 0;
        while self.reader.next_item()? {
            let kind = self.reader.peek()?;
            if kind != Kind::Object {
                return Err(wrong_type(&format!("messages[{index}]"), "an object", kind).into());
            }
            self.message(index)?;
            index += 1;
        }
        self.facts.messages = index;
        Ok(())
    }

    fn message(&mut self, index: usize) -> Scanned {
        let first_spot = self.facts.spots.len();
        let mut said = Said::default();
        let mut slot = Slot::default();
        let mut noted = false;
        self.reader.open_object()?;
        while let Some(name) = self.reader.next_key()? {
            slot.whole.start = name.outer().start;
            if let (true, Some(spot)) = (noted, self.facts.spots.last_mut()) {
                spot.slot.next = Some(slot.whole.start);
            }
            if slot.ordinal == 0 {
                slot.before = slot.whole.start;
            }
            let kind = self.reader.peek()?;
            let start = self.reader.at();
            let flaw = self.message_member(Name::of(&name, self.reader.bytes()), kind, index, &mut said)?;
            slot.whole.end = self.reader.at();
            noted = flaw.is_some();
            if let Some(flaw) = flaw {
                let value = Span::new(start, slot.whole.end);
                self.facts.spots.push(Spot { message: index, flaw, slot, value });
            }
            slot.before = slot.whole.end;
            slot.ordinal += 1;
        }
        if !said.role {
            return Err(super::missing(&format!("messages[{index}].role"), "say who speaks, e.g. \"user\"").into());
        }
        if !said.assistant && self.facts.spots.len() > first_spot {
            let mine = self.facts.spots.split_off(first_spot);
            self.facts.spots.extend(mine.into_iter().filter(|spot| spot.flaw != MessageFlaw::ReplayOnly));
        }
        if let (true, Some(value), Some(refusal)) = (said.assistant, said.nothing, said.refusal) {
            let flaw = MessageFlaw::Refused(refusal);
            self.facts.spots.push(Spot { message: index, flaw, slot: Slot::default(), value });
        }
        Ok(())
    }

    /// Takes one member of a message; says whether it is a spot to remember.
    fn message_member(
        &mut self,
        name: Name,
        kind: Kind,
        index: usize,
        said: &mut Said,
    ) -> Scanned<Option<MessageFlaw>> {
        let again = |seen: &mut bool, member: &str| -> Scanned {
            if std::mem::replace(seen, true) {
                return Err(duplicate(&format!("messages[{index}].{member}")).into());
            }
            Ok(())
        };
        match name {
            Name::Role => {
                again(&mut said.role, "role")?;
                if kind != Kind::String {
                    return Err(wrong_type(&format!("messages[{index}].role"), "a string", kind).into());
                }
                let role = self.reader.string()?;
                said.assistant = role.is(self.reader.bytes(), "assistant");
                return Ok(role.is(self.reader.bytes(), "developer").then_some(MessageFlaw::Developer));
            }
            Name::Content => {
                again(&mut said.content, "content")?;
                if kind == Kind::Array {
                    self.parts(index)?;
                } else {
                    let value = self.reader.skip_peeked(kind)?;
                    said.nothing = (kind == Kind::Null).then_some(value);
                }
                return Ok(None);
            }
            Name::ToolCalls => again(&mut said.tool_calls, "tool_calls")?,
            _ => {}
        }
        let value = self.reader.skip_peeked(kind)?;
        if (name, kind) == (Name::Refusal, Kind::String) && value.end - value.start > 2 {
            said.refusal = Some(value);
        }
        Ok(match (name, kind) {
            (_, Kind::Null) => Some(MessageFlaw::Null),
            (Name::Refusal | Name::Annotations | Name::ProviderSpecificFields | Name::ThinkingBlocks, _) => {
                Some(MessageFlaw::ReplayOnly)
            }
            (Name::ReasoningContent, Kind::String) => Some(MessageFlaw::Reasoning),
            (Name::ToolCalls, Kind::Array) => {
                let inside = value.of(self.reader.bytes());
                let empty = inside.len() < 64 && inside.iter().filter(|b| !b.is_ascii_whitespace()).count() == 2;
                empty.then_some(MessageFlaw::ReplayOnly)
            }
            _ => None,
        })
    }

    /// Takes the parts of a message's content, counting pictures and sounds.
    fn parts(&mut self, message: usize) -> Scanned {
        self.reader.open_array()?;
        let mut index = 0;
        while self.reader.next_item()? {
            match self.reader.peek()? {
                Kind::Object => {}
                // A list of strings: some servers take it.
                _ => {
                    self.reader.skip()?;
                    index += 1;
                    continue;
                }
            }
            self.reader.open_object()?;
            let mut typed = false;
            while let Some(name) = self.reader.next_key()? {
                if !name.is(self.reader.bytes(), "type") || self.reader.peek()? != Kind::String {
                    self.reader.skip()?;
                    continue;
                }
                if std::mem::replace(&mut typed, true) {
                    return Err(duplicate(&format!("messages[{message}].content[{index}].type")).into());
                }
                match &*self.reader.string()?.raw(self.reader.bytes()) {
                    b"image_url" | b"input_image" | b"image" => self.facts.images += 1,
                    b"input_audio" | b"audio_url" => self.facts.audio += 1,
                    _ => {}
                }
            }
            index += 1;
        }
        Ok(())
    }
}
