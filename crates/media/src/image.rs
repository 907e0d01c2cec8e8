//! How large a picture is, read from its header; nothing is decoded.

use crate::{Kind, sniff};

/// Width and height in pixels; none where the header is cut off or of a format that is not read here (PNG, JPEG, GIF, WebP, AVIF,
/// HEIC and BMP are).
pub fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height) = match sniff(bytes)? {
        Kind::Png => (be32(bytes, 16)?, be32(bytes, 20)?),
        Kind::Gif => (le16(bytes, 6)?, le16(bytes, 8)?),
        Kind::Jpeg => jpeg(bytes)?,
        Kind::Webp => webp(bytes)?,
        Kind::Bmp => bmp(bytes)?,
        Kind::Avif | Kind::Heic => heif(bytes)?,
        _ => return None,
    };
    (width > 0 && height > 0).then_some((width, height))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|b| u16::from_be_bytes(b).into())
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|b| u16::from_le_bytes(b).into())
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// Segments are stepped over until the frame header (SOF) comes, of whatever coding.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xFF {
            return None;
        }
        match *bytes.get(at + 1)? {
            0xFF => at += 1,
            0x01 | 0xD0..=0xD7 => at += 2,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Some((be16(bytes, at + 7)?, be16(bytes, at + 5)?));
            }
            0xD8..=0xDA => return None,
            _ => at += 2 + be16(bytes, at + 2)? as usize,
        }
    }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8 " if bytes.get(23..26)? == [0x9D, 0x01, 0x2A] => {
            Some((le16(bytes, 26)? & 0x3FFF, le16(bytes, 28)? & 0x3FFF))
        }
        b"VP8L" if *bytes.get(20)? == 0x2F => {
            let packed = le32(bytes, 21)?;
            Some(((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1))
        }
        b"VP8X" => Some((le24(bytes, 24)? + 1, le24(bytes, 27)? + 1)),
        _ => None,
    }
}

/// A height below zero stands for rows from top to bottom.
fn bmp(bytes: &[u8]) -> Option<(u32, u32)> {
    if le32(bytes, 14)? == 12 {
        return Some((le16(bytes, 18)?, le16(bytes, 20)?));
    }
    Some((le32(bytes, 18)?, le32(bytes, 22)?.cast_signed().unsigned_abs()))
}

/// The largest `ispe` among the properties (`meta` / `iprp` / `ipco`): thumbnails and tiles have smaller ones.
fn heif(bytes: &[u8]) -> Option<(u32, u32)> {
    let meta = child(bytes, *b"meta")?;
    let properties = child(child(meta.get(4..)?, *b"iprp")?, *b"ipco")?;
    let sizes = boxes(properties).filter(|(name, _)| name == b"ispe");
    sizes
        .filter_map(|(_, body)| Some((be32(body, 4)?, be32(body, 8)?)))
        .max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

fn child(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    boxes(bytes).find(|(found, _)| *found == name).map(|(_, body)| body)
}

/// The boxes of an ISO file, one after the other: a length that counts its own header, a name, a body.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let length = be32(bytes, 0)? as usize;
        let name = array(bytes, 4)?;
        let length = if length == 0 { bytes.len() } else { length };
        let body = bytes.get(8..length)?;
        bytes = &bytes[length..];
        Some((name, body))
    })
}
