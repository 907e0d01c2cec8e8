//! Who calls: reads the credential that was presented. Until virtual keys exist, everyone is the local caller.

use http::{HeaderName, header::AUTHORIZATION};
use net::Fields;
use types::{Fault, Kind, Result, Secret};

/// Header names in which the SDKs of the field present a key.
const KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Whom the caller wants billed.
const BILL_TO: HeaderName = HeaderName::from_static("x-hf-bill-to");

/// No key that anybody issues is longer.
const MAX_CREDENTIAL: usize = 4096;

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    /// What was presented, if anything. It is for the gateway; whether it may go upstream is decided by `policy`.
    pub(crate) credential: Option<Secret>,
    /// The organisation the caller wants billed; counts only together with the caller's own token.
    pub(crate) bill_to: Option<String>,
}

/// Reads the caller from a request's headers.
///
/// # Errors
/// `Unauthenticated` when a credential is malformed, or when two headers present different ones.
pub(crate) fn authenticate(headers: &Fields) -> Result<Caller> {
    let mut credential: Option<&str> = None;
    for value in headers.get_all(&AUTHORIZATION) {
        let Some(token) = bearer(value.as_bytes()) else {
            return Err(refused("The `Authorization` header must read `Bearer <key>`."));
        };
        check(token)?;
        credential = agree(credential, token)?;
    }
    for name in &KEY_HEADERS {
        for value in headers.get_all(name) {
            let token = value.to_str().map_err(|_| refused("The key holds characters that no key has."))?;
            check(token)?;
            credential = agree(credential, token)?;
        }
    }
    let bill_to = headers.get(BILL_TO).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty()).map(str::to_owned);
    Ok(Caller { credential: credential.filter(|c| !c.is_empty()).map(Secret::new), bill_to })
}

/// The token of `Bearer <token>`; the scheme's case does not matter. SDKs without a key send `Bearer ` alone.
fn bearer(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    // As everybody writes it.
    if let Some(token) = text.strip_prefix("Bearer ")
        && !token.starts_with(' ')
        && !token.ends_with(' ')
    {
        return Some(token);
    }
    let text = text.trim_matches(' ');
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

fn check(token: &str) -> Result<()> {
    if token.len() > MAX_CREDENTIAL || token.bytes().fold(false, |odd, b| odd | !b.is_ascii_graphic()) {
        return Err(refused("The key is longer than any key, or holds characters that no key has."));
    }
    Ok(())
}

/// Two headers may repeat one key; two different keys leave open who calls.
fn agree<'a>(seen: Option<&'a str>, token: &'a str) -> Result<Option<&'a str>> {
    match seen {
        Some(other) if other != token => Err(refused("Two headers present different keys: send one.")),
        _ => Ok(Some(token)),
    }
}

fn refused(message: &str) -> Box<Fault> {
    Fault::new(Kind::Unauthenticated, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(pairs: &[(&'static str, &str)]) -> Result<Caller> {
        authenticate(&pairs.iter().copied().collect())
    }

    #[test]
    fn a_key_is_read_from_any_of_the_four_headers() {
        for pair in [
            ("authorization", "Bearer hf_x"),
            ("authorization", "bearer hf_x"),
            ("x-api-key", "hf_x"),
            ("api-key", "hf_x"),
            ("x-goog-api-key", "hf_x"),
        ] {
            assert_eq!(caller(&[pair]).unwrap().credential, Some(Secret::new("hf_x")), "{pair:?}");
        }
        assert_eq!(caller(&[]).unwrap().credential, None);
        assert_eq!(caller(&[("authorization", "Bearer ")]).unwrap().credential, None);
    }

    #[test]
    fn the_same_key_twice_is_one_key_and_two_keys_are_refused() {
        assert!(caller(&[("authorization", "Bearer a"), ("x-api-key", "a")]).is_ok());
        assert_eq!(
            caller(&[("authorization", "Bearer a"), ("x-api-key", "b")]).unwrap_err().kind,
            Kind::Unauthenticated
        );
        assert_eq!(
            caller(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]).unwrap_err().kind,
            Kind::Unauthenticated
        );
    }

    #[test]
    fn malformed_credentials_are_refused_without_being_quoted() {
        let long = format!("Bearer {}", "x".repeat(5000));
        for value in ["Basic dTpw", "hf_x", "Bearer a b", "Bearer a\tb", "Bearer ä", &long] {
            let fault = caller(&[("authorization", value)]).unwrap_err();
            assert_eq!(fault.kind, Kind::Unauthenticated, "{value}");
            assert!(!fault.message.contains("hf_x") && !fault.message.contains("dTpw"));
        }
    }
}
