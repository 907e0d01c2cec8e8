//! Who may call a keyless listener: programs, not web pages. A page in a browser can reach loopback by a name of its own
//! (DNS rebinding) or by a cross-site request; the first shows in `Host`, the second in `Origin`.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use net::Request;
use types::{Fault, Kind, Result};

/// The names by which the listener may be called.
pub(crate) struct Gate {
    hosts: Vec<Box<str>>,
}

impl Gate {
    /// A gate that knows these names, besides `localhost` and IP addresses.
    pub(crate) fn new(hosts: &[Box<str>]) -> Self {
        Self { hosts: hosts.to_vec() }
    }

    /// Lets a request pass.
    ///
    /// # Errors
    /// `Forbidden` for a foreign `Host` or `Origin`.
    pub(crate) fn check(&self, request: &Request) -> Result<()> {
        let host = match request.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => request.headers.get(HOST).map(|value| value.to_str().unwrap_or("")),
        };
        if let Some(host) = host
            && !self.knows(host)
        {
            return Err(Fault::new(
                Kind::Forbidden,
                "This gateway does not go by the name in the `Host` header. Call it by `localhost` or an IP address, or add the name to `listener.hosts`.",
            ));
        }
        let Some(origin) = request.headers.get(ORIGIN) else { return Ok(()) };
        let scheme = if request.tls { "https://" } else { "http://" };
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix(scheme));
        if origin.is_some() && origin == host {
            return Ok(());
        }
        Err(Fault::new(
            Kind::Forbidden,
            "This gateway works without keys and takes no requests from web pages of another origin.",
        ))
    }

    fn knows(&self, host: &str) -> bool {
        if let Some(rest) = host.strip_prefix('[') {
            return rest.split_once(']').is_some_and(|(ip, port)| ip.parse::<Ipv6Addr>().is_ok() && is_port(port));
        }
        let (name, port) = host.find(':').map_or((host, ""), |colon| host.split_at(colon));
        let name = name.strip_suffix('.').unwrap_or(name);
        let local = name.len() >= 9 && {
            let (sub, tail) = name.as_bytes().split_at(name.len() - 9);
            tail.eq_ignore_ascii_case(b"localhost") && (sub.is_empty() || sub.ends_with(b"."))
        };
        is_port(port)
            && (local
                || name.parse::<Ipv4Addr>().is_ok()
                || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_goes_by_localhost_by_addresses_and_by_the_names_it_was_given() {
        let gate = Gate::new(&["gateway.internal".into()]);
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "127.0.0.1",
            "10.2.3.4:80",
            "[::1]",
            "[::1]:8080",
            "a.localhost",
            "localhost.",
            "Gateway.Internal:443",
        ] {
            assert!(gate.knows(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "[::1]x",
            "localhost:x",
            "localhost@evil",
            "evillocalhost",
            "2130706433",
            "x.gateway.internal",
            "é",
        ] {
            assert!(!gate.knows(host), "{host}");
        }
    }
}
