//! Which path and method lead where. One table; tests and the error for a wrong path read it too.

use http::Method;
use matchit::Router;

use crate::{asks::models::Shape, doors::Door};

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// A call for a backend, at this door.
    Call(Door),
    /// Variations of pictures, which no backend makes.
    Variations,
    /// A result that is kept.
    File,
    /// The caller's jobs.
    Jobs,
    /// One job: how it stands, and away with it.
    Job,
    /// What came of a job.
    JobResult,
    /// Away with a job.
    JobCancel,
    /// One response that is kept: what it says, and away with it.
    Response,
    /// Away with the work on a response in the background.
    ResponseCancel,
    /// What a response was asked.
    InputItems,
    /// How many tokens a call of the Responses API has.
    InputTokens,
    /// A new conversation.
    Conversations,
    /// One conversation.
    Conversation,
    /// What was said in a conversation.
    ConversationItems,
    /// One item of a conversation.
    ConversationItem,
    /// How many tokens an Anthropic call has.
    CountTokens,
    /// A path of a backend's own, passed on.
    Passage,
    /// The list of models.
    Models(Shape),
    /// One model of the list.
    Model(Shape),
    /// How a model would be routed now.
    Explain,
    /// Work that nobody waits for: no path leads there.
    Background,
    /// Nothing is there; what is said about it is in this door's dialect.
    Nowhere(Option<Door>),
    /// Is the process alive.
    Health,
    /// Does it want traffic.
    Ready,
    /// Numbers for Prometheus.
    Metrics,
    /// A few words for whoever opens the address in a browser.
    Welcome,
}

impl Route {
    /// The route's name in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Call(Door::Chat) => "chat_completions",
            Self::Call(Door::Embeddings) => "embeddings",
            Self::Call(Door::Speech) => "speech",
            Self::Call(Door::Transcriptions) => "transcriptions",
            Self::Call(Door::Translations) => "translations",
            Self::Call(Door::Images) => "images",
            Self::Call(Door::Edits) => "image_edits",
            Self::Call(Door::Completions) => "completions",
            Self::Call(Door::Responses) => "responses",
            Self::Call(Door::Messages) => "messages",
            Self::Call(Door::Gemini) => "generate_content",
            Self::Call(Door::CohereChat) => "cohere_chat",
            Self::Call(Door::CohereEmbed) => "cohere_embed",
            Self::Call(Door::Converse) => "converse",
            Self::Call(Door::ConverseStream) => "converse_stream",
            Self::CountTokens => "count_tokens",
            Self::Response => "response",
            Self::ResponseCancel => "response_cancel",
            Self::InputItems => "response_input_items",
            Self::InputTokens => "response_input_tokens",
            Self::Conversations => "conversations",
            Self::Conversation => "conversation",
            Self::ConversationItems => "conversation_items",
            Self::ConversationItem => "conversation_item",
            Self::Variations => "image_variations",
            Self::File => "file",
            Self::Jobs => "jobs",
            Self::Job => "job",
            Self::JobResult => "job_result",
            Self::JobCancel => "job_cancel",
            Self::Passage => "passage",
            Self::Models(_) => "models",
            Self::Model(_) => "model",
            Self::Explain => "route",
            Self::Background => "background",
            Self::Nowhere(_) => "unknown",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::Welcome => "welcome",
        }
    }

    /// The door whose dialect its answers are in; none: OpenAI's.
    pub(crate) const fn door(self) -> Option<Door> {
        match self {
            Self::Call(door) => Some(door),
            Self::CountTokens | Self::Models(Shape::Anthropic) | Self::Model(Shape::Anthropic) => Some(Door::Messages),
            Self::Models(Shape::Gemini) | Self::Model(Shape::Gemini) => Some(Door::Gemini),
            Self::Nowhere(door) => door,
            _ => None,
        }
    }

    const fn method(self) -> &'static Method {
        match self {
            Self::Call(_)
            | Self::CountTokens
            | Self::Variations
            | Self::JobCancel
            | Self::ResponseCancel
            | Self::InputTokens
            | Self::Conversations => &Method::POST,
            _ => &Method::GET,
        }
    }

    /// The methods that it takes, as the header `allow` names them.
    fn allows(self) -> &'static str {
        match self {
            Self::Job | Self::Response | Self::ConversationItem => "GET, DELETE",
            Self::Conversation => "GET, POST, DELETE",
            Self::ConversationItems => "GET, POST",
            Self::Call(Door::Gemini) => "GET, POST",
            _ => self.method().as_str(),
        }
    }
}

/// Every path that is served, and where it leads.
const TABLE: &[(&str, Route)] = &[
    ("/", Route::Welcome),
    ("/health", Route::Health),
    ("/ready", Route::Ready),
    ("/metrics", Route::Metrics),
    ("/v1/chat/completions", Route::Call(Door::Chat)),
    ("/openai/v1/chat/completions", Route::Call(Door::Chat)),
    ("/v1/embeddings", Route::Call(Door::Embeddings)),
    ("/openai/v1/embeddings", Route::Call(Door::Embeddings)),
    ("/v1/audio/speech", Route::Call(Door::Speech)),
    ("/openai/v1/audio/speech", Route::Call(Door::Speech)),
    ("/v1/audio/transcriptions", Route::Call(Door::Transcriptions)),
    ("/openai/v1/audio/transcriptions", Route::Call(Door::Transcriptions)),
    ("/v1/audio/translations", Route::Call(Door::Translations)),
    ("/openai/v1/audio/translations", Route::Call(Door::Translations)),
    ("/v1/images/generations", Route::Call(Door::Images)),
    ("/openai/v1/images/generations", Route::Call(Door::Images)),
    ("/v1/images/edits", Route::Call(Door::Edits)),
    ("/openai/v1/images/edits", Route::Call(Door::Edits)),
    ("/v1/completions", Route::Call(Door::Completions)),
    ("/openai/v1/completions", Route::Call(Door::Completions)),
    ("/v1/responses", Route::Call(Door::Responses)),
    ("/openai/v1/responses", Route::Call(Door::Responses)),
    ("/v1/responses/input_tokens", Route::InputTokens),
    ("/openai/v1/responses/input_tokens", Route::InputTokens),
    ("/v1/responses/{id}", Route::Response),
    ("/openai/v1/responses/{id}", Route::Response),
    ("/v1/responses/{id}/cancel", Route::ResponseCancel),
    ("/openai/v1/responses/{id}/cancel", Route::ResponseCancel),
    ("/v1/responses/{id}/input_items", Route::InputItems),
    ("/openai/v1/responses/{id}/input_items", Route::InputItems),
    ("/v1/conversations", Route::Conversations),
    ("/openai/v1/conversations", Route::Conversations),
    ("/v1/conversations/{id}", Route::Conversation),
    ("/openai/v1/conversations/{id}", Route::Conversation),
    ("/v1/conversations/{id}/items", Route::ConversationItems),
    ("/openai/v1/conversations/{id}/items", Route::ConversationItems),
    ("/v1/conversations/{id}/items/{item}", Route::ConversationItem),
    ("/openai/v1/conversations/{id}/items/{item}", Route::ConversationItem),
    ("/anthropic/v1/messages", Route::Call(Door::Messages)),
    ("/anthropic/v1/messages/count_tokens", Route::CountTokens),
    ("/genai/v1/models/{*id}", Route::Call(Door::Gemini)),
    ("/genai/v1beta/models/{*id}", Route::Call(Door::Gemini)),
    ("/cohere/v2/chat", Route::Call(Door::CohereChat)),
    ("/cohere/v2/embed", Route::Call(Door::CohereEmbed)),
    ("/bedrock/model/{id}/converse", Route::Call(Door::Converse)),
    ("/bedrock/model/{id}/converse-stream", Route::Call(Door::ConverseStream)),
    ("/v1/images/variations", Route::Variations),
    ("/openai/v1/images/variations", Route::Variations),
    ("/v1/files/{id}", Route::File),
    ("/v1/jobs", Route::Jobs),
    ("/v1/jobs/{id}", Route::Job),
    ("/v1/jobs/{id}/result", Route::JobResult),
    ("/v1/jobs/{id}/cancel", Route::JobCancel),
    ("/v1/route", Route::Explain),
    ("/v1/models", Route::Models(Shape::OpenAi)),
    ("/openai/v1/models", Route::Models(Shape::OpenAi)),
    ("/v1/models/{*id}", Route::Model(Shape::OpenAi)),
    ("/openai/v1/models/{*id}", Route::Model(Shape::OpenAi)),
    ("/anthropic/v1/models", Route::Models(Shape::Anthropic)),
    ("/anthropic/v1/models/{*id}", Route::Model(Shape::Anthropic)),
    ("/genai/v1/models", Route::Models(Shape::Gemini)),
    ("/genai/v1beta/models", Route::Models(Shape::Gemini)),
];

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'p> {
    /// This route, with the rest of the path where the route has one.
    Route(Route, &'p str),
    /// The path exists for another method.
    WrongMethod(&'static str),
    /// Nothing; perhaps the caller meant this path.
    Nothing(Option<&'static str>),
}

/// The compiled table, and beside it what stands only beneath the prefixes of other gateways.
pub(crate) struct Routes {
    doors: Router<Route>,
    beneath: Router<Route>,
}

impl Routes {
    /// Compiles the table. A path that cannot be inserted would be a mistake in the table: a test walks it.
    pub(crate) fn new() -> Self {
        let (mut doors, mut beneath) = (Router::new(), Router::new());
        for (path, route) in TABLE {
            let inserted = doors.insert(*path, *route);
            debug_assert!(inserted.is_ok(), "{path}: {inserted:?}");
            if let Some(bare) = bare(path) {
                let inserted = beneath.insert(bare, *route);
                debug_assert!(inserted.is_ok(), "{bare}: {inserted:?}");
            }
            if let Some(versionless) = path.strip_prefix("/v1/") {
                // Azure's SDK asks for what has no deployment, and other gateways' users for everything, without a version.
                let inserted = doors.insert(format!("/openai/{versionless}"), *route);
                debug_assert!(inserted.is_ok(), "{versionless}: {inserted:?}");
            }
        }
        Self { doors, beneath }
    }

    /// Where `path` leads for `method`. Paths are compared as they came: no decoding, no tidying.
    ///
    /// Beneath the prefixes of other gateways stand all the doors once more, and also the way that those gateways have them.
    pub(crate) fn find<'p>(&self, method: &Method, path: &'p str) -> Found<'p> {
        let beneath = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix)).filter(|rest| rest.starts_with('/'));
        let path = beneath.unwrap_or(path);
        match deployment(path) {
            Some((door, model)) if method == Method::POST => Found::Route(Route::Call(door), model),
            Some(_) => Found::WrongMethod("POST"),
            None => self.find_door(method, path, beneath.is_some()),
        }
    }

    fn find_door<'p>(&self, method: &Method, path: &'p str, beneath: bool) -> Found<'p> {
        let hit = self.doors.at(path);
        match if beneath { hit.or_else(|_| self.beneath.at(path)) } else { hit } {
            Ok(hit) => {
                // Google calls a model and asks about it at the same path.
                let asked = method == Method::GET || method == Method::HEAD;
                let route = match *hit.value {
                    Route::Call(Door::Gemini) if asked => Route::Model(Shape::Gemini),
                    // There Google's SDK calls a model where OpenAI's asks about it.
                    Route::Model(Shape::OpenAi) if beneath && method == Method::POST => Route::Call(Door::Gemini),
                    route => route,
                };
                let allowed = *method == route.method()
                    || route.allows().split(", ").any(|allowed| method == allowed)
                    || (method == Method::HEAD && route.method() == Method::GET);
                if allowed {
                    let id = hit.params.get("id").unwrap_or("");
                    // An item stands behind its conversation: the handler takes both.
                    let both = (route == Route::ConversationItem).then(|| path.split_once("/conversations/")).flatten();
                    Found::Route(route, both.map_or(id, |(_, both)| both))
                } else {
                    Found::WrongMethod(route.allows())
                }
            }
            Err(_) => Found::Nothing(nearest(path)),
        }
    }
}

/// Whose dialect answers at a path where nothing is.
pub(crate) fn dialect_at(path: &str) -> Option<Door> {
    let rest = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    let doors = [("/anthropic/", Door::Messages), ("/genai/", Door::Gemini)];
    doors.into_iter().find_map(|(root, door)| rest.starts_with(root).then_some(door))
}

/// What users of other gateways have before the doors in their code.
const PREFIXES: &[&str] = &["/litellm", "/langchain", "/pydanticai"];

/// How other gateways have a door beneath their prefix: without `/v1`, and Anthropic's and Google's without names of their own.
fn bare(path: &'static str) -> Option<&'static str> {
    let anthropic = || path.strip_prefix("/anthropic").filter(|rest| rest.starts_with("/v1/messages"));
    let google = || path.strip_prefix("/genai").filter(|rest| rest.starts_with("/v1beta/"));
    path.strip_prefix("/v1").or_else(anthropic).or_else(google)
}

/// Azure's form: the model stands in the path, between the deployments and the endpoint.
fn deployment(path: &str) -> Option<(Door, &str)> {
    let rest = path.strip_prefix("/openai/deployments/")?;
    let doors = [
        ("/chat/completions", Door::Chat),
        ("/completions", Door::Completions),
        ("/embeddings", Door::Embeddings),
        ("/audio/speech", Door::Speech),
        ("/audio/transcriptions", Door::Transcriptions),
        ("/audio/translations", Door::Translations),
        ("/images/generations", Door::Images),
        ("/images/edits", Door::Edits),
    ];
    doors.into_iter().find_map(|(end, door)| {
        Some((door, rest.strip_suffix(end).filter(|model| !model.is_empty() && !model.starts_with('/'))?))
    })
}

/// The path that was probably meant: a base URL without `/v1`, doubled, or with a slash at the end.
fn nearest(path: &str) -> Option<&'static str> {
    let tail = path.trim_end_matches('/');
    let tail = tail.strip_prefix("/v1/v1").or_else(|| tail.strip_prefix("/api/v1")).unwrap_or(tail);
    let tail = tail.strip_prefix("/v1").unwrap_or(tail);
    TABLE.iter().map(|(path, _)| *path).find(|known| !tail.is_empty() && known.strip_prefix("/v1") == Some(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_table_is_found_for_its_method_and_refused_for_another() {
        let routes = Routes::new();
        for (path, route) in TABLE {
            let path = path.replace("{*id}", "org/name").replace("{id}", "x").replace("{item}", "y");
            assert!(matches!(routes.find(route.method(), &path), Found::Route(r, _) if r == *route), "{path}");
            assert_eq!(routes.find(&Method::PATCH, &path), Found::WrongMethod(route.allows()));
        }
    }

    #[test]
    fn a_deployments_name_is_the_model_and_other_gateways_prefixes_hold_every_door() {
        let routes = Routes::new();
        let azure = "/openai/deployments/huggingface/groq/openai/gpt-oss-20b/chat/completions";
        let wanted = Found::Route(Route::Call(Door::Chat), "huggingface/groq/openai/gpt-oss-20b");
        assert_eq!(routes.find(&Method::POST, azure), wanted);
        assert_eq!(routes.find(&Method::GET, azure), Found::WrongMethod("POST"));
        assert!(matches!(routes.find(&Method::POST, "/openai/deployments//chat/completions"), Found::Nothing(_)));
        for prefix in PREFIXES {
            let path = format!("{prefix}/v1/embeddings");
            assert_eq!(routes.find(&Method::POST, &path), Found::Route(Route::Call(Door::Embeddings), ""));
        }
        assert!(matches!(routes.find(&Method::POST, "/litellmx/v1/embeddings"), Found::Nothing(_)));
    }

    #[test]
    fn beneath_a_prefix_doors_also_stand_as_other_gateways_have_them() {
        let routes = Routes::new();
        for (path, route) in [
            ("/chat/completions", Route::Call(Door::Chat)),
            ("/responses", Route::Call(Door::Responses)),
            ("/v1/messages", Route::Call(Door::Messages)),
            ("/v1/messages/count_tokens", Route::CountTokens),
            ("/v1beta/models/huggingface/groq/o/m:generateContent", Route::Call(Door::Gemini)),
            ("/v1/models/huggingface/groq/o/m:generateContent", Route::Call(Door::Gemini)),
        ] {
            for prefix in PREFIXES {
                let full = format!("{prefix}{path}");
                assert!(matches!(routes.find(&Method::POST, &full), Found::Route(r, _) if r == route), "{full}");
            }
            assert!(!matches!(routes.find(&Method::POST, path), Found::Route(..)), "{path}");
        }
        for (method, path, route) in [
            (Method::POST, "/openai/responses", Route::Call(Door::Responses)),
            (Method::POST, "/openai/chat/completions", Route::Call(Door::Chat)),
            (Method::GET, "/openai/models", Route::Models(Shape::OpenAi)),
        ] {
            assert_eq!(routes.find(&method, path), Found::Route(route, ""), "{path}");
        }
    }

    #[test]
    fn an_id_may_hold_slashes() {
        let routes = Routes::new();
        assert_eq!(
            routes.find(&Method::GET, "/v1/models/huggingface/groq/openai/gpt-oss-20b"),
            Found::Route(Route::Model(Shape::OpenAi), "huggingface/groq/openai/gpt-oss-20b")
        );
    }

    #[test]
    fn googles_path_of_a_model_calls_it_or_tells_about_it() {
        let routes = Routes::new();
        let path = "/genai/v1beta/models/huggingface/groq/o/m";
        assert_eq!(routes.find(&Method::GET, path), Found::Route(Route::Model(Shape::Gemini), "huggingface/groq/o/m"));
        assert!(matches!(routes.find(&Method::POST, path), Found::Route(Route::Call(Door::Gemini), _)));
        assert_eq!(dialect_at("/litellm/anthropic/v1/nothing"), Some(Door::Messages));
        assert_eq!(dialect_at("/genai/v9"), Some(Door::Gemini));
        assert_eq!(dialect_at("/v1/anthropic/"), None);
    }

    #[test]
    fn odd_spellings_of_a_path_lead_nowhere() {
        let routes = Routes::new();
        for path in [
            "//v1/chat/completions",
            "/v1/./chat/completions",
            "/v1%2fchat/completions",
            "/V1/chat/completions",
            "/v1/chat/completions/",
            "/v1/chat/completions;x",
            "/v1/%63hat/completions",
            "/health/../metrics",
            "",
        ] {
            assert!(matches!(routes.find(&Method::POST, path), Found::Nothing(_)), "{path}");
        }
    }

    #[test]
    fn a_forgotten_version_in_the_base_url_is_pointed_out() {
        let routes = Routes::new();
        for path in
            ["/chat/completions", "/v1/v1/chat/completions", "/v1/chat/completions/", "/api/v1/chat/completions"]
        {
            assert_eq!(routes.find(&Method::POST, path), Found::Nothing(Some("/v1/chat/completions")), "{path}");
        }
        assert_eq!(routes.find(&Method::POST, "/v1/nothing"), Found::Nothing(None));
    }
}
