//! Every variant that this processor has, against readers that go byte by byte.

use proptest::prelude::*;

use crate::{Bad, Flaw, portable};

type Strings = fn(&[u8], usize) -> Result<(usize, bool), Bad>;
type Numbers = fn(&[u8], usize) -> (usize, usize);

type Variant = (&'static str, Strings, Numbers);

/// The variants, each with its name.
fn variants() -> Vec<Variant> {
    let always: [Variant; 3] = [
        ("what is chosen", crate::string, crate::numbers),
        ("what is chosen for long ones", crate::far, crate::numbers),
        ("portable", portable::string, portable::numbers),
    ];
    always.into_iter().chain(of_this_processor()).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn of_this_processor() -> Vec<Variant> {
    Vec::new()
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the processor was asked")]
fn of_this_processor() -> Vec<Variant> {
    use crate::x86::{self, Kind};
    // SAFETY: whoever has AVX-512 has this too.
    let avx2: Variant =
        ("avx2", |b, at| unsafe { x86::string_avx2(b, at) }, |b, at| unsafe { x86::numbers_avx2(b, at) });
    // SAFETY: it is handed out only where the processor has it.
    let avx512: Variant =
        ("avx512", |b, at| unsafe { x86::string_avx512(b, at) }, |b, at| unsafe { x86::numbers_avx512(b, at) });
    match x86::kind() {
        Kind::Plain => Vec::new(),
        Kind::Avx2 => vec![avx2],
        Kind::Avx512 => vec![avx2, avx512],
    }
}

/// The end of a string, byte by byte.
fn string(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Bad> {
    let mut escaped = false;
    let ends = Err(Bad { at: bytes.len(), flaw: Flaw::Ends });
    loop {
        match bytes.get(at) {
            None => return ends,
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                match bytes.get(at + 1) {
                    None => return ends,
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                    Some(b'u') => {
                        for n in 0..4 {
                            match bytes.get(at + 2 + n) {
                                None => return ends,
                                Some(digit) if digit.is_ascii_hexdigit() => {}
                                Some(_) => return Err(Bad { at: at + 2 + n, flaw: Flaw::Escape }),
                            }
                        }
                        at += 6;
                    }
                    Some(_) => return Err(Bad { at: at + 1, flaw: Flaw::Escape }),
                }
            }
            Some(0..0x20) => return Err(Bad { at, flaw: Flaw::Control }),
            Some(_) => at += 1,
        }
    }
}

/// One past the JSON number that starts at `at`.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |from: usize| {
        let n = bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        (n > 0).then_some(from + n)
    };
    let mut at = at + usize::from(bytes.get(at) == Some(&b'-'));
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at = digits(at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Some(at)
}

/// Every place behind a comma up to which all is good, with the count of numbers before it.
fn places(bytes: &[u8], start: usize) -> Vec<(usize, usize)> {
    let (mut at, mut all) = (start, vec![(start, 0)]);
    loop {
        at += usize::from(all.len() > 1 && bytes.get(at) == Some(&b' '));
        match number(bytes, at.min(bytes.len())) {
            Some(end) if bytes.get(end) == Some(&b',') => at = end + 1,
            _ => return all,
        }
        all.push((at, all.len()));
    }
}

fn check_string(bytes: &[u8], start: usize) {
    let expected = string(bytes, start);
    for (name, find, _) in variants() {
        assert_eq!(find(bytes, start), expected, "{name}, from {start}: {:?}", String::from_utf8_lossy(bytes));
    }
}

/// What is passed over must be good, and no more than a block before what could have been.
fn check_numbers(bytes: &[u8], start: usize) {
    let good = places(bytes, start);
    for (name, _, pass) in variants() {
        let found = pass(bytes, start);
        let text = String::from_utf8_lossy(bytes);
        assert!(good.contains(&found), "{name}: {found:?} of {good:?}: {text}");
        // All but what is in the last part of a block must have been passed over.
        let blocks = start + (bytes.len() - start) / 64 * 64;
        let must = good.iter().rfind(|(place, _)| *place <= blocks).unwrap();
        assert!(found.0 >= must.0, "{name}: {found:?}, could be {must:?}: {text}");
    }
}

#[test]
fn rows_of_backslashes_end_where_they_end_whatever_block_they_cross() {
    for before in 0..70 {
        for row in 0..135 {
            let text = format!("{}{}\" more\"", "x".repeat(before), "\\".repeat(row));
            check_string(text.as_bytes(), 0);
        }
    }
}

#[test]
fn an_escape_is_judged_alike_at_every_place_of_a_block_and_wherever_the_text_ends() {
    for escape in [
        "\\n",
        "\\/",
        "\\u00e9",
        "\\uD83D\\uDE00",
        "\\u00g9",
        "\\u123\"",
        "\\u12",
        "\\x",
        "\\",
        "\\\u{1}",
        "\u{1f}",
        "\\é",
        "\\\\\\u",
        "\u{7f}",
    ] {
        for before in 0..130 {
            for after in
                ["", "\"", "zz\"", "                                                                        \"x"]
            {
                let text = format!("{}{escape}{after}", "a".repeat(before));
                check_string(text.as_bytes(), 0);
            }
        }
    }
}

#[test]
fn every_byte_is_judged_alike_plain_and_escaped_and_as_a_digit() {
    for byte in 0..=255_u8 {
        for before in [&b""[..], b"\\", b"\\u", b"\\u0", b"\\u00", b"\\u000"] {
            let text = [&[b'a'; 70], before, &[byte], &b"00000000\""[..]].concat();
            check_string(&text, 0);
            check_string(&text, 60);
        }
        let numbers = [&b"1,0.5,-2,"[..], &[byte], &b"1.0,3,".repeat(20)[..]].concat();
        check_numbers(&numbers, 0);
    }
}

#[test]
fn a_flaw_in_a_vector_is_found_at_every_place_of_a_block() {
    for odd in [
        "01", "-", "-01", "1.", ".5", "1.2.3", "1e", "1e+", "1e5.0", "1e5e5", "--1", "+1", "1-1", "", "1.e5", "null",
        "1 ", "  1", "[1]", "1e-07", "1E+5", "0", "-0", "0e1", "-0.0", "e5", "e5e5", ".5", "1e5, 0.5",
    ] {
        for before in 0..140 {
            let row = "1".repeat(before + 1);
            for start in [
                format!("{row},"),
                format!("0.{row},"),
                format!("-0.{row}e{row},"),
                format!("0.{row}e5, "),
                format!("0.{row}"),
            ] {
                let text = format!("{start}{odd},{}", "-0.125,".repeat(30));
                check_numbers(text.as_bytes(), 0);
            }
        }
    }
}

#[test]
fn all_of_a_long_vector_is_passed_over_but_its_end() {
    let text = "-0.0123456789,".repeat(1_000);
    for (name, _, pass) in variants() {
        let (place, count) = pass(text.as_bytes(), 0);
        assert!(place >= text.len() - 64 - 14 && place == 14 * count, "{name}: {place} {count}");
    }
}

fn pieces_of_strings() -> impl Strategy<Value = String> {
    let pieces = vec![
        "\\",
        "\\\\",
        "\\\"",
        "\\n",
        "\\u00e9",
        "\\u12",
        "\\u",
        "\\x",
        "\"",
        "\n",
        "\u{1}",
        "\u{7f}",
        "é",
        "u",
        "n",
        "ab",
        "0123456789abcdef",
        "                                                                ",
    ];
    // Damage is rarer than what is good, or no string would ever be long.
    let good = vec!["\\\\", "\\\"", "\\n", "\\u00E9", "\\/", "\\ud800", "é", "u", "plain text ", "ABCDEF"];
    let piece = prop_oneof![1 => prop::sample::select(pieces), 20 => prop::sample::select(good)];
    prop::collection::vec(piece, 0..90).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1_000), ..ProptestConfig::default() })]

    #[test]
    fn the_end_is_the_one_that_a_plain_reader_finds(text in pieces_of_strings(), start in 0..70_usize) {
        check_string(text.as_bytes(), start.min(text.len()));
    }

    #[test]
    fn the_end_is_the_same_in_any_bytes(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\\'), Just(b'"'), Just(b'u')], 0..300), start in 0..70_usize) {
        check_string(&bytes, start.min(bytes.len()));
    }

    #[test]
    fn what_is_passed_over_are_good_numbers(
        numbers in prop::collection::vec("-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?,? ?", 0..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0123456789.-+eE, ]x".to_vec())), 0..3),
        joined in any::<bool>(),
    ) {
        let mut bytes = numbers.iter().map(|n| if joined { format!("{},", n.trim_end_matches([',', ' '])) } else { n.clone() }).collect::<String>().into_bytes();
        for (place, byte) in damage {
            if !bytes.is_empty() {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
        }
        check_numbers(&bytes, 0);
    }

    #[test]
    fn a_text_is_plain_when_no_byte_of_it_must_be_escaped(text in prop_oneof!["[ -~]{0,200}", "[a-z é]{0,200}", any::<String>()]) {
        let plainly = !text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        prop_assert_eq!(crate::is_plain(text.as_bytes()), plainly);
    }
}

/// Cases per property; `PROPTEST_CASES` says otherwise.
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}
