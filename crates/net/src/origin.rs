//! Where requests go: scheme, host and port, parsed once and by one parser for check and use.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

/// What addresses an origin may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permit {
    /// Public addresses only: the address came from data (a catalogue, a caller).
    Public,
    /// Whatever the operator wrote down, private and loopback included; cloud metadata only if written as an address.
    Declared,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The host of an origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Name(Box<str>),
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Scheme, host and port. Cloning is cheap; two equal origins share their connections.
#[derive(Clone)]
pub struct Origin(Arc<Inner>, Option<Duration>);

struct Inner {
    scheme: Scheme,
    host: Host,
    port: u16,
    permit: Permit,
    /// What the `Host` header says: the port only if it is not the scheme's own.
    authority: Box<str>,
    hash: u64,
}

/// Why a URL is no address of a backend. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadOrigin(String);

impl Origin {
    /// Reads a base URL such as `https://host:8443/base/path`. Gives the origin and the base path (without a slash at
    /// its end; empty if there is none).
    ///
    /// # Errors
    /// Anything but `http` or `https`, user information, a query or fragment, and every spelling of a host that two
    /// parsers could read differently.
    pub fn parse(url: &str, permit: Permit) -> Result<(Self, String), BadOrigin> {
        let bad = |why: &str| BadOrigin(format!("{why}; write it like https://host:port/base/path"));
        if url.len() > 2_048 {
            return Err(bad("the address is longer than 2048 characters"));
        }
        if !url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("the address has spaces, control characters or non-ASCII characters"));
        }
        if url.contains('\\') {
            return Err(bad("the address has a backslash"));
        }
        let (scheme, rest) = if let Some(rest) = strip_prefix_ignore_case(url, "https://") {
            (Scheme::Https, rest)
        } else if let Some(rest) = strip_prefix_ignore_case(url, "http://") {
            (Scheme::Http, rest)
        } else {
            return Err(bad("the address must begin with https:// or http://"));
        };
        if rest.contains(['?', '#']) {
            return Err(bad("the address has a query or a fragment"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(bad("the address has user information; keys have a setting of their own"));
        }
        let (host, port) = split_port(authority).ok_or_else(|| bad("the port is not a number from 1 to 65535"))?;
        let host = read_host(host).map_err(bad)?;
        let path = path.trim_end_matches('/');
        if path.split('/').any(|segment| matches!(segment, "." | "..")) || path.contains("//") {
            return Err(bad("the path has empty, `.` or `..` segments"));
        }
        Ok((Self::new(scheme, host, port.unwrap_or(scheme.default_port()), permit), path.to_owned()))
    }

    fn new(scheme: Scheme, host: Host, port: u16, permit: Permit) -> Self {
        let authority = if port == scheme.default_port() { host.to_string() } else { format!("{host}:{port}") };
        let mut hasher = std::hash::DefaultHasher::new();
        (scheme, &host, port, permit).hash(&mut hasher);
        let hash = hasher.finish();
        Self(Arc::new(Inner { scheme, host, port, permit, authority: authority.into(), hash }), None)
    }

    /// The same, to which a connection must be made within this time; else the client's own limit counts.
    #[must_use]
    pub fn connect_within(self, limit: Duration) -> Self {
        Self(self.0, Some(limit))
    }

    pub(crate) const fn connect_limit(&self) -> Option<Duration> {
        self.1
    }

    /// Clear text or TLS.
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The host as a URL has it (an IPv6 address in brackets).
    pub fn host(&self) -> String {
        self.0.host.to_string()
    }

    /// The port, the scheme's own if none was written.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// What this origin may lead to.
    pub fn permit(&self) -> Permit {
        self.0.permit
    }

    /// What the `Host` header says.
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    pub(crate) fn host_ref(&self) -> &Host {
        &self.0.host
    }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Splits `host:port`; an IPv6 address keeps its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let colon = match authority.rfind(']') {
        Some(end) if end + 1 == authority.len() => None,
        Some(end) => Some(end + 1),
        None => authority.find(':'),
    };
    let Some(colon) = colon else { return Some((authority, None)) };
    let port = authority[colon..].strip_prefix(':')?;
    let digits = !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let number = port.parse().ok().filter(|n| *n != 0 && digits)?;
    Some((&authority[..colon], Some(number)))
}

fn read_host(host: &str) -> Result<Host, &'static str> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("the host has a bracket too few")?;
        return inner
            .parse::<Ipv6Addr>()
            .map(|ip| Host::Ip(IpAddr::V6(ip)))
            .map_err(|_| "the host is not an IPv6 address");
    }
    let host = host.to_ascii_lowercase();
    if host.is_empty() || host.len() > 253 {
        return Err("the host is empty or longer than 253 characters");
    }
    if host.ends_with('.') {
        return Err("the host ends with a dot");
    }
    let label_is_good = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !host.split('.').all(label_is_good) {
        return Err("the host is not a name of letters, digits, dots and hyphens");
    }
    // Old resolvers read 127.1, 0x7f.1 and 2130706433 as addresses; here only four plain decimal numbers are one.
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        let ip = host.parse::<Ipv4Addr>().map_err(|_| "the host looks like a number but is not an IPv4 address")?;
        return Ok(Host::Ip(IpAddr::V4(ip)));
    }
    Ok(Host::Name(host.into()))
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        Arc::ptr_eq(&self.0, &other.0)
            || (a.hash == b.hash
                && a.port == b.port
                && a.scheme == b.scheme
                && a.permit == b.permit
                && a.host == b.host)
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme.as_str(), self.0.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_becomes_an_origin_and_a_base_path() {
        for (url, shown, path) in [
            ("https://api.groq.com/openai/", "https://api.groq.com", "/openai"),
            ("https://api.groq.com", "https://api.groq.com", ""),
            ("HTTP://LocalHost:8080/", "http://localhost:8080", ""),
            ("http://127.0.0.1:80/v1", "http://127.0.0.1", "/v1"),
            ("https://[2001:db8::1]:444/a/b", "https://[2001:db8::1]:444", "/a/b"),
            ("https://[::1]", "https://[::1]", ""),
        ] {
            let (origin, base) = Origin::parse(url, Permit::Declared).unwrap();
            assert_eq!((origin.to_string().as_str(), base.as_str()), (shown, path), "{url}");
        }
    }

    #[test]
    fn spellings_that_two_parsers_could_read_differently_are_refused() {
        for url in [
            "",
            "api.groq.com",
            "//api.groq.com",
            "ftp://api.groq.com",
            "file:///etc/passwd",
            "gopher://x",
            "data:text/plain,x",
            "https:/x",
            "https:x",
            "https://",
            "https:///x",
            "https://user@host",
            "https://user:secret@host",
            "https://good.example@127.0.0.1",
            "https://host\\@127.0.0.1",
            "https://host/..",
            "https://host/a/../b",
            "https://host//a",
            "https://host?x=1",
            "https://host#x",
            "https://host:0",
            "https://host:65536",
            "https://host:",
            "https://host:+80",
            "https://host:8 0",
            "https://ho st",
            " https://host",
            "https://host\n",
            "https://h\u{f6}st",
            "https://127\u{3002}0.0.1",
            "https://%6c%6f",
            "https://host.",
            "https://localhost.",
            "https://a..b",
            "https://-a.b",
            "https://a-.b",
            "https://2130706433",
            "https://127.1",
            "https://127.0.1",
            "https://0x7f.0.0.1",
            "https://0x7f000001",
            "https://0177.0.0.1",
            "https://127.0.0.01",
            "https://1.2.3.4.5",
            "https://256.1.1.1",
            "https://1.2.3.0x4",
            "https://[::1",
            "https://::1",
            "https://[::1]x",
            "https://[fe80::1%25eth0]",
            "https://[127.0.0.1]",
            "https://*",
            "https://a,b",
        ] {
            assert!(Origin::parse(url, Permit::Declared).is_err(), "{url:?} was taken");
        }
    }

    #[test]
    fn equal_means_same_scheme_host_port_and_permit() {
        let origin = |url: &str, permit| Origin::parse(url, permit).unwrap().0;
        assert_eq!(origin("https://A.example", Permit::Public), origin("https://a.example:443/x", Permit::Public));
        assert_ne!(origin("https://a.example", Permit::Public), origin("https://a.example", Permit::Declared));
        assert_ne!(origin("https://a.example", Permit::Public), origin("http://a.example:443", Permit::Public));
    }
}
