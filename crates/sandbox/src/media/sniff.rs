//! What bytes are, by how they begin.

/// The media type and the usual file extension.
pub(crate) fn kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let at = |from: usize, magic: &[u8]| bytes.get(from..).is_some_and(|rest| rest.starts_with(magic));
    Some(match bytes {
        _ if at(0, b"fLaC") => ("audio/flac", "flac"),
        _ if at(0, b"RIFF") && at(8, b"WAVE") => ("audio/wav", "wav"),
        _ if at(0, b"RIFF") && at(8, b"WEBP") => ("image/webp", "webp"),
        _ if at(0, b"ID3") => ("audio/mpeg", "mp3"),
        [0xff, second, ..] if second & 0xe6 == 0xe2 => ("audio/mpeg", "mp3"),
        _ if at(0, b"OggS") => ("audio/ogg", "ogg"),
        _ if at(0, b"\x1a\x45\xdf\xa3") => ("audio/webm", "webm"),
        _ if at(4, b"ftyp") => ("audio/mp4", "m4a"),
        _ if at(0, b"FORM") => ("audio/aiff", "aiff"),
        _ if at(0, b"\x89PNG\r\n\x1a\n") => ("image/png", "png"),
        _ if at(0, b"\xff\xd8\xff") => ("image/jpeg", "jpeg"),
        _ if at(0, b"GIF8") => ("image/gif", "gif"),
        _ => return None,
    })
}

/// Whether a media type, parameters and letter case aside, may stand for another.
pub(crate) fn same(label: &str, kind: &str) -> bool {
    let label = label.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let canonical = match label.as_str() {
        "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "audio/wav",
        "audio/mp3" => "audio/mpeg",
        "audio/x-flac" => "audio/flac",
        "audio/x-m4a" | "audio/m4a" | "video/mp4" => "audio/mp4",
        "video/webm" => "audio/webm",
        "audio/opus" | "application/ogg" => "audio/ogg",
        "audio/x-aiff" => "audio/aiff",
        "image/jpg" => "image/jpeg",
        other => other,
    };
    canonical == kind
}
