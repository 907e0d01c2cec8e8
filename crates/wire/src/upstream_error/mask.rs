//! Whatever looks like a key is masked, known to us or not: backends like to quote what they refuse. So are the ids of the accounts
//! that keys belong to, and places inside somebody's network: they are the operator's business, not a caller's.

use std::net::Ipv4Addr;

use types::secret::MASK;

/// How keys and ids of accounts begin.
const PREFIXES: &[&str] = &[
    "hf_", "api_org_", "sk-", "sk_", "gsk_", "csk-", "fw_", "r8_", "nvapi-", "xai-", "rpa_", "AIza", "org-", "proj_",
    "acct_",
];

/// How names end that mean something inside a network only.
const INSIDE: &[&str] = &[".internal", ".local", ".localdomain", ".svc", ".lan", ".corp", ".intranet"];

/// `text` with everything masked that looks like a key, a bearer token, an account's id, or a place inside a network.
pub fn mask_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_bearer = false;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_key_char(c)).unwrap_or(rest.len());
        if end == 0 {
            let width = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..width]);
            rest = &rest[width..];
            continue;
        }
        // A full stop behind a word is not part of it.
        let end = rest[..end].trim_end_matches('.').len().max(1);
        let word = &rest[..end];
        if is_inside(word) || (after_bearer && word.len() >= 6) || looks_like_key(word) {
            out.push_str(MASK);
        } else {
            out.push_str(word);
        }
        after_bearer = word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("x-key");
        rest = &rest[end..];
    }
    out
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*' | '.' | '…')
}

fn looks_like_key(word: &str) -> bool {
    PREFIXES.iter().any(|prefix| {
        word.find(prefix).is_some_and(|at| {
            let starts = at == 0 || !word.as_bytes()[at - 1].is_ascii_alphanumeric();
            let tail = &word[at + prefix.len()..];
            let random = tail.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase() || b == b'*' || b == b'.');
            starts && tail.len() >= 6 && random
        })
    })
}

/// Whether a word is an address or a name that only somebody's own network knows.
fn is_inside(word: &str) -> bool {
    match word.parse::<Ipv4Addr>() {
        Ok(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Err(_) => INSIDE.iter().any(|end| word.strip_suffix(end).is_some_and(|name| !name.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_make_are_masked_and_plain_words_are_not() {
        for (text, masked) in [
            ("Incorrect API key provided: sk-abcd****1234.", "Incorrect API key provided: [redacted]."),
            ("token hf_AbCdEf0123456789 is bad", "token [redacted] is bad"),
            ("sent 'Authorization: Bearer abcdef123456'", "sent 'Authorization: Bearer [redacted]'"),
            ("use hf_hub_download or task-list", "use hf_hub_download or task-list"),
            ("{\"key\":\"gsk_0aB9zzzzzz\"}", "{\"key\":\"[redacted]\"}"),
            ("no quota for org-Ab12Cd34Ef.", "no quota for [redacted]."),
            ("dial tcp 10.0.3.7:8080: refused", "dial tcp [redacted]:8080: refused"),
            ("at http://gpu-7.prod.svc.cluster.local/v1.", "at http://[redacted]/v1."),
            ("version 10.0.3 at 8.8.8.8, see api.groq.com...", "version 10.0.3 at 8.8.8.8, see api.groq.com..."),
        ] {
            assert_eq!(mask_keys(text), masked);
        }
    }
}
