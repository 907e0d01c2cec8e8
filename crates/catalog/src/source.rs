//! Asking the Hub or the router: one GET, with a deadline and a limit, and never to another origin.

use std::time::Instant;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, LINK, LOCATION, USER_AGENT},
};
use net::{ByteBudget, CollectError, Fields, Origin, Outgoing, Permit, Upstream};
use types::{Secret, SendBody};

const AGENT: &str = concat!("ironbow/", env!("CARGO_PKG_VERSION"));

/// How many bytes of answers may be held at once by the whole catalogue.
const BUDGET: usize = 96 * 1024 * 1024;

/// A server that is asked for facts.
#[derive(Clone)]
pub(crate) struct Source {
    upstream: Upstream,
    origin: Origin,
    base: String,
    budget: ByteBudget,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// Where a redirect leads, as path and query below the base; only if it stays at the same origin.
    pub(crate) moved: Option<Next>,
    /// The next page, likewise.
    pub(crate) next: Option<Next>,
    /// The Hub's word for what is wrong.
    pub(crate) code: Option<String>,
}

/// An address that an answer gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// At the same origin: path and query.
    Here(String),
    /// Somewhere else: not followed.
    Elsewhere,
}

/// Why there is no answer: a sentence for the log, without secrets.
pub(crate) type Trouble = String;

impl Source {
    /// A source at `address`, which the operator wrote: it may be private.
    pub(crate) fn new(address: &str, upstream: Upstream) -> Result<Self, String> {
        let (origin, base) = Origin::parse(address, Permit::Declared).map_err(|e| format!("`{address}`: {e}"))?;
        Ok(Self { upstream, origin, base, budget: ByteBudget::new(BUDGET) })
    }

    /// Origin and base path, to tell one source's facts from another's.
    pub(crate) fn address(&self) -> String {
        format!("{}{}", self.origin, self.base)
    }

    /// The whole target of a path below the base.
    pub(crate) fn target(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Asks for `target` (path and query).
    pub(crate) async fn get(
        &self,
        target: &str,
        token: Option<&Secret>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Got, Trouble> {
        let mut reply = self.send(target, token, deadline).await;
        if matches!(&reply, Err(error) if error.reused) {
            // A kept connection was dead: asking once more changes nothing at the other side.
            reply = self.send(target, token, deadline).await;
        }
        let reply = reply.map_err(|error| error.to_string())?;
        let moved = reply.headers.get(LOCATION).and_then(|v| v.to_str().ok()).map(|to| self.follow(target, to));
        let next = next_link(&reply.headers).map(|to| self.follow(target, &to));
        let code = reply.headers.get("x-error-code").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let status = reply.status.as_u16();
        let held = reply.body.collect(limit, deadline, &self.budget).await.map_err(|error| match error {
            CollectError::Broken(error) => error.to_string(),
            other => other.to_string(),
        })?;
        Ok(Got { status, body: held.bytes, moved, next, code })
    }

    async fn send(&self, target: &str, token: Option<&Secret>, deadline: Instant) -> Result<net::Reply, net::NetError> {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(mut value) = token.and_then(|t| HeaderValue::try_from(format!("Bearer {}", t.expose())).ok()) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let (headers, body) = (headers.into(), SendBody::empty());
        let request = Outgoing { method: Method::GET, target: target.to_owned(), headers, body };
        self.upstream.send(&self.origin, request, deadline).await
    }

    /// Reads an address that an answer to `asked` gave.
    fn follow(&self, asked: &str, to: &str) -> Next {
        let target = if to.starts_with("//") || to.contains('\\') {
            return Next::Elsewhere;
        } else if to.starts_with('/') {
            to
        } else if let Some(query) = to.strip_prefix('?') {
            let path = asked.split('?').next().unwrap_or(asked);
            return Next::Here(format!("{path}?{query}"));
        } else {
            let path_at = to.find("://").and_then(|at| to[at + 3..].find(['/', '?']).map(|p| at + 3 + p));
            let Some(path_at) = path_at else { return Next::Elsewhere };
            match Origin::parse(&to[..path_at], Permit::Declared) {
                Ok((origin, _)) if origin == self.origin => &to[path_at..],
                _ => return Next::Elsewhere,
            }
        };
        let target = target.split('#').next().unwrap_or(target);
        let plain = target.starts_with('/') && target.bytes().all(|b| b.is_ascii_graphic());
        if plain { Next::Here(target.to_owned()) } else { Next::Elsewhere }
    }
}

/// The address of `rel="next"` in the `Link` headers.
fn next_link(headers: &Fields) -> Option<String> {
    let values = headers.get_all(&LINK).filter_map(|value| value.to_str().ok());
    for part in values.flat_map(split_links) {
        let (address, parameters) = part.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next"));
        if is_next {
            return Some(address.to_owned());
        }
    }
    None
}

/// Splits a `Link` value at the commas that stand between links, not at those inside an address.
fn split_links(value: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    value.split(move |c: char| {
        inside = match c {
            '<' => true,
            '>' => false,
            _ => inside,
        };
        c == ',' && !inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::new("https://hub.example/base", Upstream::new(net::UpstreamSettings::default())).unwrap()
    }

    #[test]
    fn an_address_is_followed_at_the_same_origin_only() {
        let source = source();
        let here = |to: &str| Next::Here(to.to_owned());
        for (to, want) in [
            ("/api/models/a/b?x=1", here("/api/models/a/b?x=1")),
            ("https://hub.example/api?cursor=1", here("/api?cursor=1")),
            ("https://HUB.example:443/api#frag", here("/api")),
            ("?cursor=2", here("/asked?cursor=2")),
            ("https://evil.example/api", Next::Elsewhere),
            ("http://hub.example/api", Next::Elsewhere),
            ("https://hub.example:444/api", Next::Elsewhere),
            ("https://hub.example@evil.example/api", Next::Elsewhere),
            ("//evil.example/api", Next::Elsewhere),
            ("/\\evil.example", Next::Elsewhere),
            ("relative/path", Next::Elsewhere),
            ("", Next::Elsewhere),
        ] {
            assert_eq!(source.follow("/asked?x=1", to), want, "{to}");
        }
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let next = |value: &'static str| next_link(&[("link", value)].into_iter().collect());
        assert_eq!(next("<https://h/a?x=1,2>; rel=\"next\"").as_deref(), Some("https://h/a?x=1,2"));
        assert_eq!(next("<https://h/p>; rel=\"prev\", <https://h/n>; rel=\"next\"").as_deref(), Some("https://h/n"));
        assert_eq!(next("<https://h/p>; rel=\"prev\""), None);
        assert_eq!(next("nonsense"), None);
    }
}
