//! The three shapes of the list.

use bytes::Bytes;
use wire::{
    anthropic, gemini,
    openai::models::{self, Model, Page},
};

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// OpenAI's, with all that we know of a model.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
}

impl Shape {
    /// One model by itself.
    pub(super) fn one(self, model: &Model<'_>) -> Vec<u8> {
        match self {
            Self::OpenAi => models::one(model),
            Self::Anthropic => anthropic::models::one(&brief(model)),
            Self::Gemini => gemini::model(model),
        }
    }
}

/// A list that is being written.
pub(super) enum List {
    OpenAi(models::List),
    Anthropic(anthropic::models::List),
    Gemini(gemini::List),
}

impl List {
    pub(super) fn new(shape: Shape) -> Self {
        match shape {
            Shape::OpenAi => Self::OpenAi(models::List::default()),
            Shape::Anthropic => Self::Anthropic(anthropic::models::List::default()),
            Shape::Gemini => Self::Gemini(gemini::List::default()),
        }
    }

    pub(super) fn push(&mut self, model: &Model<'_>) {
        match self {
            Self::OpenAi(list) => list.push(model),
            Self::Anthropic(list) => list.push(&brief(model)),
            Self::Gemini(list) => list.push(model),
        }
    }

    pub(super) fn piece(&mut self) -> Option<Bytes> {
        match self {
            Self::OpenAi(list) => list.piece(),
            Self::Anthropic(list) => list.piece(),
            Self::Gemini(list) => list.piece(),
        }
    }

    pub(super) fn end(&mut self, page: &Page<'_>) -> Bytes {
        match self {
            Self::OpenAi(list) => list.end(page),
            Self::Anthropic(list) => {
                use anthropic::models::More;
                list.end(if page.has_more { More::Yes } else { More::No })
            }
            Self::Gemini(list) => list.end(page.next_cursor),
        }
    }
}

fn brief<'a>(model: &Model<'a>) -> anthropic::models::Model<'a> {
    anthropic::models::Model {
        id: model.id,
        display_name: model.hub_id.unwrap_or(model.id),
        created: model.created,
        context_length: model.context_length,
    }
}
