//! Who may ask: which tokens and keys are good, what they may see, and what the journal calls them.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use crate::fill::fingerprint;
use crate::knobs::Knobs;

/// A token or key with a name, so that a test can ask the journal which one arrived.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What the journal calls it.
    pub name: String,
    /// The secret itself. With `hf_` in front it is a Hugging Face token, else a backend's own key.
    pub value: String,
    /// For a backend's own key: the one backend that takes it; without, every backend does.
    #[serde(default)]
    pub backend: Option<String>,
    /// For a Hugging Face token: whether it sees the gated and the private model.
    #[serde(default)]
    pub member: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What an `authorization` header turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) class: Class,
    pub(crate) name: Option<String>,
    /// A Hugging Face token that may see gated and private models.
    pub(crate) member: bool,
    /// A Hugging Face token whose account has no credit left.
    pub(crate) penniless: bool,
    /// The backend a key was made for, if it is for one only.
    backend: Option<String>,
    known: bool,
    scheme: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Class {
    #[default]
    None,
    /// A good `hf_` token.
    Hf,
    /// An `hf_` token that is not accepted.
    BadHf,
    /// Something else: a backend's own key, good or bad.
    Key,
    /// Neither `Bearer` nor `Key` and one word, or more than one header.
    Malformed,
}

impl Class {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Hf => "hf",
            Self::BadHf => "bad hf",
            Self::Key => "direct key",
            Self::Malformed => "malformed",
        }
    }
}

impl Credential {
    /// Whether a backend's own API takes it.
    pub(crate) fn opens(&self, backend: &str, scheme: &str) -> bool {
        let made_for_it = self.backend.as_deref().is_none_or(|of| of == backend);
        self.class == Class::Key && self.known && made_for_it && self.scheme == scheme
    }
}

/// The header that a key stands in at Anthropic.
const API_KEY: &str = "x-api-key";

/// The text after the scheme, and the scheme, of the only `authorization` header; or the only `x-api-key`.
fn parts(headers: &HeaderMap) -> Result<Option<(&str, &str)>, ()> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = all.next() else {
        let mut all = headers.get_all(API_KEY).iter();
        return match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(key), None) => key.to_str().map(|key| Some((API_KEY, key))).map_err(|_| ()),
            _ => Err(()),
        };
    };
    if all.next().is_some() || headers.contains_key(API_KEY) {
        return Err(());
    }
    first.to_str().ok().and_then(|text| text.split_once(' ')).map(Some).ok_or(())
}

/// Judges the `authorization` header of a request.
pub(crate) fn credential(headers: &HeaderMap, knobs: &Knobs) -> Credential {
    let (scheme, token) = match parts(headers) {
        Ok(None) => return Credential::default(),
        Ok(Some((scheme @ ("Bearer" | "Key" | API_KEY), token))) if !token.is_empty() && !token.contains(' ') => {
            (scheme, token)
        }
        _ => return Credential { class: Class::Malformed, ..Credential::default() },
    };
    let named = knobs.tokens.iter().find(|known| known.value == token);
    let name = named.map(|known| known.name.clone()).or_else(|| built_in(token));
    let scheme = scheme.to_owned();
    if token.starts_with("hf_") {
        if scheme != "Bearer" {
            return Credential { class: Class::Malformed, name, ..Credential::default() };
        }
        let bad = token.starts_with("hf_invalid") || token.starts_with("hf_expired");
        let good = named.is_some() || (!bad && (knobs.any_hf_token || token.starts_with("hf_sandbox")));
        return Credential {
            class: if good { Class::Hf } else { Class::BadHf },
            name,
            member: named.is_some_and(|known| known.member) || token == "hf_sandbox_member",
            penniless: token.starts_with("hf_penniless"),
            known: good,
            backend: None,
            scheme,
        };
    }
    let backend = match named {
        Some(known) => known.backend.clone(),
        None => test_key(token).map(str::to_owned),
    };
    let known = named.is_some() || backend.is_some();
    Credential { class: Class::Key, name, known, backend, scheme, ..Credential::default() }
}

fn built_in(token: &str) -> Option<String> {
    match token {
        "hf_sandbox" => Some("sandbox".into()),
        "hf_sandbox_member" => Some("member".into()),
        _ => test_key(token).map(|_| token.to_owned()),
    }
}

/// `key-groq` and `key-groq.anything` are groq's test keys. Vendors' keys may look like theirs, too.
fn test_key(token: &str) -> Option<&str> {
    if token.starts_with("sk-ant-sandbox") {
        return Some("anthropic");
    }
    if token.starts_with("sk-sandbox") {
        return Some("openai");
    }
    token.strip_prefix("key-").map(|rest| rest.split_once('.').map_or(rest, |(backend, _)| backend))
}

/// What the journal says about the `authorization` header: its class and a fingerprint, never the secret.
pub(crate) fn masked(headers: &HeaderMap, credential: &Credential) -> String {
    match parts(headers) {
        Ok(None) => String::new(),
        Ok(Some((scheme, token))) => format!("{scheme} <{} {}>", credential.class.word(), fingerprint(token)),
        Err(()) => "<malformed>".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Token, credential, masked};
    use crate::knobs::Knobs;
    use hyper::HeaderMap;
    use hyper::header::{AUTHORIZATION, HeaderValue};

    fn with(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn tokens_fall_into_their_classes() {
        let knobs = Knobs::default();
        for (value, class) in [
            ("Bearer hf_sandbox", Class::Hf),
            ("Bearer hf_whatever", Class::Hf),
            ("Bearer hf_invalid", Class::BadHf),
            ("Bearer key-groq", Class::Key),
            ("Bearer sk-other", Class::Key),
            ("Key key-groq", Class::Key),
            ("Key hf_sandbox", Class::Malformed),
            ("Basic key-groq", Class::Malformed),
            ("hf_sandbox", Class::Malformed),
            ("Bearer hf_a b", Class::Malformed),
        ] {
            assert_eq!(credential(&with(value), &knobs).class, class, "{value}");
        }
        assert_eq!(credential(&HeaderMap::new(), &knobs).class, Class::None);
    }

    #[test]
    fn a_key_opens_only_its_own_backend() {
        let knobs = Knobs::default();
        let groq = credential(&with("Bearer key-groq.canary"), &knobs);
        assert!(groq.opens("groq", "Bearer"));
        assert!(!groq.opens("groq", "Key"));
        assert!(!groq.opens("cerebras", "Bearer"));
        assert!(!credential(&with("Bearer sk-other"), &knobs).opens("groq", "Bearer"));
    }

    #[test]
    fn only_named_tokens_are_good_when_asked() {
        let named = Token { name: "mine".into(), value: "hf_mine".into(), backend: None, member: true };
        let knobs = Knobs { any_hf_token: false, tokens: vec![named], ..Knobs::default() };
        assert_eq!(credential(&with("Bearer hf_other"), &knobs).class, Class::BadHf);
        let mine = credential(&with("Bearer hf_mine"), &knobs);
        assert_eq!((mine.class, mine.member, mine.name.as_deref()), (Class::Hf, true, Some("mine")));
    }

    #[test]
    fn the_secret_is_never_shown() {
        let headers = with("Bearer hf_sandbox_secret");
        let credential = credential(&headers, &Knobs::default());
        let shown = masked(&headers, &credential);
        assert!(!shown.contains("secret"), "{shown}");
        let token = Token { name: "n".into(), value: "hf_sandbox_secret".into(), backend: None, member: false };
        assert!(!format!("{token:?}").contains("secret"));
    }
}
