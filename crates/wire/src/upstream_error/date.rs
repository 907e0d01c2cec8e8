//! `Retry-After`: seconds, or a date of HTTP.

use std::time::Duration;

/// How long to wait; `now` is seconds since 1970.
pub(super) fn retry_after(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(number) = value.parse::<f64>() {
        return super::seconds(number);
    }
    let then = http_date(value)?;
    super::seconds(then.saturating_sub(now) as f64)
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers send today.
fn http_date(text: &str) -> Option<u64> {
    let rest = text.split_once(", ")?.1;
    let mut words = rest.split_ascii_whitespace();
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = 1 + months.iter().position(|name| *name == month)? as u64;
    (words.next() == Some("GMT")).then_some(())?;
    crate::calendar::seconds((year, month, day), (hour, minute, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_nonsense_is_not() {
        let now = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, wait) in [
            ("2", Some(2.0)),
            ("0.5", Some(0.5)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10.0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0.0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("99999999999", None),
            ("Sun, 06 Foo 1994 08:49:47 GMT", None),
        ] {
            assert_eq!(retry_after(value, now), wait.map(Duration::from_secs_f64), "{value}");
        }
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
    }
}
