//! Addresses that answers name: of those of the backend itself only the path counts, and it goes to our own origin.

use types::Result;

use super::bad_reply;

/// The longest address that is read.
const LONGEST: usize = 4096;

/// The path of an address (or a path) that an answer named, if it can be asked for as it is.
///
/// # Errors
/// `UpstreamBadReply` when it is no plain path: whoever writes such things shall not choose what is asked with our key.
pub(super) fn path(address: &str) -> Result<String> {
    let refuse = || Err(bad_reply("The backend named an address to ask that cannot be one of its own."));
    if address.len() > LONGEST {
        return refuse();
    }
    let rest = match address.split_once("://") {
        Some(("https" | "http", rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        Some(_) => return refuse(),
        None => address,
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@');
    let Some(segments) = path.strip_prefix('/') else { return refuse() };
    if !path.bytes().all(plain) || segments.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse();
    }
    Ok(path.to_owned())
}

/// An id that an answer gave, if it can stand as one segment of a path.
///
/// # Errors
/// `UpstreamBadReply` when it cannot.
pub(super) fn segment(id: &str) -> Result<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !id.is_empty() && id.len() <= 200 && id.bytes().all(plain) {
        Ok(id)
    } else {
        Err(bad_reply("The backend gave an id that cannot stand in a path."))
    }
}

/// Whether a text is an address that may be fetched, as far as its form says.
pub(super) fn is_web(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.len() <= LONGEST
        && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']))
        && !url.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_of_an_address_counts() {
        for (given, want) in [
            ("https://queue.fal.run/fal-ai/flux/requests/1-2", "/fal-ai/flux/requests/1-2"),
            ("https://evil.example/x/y?key=1#z", "/x/y"),
            ("/v1/predictions/abc", "/v1/predictions/abc"),
            ("http://169.254.169.254/latest/meta-data", "/latest/meta-data"),
        ] {
            assert_eq!(path(given).unwrap(), want);
        }
    }

    #[test]
    fn what_is_no_plain_path_is_refused() {
        for bad in [
            "",
            "x",
            "//evil.example/x",
            "https://host",
            "ftp://host/x",
            "file:///etc/passwd",
            "/a/../b",
            "/a/./b",
            "/a//b",
            "/a\r\nX: y",
            "/a%2e%2e/b",
            "/a b",
            "/a\\b",
            "javascript://x/y",
            "/",
            "https://host/..",
        ] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert!(segment("../x").is_err() && segment("").is_err() && segment("a_B-9").is_ok());
    }
}
