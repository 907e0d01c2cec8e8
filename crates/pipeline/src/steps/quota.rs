//! What a backend lets a key do, by the headers of its answers. Two families are in use: `x-ratelimit-{what}-{of}` with `of`
//! being `requests` or `tokens`, and the same without `of` for requests.

use std::time::Duration;

use net::Fields;
use policy::health::{Bucket, Quota};

/// Reads the headers of an answer; nothing where they say nothing.
pub(crate) fn read(headers: &Fields) -> Option<Quota> {
    let (mut requests, mut tokens) = (Said::default(), Said::default());
    let mut any = false;
    for (name, value) in headers.iter() {
        let Some(what) = limited(name) else { continue };
        let Ok(value) = value.to_str() else { continue };
        let (what, of) = match what.rsplit_once('-') {
            Some((what, "tokens")) => (what, &mut tokens),
            Some((what, "requests")) => (what, &mut requests),
            _ => (what, &mut requests),
        };
        any |= of.take(what, value.trim());
    }
    any.then(|| Quota { requests: requests.bucket(), tokens: tokens.bucket() })
}

/// What stands behind the family's name.
fn limited(name: &[u8]) -> Option<&str> {
    let what = name.strip_prefix(b"x-ratelimit-").or_else(|| name.strip_prefix(b"ratelimit-"))?;
    std::str::from_utf8(what).ok()
}

#[derive(Default)]
struct Said {
    remaining: Option<u64>,
    limit: Option<u64>,
    reset: Option<Duration>,
}

impl Said {
    fn take(&mut self, what: &str, value: &str) -> bool {
        // Limits of days and months come beside those of minutes: the shortest window is the one that is met first.
        match what {
            "remaining" => self.remaining = whole(value),
            "limit" => self.limit = whole(value),
            "reset" => self.reset = wait(value),
            _ => return false,
        }
        true
    }

    fn bucket(self) -> Option<Bucket> {
        Some(Bucket { remaining: self.remaining?, limit: self.limit, reset: self.reset })
    }
}

/// A count; `14, 14;w=60` and `14.0` are read as 14.
fn whole(value: &str) -> Option<u64> {
    let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// A time to wait: seconds (`7.66`), or units (`6m0s`, `120ms`, `1h2m3.5s`). A date is not believed.
fn wait(value: &str) -> Option<Duration> {
    /// More seconds than this are a date.
    const DATE: f64 = 1e8;
    let mut total = 0.0;
    let mut rest = value;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ms" => 0.001,
            "s" | "" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        rest = &rest[end..];
        total += number * unit;
    }
    (!value.is_empty() && total < DATE).then(|| Duration::from_secs_f64(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Option<Quota> {
        read(&pairs.iter().copied().collect())
    }

    #[test]
    fn headers_of_both_families_are_read() {
        let quota = of(&[
            ("content-type", "x"),
            ("x-ratelimit-limit-requests", "14400"),
            ("x-ratelimit-remaining-requests", "14370"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
            ("x-ratelimit-limit-tokens", "18000"),
            ("x-ratelimit-remaining-tokens", "17997"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ]);
        let quota = quota.unwrap();
        let requests = quota.requests.unwrap();
        assert_eq!((requests.remaining, requests.limit), (14_370, Some(14_400)));
        assert_eq!(requests.reset, Some(Duration::from_secs_f64(179.56)));
        assert_eq!(quota.tokens.unwrap().remaining, 17_997);
        let plain = of(&[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "12")]).unwrap().requests.unwrap();
        assert_eq!((plain.remaining, plain.reset), (5, Some(Duration::from_secs(12))));
        assert_eq!(of(&[("ratelimit-remaining", "5, 5;w=60")]).unwrap().requests.unwrap().remaining, 5);
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        assert_eq!(of(&[("content-type", "x"), ("x-ratelimit-policy", "5;w=60")]), None);
        assert_eq!(of(&[("x-ratelimit-limit", "5")]).unwrap(), Quota::default());
        assert_eq!(wait("1764259200"), None, "a date");
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("250ms"), Some(Duration::from_millis(250)));
    }
}
