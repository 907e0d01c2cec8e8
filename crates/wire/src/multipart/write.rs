//! Writing a form. The same fields give the same bytes: the boundary is the first of a row that does not occur in them.

use std::collections::BTreeSet;

use bytes::Bytes;
use types::SendBody;

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
    pub bytes: &'a Bytes,
}

/// What every boundary of ours begins with; four hexadecimal digits or more follow.
/// No beginning of it is also its end, so that a search misses no occurrence.
const STEM: &str = "ironbow-form-";

/// Writes a form: the fields, then the files. Gives the content type and the body.
pub fn write(fields: &[(&str, &str)], files: &[Attachment<'_>]) -> (String, SendBody) {
    let boundary = boundary(fields, files);
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
        body.push(file.bytes.clone());
        text.extend_from_slice(b"\r\n");
    }
    for piece in ["--", &boundary, "--\r\n"] {
        text.extend_from_slice(piece.as_bytes());
    }
    body.push(text.into());
    (format!("multipart/form-data; boundary={boundary}"), body)
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
fn boundary(fields: &[(&str, &str)], files: &[Attachment<'_>]) -> String {
    let finder = memchr::memmem::Finder::new(STEM);
    let mut taken = BTreeSet::new();
    let contents = fields.iter().map(|(_, value)| value.as_bytes()).chain(files.iter().map(|file| &file.bytes[..]));
    for content in contents {
        for at in finder.find_iter(content) {
            let rest = &content[at + STEM.len()..];
            let digits = rest.iter().take(16).take_while(|byte| byte.is_ascii_hexdigit()).count();
            // A longer number contains all its beginnings.
            for end in 4..=digits {
                let number = std::str::from_utf8(&rest[..end]).ok().and_then(|n| u64::from_str_radix(n, 16).ok());
                taken.extend(number);
            }
        }
    }
    let free = (0..).zip(&taken).take_while(|(number, taken)| number == *taken).count();
    format!("{STEM}{free:04x}")
}
