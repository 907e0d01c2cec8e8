//! What is known of one backend, as constants.

use http::{HeaderName, header::AUTHORIZATION};
use types::Operation;
use wire::{
    native,
    openai::{chat, embeddings},
};

use crate::{Flow, dialects};

/// One inference backend that Hugging Face knows.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Hugging Face's id: the only name that goes on the wire.
    pub id: &'static str,
    /// Further names that callers may write.
    pub aliases: &'static [&'static str],
    /// The organisation on the Hub that runs it.
    pub hub_org: &'static str,
    /// Whether Hugging Face's router takes calls for it.
    pub routing: Routing,
    /// Its own address for calls with its own key; `None` when it has none.
    pub direct: Option<&'static str>,
    /// How its own key is presented on its own address.
    pub scheme: Scheme,
    /// Headers that every call to it carries, on every route.
    pub headers: &'static [(&'static str, &'static str)],
    /// What it can do: one entry for each operation.
    pub ops: &'static [Op],
    /// What is its own as a vendor, if callers may use its API as it is.
    pub vendor: Option<&'static Vendor>,
}

/// A vendor whose own API callers may use, in its own dialect, byte for byte.
#[derive(Debug)]
pub struct Vendor {
    /// The dialects that pass, each with its path after the base.
    pub natives: &'static [(native::Dialect, &'static str)],
    /// What the names of its models begin with, so that a name without a route finds it.
    pub families: &'static [&'static str],
    /// Headers of a caller that go on to it: versions, betas, who pays.
    pub carried: &'static [&'static str],
    /// Whether a credential looks like one of its keys.
    pub is_key: fn(&str) -> bool,
    /// The variable in which its own clients look for a key.
    pub variable: &'static str,
    /// Where it lists its models, after the base.
    pub models: &'static str,
    /// What the names of models hold, among those of its families, that neither chat nor embed.
    pub other_work: &'static [&'static str],
}

impl Vendor {
    /// Whether a model's name without a route is one of its own.
    pub fn has_family(&self, model: &str) -> bool {
        self.families.iter().any(|family| model.starts_with(family))
    }

    /// What a model of its own can be asked for here, by its name.
    pub fn work_of(&self, model: &str) -> Option<Operation> {
        if !self.has_family(model) || self.other_work.iter().any(|word| model.contains(word)) {
            return None;
        }
        Some(if model.starts_with("text-embedding-") { Operation::Embeddings } else { Operation::Chat })
    }
}

/// One operation of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// What is done.
    pub operation: Operation,
    /// The path after the base, without a slash in front. `{model}` stands for the backend's name of the model.
    pub path: &'static str,
    /// The path for models whose name holds a version (`name:version`), where that differs.
    pub versioned: Option<&'static str>,
    /// Where a queue stands that takes the calls instead, where there is one.
    pub queue: Option<Queue>,
    /// How calls and answers are written.
    pub codec: Codec,
    /// Since when users may count on it.
    pub promise: Promise,
}

/// How calls and answers of an operation are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// As OpenAI's chat, with what the server understands of it.
    Chat(chat::Dialect),
    /// As Anthropic's messages, translated from OpenAI's chat.
    Messages,
    /// As embeddings, with what the server understands of them.
    Embeddings(embeddings::Dialect),
    /// As an exchange of one or several requests ([`crate::exchange`]).
    Exchange(Flow),
}

/// A queue beside a backend's usual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its own address for calls with the backend's own key.
    pub direct: &'static str,
    /// The query by which it is told apart on any other address.
    pub query: &'static str,
}

/// Whether Hugging Face's router takes calls for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// It does.
    Live,
    /// It did until July 2026; the backend works with its own key only, until the Hub lists it again.
    Removed,
    /// It never did: the name is an organisation on the Hub too, and the backend takes its own key only.
    Never,
}

/// How a backend's own key is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `Authorization: Key KEY`.
    Key,
    /// `X-Api-Key: KEY`; a token of somebody who has signed in goes as `Bearer` all the same.
    ApiKey,
}

/// What the tokens of people who have signed in begin with at a vendor whose keys go in a header of their own.
const SIGNED_IN: &str = "sk-ant-oat";

impl Scheme {
    /// The header that presents this key, and its value.
    pub fn header(self, key: &str) -> (HeaderName, String) {
        match self {
            Self::ApiKey if !key.starts_with(SIGNED_IN) => (HeaderName::from_static("x-api-key"), key.to_owned()),
            Self::Bearer | Self::ApiKey => (AUTHORIZATION, format!("Bearer {key}")),
            Self::Key => (AUTHORIZATION, format!("Key {key}")),
        }
    }
}

/// Since when users may count on an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// From the first release on.
    First,
    /// Because the backend does it upstream as well.
    Upstream,
}

impl Backend {
    /// What most entries share: routed, presented with `Bearer`, no header of its own.
    pub(crate) const ROUTED: Self = Self {
        id: "",
        aliases: &[],
        hub_org: "",
        routing: Routing::Live,
        direct: None,
        scheme: Scheme::Bearer,
        headers: &[],
        ops: &[],
        vendor: None,
    };

    /// Every name that a caller may write: the id first, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.id).chain(self.aliases.iter().copied())
    }

    /// Whether `name` means this backend.
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// What it knows of this operation; `None` when it cannot do it.
    pub fn op(&self, operation: Operation) -> Option<&'static Op> {
        self.ops.iter().find(|op| op.operation == operation)
    }

    /// Whether it can do this operation.
    pub fn can(&self, operation: Operation) -> bool {
        self.op(operation).is_some()
    }

    /// Its dialect of chat; `None` when it cannot chat.
    pub fn chat(&self) -> Option<&'static chat::Dialect> {
        match &self.op(Operation::Chat)?.codec {
            Codec::Chat(dialect) => Some(dialect),
            _ => None,
        }
    }

    /// Whether one slash after the door's prefix can make its name a backend. False for names that Hugging Face never
    /// routes: those are organisations on the Hub.
    pub fn is_routable(&self) -> bool {
        self.routing != Routing::Never
    }

    /// Whether the Hub's mapping is asked for its models' names. False where callers write the backend's own names.
    pub fn is_mapped(&self) -> bool {
        self.routing != Routing::Never
    }
}

impl Op {
    /// OpenAI's usual path of chat, for a server with the common part of the protocol.
    pub(crate) const CHAT: Self = Self::chat("v1/chat/completions", dialects::COMPATIBLE);

    /// Chat at this path, promised from the first release.
    pub(crate) const fn chat(path: &'static str, dialect: chat::Dialect) -> Self {
        Self::of(Operation::Chat, path, Codec::Chat(dialect))
    }

    /// Embeddings at this path, promised from the first release.
    pub(crate) const fn embeddings(path: &'static str, dialect: embeddings::Dialect) -> Self {
        Self::of(Operation::Embeddings, path, Codec::Embeddings(dialect))
    }

    /// An exchange that begins at this path, promised from the first release.
    pub(crate) const fn exchange(operation: Operation, path: &'static str, flow: Flow) -> Self {
        Self::of(operation, path, Codec::Exchange(flow))
    }

    pub(crate) const fn of(operation: Operation, path: &'static str, codec: Codec) -> Self {
        Self { operation, path, versioned: None, queue: None, codec, promise: Promise::First }
    }

    /// The same, done because the backend does it too.
    pub(crate) const fn upstream(self) -> Self {
        Self { promise: Promise::Upstream, ..self }
    }

    /// The same, with another path for models whose name holds a version.
    pub(crate) const fn versioned(self, path: &'static str) -> Self {
        Self { versioned: Some(path), ..self }
    }

    /// The same, through a queue.
    pub(crate) const fn queued(self, queue: Queue) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// Whether the path names the model.
    pub fn path_has_model(&self) -> bool {
        self.path.contains(crate::path::MODEL)
    }
}
