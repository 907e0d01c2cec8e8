//! The edge: what is not a sound call never goes further (T49–T54, T60, T61, T63 through the whole gateway).

use serde_json::json;

use crate::it::{
    raw::{Exchange, parse, request},
    world::{EVERYWHERE, World, ask},
};

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn bad_json_is_refused_by_name_and_nothing_is_sent() {
    let world = World::plain();
    let deep = format!(
        "{{\"model\":\"huggingface/groq/{EVERYWHERE}\",\"messages\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let twice = format!("{{\"model\":\"huggingface/groq/{EVERYWHERE}\",\"messages\":[],\"mod\\u0065l\":\"x/y\"}}");
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"model\":1,\"messages\":[]}",
        "{\"messages\":[]}",
        "{\"model\":\"a/b\"}",
        "{\"model\":\"a/b\",\"messages\":\"x\"}",
        "{\"model\":\"a/b\",\"messages\":[],\"stream\":\"yes\"}",
        "{\"model\":\"a/b\",\"messages\":[]} x",
        "{\"model\":\"a/b\",\"messages\":[NaN]}",
        "\u{feff}{\"model\":\"a/b\",\"messages\":[]}",
        &deep,
        &twice,
    ] {
        let reply = world.send("POST", "/v1/chat/completions", &[JSON], body.as_bytes());
        assert_eq!(reply.status, 400, "{:.80}: {}", body, reply.text());
        assert_eq!(reply.json()["error"]["type"], "invalid_request_error");
    }
    let reply = world.send("POST", "/v1/chat/completions", &[JSON], b"{\"model\":\"a/b\",\"messages\":[\"\xff\"]}");
    assert_eq!(reply.status, 400);
    assert_eq!(world.upstream_chats().len(), 0);
}

#[test]
fn json_that_readers_could_take_differently_has_one_meaning_or_is_refused() {
    let world = World::plain();
    let chat = |more: &str| {
        let call = r#"{"model":"huggingface/novita/sandbox/everywhere","messages":[{"role":"user","content":"hi"}]"#;
        world.send("POST", "/v1/chat/completions", &[JSON], format!("{call}{more}}}").as_bytes())
    };
    let members: String = (0..1_000_000).map(|n| format!(",\"k{n}\":0")).collect();
    let number = format!(",\"x\":{}", "9".repeat(3_000_000));
    for (what, more) in [("a million members", members.as_str()), ("a number of three million digits", &number)] {
        let reply = chat(more);
        assert!(matches!(reply.status, 400 | 413), "{what}: {} {:.200}", reply.status, reply.text());
    }
    assert_eq!(world.upstream_chats().len(), 0);
    // Names that mean something in other languages, and halves of a pair of surrogates, are members and texts like any other.
    for more in [r#","__proto__":{"a":1}"#, r#","constructor":{}"#, r#","metadata":{"s":"\ud800"}"#] {
        // The sandbox itself cannot read half a pair; what counts is that the gateway sent what it was given.
        assert!(matches!(chat(more).status, 200 | 400), "{more}");
        let sent = world.upstream_chats().pop().unwrap();
        assert!(sent["body"].as_str().unwrap().contains(&more[1..]), "{more}: {sent}");
    }
}

#[test]
fn what_a_backend_compressed_unasked_is_not_unpacked() {
    let world = World::plain();
    // 20 bytes that gunzip makes one of, however large: nobody asked for them, and nobody reads them.
    let raw = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 20\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
    let raw = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, raw);
    for stream in [false, true] {
        world.fault(&json!({"times": 1, "fault": {"kind": "raw", "base64": raw}, "match": {"area": "routed"}}));
        let mut body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi");
        body["stream"] = json!(stream);
        let reply = world.chat(&body);
        assert_eq!((reply.status, reply.header("content-encoding")), (502, None), "{}", reply.text());
    }
}

#[test]
fn a_body_above_the_limit_is_refused_with_and_without_a_length() {
    let world = World::configured("limits.body = \"64KiB\"\n");
    let big = ask(&format!("huggingface/groq/{EVERYWHERE}"), &"x".repeat(70_000)).to_string();
    let reply = world.send("POST", "/v1/chat/completions", &[JSON], big.as_bytes());
    assert_eq!(reply.status, 413, "{}", reply.text());
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut exchange = Exchange::send(world.addr, head.as_bytes());
    for piece in big.as_bytes().chunks(10_000) {
        exchange.more(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    exchange.more(b"0\r\n\r\n");
    exchange.read_until("\r\n\r\n", 1);
    let seen = exchange.read_until("error", 1).to_vec();
    assert!(seen.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&seen));
    assert_eq!(world.upstream_chats().len(), 0);
}

#[test]
fn compressed_bodies_and_other_types_are_refused() {
    let world = World::plain();
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi").to_string();
    for headers in [
        &[("content-type", "text/plain")][..],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[],
        &[JSON, ("content-encoding", "gzip")],
        &[JSON, ("content-encoding", "zstd")],
    ] {
        let reply = world.send("POST", "/v1/chat/completions", headers, body.as_bytes());
        assert_eq!(reply.status, 415, "{headers:?}: {}", reply.text());
    }
}

#[test]
fn web_pages_cannot_use_a_keyless_listener() {
    let world = World::plain();
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi").to_string();
    for (name, value, status) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost", 200),
        ("x-a", "b", 200),
    ] {
        let reply = world.send("POST", "/v1/chat/completions", &[JSON, (name, value)], body.as_bytes());
        assert_eq!(reply.status, status, "{name}: {value}: {}", reply.text());
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let bytes = String::from_utf8(request("POST", "/v1/chat/completions", &[JSON], body.as_bytes())).unwrap();
    let foreign = bytes.replace("host: localhost", "host: evil.example");
    assert_eq!(Exchange::send(world.addr, foreign.as_bytes()).reply().status, 403);
    let preflight = world.send("OPTIONS", "/v1/chat/completions", &[("origin", "https://evil.example")], b"");
    assert!(preflight.status >= 400 && preflight.header("access-control-allow-origin").is_none());
}

/// Paths that are served; none of their other spellings may lead to them.
const SERVED: &[&str] = &[
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/completions",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/images/generations",
    "/v1/images/edits",
    "/pydanticai/v1/chat/completions",
    "/langchain/v1/chat/completions",
    "/litellm/v1/embeddings",
    "/litellm/v1/chat/completions",
    "/anthropic/v1/messages",
    "/metrics",
    "/health",
];

#[test]
fn odd_paths_and_methods_lead_nowhere() {
    let world = World::plain();
    let mut odd = vec!["/chat/completions".to_owned()];
    for path in SERVED {
        let (root, last) = path.rsplit_once('/').unwrap();
        let mut letters = last.chars();
        let first = letters.next().unwrap();
        let rest = letters.as_str();
        odd.extend([
            format!("/{path}"),
            format!("{root}//{last}"),
            format!("{root}/./{last}"),
            format!("{root}/x/../{last}"),
            format!("{root}/%2e/{last}"),
            format!("{root}/%2e%2e{path}"),
            format!("{root}%2f{last}"),
            format!("{root}%5c{last}"),
            format!("{root}/%{:02x}{rest}", first as u32),
            format!("{root}/%{:02X}{rest}", first as u32),
            format!("{root}/%c1%{:02x}{rest}", first as u32 | 0x80),
            format!("{root}/{}{rest}", first.to_ascii_uppercase()),
            path.to_ascii_uppercase(),
            format!("{path}/"),
            format!("{path}."),
            format!("{path}/."),
            format!("{path};x=1"),
            format!("{path}%00"),
            format!("{path}%20"),
            format!("{path}%3fx"),
            format!("{path}%23x"),
            format!("{path}\\"),
        ]);
    }
    assert!(odd.len() > 300, "{}", odd.len());
    for path in &odd {
        let reply = world.send("POST", path, &[JSON], b"{}");
        let no_uri = reply.status == 400 && (path.contains('\\') || !path.starts_with('/'));
        // There the end of the path is an id, which is asked for by other methods.
        let an_id = reply.status == 405 && path.starts_with("/v1/responses/");
        assert!(reply.status == 404 || no_uri || an_id, "{path}: {} {}", reply.status, reply.text());
        if !no_uri && !path.contains("anthropic") {
            assert_eq!(reply.json()["error"]["request_id"].as_str(), reply.header("x-request-id"), "{path}");
        }
    }
    assert_eq!(world.upstream_chats().len(), 0);
    let reply = world.get("/v1/chat/completions");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    assert!(world.send("POST", "/chat/completions", &[JSON], b"{}").text().contains("/v1/chat/completions"));
}

#[test]
fn control_characters_cannot_become_headers() {
    let world = World::plain();
    for name in ["huggingface/groq/a\r\nx: y", "huggingface/groq/a\u{0}b", "huggingface/groq/é"] {
        let reply = world.chat(&ask(name, "hi"));
        assert!((400..500).contains(&reply.status), "{name:?}");
    }
    assert_eq!(world.upstream_chats().len(), 0);
}

#[test]
fn an_early_answer_leaves_the_connection_usable_or_closed() {
    let world = World::plain();
    let good =
        json!({"model": format!("huggingface/groq/{EVERYWHERE}"), "messages": [{"role": "user", "content": "hi"}]})
            .to_string();
    for _ in 0..100 {
        let early = "POST /v1/nothing HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n".to_owned();
        let mut exchange = Exchange::send(world.addr, early.as_bytes());
        exchange.more(&[b'x'; 5000]);
        exchange.more(&request("POST", "/v1/chat/completions", &[JSON], good.as_bytes()));
        let all = exchange.all();
        let first = parse(&all);
        assert_eq!(first.status, 404);
        let rest = String::from_utf8_lossy(&all);
        assert!(rest.matches("HTTP/1.1 ").count() <= 2 && !rest.contains("HTTP/1.1 400"), "{rest}");
    }
}
