//! Addresses: splitting a base, joining paths, and writing a model's name into a path so that it stays one.

use types::{Fault, Kind, Result};

/// Stands in a path for the backend's name of the model.
pub const MODEL: &str = "{model}";

/// The longest model name that is put into a path.
const LONGEST_NAME: usize = 1024;

/// An address in two pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `scheme://host[:port]`.
    pub origin: String,
    /// The path, with a slash in front and none at the end; empty for the root.
    pub path: String,
}

/// Splits an address that an operator or the table wrote.
///
/// # Errors
/// A sentence for the operator when it is not an `http` or `https` address, or carries a user or a fragment.
pub fn split(address: &str) -> Result<Address, String> {
    let bad = |why: &str| Err(format!("`{address}` {why}; write it as https://host[:port][/path]"));
    let Some((scheme, rest)) = address.split_once("://") else {
        return bad("is not an address");
    };
    if scheme != "https" && scheme != "http" {
        return bad("is neither https nor http");
    }
    if rest.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'\\' || !b.is_ascii()) {
        return bad("has characters that an address cannot have");
    }
    if rest.contains(['?', '#']) {
        return bad("has a query or a fragment");
    }
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.is_empty() {
        return bad("names no host");
    }
    if host.contains('@') {
        return bad("carries a user name, which belongs in a key");
    }
    let path = path.trim_end_matches('/');
    if path.contains("//") || path.split('/').any(|part| matches!(part, "." | "..")) {
        return bad("has a path with empty, `.` or `..` parts");
    }
    Ok(Address { origin: format!("{scheme}://{host}"), path: path.to_owned() })
}

/// Joins a base path and a relative path with exactly one slash.
pub(crate) fn join(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

/// Where a declared server has `rest` of OpenAI's API: an address that ends in `/chat/completions` has it beside that,
/// one that ends in `/v1` gets `rest`, any other gets `v1/` and `rest`. The rule of Hugging Face's own clients for chat.
pub fn api_path(path: &str, rest: &str) -> String {
    let path = path.trim_end_matches('/');
    if let Some(base) = path.strip_suffix("/chat/completions") {
        join(base, rest)
    } else if path.ends_with("/v1") {
        join(path, rest)
    } else {
        join(path, &format!("v1/{rest}"))
    }
}

/// Where a declared server has what is not OpenAI's: at its address itself, with `rest` behind it unless it is there
/// already. What the address has for OpenAI's API is cut first.
pub fn own_path(path: &str, rest: &str) -> String {
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path);
    let path = path.strip_suffix("/v1").unwrap_or(path);
    match rest {
        "" if path.is_empty() => "/".to_owned(),
        "" => path.to_owned(),
        _ if path.ends_with(&format!("/{rest}")) => path.to_owned(),
        _ => join(path, rest),
    }
}

/// A model's name as path segments: `/` stays, every other reserved byte is escaped, so that no name can reach another
/// path, a query or another request.
///
/// # Errors
/// A name that is empty, too long, or has an empty, `.` or `..` segment or a control character.
pub fn model_segments(model: &str) -> Result<String> {
    let refuse = |why: &str| Err(Fault::new(Kind::UnknownModel, format!("The model's name {why}.")).param("model"));
    if model.len() > LONGEST_NAME {
        return refuse("is longer than 1024 bytes");
    }
    if model.chars().any(char::is_control) {
        return refuse("has a control character");
    }
    let mut path = String::with_capacity(model.len() + 8);
    for (i, segment) in model.split('/').enumerate() {
        match segment {
            "" => return refuse("has an empty part between slashes"),
            "." | ".." => return refuse("has a part that is only dots"),
            _ => {}
        }
        if i > 0 {
            path.push('/');
        }
        for byte in segment.bytes() {
            escape(byte, &mut path);
        }
    }
    Ok(path)
}

/// Appends one byte, escaped unless RFC 3986 calls it unreserved.
fn escape(byte: u8, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_falls_into_origin_and_path() {
        let got = split("http://127.0.0.1:9000/direct/groq/").unwrap();
        assert_eq!((got.origin.as_str(), got.path.as_str()), ("http://127.0.0.1:9000", "/direct/groq"));
        assert_eq!(split("https://api.groq.com").unwrap().path, "");
        assert_eq!(split("https://api.groq.com/").unwrap().path, "");
    }

    #[test]
    fn what_is_no_plain_address_is_refused_with_a_reason() {
        for bad in [
            "api.groq.com",
            "ftp://x/",
            "https://",
            "https:///v1",
            "https://a b/",
            "https://a\\b/",
            "https://x#y",
            "https://x?y",
            "https://x/../y",
            "https://x//y",
        ] {
            assert!(split(bad).unwrap_err().contains("https://host"), "{bad}");
        }
        assert!(split("https://me:pw@host/").unwrap_err().contains("user"));
    }

    #[test]
    fn the_path_of_a_declared_server_follows_the_clients_rule() {
        for (given, want) in [
            ("", "/v1/chat/completions"),
            ("/", "/v1/chat/completions"),
            ("/v1", "/v1/chat/completions"),
            ("/v1/", "/v1/chat/completions"),
            ("/api/v1", "/api/v1/chat/completions"),
            ("/api", "/api/v1/chat/completions"),
            ("/x/chat/completions", "/x/chat/completions"),
            ("/x/chat/completions/", "/x/chat/completions"),
        ] {
            assert_eq!(api_path(given, "chat/completions"), want, "{given}");
            let other = want.replace("chat/completions", "embeddings");
            assert_eq!(api_path(given, "embeddings"), other, "{given}");
        }
    }

    #[test]
    fn what_is_not_openais_stands_at_the_address_itself() {
        for (given, rest, want) in [
            ("", "", "/"),
            ("/x/", "", "/x"),
            ("/v1", "embed", "/embed"),
            ("/v1/chat/completions", "embed", "/embed"),
            ("/x/embed", "embed", "/x/embed"),
        ] {
            assert_eq!(own_path(given, rest), want, "{given}");
        }
    }

    #[test]
    fn a_hub_id_keeps_its_slash_and_everything_odd_is_escaped() {
        for (model, want) in [
            ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
            ("a?b#c", "a%3Fb%23c"),
            ("a%2fb", "a%252fb"),
            ("a:b@c d", "a%3Ab%40c%20d"),
            ("ä", "%C3%A4"),
            ("a..b/c", "a..b/c"),
        ] {
            assert_eq!(model_segments(model).unwrap(), want);
        }
    }

    #[test]
    fn a_name_that_would_climb_or_split_the_request_is_refused() {
        for model in ["", "..", "a/../b", "a/./b", "/a", "a/", "a//b", "a\r\nHost: x", "a\0", "a\tb", "a\u{85}b"] {
            let fault = model_segments(model).unwrap_err();
            assert_eq!((fault.kind, fault.param.as_deref()), (Kind::UnknownModel, Some("model")), "{model:?}");
        }
        assert!(model_segments(&"a".repeat(1025)).is_err());
    }

    proptest! {
        #[test]
        fn no_name_adds_a_segment_a_query_or_a_line(model in "\\PC{0,60}|[a-c./%?#\\\\]{0,20}") {
            if let Ok(path) = model_segments(&model) {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b);
                prop_assert!(path.bytes().all(plain));
                prop_assert_eq!(path.matches('/').count(), model.matches('/').count());
                prop_assert!(path.split('/').all(|s| !s.is_empty() && s != "." && s != ".."));
            }
        }
    }
}
