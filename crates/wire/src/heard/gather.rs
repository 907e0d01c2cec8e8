//! A whole answer gathered from its events: for each choice its pieces in the order in which they were said.

use serde_json::{Map, Value};
use types::Usage;

use crate::{events::Event, openai::chat::Finish};

/// An answer, gathered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    pub id: String,
    pub model: String,
    pub created: u64,
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
}

/// One of the answers that were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub number: u32,
    pub pieces: Vec<Piece>,
    /// Whether the model refused: what it said so in is text among the pieces, as no other dialect tells them apart.
    pub refused: bool,
    /// As OpenAI's chat writes them.
    pub logprobs: Vec<Value>,
    pub finish: Option<Finish>,
}

/// A piece of an answer. Texts of the same kind that follow each other are one piece.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    Reasoning(String),
    /// A whole block of thought, as Anthropic signed it; its text was said before.
    Signed(Value),
    Tool {
        index: u32,
        id: String,
        name: String,
        arguments: String,
    },
}

impl Gathered {
    /// Gathers these events.
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut gathered = Self::default();
        for event in events {
            gathered.take(event);
        }
        gathered.choices.sort_by_key(|choice| choice.number);
        gathered
    }

    /// Takes one more event.
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Start { id, model, created } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
                self.created = *created;
            }
            Event::Text { choice, text } => self.choice(*choice).say(Piece::Text(text.clone())),
            Event::Reasoning { choice, text } => self.choice(*choice).say(Piece::Reasoning(text.clone())),
            Event::Refusal { choice, text } => {
                let choice = self.choice(*choice);
                choice.refused = true;
                choice.say(Piece::Text(text.clone()));
            }
            Event::ToolStart { choice, index, id, name } => self.choice(*choice).pieces.push(Piece::Tool {
                index: *index,
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
            }),
            Event::ToolArguments { choice, index, json } => self.choice(*choice).argue(*index, json),
            Event::Finish { choice, reason } => self.choice(*choice).finish = Some(*reason),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Logprobs { choice, tokens } => self.choice(*choice).logprobs.extend_from_slice(tokens),
            Event::Thought { choice, block } => self.choice(*choice).pieces.push(Piece::Signed(block.clone())),
            Event::Done => {}
        }
    }

    /// The choice of this number, begun if it is new.
    pub(crate) fn choice(&mut self, number: u32) -> &mut Choice {
        let at = self.choices.iter().position(|choice| choice.number == number).unwrap_or(self.choices.len());
        if at == self.choices.len() {
            self.choices.push(Choice { number, ..Choice::default() });
        }
        &mut self.choices[at]
    }
}

impl Choice {
    fn say(&mut self, piece: Piece) {
        match (self.pieces.last_mut(), piece) {
            (Some(Piece::Text(said)), Piece::Text(more)) | (Some(Piece::Reasoning(said)), Piece::Reasoning(more)) => {
                said.push_str(&more);
            }
            (_, piece) => self.pieces.push(piece),
        }
    }

    fn argue(&mut self, call: u32, json: &str) {
        for piece in self.pieces.iter_mut().rev() {
            if let Piece::Tool { index, arguments, .. } = piece
                && *index == call
            {
                arguments.push_str(json);
                return;
            }
        }
    }
}

/// A call's arguments as the object that most dialects want. Text that is no object (a call cut off in its middle)
/// stands under `_arguments`.
pub(crate) fn arguments(json: &str) -> Value {
    if json.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match serde_json::from_str(json) {
        Ok(Value::Object(map)) => Value::Object(map),
        _ => serde_json::json!({ "_arguments": json }),
    }
}
