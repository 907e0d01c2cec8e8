//! A call as a door has read it.

use policy::order::Need;
use providers::exchange::Work;
use types::{Operation, Result, ports::jobs::Owner};
use wire::{
    json::Kind,
    native,
    openai::{chat, detours, embeddings},
};

use crate::steps::{admit::Asking, dispatch::Shown};

/// What is asked, in the form in which its codec works on it.
pub(crate) enum Call {
    /// Chat: bytes that are spliced. In a box: a call is handed on a dozen times, and is half a kilobyte.
    Chat(Box<chat::Call>),
    /// Chat that was said in another dialect: the answer is read as events, and needs its usage.
    Translated(Box<chat::Call>),
    /// A call that passes as it came where the backend speaks its dialect, with what stands for it elsewhere.
    Native(Box<Native>),
    /// Embeddings: bytes that are spliced.
    Embeddings(embeddings::Call),
    /// A stream of pictures, with how it is shown.
    Pictures(Work, Shown),
    /// Sound and pictures: read, and written anew for the backend.
    Work(Work),
}

/// A call in a vendor's own dialect, which may go to that vendor.
pub(crate) struct Native {
    /// As it came.
    pub(crate) call: native::Call,
    /// The same for backends of another dialect, if that can be said.
    pub(crate) otherwise: Result<Call>,
    /// Whose the answer is, where the vendor may keep it.
    pub(crate) owner: Option<Owner>,
}

impl Call {
    /// The operation that a backend must be able to do.
    pub(crate) const fn operation(&self) -> Operation {
        match self {
            Self::Chat(_) | Self::Translated(_) | Self::Native(_) => Operation::Chat,
            Self::Embeddings(_) => Operation::Embeddings,
            Self::Pictures(Work::Edit(_), _) => Operation::ImageEditStream,
            Self::Pictures(..) => Operation::ImageStream,
            Self::Work(Work::Speech(_)) => Operation::Speech,
            Self::Work(Work::Transcription(_)) => Operation::Transcription,
            Self::Work(Work::Image(_)) => Operation::Image,
            Self::Work(Work::Edit(_)) => Operation::ImageEdit,
        }
    }

    /// Whether a stream of events is asked for.
    pub(crate) const fn stream(&self) -> bool {
        match self {
            Self::Chat(call) | Self::Translated(call) => call.stream(),
            Self::Native(native) => native.call.stream(),
            Self::Pictures(..) => true,
            Self::Embeddings(_) | Self::Work(_) => false,
        }
    }

    /// What it asks for.
    ///
    /// # Errors
    /// As [`Self::take_detours`].
    pub(crate) fn asking(&mut self, model: &str) -> Result<Asking<impl Fn() -> Need>> {
        let instead = self.take_detours(model)?;
        let call = &*self;
        Ok(Asking { operation: call.operation(), stream: call.stream(), instead, need: || call.need(&[]) })
    }

    /// Which models may serve instead. Where the call is read as values they are taken out; where it stays bytes, its codec
    /// leaves them out.
    ///
    /// # Errors
    /// `BadRequest` naming the member that is no such list.
    fn take_detours(&mut self, model: &str) -> Result<Vec<String>> {
        match self {
            Self::Chat(call) | Self::Translated(call) => call.detours(),
            Self::Native(native) => match &mut native.otherwise {
                Ok(call) => call.take_detours(model),
                Err(_) => Ok(Vec::new()),
            },
            Self::Embeddings(call) => call.detours(),
            Self::Pictures(work, _) | Self::Work(work) => detours::take(extra(work), model),
        }
    }

    /// What a backend must be able to do for it; of its other members those that anybody has `refused`.
    pub(crate) fn need(&self, refused: &[&'static str]) -> Need {
        if let Self::Native(native) = self {
            let nothing = || Need { stream: native.call.stream(), ..Need::default() };
            return native.otherwise.as_ref().map_or_else(|_| nothing(), |call| call.need(refused));
        }
        let (Self::Chat(call) | Self::Translated(call)) = self else {
            let input_tokens = if let Self::Embeddings(call) = self { call.estimate() } else { 0 };
            return Need { stream: self.stream(), input_tokens, ..Need::default() };
        };
        let said = |name: &str| call.member(name).map(|member| member.kind);
        Need {
            tools: call.has_tools(),
            parallel_tools: said("parallel_tool_calls") == Some(Kind::True) && call.has_tools(),
            structured_output: call.has_json_schema(),
            vision: call.has_images(),
            stream: call.stream(),
            input_tokens: call.estimate(),
            max_output: call.max_tokens(),
            parameters: call.demands(refused).map(Into::into).collect(),
        }
    }
}

fn extra(work: &mut Work) -> &mut types::ask::Extra {
    match work {
        Work::Speech(ask) => &mut ask.extra,
        Work::Transcription(ask) => &mut ask.extra,
        Work::Image(ask) => &mut ask.extra,
        Work::Edit(ask) => &mut ask.image.extra,
    }
}
