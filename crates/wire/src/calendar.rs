//! Dates as seconds, without a clock.

/// Seconds since 1970 of a date and time in UTC; nothing when there is no such date.
pub(crate) fn seconds(date: (u64, u64, u64), time: (u64, u64, u64)) -> Option<u64> {
    let ((year, month, day), (hour, minute, second)) = (date, time);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years are counted from March, so that the leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Seconds since 1970 of a date and time in UTC as `2024-01-31T09:00:00Z`; fractions of seconds are passed over.
pub(crate) fn read(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let three = |text: &str, between: char| -> Option<(u64, u64, u64)> {
        let mut parts = text.split(between).map(|part| part.parse().ok());
        let three = (parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(three)
    };
    seconds(three(date, '-')?, three(time.split('.').next()?, ':')?)
}

/// A number of seconds since 1970 as a date and time in UTC, e.g. `2024-01-31T09:00:00Z`.
pub fn written(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400 + 719_468, seconds % 86_400);
    // Eras of 400 years, and years that begin in March.
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (400 * era + year, month + 3) } else { (400 * era + year + 1, month - 9) };
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}
