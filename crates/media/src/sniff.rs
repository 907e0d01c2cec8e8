//! What bytes are, by how they begin. What a caller or a backend claims about them is not asked.

use memchr::memmem;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// RIFF WAVE.
    Wav,
    /// AIFF and AIFF-C.
    Aiff,
    /// FLAC.
    Flac,
    /// MPEG layer 2 or 3.
    Mp3,
    /// AAC in ADTS frames.
    Aac,
    /// Opus in Ogg.
    OggOpus,
    /// Vorbis in Ogg.
    OggVorbis,
    /// FLAC in Ogg.
    OggFlac,
    /// Another codec in Ogg.
    Ogg,
    /// Ogg with pictures.
    OggVideo,
    /// MP4 with sound alone.
    M4a,
    /// MP4 with pictures, or with contents that its beginning does not show.
    Mp4,
    /// WebM with sound alone.
    WebmAudio,
    /// WebM with pictures.
    WebmVideo,
    /// Matroska.
    Matroska,
    /// Apple's Core Audio format.
    Caf,
    /// AMR, of older telephones.
    Amr,
    /// Sun's AU.
    Au,
    /// Windows Media.
    Asf,
    /// AVI.
    Avi,
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
    /// AVIF.
    Avif,
    /// HEIC.
    Heic,
    /// Windows bitmap.
    Bmp,
    /// TIFF.
    Tiff,
}

impl Kind {
    /// Name, media type and extension.
    const fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Wav => ("WAV", "audio/wav", "wav"),
            Self::Aiff => ("AIFF", "audio/aiff", "aiff"),
            Self::Flac => ("FLAC", "audio/flac", "flac"),
            Self::Mp3 => ("MP3", "audio/mpeg", "mp3"),
            Self::Aac => ("AAC", "audio/aac", "aac"),
            Self::OggOpus => ("Ogg Opus", "audio/ogg", "opus"),
            Self::OggVorbis => ("Ogg Vorbis", "audio/ogg", "ogg"),
            Self::OggFlac => ("Ogg FLAC", "audio/ogg", "oga"),
            Self::Ogg => ("Ogg", "audio/ogg", "ogg"),
            Self::OggVideo => ("Ogg video", "video/ogg", "ogv"),
            Self::M4a => ("M4A", "audio/mp4", "m4a"),
            Self::Mp4 => ("MP4", "video/mp4", "mp4"),
            Self::WebmAudio => ("WebM", "audio/webm", "webm"),
            Self::WebmVideo => ("WebM video", "video/webm", "webm"),
            Self::Matroska => ("Matroska", "video/x-matroska", "mkv"),
            Self::Caf => ("CAF", "audio/x-caf", "caf"),
            Self::Amr => ("AMR", "audio/amr", "amr"),
            Self::Au => ("AU", "audio/basic", "au"),
            Self::Asf => ("Windows Media", "video/x-ms-asf", "asf"),
            Self::Avi => ("AVI", "video/x-msvideo", "avi"),
            Self::Png => ("PNG", "image/png", "png"),
            Self::Jpeg => ("JPEG", "image/jpeg", "jpg"),
            Self::Gif => ("GIF", "image/gif", "gif"),
            Self::Webp => ("WebP", "image/webp", "webp"),
            Self::Avif => ("AVIF", "image/avif", "avif"),
            Self::Heic => ("HEIC", "image/heic", "heic"),
            Self::Bmp => ("BMP", "image/bmp", "bmp"),
            Self::Tiff => ("TIFF", "image/tiff", "tiff"),
        }
    }

    /// Its name in a sentence.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        self.facts().1
    }

    /// The usual extension of a file's name, without the dot.
    pub const fn extension(self) -> &'static str {
        self.facts().2
    }

    /// Whether it is sound alone.
    pub fn is_audio(self) -> bool {
        self.media_type().starts_with("audio/")
    }

    /// Whether it is a picture.
    pub fn is_image(self) -> bool {
        self.media_type().starts_with("image/")
    }

    /// Whether it is a container that may hold moving pictures; there may be sound in it all the same.
    pub fn is_video(self) -> bool {
        self.media_type().starts_with("video/")
    }
}

/// What these bytes are; none: like nothing that is known here.
///
/// The beginning of a file is enough for most formats. Whether an MP4 or WebM file has pictures shows only further in: given the
/// whole file, the answer is right.
pub fn sniff(bytes: &[u8]) -> Option<Kind> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    for (magic, kind) in PLAIN {
        if at(0, magic) {
            return Some(*kind);
        }
    }
    if at(0, b"RIFF") || at(0, b"RF64") {
        return riff(bytes);
    }
    if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        return Some(Kind::Aiff);
    }
    if at(0, b"OggS") {
        return Some(ogg(bytes));
    }
    if at(4, b"ftyp") {
        return Some(mp4(bytes));
    }
    if at(0, &[0x1A, 0x45, 0xDF, 0xA3]) {
        return Some(matroska(bytes));
    }
    if at(0, b"BM") && bmp(bytes) {
        return Some(Kind::Bmp);
    }
    if at(0, b"ID3") {
        return Some(after_id3(bytes));
    }
    mpeg(bytes)
}

/// Formats that their first bytes tell.
const PLAIN: &[(&[u8], Kind)] = &[
    (b"fLaC", Kind::Flac),
    (b"caff", Kind::Caf),
    (b"#!AMR", Kind::Amr),
    (b".snd", Kind::Au),
    (&[0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11], Kind::Asf),
    (b"\x89PNG\r\n\x1a\n", Kind::Png),
    (&[0xFF, 0xD8, 0xFF], Kind::Jpeg),
    (b"GIF87a", Kind::Gif),
    (b"GIF89a", Kind::Gif),
    (b"II*\0", Kind::Tiff),
    (b"MM\0*", Kind::Tiff),
];

fn riff(bytes: &[u8]) -> Option<Kind> {
    match bytes.get(8..12)? {
        b"WAVE" => Some(Kind::Wav),
        b"WEBP" => Some(Kind::Webp),
        b"AVI " => Some(Kind::Avi),
        _ => None,
    }
}

/// The codec is told by the first packet, which lies behind the first page's table of segments.
fn ogg(bytes: &[u8]) -> Kind {
    let first = bytes.get(26).and_then(|segments| bytes.get(27 + usize::from(*segments)..)).unwrap_or_default();
    match first {
        f if f.starts_with(b"OpusHead") => Kind::OggOpus,
        f if f.starts_with(b"\x01vorbis") => Kind::OggVorbis,
        f if f.starts_with(b"\x7FFLAC") => Kind::OggFlac,
        f if f.starts_with(b"\x80theora") || f.starts_with(b"\x01video") => Kind::OggVideo,
        f if f.starts_with(b"fishead\0") => Kind::OggVideo,
        _ => Kind::Ogg,
    }
}

/// The brand tells pictures and Apple's sound; for other brands the handlers of the tracks do.
fn mp4(bytes: &[u8]) -> Kind {
    match bytes.get(8..12).unwrap_or_default() {
        b"M4A " | b"M4B " | b"F4A " => return Kind::M4a,
        b"avif" | b"avis" => return Kind::Avif,
        b"heic" | b"heix" | b"heim" | b"heis" | b"mif1" => return heif(bytes),
        _ => {}
    }
    let mut sound = false;
    for at in memmem::find_iter(bytes, b"hdlr") {
        // The type follows version, flags and a word that is always zero.
        match bytes.get(at + 12..at + 16) {
            Some(b"vide") => return Kind::Mp4,
            Some(b"soun") => sound = true,
            _ => {}
        }
    }
    if sound { Kind::M4a } else { Kind::Mp4 }
}

/// `mif1` is the common brand of AVIF and HEIC: the compatible brands behind it tell which.
fn heif(bytes: &[u8]) -> Kind {
    let length = bytes.first_chunk::<4>().map_or(0, |b| u32::from_be_bytes(*b)) as usize;
    let brands = bytes.get(8..length.min(bytes.len())).unwrap_or_default();
    if brands.chunks_exact(4).any(|b| b == b"avif") { Kind::Avif } else { Kind::Heic }
}

/// How far into a Matroska file its tracks are looked for.
const MATROSKA_HEAD: usize = 64 << 10;

fn matroska(bytes: &[u8]) -> Kind {
    let head = &bytes[..bytes.len().min(MATROSKA_HEAD)];
    if memmem::find(&head[..head.len().min(64)], b"webm").is_none() {
        return Kind::Matroska;
    }
    // CodecID: element 86, one byte of length, a name that begins with V_ for pictures.
    let video = memmem::find_iter(head, b"V_").any(|at| at >= 2 && head[at - 2] == 0x86);
    if video { Kind::WebmVideo } else { Kind::WebmAudio }
}

/// Two letters are little: the header's own length must be one of those that exist.
fn bmp(bytes: &[u8]) -> bool {
    bytes.get(14..18).is_some_and(|b| matches!(b, [12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}

/// A tag of ID3 stands before MP3 mostly, but before others too.
fn after_id3(bytes: &[u8]) -> Kind {
    let length = bytes.get(6..10).map_or(0, |b| b.iter().fold(0, |n, b| n << 7 | usize::from(b & 0x7F)));
    let rest = bytes.get(10 + length..).unwrap_or_default();
    if rest.starts_with(b"fLaC") { Kind::Flac } else { mpeg(rest).unwrap_or(Kind::Mp3) }
}

/// Eleven or twelve set bits begin a frame; the fields behind them must hold values that exist.
fn mpeg(bytes: &[u8]) -> Option<Kind> {
    let [first, second, third, ..] = *bytes else { return None };
    if first != 0xFF || second & 0xE0 != 0xE0 {
        return None;
    }
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    match layer {
        0 if second & 0xF0 == 0xF0 && third >> 2 & 15 < 13 => Some(Kind::Aac),
        1 | 2 if version != 1 && third >> 4 != 15 && third >> 2 & 3 != 3 => Some(Kind::Mp3),
        _ => None,
    }
}
