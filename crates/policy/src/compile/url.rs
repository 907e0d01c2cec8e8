//! Reads an address that the operator wrote.

use std::net::Ipv6Addr;

use crate::compiled::BaseUrl;

/// The checked address, or which rule it breaks. The text itself is never repeated: it may hold a password.
pub(crate) fn parse(text: &str) -> Result<BaseUrl, String> {
    let (scheme, rest) =
        text.split_once("://").ok_or("expected an address such as \"https://host\" or \"http://127.0.0.1:8000/v1\"")?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err("an address begins with http:// or https://".to_owned());
    }
    let bad = rest
        .chars()
        .find(|c| !(c.is_ascii_graphic()) || matches!(c, '\\' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}'));
    match bad {
        Some(c) if c.is_whitespace() || c.is_control() => return Err("an address has no spaces".to_owned()),
        Some(_) => return Err("this address has a character that addresses cannot have".to_owned()),
        None => {}
    }
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    if rest.contains(['?', '#']) {
        return Err("an address here has no query (\"?\") and no fragment (\"#\")".to_owned());
    }
    if authority.contains('@') {
        return Err("an address has no user name or password in it; a key is given under huggingface.keys or servers.<name>.key".to_owned());
    }
    let authority = host_and_port(authority, &scheme)?;
    let path = path.trim_end_matches('/');
    if path.contains("//") || path.split('/').any(|part| part == "." || part == "..") || path.contains('%') {
        return Err("the path of an address has no empty parts, no \".\" and \"..\", and no percent signs".to_owned());
    }
    Ok(BaseUrl::checked(&format!("{scheme}://{authority}{path}")))
}

/// Whether the host of a checked address is this machine.
pub(crate) fn is_loopback(url: &BaseUrl) -> bool {
    let authority = url.as_str().split('/').nth(2).unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// A host in lower case, and the port if it is not the scheme's own.
fn host_and_port(authority: &str, scheme: &str) -> Result<String, String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (ip, tail) = rest.split_once(']').ok_or("an IPv6 address stands in brackets: http://[::1]:8000")?;
            let ip: Ipv6Addr = ip.parse().map_err(|_| "this is not an IPv6 address".to_owned())?;
            let port = match tail {
                "" => None,
                tail => Some(tail.strip_prefix(':').ok_or("after the brackets comes only a port")?),
            };
            (format!("[{ip}]"), port)
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            if !is_host(host) {
                return Err("this address has no host that could exist: letters, digits, \"-\" and \".\"".to_owned());
            }
            (host.to_ascii_lowercase(), port)
        }
    };
    match port {
        None => Ok(host),
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => {
                let own = (scheme == "https" && number == 443) || (scheme == "http" && number == 80);
                Ok(if own { host } else { format!("{host}:{number}") })
            }
            _ => Err("a port is a number from 1 to 65535".to_owned()),
        },
    }
}

/// Whether this can be the name or IPv4 address of a host.
pub(crate) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    if !(1..=253).contains(&text.len()) || !text.split('.').all(label) {
        return false;
    }
    // Browsers and resolvers read names that end in a number as IPv4 addresses, in odd notations too.
    let last = text.rsplit('.').next().unwrap_or(text);
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
    !number || text.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_come_out_in_one_form() {
        for (text, form) in [
            ("https://router.huggingface.co", "https://router.huggingface.co"),
            ("HTTPS://Router.HuggingFace.co:443/", "https://router.huggingface.co"),
            ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
            ("http://[::1]:8000", "http://[::1]:8000"),
            ("http://my_vllm:80", "http://my_vllm"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), form);
        }
        assert!(is_loopback(&parse("http://127.0.0.2:1/x").unwrap()) && is_loopback(&parse("http://[::1]").unwrap()));
        assert!(!is_loopback(&parse("http://127.evil.com").unwrap()));
    }

    #[test]
    fn an_address_that_could_lead_elsewhere_is_refused() {
        for text in [
            "",
            "host",
            "ftp://host",
            "https://",
            "https:///x",
            "https://user:secret@host",
            "https://host?x=1",
            "https://host#x",
            "https://host/%2e%2e",
            "https://host/../x",
            "https://host//x",
            "https://ho st",
            "https://host:0",
            "https://host:70000",
            "https://host:+80",
            "https://[::1",
            "https://[zz]",
            "https://-x",
            "https://0x7f.1",
            "https://2130706433",
            "https://host\\@evil",
            "https://hôte",
            "https://host/\r\nx",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{text}");
        }
    }
}
