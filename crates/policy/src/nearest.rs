//! Which known name a misspelt one probably means.

/// The known name that is nearest to `text`, if any is near enough to be worth a question.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let wanted = plain(text);
    known
        .into_iter()
        .map(|name| (distance(&wanted, &plain(name)), name))
        .filter(|(steps, name)| *steps <= (wanted.len().max(name.len()) / 3).max(1) && *steps < wanted.len().max(2))
        .min()
        .map(|(_, name)| name)
}

/// Letters in lower case and one kind of separator: `Max-Head` is as near to `max_head` as can be.
fn plain(text: &str) -> Vec<u8> {
    text.bytes().map(|b| if b == b'-' { b'_' } else { b.to_ascii_lowercase() }).collect()
}

/// Edits between two words: insert, delete, replace, or swap two neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// ` (did you mean "x"?)`, or nothing.
pub(crate) fn hint<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, known).map_or_else(String::new, |name| format!(" (did you mean \"{name}\"?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_noise_finds_none() {
        let known = ["listener", "limits", "log", "base_url"];
        assert_eq!(nearest("listner", known), Some("listener"));
        assert_eq!(nearest("lsitener", known), Some("listener"));
        assert_eq!(nearest("base-url", known), Some("base_url"));
        assert_eq!(nearest("LOG", known), Some("log"));
        assert_eq!(nearest("quantum", known), None);
        assert_eq!(nearest("", known), None);
    }
}
