//! Forms: whole, cut at every byte, hostile, and written back.

use bytes::Bytes;
use proptest::prelude::*;
use types::{Fault, Kind};
use wire::multipart::{Attachment, Content, Event, Form, InMemory, Limits, Parser, boundary, write};

const TYPE: &str = "multipart/form-data; boundary=XX";

fn form(body: &str) -> Vec<u8> {
    body.replace('\n', "\r\n").into_bytes()
}

fn read(body: impl Into<Bytes>) -> Form {
    Form::read(TYPE, body.into(), Limits::default()).unwrap()
}

fn refused(body: impl Into<Bytes>) -> Box<Fault> {
    Form::read(TYPE, body.into(), Limits::default()).expect_err("it must be refused")
}

/// One part with this head and an `x` inside.
fn part(head: &str) -> Vec<u8> {
    form(&format!("--XX\n{head}\n\nx\n--XX--\n"))
}

/// Runs a parser over pieces, gathering what a part's pieces come to.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: Limits) -> (Vec<String>, Option<String>) {
    let mut parser = Parser::new("XX", limits);
    let mut seen: Vec<String> = Vec::new();
    let mut out = |event: Event| match event {
        Event::Data(data) => match seen.last_mut() {
            Some(last) if last.starts_with("data ") => *last += &data.escape_ascii().to_string(),
            _ => seen.push(format!("data {}", data.escape_ascii())),
        },
        other => seen.push(format!("{other:?}")),
    };
    let mut fault = None;
    for piece in pieces {
        if let Err(error) = parser.push(Bytes::copy_from_slice(piece), &mut out) {
            fault = Some(error.message);
            break;
        }
    }
    let fault = fault.or_else(|| parser.finish().err().map(|fault| fault.message));
    (seen, fault)
}

const RICH: &str = "preamble --XX is text here\n--XX \t\nContent-Disposition: form-data; name=\"model\"\n\nhuggingface/x/y\n--XX\n\
    content-type: audio/wav\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\n\n\
    R\n--X\n--X\r\n-XX\r\r\n--\n--XX\nContent-Disposition: form-data; name=\"empty\"\n\n\n--XX--\nepilogue\n--XX\nnothing";

#[test]
fn a_form_is_read_the_same_at_every_split() {
    let body = form(RICH);
    let whole = run([&body[..]], Limits::default());
    let expected = [
        r#"PartBegin(Head { name: "model", file_name: None, content_type: None })"#,
        "data huggingface/x/y",
        "PartEnd",
        r#"PartBegin(Head { name: "file", file_name: Some("a.wav"), content_type: Some("audio/wav") })"#,
        r"data R\r\n--X\r\n--X\r\r\n-XX\r\r\r\n--",
        "PartEnd",
        r#"PartBegin(Head { name: "empty", file_name: None, content_type: None })"#,
        "PartEnd",
        "End",
    ];
    assert_eq!(whole, (expected.map(str::to_owned).to_vec(), None));
    for at in 0..=body.len() {
        assert_eq!(run([&body[..at], &body[at..]], Limits::default()), whole, "cut at {at}");
    }
    for size in 1..16 {
        assert_eq!(run(body.chunks(size), Limits::default()), whole, "pieces of {size}");
    }
}

#[test]
fn a_form_cut_short_is_refused_wherever_it_ends() {
    let body = form(RICH);
    let end = body.windows(6).position(|w| w == b"--XX--").unwrap() + 6;
    for at in 0..end {
        assert!(run([&body[..at]], Limits::default()).1.is_some(), "cut at {at}");
    }
    assert!(run([&body[..end]], Limits::default()).1.is_none());
    assert!(refused(form("--YY\n")).message.contains("boundary"));
    assert!(refused(form("--XX\nContent-Disposition: form-data; name=\"a\"\n\nx")).message.contains("ends before"));
}

#[test]
fn a_file_in_one_piece_is_not_copied() {
    let mut body = form("--XX\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\n\n");
    let start = body.len();
    body.extend(std::iter::repeat_n(7_u8, 100_000));
    body.extend(form("\n--XX--\n"));
    let body = Bytes::from(body);
    let form = read(body.clone());
    let Content::File(upload) = &form.fields[0].content else { panic!("no file") };
    assert_eq!(upload.bytes.len(), 100_000);
    assert_eq!(upload.bytes.in_memory().unwrap().as_ptr(), body[start..].as_ptr());
}

#[test]
fn names_are_read_as_clients_write_them() {
    for (head, name, file) in [
        ("Content-Disposition: form-data; name=a", "a", None),
        ("CONTENT-DISPOSITION:form-data;name=\"timestamp_granularities[]\"", "timestamp_granularities[]", None),
        ("Content-Disposition: form-data; name=\"a;b=\\\"c\\\"\"; filename=\"x;y.wav\"", "a;b=\"c\"", Some("x;y.wav")),
        (r#"Content-Disposition: form-data; name="f"; filename="C:\music\song.mp3""#, "f", Some("song.mp3")),
        ("Content-Disposition: form-data; name=\"f\"; filename=\"../../etc/passwd\"", "f", Some("passwd")),
        ("Content-Disposition: form-data; name=\"f\"; filename=\"a\0b/..\"", "f", Some("file")),
        ("Content-Disposition: form-data; name=\"f\"; filename=\"a\0b\x1b.wav\"", "f", Some("ab.wav")),
        ("Content-Disposition: form-data; name=\"f\"; filename=\"\"", "f", Some("file")),
        (
            "Content-Disposition: form-data; name=\"f\"; filename=\"na.wav\"; filename*=UTF-8''na%C3%AFve%2Fx.wav",
            "f",
            Some("x.wav"),
        ),
        ("Content-Disposition: form-data; name=\"f\"; filename*=latin1''x; filename=plain", "f", Some("plain")),
        ("Content-Disposition: form-data; name=\"f\"; filename=Überton.wav", "f", Some("Überton.wav")),
        ("Content-Disposition: form-data; name=\"f\"\nContent-Type: audio/wav", "f", Some("")),
        ("Content-Disposition: form-data; name=\"f\"\nContent-Type: text/plain; charset=utf-8", "f", None),
        ("Content-Disposition: form-data; name=\"f\"\nContent-Transfer-Encoding: Binary\nX-Any: thing", "f", None),
    ] {
        let form = read(part(head));
        let field = &form.fields[0];
        assert_eq!(field.name, name, "{head}");
        match (&field.content, file) {
            (Content::Text(text), None) => assert_eq!(text, "x", "{head}"),
            (Content::File(upload), Some(file)) => {
                assert_eq!(upload.file_name.as_deref().unwrap_or(""), file, "{head}");
                assert_eq!(upload.bytes.to_bytes().unwrap(), "x", "{head}");
            }
            other => panic!("{head}: {other:?}"),
        }
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    for head in [
        "X: y",
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; name=\"\"",
        "Content-Disposition: form-data; name=\"a\0b\"",
        "Content-Disposition: form-data; name=\"a\"; name=\"b\"",
        "Content-Disposition: form-data; name=\"a\"; filename=\"x\"; filename=\"y\"",
        "Content-Disposition: attachment; name=\"a\"",
        "Content-Disposition: form-data; name=\"a\"\nContent-Disposition: form-data; name=\"b\"",
        "Content-Disposition: form-data;\n name=\"a\"",
        "Content-Disposition: form-data; name=\"a\"\nno colon",
        "Content-Disposition: form-data; name=\"a\"\nContent-Transfer-Encoding: base64",
        "",
    ] {
        assert_eq!(refused(part(head)).kind, Kind::BadRequest, "{head}");
    }
    let bare = "--XX\nContent-Disposition: form-data; name=\"a\"\n\nx\n--XX--\n";
    refused(Bytes::from_static(bare.as_bytes()));
    refused(form("--XXY\nContent-Disposition: form-data; name=\"a\"\n\nx\n--XX--\n"));
    refused(form("--XX-\nContent-Disposition: form-data; name=\"a\"\n\nx\n--XX--\n"));
    let mut not_text = form("--XX\nContent-Disposition: form-data; name=\"prompt\"\n\n");
    not_text.extend(b"\xff\xfe\r\n--XX--");
    assert_eq!(refused(not_text).param.as_deref(), Some("prompt"));
}

#[test]
fn a_flood_of_parts_and_heads_without_end_are_refused_early() {
    let one = form("--XX\nContent-Disposition: form-data; name=\"a\"\n\n\n");
    let flood = [one.repeat(100_000), b"--XX--".to_vec()].concat();
    let mut parser = Parser::new("XX", Limits::default());
    let mut begun = 0;
    let fault = parser.push(flood.into(), &mut |event| begun += usize::from(matches!(event, Event::PartBegin(_))));
    assert_eq!((fault.unwrap_err().kind, begun), (Kind::BadRequest, 200));

    let mut parser = Parser::new("XX", Limits::default());
    parser.push(Bytes::from_static(b"--XX\r\nA: "), &mut |_| panic!("nothing is whole")).unwrap();
    let endless = (0..).map(|_| parser.push(Bytes::from(vec![b'a'; 1000]), &mut |_| panic!("nothing is whole")));
    assert_eq!(endless.take(20).filter(Result::is_ok).count(), 8);

    let padded = [b"--XX".to_vec(), vec![b' '; 300], b"\r\n".to_vec()].concat();
    assert!(run([&padded[..]], Limits::default()).1.unwrap().contains("delimiter"));
}

#[test]
fn a_field_that_is_no_file_has_a_limit_and_a_file_has_none_here() {
    let limits = Limits { field_bytes: 1000, ..Limits::default() };
    let part = |more: &str, bytes: usize| {
        let head = form(&format!("--XX\nContent-Disposition: form-data; name=\"prompt\"{more}\n\n"));
        [head, vec![b'a'; bytes], form("\n--XX--")].concat()
    };
    Form::read(TYPE, part("", 1000).into(), limits).unwrap();
    let fault = Form::read(TYPE, part("", 1001).into(), limits).unwrap_err();
    assert_eq!(fault.param.as_deref(), Some("prompt"));
    Form::read(TYPE, part("; filename=\"x\"", 1_000_000).into(), limits).unwrap();
}

#[test]
fn the_boundary_is_read_from_the_content_type_or_refused() {
    for (kind, expected) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b:c\"", "a b:c"),
        (
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        ),
    ] {
        assert_eq!(boundary(kind).unwrap(), expected);
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for kind in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a\r\nb\"",
        "multipart/form-data; boundary=\"ab \"",
        "multipart/form-data; boundary=a; boundary=b",
        &long,
    ] {
        assert_eq!(boundary(kind).unwrap_err().kind, Kind::BadRequest, "{kind}");
    }
    for kind in ["", "application/json", "multipart/mixed; boundary=a"] {
        assert_eq!(boundary(kind).unwrap_err().kind, Kind::UnsupportedMediaType, "{kind}");
    }
}

#[test]
fn what_is_written_is_read_back_and_equal_fields_give_equal_bytes() {
    let sound: types::Blob =
        Bytes::from_static(b"RIFF\r\n--ironbow-form-0000\r\n\0\xff ironbow-form-0001 ironbow-form-00020").into();
    let file =
        Attachment { name: "file", file_name: "a\"b\r\nc.wav", content_type: "audio/wav\r\nX: y", bytes: &sound };
    let (kind, body) = write(&[("model", "org/name"), ("prompt", "ironbow-form-ironbow-form-0003")], &[file]).unwrap();
    assert_eq!(kind, "multipart/form-data; boundary=ironbow-form-0004");
    assert_eq!(body.pieces().nth(1).unwrap().unwrap().as_ptr(), sound.in_memory().unwrap().as_ptr());
    let form = Form::read(&kind, body.to_bytes(), Limits::default()).unwrap();
    assert_eq!(form.fields[0].content, Content::Text("org/name".into()));
    let Content::File(upload) = &form.fields[2].content else { panic!("no file") };
    assert_eq!(upload.bytes, sound);
    assert_eq!(upload.file_name.as_deref(), Some("a%22b%0D%0Ac.wav"));
    assert_eq!(upload.claimed_type.as_deref(), Some("audio/wavX: y"));
    let again = write(&[("model", "org/name"), ("prompt", "ironbow-form-ironbow-form-0003")], &[file]).unwrap();
    assert_eq!((again.0, again.1.to_bytes()), (kind, body.to_bytes()));
}

#[test]
fn a_boundary_is_found_in_a_file_on_disk_wherever_it_stands() {
    use std::io::Write as _;
    // Around the place where one look ends and the next begins.
    for at in (64 * 1024 - 40..64 * 1024 + 5).chain([0, 200_000 - 17]) {
        let mut bytes = vec![b'.'; 200_000];
        bytes[at..at + 17].copy_from_slice(b"ironbow-form-0000");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let blob = types::Blob::of_file(std::sync::Arc::new(file), 0, bytes.len());
        let file = Attachment { name: "file", file_name: "a", content_type: "audio/wav", bytes: &blob };
        let (kind, body) = write(&[], &[file]).unwrap();
        assert_eq!(kind, "multipart/form-data; boundary=ironbow-form-0001", "{at}");
        let form = Form::read(&kind, body.to_bytes(), Limits::default()).unwrap();
        let Content::File(upload) = &form.fields[0].content else { panic!("no file") };
        assert!(upload.bytes.to_bytes().unwrap() == bytes);
    }
}

proptest! {
    #[test]
    fn any_fields_survive_writing_and_reading_at_any_split(
        texts in prop::collection::vec(("[a-z_\\[\\]]{1,12}", "(\r\n|--|ironbow-form-|000[0-9]|[ -~é]){0,8}"), 0..5),
        files in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), any::<u8>()], 0..200), 0..3),
        size in 1_usize..300,
    ) {
        let fields: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let bytes: Vec<_> = files.into_iter().map(types::Blob::from).collect();
        let attachments: Vec<_> = bytes
            .iter()
            .map(|bytes| Attachment { name: "file", file_name: "f.bin", content_type: "application/octet-stream", bytes })
            .collect();
        let (kind, body) = write(&fields, &attachments).unwrap();
        let body = body.to_bytes();
        let mut parser = Parser::new(&boundary(&kind).unwrap(), Limits::default());
        let (mut form, mut files) = (Form::new(), InMemory::default());
        for piece in body.chunks(size) {
            form.push(&mut parser, Bytes::copy_from_slice(piece), &mut files).unwrap();
        }
        parser.finish().unwrap();
        prop_assert_eq!(form.fields.len(), fields.len() + bytes.len());
        for (field, (name, text)) in form.fields.iter().zip(&fields) {
            prop_assert_eq!(&field.name, name);
            prop_assert_eq!(&field.content, &Content::Text((*text).to_owned()));
        }
        for (field, bytes) in form.fields[fields.len()..].iter().zip(&bytes) {
            let Content::File(upload) = &field.content else { panic!("no file") };
            prop_assert_eq!(&upload.bytes, bytes);
        }
        prop_assert_eq!(Form::read(&kind, body, Limits::default()).unwrap(), form);
    }

    #[test]
    fn no_bytes_make_the_parser_panic_and_splits_never_matter(
        bytes in prop::collection::vec(prop_oneof![
            Just(b"\r\n--XX".to_vec()), Just(b"\r\n".to_vec()), Just(b"--".to_vec()),
            Just(b"Content-Disposition: form-data; name=\"a\"".to_vec()), Just(b"\r\n\r\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..6)], 0..12),
        size in 1_usize..9,
    ) {
        let bytes = bytes.concat();
        let (whole, pieces) = (run([&bytes[..]], Limits::default()), run(bytes.chunks(size), Limits::default()));
        prop_assert_eq!(&whole.1, &pieces.1);
        if whole.1.is_none() {
            prop_assert_eq!(whole.0, pieces.0);
        }
    }
}
