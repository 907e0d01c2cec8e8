//! Results at addresses that a backend names: fetched from where they may be, without a key, within bounds, and from nowhere else.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::it::{
    raw::Reply,
    world::{FORGIVING, With, World},
};

/// Asks for a picture that the backend names by its address and the caller wants in base64.
fn draw(world: &World) -> Reply {
    let body = json!({"model": "huggingface/replicate/sandbox/draws", "prompt": "a fox", "size": "64x64", "response_format": "b64_json"});
    world.send("POST", "/v1/images/generations", &[("content-type", "application/json")], body.to_string().as_bytes())
}

fn asset_fault(world: &World, fault: &serde_json::Value) {
    world.fault(&json!({"match": {"operation": "asset"}, "times": 1, "fault": fault}));
}

/// Somebody on loopback who must never be asked.
pub(super) struct Trap(TcpListener);

impl Trap {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    pub(super) fn was_asked(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// Every way to write an address that must not be reached; `{p}` is a port on loopback where somebody listens.
const FORBIDDEN: &[&str] = &[
    "http://127.0.0.1:{p}",
    "https://127.0.0.1:{p}",
    "https://127.1:{p}",
    "https://127.000.000.001:{p}",
    "https://0177.0.0.1:{p}",
    "https://0x7f.0.0.1:{p}",
    "https://0x7f000001:{p}",
    "https://2130706433:{p}",
    "https://017700000001:{p}",
    "https://0:{p}",
    "https://0.0.0.0:{p}",
    "https://localhost:{p}",
    "https://localhost.:{p}",
    "https://LOCALHOST:{p}",
    "https://a.localhost:{p}",
    "https://localhost.localdomain:{p}",
    "https://[::1]:{p}",
    "https://[::]:{p}",
    "https://[0:0:0:0:0:0:0:1]:{p}",
    "https://[::ffff:127.0.0.1]:{p}",
    "https://[::ffff:7f00:1]:{p}",
    "https://[::127.0.0.1]:{p}",
    "https://[64:ff9b::7f00:1]:{p}",
    "https://[fe80::1]:{p}",
    "https://[fe80::1%25lo]:{p}",
    "https://[fc00::1]:{p}",
    "https://[fd00:ec2::254]:{p}",
    "https://[fd20:ce::254]:{p}",
    "https://10.0.0.1:{p}",
    "https://172.16.0.1:{p}",
    "https://192.168.0.1:{p}",
    "https://100.64.0.1:{p}",
    "https://169.254.169.254",
    "http://169.254.169.254",
    "https://169.254.170.2",
    "https://0xa9fea9fe",
    "https://2852039166",
    "https://0251.0376.0251.0376",
    "https://[::ffff:169.254.169.254]",
    "https://100.100.100.200",
    "https://168.63.129.16",
    "https://192.0.0.192",
    "https://metadata",
    "https://metadata.google.internal",
    "https://METADATA.google.internal",
    "https://metadata.google.internal.",
    "https://instance-data.ec2.internal",
    "https://metadata.azure.com",
    "https://printer.local",
    "https://db.internal",
    "https://user@127.0.0.1:{p}",
    "https://user:pass@example.com",
    "https://example.com@127.0.0.1:{p}",
    "https://example.com\\@127.0.0.1:{p}",
    "https://127.0.0.1:{p}\\@example.com",
    "https://127.0.0.1:{p}#@example.com",
    "https://127.0.0.1:{p}?@example.com",
    "https://ⓛocalhost:{p}",
    "https://1２7.0.0.1:{p}",
    "https://224.0.0.1:{p}",
    "https://255.255.255.255:{p}",
    "ftp://example.com",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{p}",
    "javascript://127.0.0.1:{p}",
    "//127.0.0.1:{p}",
    "https:///",
    "https://",
    "https://example.com:0",
    "https://example.com:99999",
    "http://example.com",
];

#[test]
fn no_spelling_of_a_private_address_is_ever_asked() {
    let world =
        World::with(With { config: FORGIVING, env: vec![("IRONBOW_ASSETS__ALLOW", "[]".into())], ..With::default() });
    let trap = Trap::new();
    for address in FORBIDDEN {
        let address = address.replace("{p}", &trap.port().to_string());
        world.settings(&json!({"asset_base": address}));
        let reply = draw(&world);
        assert_eq!(reply.status, 502, "{address}: {}", reply.text());
        assert!(!trap.was_asked(), "{address}");
    }
    assert_eq!(world.sandbox.journal().iter().filter(|entry| entry["area"] == "asset").count(), 0);
}

#[test]
fn what_the_operator_allowed_is_one_place_and_no_other() {
    let trap = Trap::new();
    let allowed = format!("[\"http://127.0.0.1:{}\"]", trap.port());
    let world =
        World::with(With { config: FORGIVING, env: vec![("IRONBOW_ASSETS__ALLOW", allowed)], ..With::default() });
    let other = Trap::new();
    for address in [
        format!("http://127.0.0.1:{}", other.port()),
        format!("http://localhost:{}", trap.port()),
        format!("https://127.0.0.1:{}", trap.port()),
        format!("http://127.0.0.2:{}", trap.port()),
    ] {
        world.settings(&json!({"asset_base": address}));
        assert_eq!(draw(&world).status, 502, "{address}");
        assert!(!trap.was_asked() && !other.was_asked(), "{address}");
    }
}

#[test]
fn redirects_lead_nowhere_that_the_first_address_might_not() {
    let world = World::configured(FORGIVING);
    let trap = Trap::new();
    let port = trap.port();
    for to in [
        format!("http://127.0.0.1:{port}/x"),
        format!("https://127.0.0.1:{port}/x"),
        format!("https://localhost:{port}/x"),
        format!("//127.0.0.1:{port}/x"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        "ftp://example.com/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "x/relative".to_owned(),
        String::new(),
    ] {
        for status in [301, 302, 307, 308] {
            asset_fault(&world, &json!({"kind": "redirect", "to": to, "status": status}));
            let reply = draw(&world);
            assert_eq!(reply.status, 502, "{status} to {to}: {}", reply.text());
            assert!(!trap.was_asked(), "{status} to {to}");
        }
    }
    // Round and round at an allowed place: the fourth hop is not made.
    let before = world.sandbox.journal().len();
    let round = format!("{}/_assets/round", world.sandbox.url());
    world.fault(&json!({"match": {"operation": "asset"}, "times": 20, "fault": {"kind": "redirect", "to": round}}));
    assert_eq!(draw(&world).status, 502);
    let asked = world.sandbox.journal()[before..].iter().filter(|entry| entry["operation"] == "asset").count();
    assert_eq!(asked, 4);
}

#[test]
fn a_good_redirect_is_followed_without_any_key() {
    let world = World::configured(FORGIVING);
    let first = draw(&world);
    assert_eq!(first.status, 200, "{}", first.text());
    let found = world.sandbox.journal().into_iter().find(|entry| entry["operation"] == "asset").unwrap();
    let path = found["path"].as_str().unwrap().to_owned();
    asset_fault(&world, &json!({"kind": "redirect", "to": path, "status": 307}));
    let again = draw(&world);
    assert_eq!(again.json()["data"][0]["b64_json"], first.json()["data"][0]["b64_json"]);
    assert!(world.sandbox.journal().iter().all(|entry| entry["leaked"].is_null()), "a key went to an asset");
}

#[test]
fn results_are_bounded_in_size_and_time_and_must_be_what_they_are_for() {
    let world = World::with(With {
        config: FORGIVING,
        env: vec![("IRONBOW_ASSETS__SIZE", "200kB".into()), ("IRONBOW_ASSETS__TIME", "1s".into())],
        ..With::default()
    });
    let before = world.memory();
    let big = "x".repeat(100_000);
    let raw = |text: String| json!({"kind": "raw", "text": text});
    let head = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n";
    for (what, fault) in [
        ("ten GiB announced", raw(format!("{head}content-length: 10737418240\r\n\r\n{big}"))),
        ("too much without a length", raw(format!("{head}\r\n{}", big.repeat(3)))),
        ("one byte a while", json!({"kind": "slow", "bytes": 1, "gap_ms": 200})),
        ("silence", json!({"kind": "stall", "before_head": true})),
        ("cut off", json!({"kind": "cut"})),
        ("a page", json!({"kind": "html", "status": 200})),
        ("text", raw(format!("{head}content-length: 5\r\n\r\nhello"))),
        ("packed", raw("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\u{1f}AAA".to_owned())),
        ("nothing", raw(format!("{head}content-length: 0\r\n\r\n"))),
        ("not there", json!({"kind": "status", "status": 404})),
    ] {
        asset_fault(&world, &fault);
        let begun = Instant::now();
        let reply = draw(&world);
        assert!((502..=504).contains(&reply.status), "{what}: {} {}", reply.status, reply.text());
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
    }
    assert_eq!(draw(&world).status, 200);
    assert!(world.memory() < before + (40 << 20), "{} before, {} after", before, world.memory());
}

#[test]
fn sound_that_is_a_page_is_no_sound() {
    let world = World::configured(FORGIVING);
    asset_fault(&world, &json!({"kind": "html", "status": 200}));
    let body = json!({"model": "huggingface/fal-ai/sandbox/speaks", "input": "hi"});
    let reply =
        world.send("POST", "/v1/audio/speech", &[("content-type", "application/json")], body.to_string().as_bytes());
    assert_eq!(reply.status, 502, "{}", reply.text());
}
