//! The heads of parts, and the boundary in the content type.

use percent_encoding::percent_decode_str;
use types::{Fault, Kind, Result};

use super::malformed;

/// The longest file name that is kept, in characters.
const LONGEST_NAME: usize = 255;

/// What a part says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The field.
    pub name: String,
    /// The last segment of the file's name, without control characters; `file` when nothing is left. Not a path.
    pub file_name: Option<String>,
    /// The media type as the caller wrote it.
    pub content_type: Option<String>,
}

impl Head {
    /// Whether the part is a file: it has a file name, or a media type that is neither text nor JSON.
    pub fn is_file(&self) -> bool {
        let plain = |kind: &String| {
            let kind = kind.trim_start().to_ascii_lowercase();
            kind.starts_with("text/") || kind.starts_with("application/json")
        };
        self.file_name.is_some() || self.content_type.as_ref().is_some_and(|kind| !plain(kind))
    }

    /// Reads a head with its blank line.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut head = None;
        let mut content_type = None;
        for line in lines(bytes)? {
            let Some((name, value)) = line.split_once(':') else {
                return Err(malformed("a line in a part's head has no colon"));
            };
            if name.eq_ignore_ascii_case("content-disposition") {
                if head.replace(disposition(value)?).is_some() {
                    return Err(malformed("a part has two `Content-Disposition` lines"));
                }
            } else if name.eq_ignore_ascii_case("content-type") {
                content_type = Some(value.trim().to_owned());
            } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
                let coding = value.trim().to_ascii_lowercase();
                if !matches!(&*coding, "binary" | "8bit" | "7bit") {
                    return Err(malformed("a part has a transfer encoding; send its bytes as they are"));
                }
            }
        }
        let mut head = head.ok_or_else(|| malformed("a part has no `Content-Disposition`"))?;
        head.content_type = content_type;
        Ok(head)
    }
}

/// The lines of a head; file names may hold bytes that are no UTF-8.
fn lines(bytes: &[u8]) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = Vec::new();
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            return Err(malformed("a line in a part's head is folded"));
        }
        if line.contains(['\r', '\n']) {
            return Err(malformed("lines must end in CR and LF"));
        }
        lines.push(line.to_owned());
    }
    Ok(lines)
}

fn disposition(value: &str) -> Result<Head> {
    let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(malformed("a part's `Content-Disposition` is not `form-data`"));
    }
    let (mut name, mut plain, mut extended) = (None, None, None);
    for (key, value) in Parameters(parameters) {
        let place = match &*key.to_ascii_lowercase() {
            "name" => &mut name,
            "filename" => &mut plain,
            "filename*" => &mut extended,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(malformed("a part says its name twice"));
        }
    }
    let name = name.ok_or_else(|| malformed("a part has no name"))?;
    if name.is_empty() || name.contains(char::is_control) || name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(malformed("a part's name is empty or holds what no name may hold"));
    }
    let file_name = extended.as_deref().and_then(decoded).or(plain).map(|name| last_segment(&name));
    Ok(Head { name, file_name, content_type: None })
}

/// The parameters of a header: tokens or quoted strings.
struct Parameters<'a>(&'a str);

impl Iterator for Parameters<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_start_matches([' ', '\t', ';']);
        let (key, rest) = rest.split_once('=')?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim_end().to_owned(), &rest[end..])
            }
        };
        self.0 = after;
        Some((key.trim().to_owned(), value))
    }
}

/// The text of a quoted string, and what follows it. A backslash escapes a quote or itself; elsewhere it is itself, as
/// in the paths that old browsers send.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, next)) => text.push(next),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    (text, "")
}

/// `UTF-8''na%C3%AFve.wav` (RFC 8187).
fn decoded(extended: &str) -> Option<String> {
    let mut pieces = extended.splitn(3, '\'');
    let (charset, _, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
    charset.eq_ignore_ascii_case("utf-8").then(|| percent_decode_str(text).decode_utf8_lossy().into_owned())
}

fn last_segment(path: &str) -> String {
    let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if matches!(&*clean, "" | "." | "..") { "file".to_owned() } else { clean }
}

/// The boundary of a form, from its content type.
///
/// # Errors
/// `UnsupportedMediaType` when it is no form; `BadRequest` when the boundary is missing or malformed.
pub fn boundary(content_type: &str) -> Result<String> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        let message = "Send this as multipart/form-data.";
        return Err(Fault::new(Kind::UnsupportedMediaType, message));
    }
    let mut found = Parameters(parameters).filter(|(key, _)| key.eq_ignore_ascii_case("boundary"));
    let boundary = found.next().map(|(_, value)| value).unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c);
    if boundary.is_empty() || boundary.len() > 70 || !boundary.chars().all(allowed) || boundary.ends_with(' ') {
        let message = "The content type names no good boundary: 1 to 70 letters, digits and '()+_,-./:=?.";
        return Err(Fault::new(Kind::BadRequest, message));
    }
    if found.next().is_some() {
        return Err(Fault::new(Kind::BadRequest, "The content type names two boundaries."));
    }
    Ok(boundary)
}
