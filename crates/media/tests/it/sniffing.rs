//! What bytes are taken for.

use media::{Kind, sniff};

use super::sounds::{SOUNDS, bytes};

#[test]
fn every_sound_is_recognised() {
    for sound in SOUNDS {
        assert_eq!(sniff(&bytes(sound.name)), Some(sound.kind), "{}", sound.name);
    }
    assert_eq!(sniff(&bytes("tone.au")), Some(Kind::Au));
    assert_eq!(sniff(&bytes("speex.ogg")), Some(Kind::Ogg));
}

#[test]
fn the_beginning_is_enough_where_the_format_allows_it() {
    for sound in SOUNDS.iter().filter(|s| !matches!(s.kind, Kind::M4a | Kind::WebmVideo | Kind::Mp3)) {
        let file = bytes(sound.name);
        assert_eq!(sniff(&file[..file.len().min(512)]), Some(sound.kind), "{}", sound.name);
    }
}

#[test]
fn a_tag_before_the_sound_is_stepped_over() {
    let tag = b"ID3\x03\0\0\0\0\0\x02xx";
    assert_eq!(sniff(&[&tag[..], b"fLaC"].concat()), Some(Kind::Flac));
    assert_eq!(sniff(&[&tag[..], &bytes("tone.aac")].concat()), Some(Kind::Aac));
    assert_eq!(sniff(&[&tag[..], b"\xFF\xFB\x90\x00"].concat()), Some(Kind::Mp3));
    assert_eq!(sniff(b"ID3\x04\0\0\x7F\x7F\x7F\x7F"), Some(Kind::Mp3));
}

#[test]
fn text_and_look_alikes_are_nothing() {
    for other in [
        &b""[..],
        b"\xFF",
        b"{\"error\": \"BM\"}",
        b"BMW is no bitmap at all",
        b"<html><body>Not found</body></html>",
        b"RIFF\0\0\0\0ABCD",
        b"FORM\0\0\0\0ILBM",
        b"\xFF\xFEu\0t\0f\0",
        b"\xEF\xBB\xBFtext",
        b"%PDF-1.7",
        b"PK\x03\x04",
    ] {
        assert_eq!(sniff(other), None, "{other:?}");
    }
}

#[test]
fn a_kind_knows_its_names() {
    assert_eq!((Kind::Mp3.media_type(), Kind::Mp3.extension()), ("audio/mpeg", "mp3"));
    assert_eq!((Kind::WebmVideo.media_type(), Kind::Jpeg.extension()), ("video/webm", "jpg"));
    assert!(Kind::WebmAudio.is_audio() && Kind::WebmVideo.is_video() && Kind::Webp.is_image());
    assert!(!Kind::Mp4.is_audio() && !Kind::Wav.is_image());
}
