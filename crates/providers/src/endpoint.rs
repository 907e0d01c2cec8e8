//! A backend made ready for one route: where an attempt goes, and how it is dressed.
//!
//! Endpoints are made once, when a configuration is compiled; an attempt only asks for its target and headers.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use types::{BackendName, Fault, Kind, Result, Secret, config};
use wire::openai::chat::Dialect;

use crate::{
    Backend, Scheme, dialects,
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

/// A backend (or declared server) on one route, ready to be asked for chat. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The backend's id on the wire, or the declared server's name.
    pub backend: BackendName,
    /// The way there.
    pub route: Route,
    /// What it understands of OpenAI's chat.
    pub dialect: Dialect,
    origin: Arc<str>,
    before: Arc<str>,
    after: Option<Arc<str>>,
    headers: Arc<HeaderMap>,
    scheme: Scheme,
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
    /// The backend behind the router at `router`; `None` when it cannot chat.
    ///
    /// # Errors
    /// A sentence for the operator when `router` is no address.
    pub fn routed(backend: &Backend, router: &str) -> Result<Option<Self>, String> {
        let mut base = path::split(router)?;
        base.path = path::join(&base.path, backend.id);
        Self::of(backend, Route::Routed, &base)
    }

    /// The backend on its own address, or on `base` instead; `None` when it cannot chat or has no address.
    ///
    /// # Errors
    /// A sentence for the operator when `base` is no address.
    pub fn direct(backend: &Backend, base: Option<&str>) -> Result<Option<Self>, String> {
        match base.or(backend.direct) {
            Some(base) => Self::of(backend, Route::Direct, &path::split(base)?),
            None => Ok(None),
        }
    }

    /// The router's own OpenAI surface at `router`.
    ///
    /// # Errors
    /// A sentence for the operator when `router` is no address.
    pub fn router(router: &str) -> Result<Self, String> {
        let base = path::split(router)?;
        let target = path::join(&base.path, "v1/chat/completions");
        Ok(Self {
            backend: BackendName::new(AUTO),
            route: Route::Router,
            dialect: dialects::ROUTER,
            origin: base.origin.into(),
            before: target.into(),
            after: None,
            headers: fixed_headers(&[])?.into(),
            scheme: Scheme::Bearer,
        })
    }

    /// A server that the operator declared; `None` when its kind cannot chat. See [`path::chat_path`] for its path.
    ///
    /// # Errors
    /// A sentence for the operator when `url` is no address.
    pub fn declared(name: &BackendName, url: &str, kind: config::Dialect) -> Result<Option<Self>, String> {
        let base = path::split(url)?;
        let Some(dialect) = dialects::declared(kind) else { return Ok(None) };
        Ok(Some(Self {
            backend: name.clone(),
            route: Route::Declared,
            dialect,
            origin: base.origin.into(),
            before: path::chat_path(&base.path).into(),
            after: None,
            headers: fixed_headers(&[])?.into(),
            scheme: Scheme::Bearer,
        }))
    }

    fn of(backend: &Backend, route: Route, base: &Address) -> Result<Option<Self>, String> {
        let Some(chat) = &backend.chat else { return Ok(None) };
        let target = path::join(&base.path, chat.path);
        let (before, after) = match target.split_once(MODEL) {
            Some((before, after)) => (before, Some(after.into())),
            None => (target.as_str(), None),
        };
        Ok(Some(Self {
            backend: BackendName::new(backend.id),
            route,
            dialect: chat.dialect,
            origin: base.origin.as_str().into(),
            before: before.into(),
            after,
            headers: fixed_headers(backend.headers)?.into(),
            scheme: if route == Route::Routed { Scheme::Bearer } else { backend.scheme },
        }))
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
        match &self.after {
            None => Ok(self.before.as_ref().to_owned()),
            Some(after) => {
                path::model_segments(model).map(|model| format!("{}{model}{after}", self.before)).map_err(|fault| {
                    let id = self.backend.as_str();
                    fault.backend(id)
                })
            }
        }
    }

    /// The headers of a call, without those that belong to the connection.
    ///
    /// # Errors
    /// [`Kind::NoCredential`] when the key has characters that a header cannot carry; [`Kind::BadRequest`] when the
    /// paying organisation's name has.
    pub fn headers(&self, dress: Dress<'_>) -> Result<HeaderMap> {
        let mut headers = HeaderMap::clone(&self.headers);
        if let Some(key) = dress.key {
            headers.insert(AUTHORIZATION, authorization(self.scheme, key, self.backend.as_str())?);
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

/// The value of `Authorization`, marked so that nothing prints it.
fn authorization(scheme: Scheme, key: &Secret, backend: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{} {}", scheme.word(), key.expose())).map_err(|_| {
        Fault::new(
            Kind::NoCredential,
            format!(
                "The key configured for `{backend}` has characters that a header cannot carry. Check how it is stored."
            ),
        )
        .backend(backend)
    })?;
    value.set_sensitive(true);
    Ok(value)
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

    const ROUTER: &str = "https://router.example";

    fn routed(id: &str) -> Endpoint {
        Endpoint::routed(find(id).unwrap(), ROUTER).unwrap().unwrap()
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
        let direct = Endpoint::direct(find("groq").unwrap(), Some(base)).unwrap().unwrap();
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
        let endpoint = Endpoint::declared(&mine, "http://10.0.0.7:8000/v1/", config::Dialect::Vllm).unwrap().unwrap();
        assert_eq!(endpoint.origin(), "http://10.0.0.7:8000");
        assert_eq!(endpoint.target("any/../thing").unwrap(), "/v1/chat/completions");
        assert_eq!((endpoint.route, endpoint.backend.as_str()), (Route::Declared, "mine"));
        assert!(Endpoint::declared(&mine, "http://h", config::Dialect::Tei).unwrap().is_none());
        assert!(Endpoint::declared(&mine, "h", config::Dialect::Tgi).is_err());
    }

    #[test]
    fn a_backend_without_an_address_of_its_own_is_never_reached_directly() {
        assert!(Endpoint::direct(find("hf-inference").unwrap(), None).unwrap().is_none());
        assert!(Endpoint::routed(find("fal").unwrap(), ROUTER).unwrap().is_none());
    }

    #[test]
    fn the_payer_is_named_on_routed_calls_only() {
        let key = Secret::new("hf_abc");
        let dress = Dress { key: Some(&key), bill_to: Some("acme") };
        assert_eq!(routed("groq").headers(dress).unwrap()["x-hf-bill-to"], "acme");
        assert_eq!(Endpoint::router(ROUTER).unwrap().headers(dress).unwrap()["x-hf-bill-to"], "acme");
        let direct = Endpoint::direct(find("groq").unwrap(), None).unwrap().unwrap();
        assert!(!direct.headers(dress).unwrap().contains_key("x-hf-bill-to"));
        let split = Dress { key: None, bill_to: Some("a\r\nb") };
        assert_eq!(routed("groq").headers(split).unwrap_err().kind, Kind::BadRequest);
    }

    #[test]
    fn a_key_is_presented_as_the_route_wants_it_and_never_printed() {
        let key = Secret::new("k-123456");
        let dress = Dress { key: Some(&key), bill_to: None };
        let own = Endpoint::direct(find("clarifai").unwrap(), None).unwrap().unwrap().headers(dress).unwrap();
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
}
