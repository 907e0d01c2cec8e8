//! A byte-exact HTTP/1.1 client for tests. It shares no code with the gateway, so that neither hides the other's mistake.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// No answer of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the message ended as its framing announced.
    pub(crate) complete: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The JSON of every event of a stream, read as the standard of server-sent events says; `[DONE]` is the string "[DONE]".
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let text = self.text().trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
        let data = |frame: &str| {
            let lines = frame.lines().filter_map(|line| line.strip_prefix("data:"));
            let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        };
        text.split("\n\n")
            .filter_map(data)
            .map(|data| match data.as_str() {
                "[DONE]" => "[DONE]".into(),
                json => serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}")),
            })
            .collect()
    }
}

/// An open exchange: the request is sent, the answer is read piece by piece.
pub(crate) struct Exchange {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Exchange {
    /// Connects and sends these bytes.
    pub(crate) fn send(addr: SocketAddr, bytes: &[u8]) -> Self {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        Self { stream, seen: Vec::new() }
    }

    /// Sends more bytes; a peer that has closed is no failure.
    pub(crate) fn more(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads until `needle` was seen `times` times in what arrived.
    pub(crate) fn read_until(&mut self, needle: &str, times: usize) -> &[u8] {
        let needle = needle.as_bytes();
        while self.seen.windows(needle.len()).filter(|w| *w == needle).count() < times {
            assert!(self.read_some(), "closed before {times} × {needle:?}: {}", String::from_utf8_lossy(&self.seen));
        }
        &self.seen
    }

    /// Reads what comes next; `false` at the end.
    pub(crate) fn read_some(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(n) => {
                self.seen.extend_from_slice(&buffer[..n]);
                true
            }
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(e) => panic!("{e} after {}", String::from_utf8_lossy(&self.seen)),
        }
    }

    /// Reads to the end of the connection.
    pub(crate) fn all(mut self) -> Vec<u8> {
        while self.read_some() {}
        self.seen
    }

    /// Reads to the end and takes the answer apart. Send `connection: close`.
    pub(crate) fn reply(self) -> Reply {
        parse(&self.all())
    }
}

/// Takes an answer apart.
pub(crate) fn parse(bytes: &[u8]) -> Reply {
    let end = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> =
        lines.map(|l| l.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).unwrap()).collect();
    let rest = &bytes[end + 4..];
    let get = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let (body, complete) = if get("transfer-encoding") == Some("chunked") {
        dechunk(rest)
    } else if let Some(length) = get("content-length").map(|v| v.parse::<usize>().unwrap()) {
        (rest[..rest.len().min(length)].to_vec(), rest.len() >= length)
    } else {
        (rest.to_vec(), true)
    };
    Reply { status, headers, body, complete }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|w| w == b"\r\n") else { return (body, false) };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return (body, rest.starts_with(b"\r\n"));
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(&rest[..rest.len().min(size)]);
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

/// A request as bytes, with `connection: close`.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}
