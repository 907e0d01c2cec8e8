//! `multipart/form-data`, read strictly enough to show a mistake of the sender.

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) file: Option<String>,
    pub(crate) media: Option<String>,
    pub(crate) body: &'a [u8],
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    // Boundaries are rare: looking for their first byte first keeps large files cheap.
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(what) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The boundary that a content type names.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = rest.split(';').find_map(|one| one.trim().strip_prefix("boundary="))?;
    Some(value.trim_matches('"').to_owned()).filter(|found| !found.is_empty() && found.len() <= 70)
}

/// The parts; the error says what is wrong.
pub(crate) fn read<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, String> {
    let boundary = boundary(content_type).ok_or("the content type names no boundary")?;
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(first.as_bytes()).ok_or("the body does not begin with its boundary")?;
    let mut parts = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return if end == b"\r\n" || end.is_empty() {
                Ok(parts)
            } else {
                Err("bytes after the last boundary".into())
            };
        }
        let head = rest.strip_prefix(b"\r\n").ok_or("no line end after a boundary")?;
        let split = find(head, b"\r\n\r\n").ok_or("a part has no body")?;
        let content = &head[split + 4..];
        let end = find(content, between.as_bytes()).ok_or("the last boundary is missing")?;
        parts.push(part(&head[..split], &content[..end])?);
        rest = &content[end + between.len()..];
    }
}

fn part<'a>(head: &[u8], body: &'a [u8]) -> Result<Part<'a>, String> {
    let head = std::str::from_utf8(head).map_err(|_| "the head of a part is not UTF-8")?;
    let value = |name: &str| {
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(have, _)| have.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let disposition = value("content-disposition").ok_or("a part has no content-disposition")?;
    let parameter = |name: &str| {
        let at = disposition.find(&format!("; {name}=\""))? + name.len() + 4;
        disposition.get(at..)?.split('"').next().map(str::to_owned)
    };
    let name = parameter("name").ok_or("a part has no name")?;
    Ok(Part { name, file: parameter("filename"), media: value("content-type"), body })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn parts_are_read_and_mistakes_are_named() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n\r\n--B!\r\n--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--B--\r\n";
        assert!(read("multipart/form-data; boundary=B", body).unwrap_err().contains("line end"));
        let text = String::from_utf8(body.to_vec()).unwrap().replace("--B!", "-B!");
        let parts = read("multipart/form-data; boundary=\"B\"", text.as_bytes()).unwrap();
        assert_eq!((parts[0].file.as_deref(), parts[0].media.as_deref()), (Some("a.wav"), Some("audio/wav")));
        assert_eq!((parts[0].body, parts[1].name.as_str(), parts[1].body), (&b"\r\n-B!"[..], "model", &b"m"[..]));
        assert!(read("multipart/form-data; boundary=B", b"--B\r\n\r\n").is_err());
        assert!(read("application/json", b"").is_err());
    }
}
