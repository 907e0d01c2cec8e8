//! A raw HTTP/1.1 client: writes a request, reads the answer, hides nothing.

use std::io;
use std::time::Duration;

use sandbox::{Running, Sandbox, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A whole answer, its chunks put together.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the message came to its proper end.
    pub(crate) whole: bool,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The JSON of every `data:` line.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The text that a stream tells.
    pub(crate) fn streamed(&self) -> String {
        let events = self.events();
        events.iter().filter_map(|event| event.pointer("/choices/0/delta/content").and_then(Value::as_str)).collect()
    }
}

pub(crate) fn sandbox() -> Running {
    Sandbox::start(Settings::default()).unwrap()
}

pub(crate) async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.addr).await.unwrap()
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: sandbox\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{text}\r\n{body}")
}

pub(crate) async fn send(running: &Running, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let mut stream = connect(running).await;
    stream.write_all(request(method, target, headers, body).as_bytes()).await.unwrap();
    read(&mut stream).await.unwrap()
}

/// A POST of bytes under a media type.
pub(crate) async fn upload(running: &Running, target: &str, token: &str, media: &str, body: &[u8]) -> Got {
    let mut stream = connect(running).await;
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
        running.addr,
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    read(&mut stream).await.unwrap()
}

/// The target of an address that an answer names, if it is this sandbox's.
pub(crate) fn asset(running: &Running, url: &Value) -> String {
    let base = format!("http://{}", running.addr);
    let url = url.as_str().unwrap_or_else(|| panic!("no address: {url}"));
    url.strip_prefix(&base).or_else(|| url.strip_prefix("http://sandbox")).unwrap_or_else(|| panic!("{url}")).to_owned()
}

/// The own id of a backend for a model.
pub(crate) fn own(backend: &str, hub: &str) -> String {
    let route = |found: &&(&str, &str, &str, &str)| found.1 == backend && found.2 == hub;
    sandbox::routes().iter().find(route).map(|found| found.3.to_owned()).unwrap()
}

pub(crate) async fn get(running: &Running, target: &str, token: Option<&str>) -> Got {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    send(running, "GET", target, &headers, "").await
}

pub(crate) async fn chat(running: &Running, target: &str, token: &str, body: &Value) -> Got {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("x-source-channel", "hugging_face"),
        ("accept-language", "en-US,en"),
    ];
    send(running, "POST", target, &headers, &body.to_string()).await
}

/// The path and body model of a backend, for the model that all serve.
pub(crate) fn everywhere(backend: &str) -> (String, String) {
    let route = |found: &&(&str, &str, &str)| found.0 == backend && found.1 == "sandbox/everywhere";
    let id = sandbox::chat_routes().iter().find(route).map(|found| found.2).unwrap().to_owned();
    let path = match backend {
        "hf-inference" => format!("/hf-inference/models/{id}/v1/chat/completions"),
        "cohere" => "/cohere/compatibility/v1/chat/completions".into(),
        "fireworks-ai" => "/fireworks-ai/inference/v1/chat/completions".into(),
        "groq" => "/groq/openai/v1/chat/completions".into(),
        "novita" => "/novita/v3/openai/chat/completions".into(),
        "zai-org" => "/zai-org/api/paas/v4/chat/completions".into(),
        "deepinfra" => "/deepinfra/v1/openai/chat/completions".into(),
        other => format!("/{other}/v1/chat/completions"),
    };
    (path, id)
}

pub(crate) fn says(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

pub(crate) fn with(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// Reads one answer.
pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<Got> {
    let mut held = Vec::new();
    let end = loop {
        if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if !more(stream, &mut held).await? {
            let closed = io::ErrorKind::UnexpectedEof;
            return Err(io::Error::new(closed, format!("closed after {} bytes of head", held.len())));
        }
    };
    let head = String::from_utf8_lossy(&held[..end]).into_owned();
    let mut rest = held.split_off(end + 4);
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut got = Got { status, head, body: Vec::new(), whole: false };
    if let Some(length) = got.header("content-length").and_then(|text| text.parse::<usize>().ok()) {
        while rest.len() < length && more(stream, &mut rest).await? {}
        got.whole = rest.len() >= length;
        got.body = rest;
    } else {
        while !ended(&rest) && more(stream, &mut rest).await? {}
        got.whole = ended(&rest);
        got.body = dechunked(&rest);
    }
    Ok(got)
}

async fn more(stream: &mut TcpStream, held: &mut Vec<u8>) -> io::Result<bool> {
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_buf(held)).await;
    Ok(read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? > 0)
}

fn ended(chunks: &[u8]) -> bool {
    chunks == b"0\r\n\r\n" || chunks.ends_with(b"\r\n0\r\n\r\n")
}

fn dechunked(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = chunks.windows(2).position(|window| window == b"\r\n") {
        let Ok(size) = usize::from_str_radix(&String::from_utf8_lossy(&chunks[..line]), 16) else { break };
        let start = (line + 2).min(chunks.len());
        let end = (start + size).min(chunks.len());
        body.extend_from_slice(&chunks[start..end]);
        chunks = chunks.get(end + 2..).unwrap_or_default();
    }
    body
}

/// What comes first, as soon as it is enough.
pub(crate) async fn first_bytes(stream: &mut TcpStream, enough: usize) -> Vec<u8> {
    let mut held = Vec::new();
    while held.len() < enough && more(stream, &mut held).await.unwrap() {}
    held
}
