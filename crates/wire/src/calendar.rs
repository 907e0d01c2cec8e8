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
