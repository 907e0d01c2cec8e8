//! Pictures' sizes, from headers that are built here.

use media::image::size;
use media::{Kind, sniff};
use proptest::prelude::*;

fn png(width: u32, height: u32) -> Vec<u8> {
    let dimensions = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &dimensions, b"\x08\x06\0\0\0"].concat()
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    [&b"GIF89a"[..], &width.to_le_bytes(), &height.to_le_bytes(), b"\xF0\0\0"].concat()
}

/// With the segments that cameras and editors write first; a fill byte, and one with a size that could be mistaken.
fn jpeg(start: u8, width: u16, height: u16) -> Vec<u8> {
    let jfif = b"\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
    let exif = b"\xFF\xE1\0\x0CExif\0\0\xFF\xC0\0\x11";
    let huffman = b"\xFF\xC4\0\x04\0\0";
    let head = [0xFF, 0xFF, start, 0, 0x11, 8];
    [&b"\xFF\xD8"[..], jfif, exif, huffman, &head, &height.to_be_bytes(), &width.to_be_bytes(), b"\x03"].concat()
}

fn webp(chunk: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&b"RIFF\0\0\0\0WEBP"[..], chunk, &(body.len() as u32).to_le_bytes(), body].concat()
}

fn bmp(width: i32, height: i32) -> Vec<u8> {
    let head = [&b"BM\0\0\0\0\0\0\0\0\x36\0\0\0"[..], &40_u32.to_le_bytes()].concat();
    [&head[..], &width.to_le_bytes(), &height.to_le_bytes(), &[1, 0, 24, 0]].concat()
}

fn iso(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], name, body].concat()
}

fn ispe(width: u32, height: u32) -> Vec<u8> {
    iso(b"ispe", &[&[0; 4][..], &width.to_be_bytes(), &height.to_be_bytes()].concat())
}

/// A thumbnail's size stands before the picture's.
fn heif(brands: &[u8], width: u32, height: u32) -> Vec<u8> {
    let properties = iso(b"ipco", &[ispe(160, 120), iso(b"pixi", &[0; 8]), ispe(width, height)].concat());
    let meta = [&[0; 4][..], &iso(b"hdlr", b"\0\0\0\0\0\0\0\0pict"), &iso(b"iprp", &properties)].concat();
    [iso(b"ftyp", brands), iso(b"meta", &meta), iso(b"mdat", &[0; 16])].concat()
}

fn vp8l(width: u32, height: u32) -> Vec<u8> {
    webp(b"VP8L", &[&[0x2F][..], &((width - 1) | (height - 1) << 14).to_le_bytes()].concat())
}

#[test]
fn every_format_tells_its_size() {
    let avif = heif(b"avif\0\0\0\0mif1", 1024, 768);
    let mif1 = heif(b"mif1\0\0\0\0mif1avif", 1024, 768);
    let heic = heif(b"heic\0\0\0\0mif1heic", 4032, 3024);
    let vp8 = webp(b"VP8 ", b"\0\0\0\x9D\x01\x2A\x80\x42\xE0\x81\0\0");
    let vp8x = webp(b"VP8X", b"\x10\0\0\0\xFF\x03\0\xFF\x02\0");
    let cases: &[(Kind, Vec<u8>, (u32, u32))] = &[
        (Kind::Png, png(1024, 768), (1024, 768)),
        (Kind::Gif, gif(300, 200), (300, 200)),
        (Kind::Jpeg, jpeg(0xC0, 640, 480), (640, 480)),
        (Kind::Jpeg, jpeg(0xC2, 640, 480), (640, 480)),
        (Kind::Webp, vp8, (0x280, 0x1E0)),
        (Kind::Webp, vp8l(16_384, 1), (16_384, 1)),
        (Kind::Webp, vp8x, (1024, 768)),
        (Kind::Bmp, bmp(100, 50), (100, 50)),
        (Kind::Bmp, bmp(100, -50), (100, 50)),
        (Kind::Avif, avif, (1024, 768)),
        (Kind::Avif, mif1, (1024, 768)),
        (Kind::Heic, heic, (4032, 3024)),
    ];
    for (kind, bytes, expected) in cases {
        assert_eq!(sniff(bytes), Some(*kind));
        assert_eq!(size(bytes), Some(*expected), "{kind:?}");
    }
}

#[test]
fn a_header_that_is_cut_off_has_no_size() {
    for whole in [png(8, 8), gif(8, 8), jpeg(0xC0, 8, 8), vp8l(8, 8), bmp(8, 8), heif(b"avif\0\0\0\0", 8, 8)] {
        let known = (0..whole.len()).filter(|end| size(&whole[..*end]).is_some()).count();
        assert!(known <= 30, "{known} of {}", whole.len());
        assert_eq!(size(&whole[..whole.len() / 3]), None);
    }
}

#[test]
fn nothing_is_no_picture() {
    assert_eq!(size(&png(0, 8)), None);
    assert_eq!(size(&gif(8, 0)), None);
    assert_eq!(size(b""), None);
    assert_eq!(size(b"II*\0 a TIFF"), None);
}

proptest! {
    #[test]
    fn no_header_can_break_it(which in 0_usize..6, at in 0_usize..120, with in prop::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = match which {
            0 => png(9, 9),
            1 => gif(9, 9),
            2 => jpeg(0xC0, 9, 9),
            3 => vp8l(9, 9),
            4 => bmp(9, 9),
            _ => heif(b"avif\0\0\0\0", 9, 9),
        };
        let at = at % bytes.len();
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        let _ = size(&bytes);
    }
}
