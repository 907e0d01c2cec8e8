//! A backend made ready for one route: where an attempt goes, and how it is dressed.
//!
//! Endpoints are made once, when a configuration is compiled; an attempt only asks for its target and headers.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE, USER_AGENT},
};
use types::{BackendName, Fault, Kind, Operation, Result, Secret, config};
use wire::{
    native,
    openai::{chat, embeddings},
};

use crate::{
    Backend, Codec, Flow, Op, Scheme, Vendor, dialects,
    path::{self, Address, MODEL},
};

/// The id that stands for "the router chooses".
pub const AUTO: &str = "auto";

/// What we call ourselves upstream.
const AGENT: &str = concat!("ironbow/", env!("CARGO_PKG_VERSION"));

/// Names the organisation that pays for a routed call.
const BILL_TO: HeaderName = HeaderName::from_static("x-hf-bill-to");

/// The way to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// Through Hugging Face's router, under the backend's id, with an `hf_` token.
    Routed,
    /// To the backend's own address, with its own key.
    Direct,
    /// To a server that the operator declared.
    Declared,
    /// To the router's own OpenAI surface, which chooses the backend and maps the model's name.
    Router,
}

impl Route {
    /// The way that a key opens: `hf_` tokens go through the router, any other key to the backend that it belongs to.
    /// The rule of Hugging Face's own clients.
    pub fn of_key(key: &Secret) -> Self {
        if key.expose().starts_with("hf_") { Self::Routed } else { Self::Direct }
    }

    /// A short name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::Direct => "direct",
            Self::Declared => "declared",
            Self::Router => "router",
        }
    }
}

/// A backend (or declared server) on one route, ready to be asked for one operation. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The backend's id on the wire, or the declared server's name.
    pub backend: BackendName,
    /// The way there.
    pub route: Route,
    /// What it is asked for.
    pub operation: Operation,
    /// How calls and answers are written.
    pub codec: Codec,
    origin: Arc<str>,
    base: Arc<str>,
    place: Template,
    versioned: Option<Template>,
    query: &'static str,
    headers: Arc<HeaderMap>,
    scheme: Scheme,
    vendor: Option<&'static Vendor>,
}

/// A path, with a gap for the model's name if it has one.
#[derive(Clone, Debug)]
struct Template {
    before: Arc<str>,
    after: Option<Arc<str>>,
}

impl Template {
    fn new(target: &str) -> Self {
        match target.split_once(MODEL) {
            Some((before, after)) => Self { before: before.into(), after: Some(after.into()) },
            None => Self { before: target.into(), after: None },
        }
    }
}

/// What varies in the headers from attempt to attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dress<'a> {
    /// The key to present, if any.
    pub key: Option<&'a Secret>,
    /// The organisation that pays; sent on routed calls only.
    pub bill_to: Option<&'a str>,
}

impl Endpoint {
    /// The backend behind the router at `router`; `None` when it cannot do this operation.
    ///
    /// # Errors
    /// A sentence for the operator when `router` is no address.
    pub fn routed(backend: &Backend, operation: Operation, router: &str) -> Result<Option<Self>, String> {
        let mut base = path::split(router)?;
        base.path = path::join(&base.path, backend.id);
        let Some(op) = backend.op(operation) else { return Ok(None) };
        let query = op.queue.map_or("", |queue| queue.query);
        Self::of(backend, op, Route::Routed, &base, query).map(Some)
    }

    /// The backend on its own address, or on `base` instead; `None` when it cannot do this operation or has no address.
    ///
    /// # Errors
    /// A sentence for the operator when `base` is no address.
    pub fn direct(backend: &Backend, operation: Operation, base: Option<&str>) -> Result<Option<Self>, String> {
        let Some(op) = backend.op(operation) else { return Ok(None) };
        // On an address that an operator wrote, a queue is told apart as the router tells it apart.
        let (own, query) = match op.queue {
            Some(queue) => (backend.direct.and(Some(queue.direct)), queue.query),
            None => (backend.direct, ""),
        };
        match (base, own) {
            (Some(base), _) => Self::of(backend, op, Route::Direct, &path::split(base)?, query).map(Some),
            (None, Some(own)) => Self::of(backend, op, Route::Direct, &path::split(own)?, "").map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The router's own OpenAI surface at `router`, which has chat only.
    ///
    /// # Errors
    /// A sentence for the operator when `router` is no address.
    pub fn router(router: &str) -> Result<Self, String> {
        let base = path::split(router)?;
        let target = path::join(&base.path, "v1/chat/completions");
        Self::plain(
            &BackendName::new(AUTO),
            Route::Router,
            &base,
            &target,
            Operation::Chat,
            Codec::Chat(dialects::ROUTER),
        )
    }

    /// A server that the operator declared; `None` when its kind cannot do this operation. See [`path::api_path`] and
    /// [`path::own_path`] for its paths.
    ///
    /// # Errors
    /// A sentence for the operator when `url` is no address.
    pub fn declared(
        name: &BackendName,
        url: &str,
        kind: config::Dialect,
        operation: Operation,
    ) -> Result<Option<Self>, String> {
        let base = path::split(url)?;
        let Some((place, codec)) = dialects::declared(kind, operation) else { return Ok(None) };
        let target = match place {
            dialects::Place::Api(rest) => path::api_path(&base.path, rest),
            dialects::Place::Own(rest) => path::own_path(&base.path, rest),
        };
        Self::plain(name, Route::Declared, &base, &target, operation, codec).map(Some)
    }

    fn plain(
        name: &BackendName,
        route: Route,
        base: &Address,
        target: &str,
        operation: Operation,
        codec: Codec,
    ) -> Result<Self, String> {
        Ok(Self {
            backend: name.clone(),
            route,
            operation,
            codec,
            origin: base.origin.as_str().into(),
            base: base.path.as_str().into(),
            place: Template { before: target.into(), after: None },
            versioned: None,
            query: "",
            headers: fixed_headers(&[])?.into(),
            scheme: Scheme::Bearer,
            vendor: None,
        })
    }

    fn of(backend: &Backend, op: &Op, route: Route, base: &Address, query: &'static str) -> Result<Self, String> {
        let template = |path: &str| Template::new(&path::join(&base.path, path));
        Ok(Self {
            backend: BackendName::new(backend.id),
            route,
            operation: op.operation,
            codec: op.codec,
            origin: base.origin.as_str().into(),
            base: base.path.as_str().into(),
            place: template(op.path),
            versioned: op.versioned.map(template),
            query,
            headers: fixed_headers(backend.headers)?.into(),
            scheme: if route == Route::Routed { Scheme::Bearer } else { backend.scheme },
            vendor: if route == Route::Direct { backend.vendor } else { None },
        })
    }

    /// What it understands of OpenAI's chat; `None` when it is asked for something else.
    pub const fn chat(&self) -> Option<&chat::Dialect> {
        match &self.codec {
            Codec::Chat(dialect) => Some(dialect),
            _ => None,
        }
    }

    /// What it understands of embeddings; `None` when it is asked for something else.
    pub const fn embeddings(&self) -> Option<&embeddings::Dialect> {
        match &self.codec {
            Codec::Embeddings(dialect) => Some(dialect),
            _ => None,
        }
    }

    /// How its exchanges go; `None` when it is asked for chat or embeddings.
    pub const fn flow(&self) -> Option<Flow> {
        match self.codec {
            Codec::Exchange(flow) => Some(flow),
            _ => None,
        }
    }

    /// The path at which it speaks this dialect itself, so that a call in it passes as it came; `None` where it does not.
    pub fn native(&self, dialect: native::Dialect) -> Option<String> {
        let natives = self.vendor?.natives;
        natives.iter().find(|(spoken, _)| *spoken == dialect).map(|(_, place)| path::join(&self.base, place))
    }

    /// A path beneath its base.
    pub fn beneath(&self, place: &str) -> String {
        path::join(&self.base, place)
    }

    /// Headers of a caller that go on to it.
    pub fn carried(&self) -> &'static [&'static str] {
        self.vendor.map_or(&[], |vendor| vendor.carried)
    }

    /// The path before the operation's own: what every address of the backend on this route begins with. No slash at
    /// the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The query that every call carries, without the question mark; empty for none.
    pub const fn query(&self) -> &str {
        self.query
    }

    /// `scheme://host[:port]` of the server to connect to.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path and query of a call for `model`, the backend's own name of it.
    ///
    /// # Errors
    /// [`Kind::UnknownModel`] when the path names the model and the name cannot stand in a path.
    pub fn target(&self, model: &str) -> Result<String> {
        let place = match &self.versioned {
            Some(versioned) if model.contains(':') => versioned,
            _ => &self.place,
        };
        let path = match &place.after {
            None => place.before.as_ref().to_owned(),
            Some(after) => {
                let model = path::model_segments(model).map_err(|fault| fault.backend(self.backend.as_str()))?;
                format!("{}{model}{after}", place.before)
            }
        };
        Ok(self.with_query(path))
    }

    /// A path with the query that every call carries.
    pub(crate) fn with_query(&self, mut path: String) -> String {
        if !self.query.is_empty() {
            path.push('?');
            path.push_str(self.query);
        }
        path
    }

    /// The headers of a call, without those that belong to the connection.
    ///
    /// # Errors
    /// [`Kind::NoCredential`] when the key has characters that a header cannot carry; [`Kind::BadRequest`] when the
    /// paying organisation's name has.
    pub fn headers(&self, dress: Dress<'_>) -> Result<HeaderMap> {
        let mut headers = HeaderMap::clone(&self.headers);
        if let Some(key) = dress.key {
            let (name, value) = presented(self.scheme, key, self.backend.as_str())?;
            headers.insert(name, value);
        }
        if let (Some(payer), Route::Routed | Route::Router) = (dress.bill_to, self.route) {
            let value = HeaderValue::from_str(payer).map_err(|_| {
                Fault::new(Kind::BadRequest, "The header X-HF-Bill-To must be the name of an organisation on the Hub.")
                    .param("X-HF-Bill-To")
            })?;
            headers.insert(BILL_TO, value);
        }
        Ok(headers)
    }
}

/// The header that presents a key, its value marked so that nothing prints it.
fn presented(scheme: Scheme, key: &Secret, backend: &str) -> Result<(HeaderName, HeaderValue)> {
    let (name, value) = scheme.header(key.expose());
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Fault::new(
            Kind::NoCredential,
            format!(
                "The key configured for `{backend}` has characters that a header cannot carry. Check how it is stored."
            ),
        )
        .backend(backend)
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The headers of a question to a declared server that is no call.
///
/// # Errors
/// As [`Endpoint::headers`].
pub fn question_headers(key: Option<&Secret>, server: &str) -> Result<HeaderMap> {
    let mut headers = anonymous();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(key) = key {
        let (name, value) = presented(Scheme::Bearer, key, server)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Headers that say who we are and nothing else: for addresses that are not the backend's own.
pub(crate) fn anonymous() -> HeaderMap {
    HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(AGENT))])
}

/// The headers that are the same for every call: who we are, what the body is, and the backend's own.
///
/// # Errors
/// A sentence for the operator when a name or value cannot be a header.
fn fixed_headers(own: &[(&str, &str)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(own.len() + 4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in own {
        let key = HeaderName::try_from(*name).map_err(|_| format!("`{name}` cannot be the name of a header"))?;
        let value = HeaderValue::try_from(*value)
            .map_err(|_| format!("the header `{name}` has a value that a header cannot carry"))?;
        headers.insert(key, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;
    use types::Operation::{Chat, Image, Speech};

    const ROUTER: &str = "https://router.example";

    fn routed(id: &str) -> Endpoint {
        Endpoint::routed(find(id).unwrap(), Chat, ROUTER).unwrap().unwrap()
    }

    #[test]
    fn a_routed_call_goes_under_the_id_whatever_alias_named_it() {
        let endpoint = routed("fireworks");
        assert_eq!(endpoint.origin(), "https://router.example");
        assert_eq!(endpoint.target("x").unwrap(), "/fireworks-ai/inference/v1/chat/completions");
    }

    #[test]
    fn a_base_with_a_path_keeps_it_on_every_route() {
        let base = "http://127.0.0.1:9/direct/groq/";
        let direct = Endpoint::direct(find("groq").unwrap(), Chat, Some(base)).unwrap().unwrap();
        assert_eq!(direct.origin(), "http://127.0.0.1:9");
        assert_eq!(direct.target("x").unwrap(), "/direct/groq/openai/v1/chat/completions");
        let router = Endpoint::router("http://127.0.0.1:9/r").unwrap();
        assert_eq!(router.target("x").unwrap(), "/r/v1/chat/completions");
    }

    #[test]
    fn a_model_in_the_path_cannot_leave_its_place() {
        let endpoint = routed("hf-inference");
        assert_eq!(endpoint.target("a/b").unwrap(), "/hf-inference/models/a/b/v1/chat/completions");
        let sly = endpoint.target("a?b#c%2f").unwrap();
        assert_eq!(sly, "/hf-inference/models/a%3Fb%23c%252f/v1/chat/completions");
        for bad in ["../../x", "a\r\nX: y", ""] {
            assert_eq!(endpoint.target(bad).unwrap_err().kind, Kind::UnknownModel, "{bad:?}");
        }
    }

    #[test]
    fn a_declared_server_has_its_path_completed_and_takes_any_name() {
        let mine = BackendName::new("mine");
        let endpoint =
            Endpoint::declared(&mine, "http://10.0.0.7:8000/v1/", config::Dialect::Vllm, Chat).unwrap().unwrap();
        assert_eq!(endpoint.origin(), "http://10.0.0.7:8000");
        assert_eq!(endpoint.target("any/../thing").unwrap(), "/v1/chat/completions");
        assert_eq!((endpoint.route, endpoint.backend.as_str()), (Route::Declared, "mine"));
        assert!(Endpoint::declared(&mine, "http://h", config::Dialect::Tei, Chat).unwrap().is_none());
        assert!(Endpoint::declared(&mine, "h", config::Dialect::Tgi, Chat).is_err());
    }

    #[test]
    fn a_backend_without_an_address_of_its_own_is_never_reached_directly() {
        assert!(Endpoint::direct(find("hf-inference").unwrap(), Chat, None).unwrap().is_none());
        assert!(Endpoint::routed(find("fal").unwrap(), Chat, ROUTER).unwrap().is_none());
    }

    #[test]
    fn the_payer_is_named_on_routed_calls_only() {
        let key = Secret::new("hf_abc");
        let dress = Dress { key: Some(&key), bill_to: Some("acme") };
        assert_eq!(routed("groq").headers(dress).unwrap()["x-hf-bill-to"], "acme");
        assert_eq!(Endpoint::router(ROUTER).unwrap().headers(dress).unwrap()["x-hf-bill-to"], "acme");
        let direct = Endpoint::direct(find("groq").unwrap(), Chat, None).unwrap().unwrap();
        assert!(!direct.headers(dress).unwrap().contains_key("x-hf-bill-to"));
        let split = Dress { key: None, bill_to: Some("a\r\nb") };
        assert_eq!(routed("groq").headers(split).unwrap_err().kind, Kind::BadRequest);
    }

    #[test]
    fn a_key_is_presented_as_the_route_wants_it_and_never_printed() {
        let key = Secret::new("k-123456");
        let dress = Dress { key: Some(&key), bill_to: None };
        let own = Endpoint::direct(find("clarifai").unwrap(), Chat, None).unwrap().unwrap().headers(dress).unwrap();
        assert_eq!(own["authorization"], "Key k-123456");
        assert!(!format!("{own:?}").contains("123456"));
        assert_eq!(routed("clarifai").headers(dress).unwrap()["authorization"], "Bearer k-123456");
        let broken = Secret::new("k\n123456789");
        let fault = routed("groq").headers(Dress { key: Some(&broken), bill_to: None }).unwrap_err();
        assert_eq!(fault.kind, Kind::NoCredential);
        assert!(!format!("{fault:?}").contains("123456789"));
    }

    #[test]
    fn the_key_decides_the_route() {
        assert_eq!(Route::of_key(&Secret::new("hf_x")), Route::Routed);
        assert_eq!(Route::of_key(&Secret::new("gsk_x")), Route::Direct);
    }

    #[test]
    fn a_queue_has_its_own_host_or_is_told_apart_by_a_query() {
        let fal = find("fal").unwrap();
        let routed = Endpoint::routed(fal, Image, ROUTER).unwrap().unwrap();
        assert_eq!(routed.target("fal-ai/flux/dev").unwrap(), "/fal-ai/fal-ai/flux/dev?_subdomain=queue");
        let direct = Endpoint::direct(fal, Image, None).unwrap().unwrap();
        assert_eq!((direct.origin(), direct.query()), ("https://queue.fal.run", ""));
        assert_eq!(direct.target("fal-ai/flux/dev").unwrap(), "/fal-ai/flux/dev");
        let own = Endpoint::direct(fal, Image, Some("http://127.0.0.1:9/direct/fal-ai")).unwrap().unwrap();
        assert_eq!(own.target("m/n").unwrap(), "/direct/fal-ai/m/n?_subdomain=queue");
        let sound = Endpoint::direct(fal, Speech, None).unwrap().unwrap();
        assert_eq!((sound.origin(), sound.target("m/n").unwrap().as_str()), ("https://fal.run", "/m/n"));
    }

    #[test]
    fn a_version_in_the_name_goes_another_way() {
        let endpoint = Endpoint::routed(find("replicate").unwrap(), Image, ROUTER).unwrap().unwrap();
        assert_eq!(endpoint.target("a/b").unwrap(), "/replicate/v1/models/a/b/predictions");
        assert_eq!(endpoint.target("a/b:5599ed30").unwrap(), "/replicate/v1/predictions");
    }
}
