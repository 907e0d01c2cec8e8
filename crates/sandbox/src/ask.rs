//! One request as the rooms of the sandbox see it: path, query, headers, body, and who asks.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::knobs::Knobs;
use crate::tokens::{Credential, credential};

#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) credential: Credential,
    pub(crate) knobs: Knobs,
    /// The address of this sandbox as the client wrote it.
    pub(crate) base: String,
}

impl Ask {
    pub(crate) fn new(parts: &Parts, body: Bytes, knobs: Knobs) -> Self {
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(pairs).unwrap_or_default(),
            credential: credential(&parts.headers, &knobs),
            headers: parts.headers.clone(),
            base: base(parts),
            body,
            knobs,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Every value of a query parameter; `name[]` counts as `name`, and comma lists are split.
    pub(crate) fn asked(&self, name: &str) -> Vec<String> {
        self.query
            .iter()
            .filter(|(key, _)| key == name || key.strip_suffix("[]") == Some(name))
            .flat_map(|(_, value)| value.split(',').map(str::to_owned))
            .collect()
    }

    /// The token or key that came in, for the fault that leaks it.
    pub(crate) fn secret(&self) -> &str {
        let bearer = self.header("authorization").and_then(|text| text.split_once(' ')).map(|(_, token)| token);
        bearer.or_else(|| self.header("x-api-key")).unwrap_or("")
    }

    pub(crate) fn is_json(&self) -> bool {
        let media = self.header("content-type").unwrap_or_default();
        media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
    }
}

fn base(parts: &Parts) -> String {
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
    format!("http://{}", host.unwrap_or("sandbox.invalid"))
}

fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

/// Percent signs decoded, `+` as a space.
pub(crate) fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The names of the members of a JSON object in the order they came, doubles included; none if it is no object.
pub(crate) fn members(body: &[u8]) -> Option<Vec<String>> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    serde_json::Deserializer::from_slice(body).deserialize_map(Names).ok()
}

/// The member of a JSON object as text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::{members, pairs};

    #[test]
    fn doubles_are_seen() {
        assert_eq!(members(br#"{"a":1,"b":{"c":[]},"a":2}"#).unwrap(), ["a", "b", "a"]);
        assert_eq!(members(b"[1]"), None);
    }

    #[test]
    fn queries_are_decoded() {
        let expected = [("expand[]".to_owned(), "a b".to_owned()), ("x".to_owned(), String::new())];
        assert_eq!(pairs("expand%5B%5D=a+b&x"), expected);
    }
}
