//! How foreign text is quoted in a message: short, escaped, and never something that looks like a secret.

use types::secret::MASK;

/// A model's name as a caller wrote it, quoted. What looks like a token is masked.
pub(crate) fn name(text: &str) -> String {
    quote(text, has_token(text))
}

/// A value of a configuration, quoted. Everything that could be a secret is masked: better one too many.
pub(crate) fn value(text: &str) -> String {
    quote(text, has_token(text) || looks_random(text))
}

fn quote(text: &str, secret: bool) -> String {
    if secret {
        return MASK.to_owned();
    }
    let mut quoted = String::from("\"");
    for (count, c) in text.chars().enumerate() {
        if count == 80 {
            quoted.push('…');
            break;
        }
        quoted.extend(c.escape_debug());
    }
    quoted.push('"');
    quoted
}

/// A known beginning of a token, followed by something long enough to be one.
fn has_token(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["hf_", "api_org_", "sk-", "sk_", "gsk_", "key-", "bearer "].iter().any(|mark| {
        lower.match_indices(mark).any(|(at, _)| {
            let tail = &lower.as_bytes()[at + mark.len()..];
            tail.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_' || **b == b'-').count() >= 6
        })
    })
}

/// A user and password in an address, or a long run of letters and digits as people do not write them.
fn looks_random(text: &str) -> bool {
    if text.contains('@') {
        return true;
    }
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '+' || c == '=')).any(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        run.len() >= 16 && digits >= 2 && digits < run.len() || run.len() >= 40
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_masked_and_the_rest_is_readable() {
        for secret in ["hf_abcdef", "Bearer abcdefgh", "x sk-proj-abc123", "https://me:pw@host", "a1b2c3d4e5f6a7b8c9"] {
            assert_eq!(value(secret), MASK, "{secret}");
        }
        assert_eq!(value("127.0.0.1:80 80"), "\"127.0.0.1:80 80\"");
        assert_eq!(name("a\nb\u{0}"), "\"a\\nb\\0\"");
        assert_eq!(name("task-1"), "\"task-1\"");
        assert!(name(&"x".repeat(500)).len() < 100);
    }
}
