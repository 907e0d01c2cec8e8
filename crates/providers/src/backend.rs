//! What is known of one backend, as constants.

use wire::openai::chat::Dialect;

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
    /// How it chats; `None` when it cannot.
    pub chat: Option<Chat>,
}

/// How a backend chats.
#[derive(Clone, Copy, Debug)]
pub struct Chat {
    /// The path after the base, without a slash in front. `{model}` stands for the backend's name of the model.
    pub path: &'static str,
    /// What it understands of OpenAI's chat.
    pub dialect: Dialect,
    /// Since when users may count on it.
    pub promise: Promise,
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
}

impl Scheme {
    /// The word before the key.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Key => "Key",
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
        chat: None,
    };

    /// Every name that a caller may write: the id first, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.id).chain(self.aliases.iter().copied())
    }

    /// Whether `name` means this backend.
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
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

impl Chat {
    /// OpenAI's usual path, promised from the first release.
    pub(crate) const V1: Self =
        Self { path: "v1/chat/completions", dialect: crate::dialects::COMPATIBLE, promise: Promise::First };

    /// Whether the path names the model.
    pub fn path_has_model(&self) -> bool {
        self.path.contains(crate::path::MODEL)
    }
}
