//! Writing a form. The same fields give the same bytes: the boundary is the first of a row that does not occur in them.

use std::collections::BTreeSet;

use types::{Blob, Fault, Kind, Result, SendBody};

/// A file to send.
#[derive(Clone, Copy, Debug)]
pub struct Attachment<'a> {
    /// The field's name.
    pub name: &'a str,
    /// The file's name.
    pub file_name: &'a str,
    /// Its media type.
    pub content_type: &'a str,
    /// Its bytes; not copied.
    pub bytes: &'a Blob,
}

/// What every boundary of ours begins with; four hexadecimal digits or more follow.
/// No beginning of it is also its end, so that a search misses no occurrence.
const STEM: &str = "ironbow-form-";

/// Writes a form: the fields, then the files. Gives the content type and the body.
///
/// # Errors
/// `Internal` when a file cannot be read.
pub fn write(fields: &[(&str, &str)], files: &[Attachment<'_>]) -> Result<(String, SendBody)> {
    let boundary = boundary(fields, files)?;
    let mut body = SendBody::with_capacity(2 * files.len() + 1);
    let mut text = Vec::new();
    for (name, value) in fields {
        open(&mut text, &boundary, name);
        text.extend_from_slice(b"\r\n\r\n");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    for file in files {
        open(&mut text, &boundary, file.name);
        text.extend_from_slice(b"; filename=\"");
        escape(&mut text, file.file_name);
        text.extend_from_slice(b"\"\r\nContent-Type: ");
        text.extend(file.content_type.bytes().filter(|byte| !byte.is_ascii_control()));
        text.extend_from_slice(b"\r\n\r\n");
        body.push(std::mem::take(&mut text).into());
        body.push_blob(file.bytes.clone());
        text.extend_from_slice(b"\r\n");
    }
    for piece in ["--", &boundary, "--\r\n"] {
        text.extend_from_slice(piece.as_bytes());
    }
    body.push(text.into());
    Ok((format!("multipart/form-data; boundary={boundary}"), body))
}

fn open(text: &mut Vec<u8>, boundary: &str, name: &str) {
    for piece in ["--", boundary, "\r\nContent-Disposition: form-data; name=\""] {
        text.extend_from_slice(piece.as_bytes());
    }
    escape(text, name);
    text.push(b'"');
}

/// As browsers escape names.
fn escape(text: &mut Vec<u8>, name: &str) {
    for byte in name.bytes() {
        match byte {
            b'"' => text.extend_from_slice(b"%22"),
            b'\r' => text.extend_from_slice(b"%0D"),
            b'\n' => text.extend_from_slice(b"%0A"),
            0..0x20 | 0x7f => {}
            other => text.push(other),
        }
    }
}

/// One pass notes which numbers occur behind the stem; the smallest other one is taken.
fn boundary(fields: &[(&str, &str)], files: &[Attachment<'_>]) -> Result<String> {
    let mut taken = BTreeSet::new();
    for (_, value) in fields {
        note(value.as_bytes(), &mut taken);
    }
    for file in files {
        // A file on disk is looked at piece by piece, each reaching so far into the next that nothing falls between.
        let (piece, reach) = if file.bytes.in_memory().is_some() { (file.bytes.len(), 0) } else { (PIECE, REACH) };
        for at in (0..file.bytes.len()).step_by(piece.max(1)) {
            let content = file.bytes.read_at(at, piece + reach).map_err(|error| {
                Fault::new(Kind::Internal, "A file of the call cannot be read any more.").detail(error.to_string())
            })?;
            note(&content, &mut taken);
        }
    }
    let free = (0..).zip(&taken).take_while(|(number, taken)| number == *taken).count();
    Ok(format!("{STEM}{free:04x}"))
}

/// So much of a file is looked at at a time.
const PIECE: usize = 64 * 1024;
/// Digits behind the stem that are looked at.
const DIGITS: usize = 16;
/// How far an occurrence can reach from its first byte.
const REACH: usize = STEM.len() + DIGITS;

fn note(content: &[u8], taken: &mut BTreeSet<u64>) {
    for at in memchr::memmem::find_iter(content, STEM) {
        let rest = &content[at + STEM.len()..];
        let digits = rest.iter().take(DIGITS).take_while(|byte| byte.is_ascii_hexdigit()).count();
        // A longer number contains all its beginnings.
        for end in 4..=digits {
            let number = std::str::from_utf8(&rest[..end]).ok().and_then(|n| u64::from_str_radix(n, 16).ok());
            taken.extend(number);
        }
    }
}
