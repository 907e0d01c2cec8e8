//! Fills literal templates: `$NAME` (capital letters) is replaced, everything else is sent as it stands.

/// Fills a template; an unknown slot stays as it is, so that a test sees it.
pub(crate) fn fill(template: &str, slots: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(rest.len());
        let name = &rest[..end];
        if let Some((_, value)) = slots.iter().find(|(slot, _)| *slot == name) {
            out.push_str(value);
        } else {
            out.push('$');
            out.push_str(name);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// A text as a JSON string, quotes included.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A 64-bit FNV-1a hash in hex: short, stable, and no way back to a long secret.
pub(crate) fn fingerprint(text: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::{fill, fingerprint, quoted};

    #[test]
    fn slots_are_replaced_and_unknown_ones_stay() {
        assert_eq!(fill("{$A,$B,$C}", &[("A", "1"), ("B", "$C")]), "{1,$C,$C}");
        assert_eq!(fill("a$", &[]), "a$");
    }

    #[test]
    fn quoting_escapes() {
        assert_eq!(quoted("a\"\n"), r#""a\"\n""#);
    }

    #[test]
    fn fingerprints_have_one_length() {
        assert_eq!(fingerprint("").len(), 16);
        assert_ne!(fingerprint("hf_a"), fingerprint("hf_b"));
    }
}
