//! A very cheap fake OpenAI-compatible server. It can stand for a provider, for
//! a router that puts the provider in the path, and for the Hub's mapping look-up.
//!
//!   upstream --port 18000
//!
//! What it answers is set at run time: GET /_ctl?latency_us=0&bytes=500&chunks=100&gap_us=0&dims=1536
//! What it saw: GET /_stats (and ?reset=1).

use gwbench::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::os::fd::RawFd;

struct Ctl {
    latency_us: u64,
    bytes: usize,
    chunks: usize,
    gap_us: u64,
    dims: usize,
}

#[derive(Default)]
struct Stats {
    conns: u64,
    open: u64,
    chat: u64,
    stream: u64,
    embed: u64,
    other: u64,
    notfound: u64,
    chunks: u64,
    body_bytes: u64,
}

struct Prebuilt {
    chat: Vec<u8>,
    embed: Vec<u8>,
    sse_head: Vec<u8>,
    sse_first: Vec<u8>,
    sse_mid: Vec<u8>,
    sse_stamp: usize, // where the 16-digit timestamp lies in sse_mid
    sse_tail: Vec<u8>,
}

fn json_response(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-request-id: req_bench\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn frame(s: &str) -> Vec<u8> {
    format!("{:x}\r\n{s}\r\n", s.len()).into_bytes()
}

const USAGE: &str = r#""usage":{"prompt_tokens":100,"completion_tokens":100,"total_tokens":200}"#;

fn prebuild(c: &Ctl) -> Prebuilt {
    let word = "The quick brown fox says \\\"hello\\\" to the lazy dog.\\n";
    let shell = format!(
        r#"{{"id":"chatcmpl-bench0001","object":"chat.completion","created":1700000000,"model":"bench-model","choices":[{{"index":0,"message":{{"role":"assistant","content":""}},"logprobs":null,"finish_reason":"stop"}}],{USAGE},"system_fingerprint":"fp_bench"}}"#
    );
    let mut content = String::new();
    while shell.len() + content.len() + word.len() <= c.bytes {
        content.push_str(word);
    }
    while shell.len() + content.len() < c.bytes {
        content.push('x');
    }
    let chat = shell.replace(r#""content":"""#, &format!(r#""content":"{content}""#));
    let mut e = String::from(r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":["#);
    for i in 0..c.dims {
        let v = ((i as f64 * 0.618_033_988_75).fract() - 0.5) * 0.1;
        let _ = write!(e, "{}{v:.9}", if i > 0 { "," } else { "" });
    }
    e.push_str(r#"]}],"model":"bench-model","usage":{"prompt_tokens":8,"total_tokens":8}}"#);
    let chunk = |delta: &str, fin: &str| {
        format!(
            r#"data: {{"id":"chatcmpl-bench0001","object":"chat.completion.chunk","created":1700000000,"model":"bench-model","system_fingerprint":"fp_bench","choices":[{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":{fin}}}]}}"#
        ) + "\n\n"
    };
    let mid = frame(&chunk(r#""content":"t=0000000000000000 ""#, "null"));
    let stamp = memchr::memmem::find(&mid, b"t=0").unwrap() + 2;
    let mut tail = frame(&chunk("", r#""stop""#));
    tail.extend(frame(&format!(
        "data: {{\"id\":\"chatcmpl-bench0001\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench-model\",\"choices\":[],{USAGE}}}\n\n"
    )));
    tail.extend(frame("data: [DONE]\n\n"));
    tail.extend(b"0\r\n\r\n");
    Prebuilt {
        chat: json_response("200 OK", &chat),
        embed: json_response("200 OK", &e),
        sse_head: b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\nx-request-id: req_bench\r\n\r\n".to_vec(),
        sse_first: frame(&chunk(r#""role":"assistant","content":"""#, "null")),
        sse_mid: mid,
        sse_stamp: stamp,
        sse_tail: tail,
    }
}

struct Conn {
    fd: RawFd,
    gen_: u32,
    rbuf: Vec<u8>,
    wbuf: Vec<u8>,
    want_write: bool,
    busy: bool, // an answer is under way: do not look at the next request
    stream_left: usize,
    close: bool,
}

struct Server {
    ep: Epoll,
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    timers: BinaryHeap<Reverse<(u64, usize, u32, u8)>>, // when, conn, generation, what
    ctl: Ctl,
    pre: Prebuilt,
    st: Stats,
    gen_: u32,
}

const T_CHAT: u8 = 0;
const T_EMBED: u8 = 1;
const T_STREAM: u8 = 2;
const T_CHUNK: u8 = 3;

impl Server {
    fn accept(&mut self, lfd: RawFd) {
        loop {
            let fd = unsafe {
                libc::accept4(lfd, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            };
            if fd < 0 {
                return;
            }
            nodelay(fd);
            self.gen_ += 1;
            let c = Conn {
                fd,
                gen_: self.gen_,
                rbuf: Vec::new(),
                wbuf: Vec::new(),
                want_write: false,
                busy: false,
                stream_left: 0,
                close: false,
            };
            let i = self.free.pop().unwrap_or_else(|| {
                self.conns.push(None);
                self.conns.len() - 1
            });
            self.conns[i] = Some(c);
            self.ep.add(fd, libc::EPOLLIN | libc::EPOLLRDHUP, i as u64);
            self.st.conns += 1;
            self.st.open += 1;
        }
    }

    fn drop_conn(&mut self, i: usize) {
        if let Some(c) = self.conns[i].take() {
            unsafe { libc::close(c.fd) };
            self.free.push(i);
            self.st.open -= 1;
        }
    }

    fn readable(&mut self, i: usize) {
        let Some(c) = self.conns[i].as_mut() else { return };
        loop {
            c.rbuf.reserve(65536);
            let (p, cap) = (c.rbuf.spare_capacity_mut().as_mut_ptr(), c.rbuf.capacity() - c.rbuf.len());
            let n = unsafe { libc::recv(c.fd, p as *mut _, cap, 0) };
            if n > 0 {
                unsafe { c.rbuf.set_len(c.rbuf.len() + n as usize) };
                if (n as usize) < cap {
                    break;
                }
            } else if n == 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::WouldBlock {
                return self.drop_conn(i);
            } else {
                break;
            }
        }
        self.process(i);
    }

    fn process(&mut self, i: usize) {
        loop {
            let Some(c) = self.conns[i].as_mut() else { return };
            if c.busy || c.rbuf.is_empty() {
                break;
            }
            let Some(h) = head_end(&c.rbuf) else { break };
            let f = framing(&c.rbuf[..h]);
            if f.expect && c.rbuf.len() == h && c.wbuf.is_empty() {
                c.wbuf.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                self.flush(i);
                return;
            }
            let (streaming, body_len, end);
            if f.chunked {
                let mut d = Chunked::default();
                let mut body = Vec::new();
                let n = d.feed(&c.rbuf[h..], |s| body.extend_from_slice(s));
                if !d.done() {
                    break;
                }
                streaming = wants_stream(&body);
                (body_len, end) = (body.len(), h + n);
            } else {
                body_len = f.content_length.unwrap_or(0);
                end = h + body_len;
                if c.rbuf.len() < end {
                    break;
                }
                streaming = wants_stream(&c.rbuf[h..end]);
            }
            let line_end = memchr::memchr(b'\r', &c.rbuf).unwrap();
            let line = String::from_utf8_lossy(&c.rbuf[..line_end]).into_owned();
            if c.rbuf.len() == end {
                c.rbuf.clear();
                if c.rbuf.capacity() > 1 << 18 {
                    c.rbuf = Vec::new();
                }
            } else {
                c.rbuf.drain(..end);
            }
            c.close = f.close;
            self.st.body_bytes += body_len as u64;
            self.route(i, &line, streaming);
        }
        // an idle connection keeps no large buffer
        if let Some(c) = self.conns[i].as_mut()
            && c.rbuf.is_empty()
            && c.stream_left > 0
        {
            c.rbuf = Vec::new();
        }
    }

    fn route(&mut self, i: usize, line: &str, streaming: bool) {
        let mut it = line.split(' ');
        let (method, target) = (it.next().unwrap_or(""), it.next().unwrap_or(""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let what = if method == "POST" && path.ends_with("/chat/completions") {
            if streaming { T_STREAM } else { T_CHAT }
        } else if method == "POST" && path.ends_with("/embeddings") {
            T_EMBED
        } else {
            let r = self.other(method, path, query);
            let c = self.conns[i].as_mut().unwrap();
            c.wbuf.extend_from_slice(&r);
            return self.flush(i);
        };
        let g = {
            let c = self.conns[i].as_mut().unwrap();
            c.busy = true;
            c.gen_
        };
        if self.ctl.latency_us > 0 {
            self.timers.push(Reverse((now_ns() + self.ctl.latency_us * 1000, i, g, what)));
        } else {
            self.answer(i, what);
        }
    }

    fn other(&mut self, method: &str, path: &str, query: &str) -> Vec<u8> {
        if path == "/_ctl" {
            for kv in query.split('&') {
                let Some((k, v)) = kv.split_once('=') else { continue };
                let v: u64 = v.parse().unwrap_or(0);
                match k {
                    "latency_us" => self.ctl.latency_us = v,
                    "bytes" => self.ctl.bytes = v as usize,
                    "chunks" => self.ctl.chunks = v as usize,
                    "gap_us" => self.ctl.gap_us = v,
                    "dims" => self.ctl.dims = v as usize,
                    _ => {}
                }
            }
            self.pre = prebuild(&self.ctl);
            return json_response("200 OK", "{}");
        }
        if path == "/_stats" {
            let s = &self.st;
            let r = format!(
                r#"{{"conns":{},"open":{},"chat":{},"stream":{},"embed":{},"other":{},"notfound":{},"chunks":{},"body_bytes":{}}}"#,
                s.conns, s.open, s.chat, s.stream, s.embed, s.other, s.notfound, s.chunks, s.body_bytes
            );
            if query.contains("reset") {
                self.st = Stats { open: self.st.open, ..Default::default() };
            }
            return json_response("200 OK", &r);
        }
        self.st.other += 1;
        if path.ends_with("/models") {
            return json_response(
                "200 OK",
                r#"{"object":"list","data":[{"id":"bench-model","object":"model","created":1700000000,"owned_by":"bench"}]}"#,
            );
        }
        if let Some(id) = path.strip_prefix("/api/models/") {
            return json_response(
                "200 OK",
                &format!(
                    r#"{{"_id":"0","id":"{id}","pipeline_tag":"text-generation","inferenceProviderMapping":{{"groq":{{"status":"live","providerId":"{id}","task":"conversational"}},"together":{{"status":"live","providerId":"{id}","task":"conversational"}},"nebius":{{"status":"staging","providerId":"{id}","task":"conversational"}},"scaleway":{{"status":"live","providerId":"{id}","task":"feature-extraction"}},"hf-inference":{{"status":"live","providerId":"{id}","task":"feature-extraction"}}}}}}"#
                ),
            );
        }
        if path.starts_with("/api/whoami") {
            return json_response("200 OK", r#"{"type":"user","name":"bench"}"#);
        }
        if path == "/" || path.ends_with("/health") {
            return json_response("200 OK", r#"{"status":"ok"}"#);
        }
        self.st.notfound += 1;
        if self.st.notfound < 20 {
            eprintln!("upstream: 404 {method} {path}");
        }
        json_response("404 Not Found", r#"{"error":{"message":"no such path","type":"invalid_request_error"}}"#)
    }

    fn answer(&mut self, i: usize, what: u8) {
        let Some(c) = self.conns[i].as_mut() else { return };
        match what {
            T_CHAT => {
                self.st.chat += 1;
                c.wbuf.extend_from_slice(&self.pre.chat);
                c.busy = false;
                self.flush(i);
            }
            T_EMBED => {
                self.st.embed += 1;
                c.wbuf.extend_from_slice(&self.pre.embed);
                c.busy = false;
                self.flush(i);
            }
            T_STREAM => {
                self.st.stream += 1;
                c.wbuf.extend_from_slice(&self.pre.sse_head);
                c.wbuf.extend_from_slice(&self.pre.sse_first);
                c.stream_left = self.ctl.chunks;
                self.flush(i);
                self.chunks(i);
            }
            _ => self.chunks(i),
        }
    }

    /// Sends the next chunk, or, without a gap, all of them, each by its own write.
    fn chunks(&mut self, i: usize) {
        loop {
            let Some(c) = self.conns[i].as_mut() else { return };
            if c.stream_left == 0 {
                c.wbuf.extend_from_slice(&self.pre.sse_tail);
                c.busy = false;
                self.flush(i);
                return self.process(i);
            }
            c.stream_left -= 1;
            self.st.chunks += 1;
            let now = now_ns();
            let at = c.wbuf.len() + self.pre.sse_stamp;
            c.wbuf.extend_from_slice(&self.pre.sse_mid);
            let mut t = now;
            for k in (0..16).rev() {
                c.wbuf[at + k] = b'0' + (t % 10) as u8;
                t /= 10;
            }
            let g = c.gen_;
            self.flush(i);
            if self.ctl.gap_us > 0 {
                self.timers.push(Reverse((now + self.ctl.gap_us * 1000, i, g, T_CHUNK)));
                return;
            }
        }
    }

    fn flush(&mut self, i: usize) {
        let Some(c) = self.conns[i].as_mut() else { return };
        let mut pos = 0;
        while pos < c.wbuf.len() {
            let n =
                unsafe { libc::send(c.fd, c.wbuf[pos..].as_ptr() as *const _, c.wbuf.len() - pos, libc::MSG_NOSIGNAL) };
            if n > 0 {
                pos += n as usize;
            } else if std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock {
                break;
            } else {
                return self.drop_conn(i);
            }
        }
        c.wbuf.drain(..pos);
        let want = !c.wbuf.is_empty();
        if want != c.want_write {
            c.want_write = want;
            let ev = libc::EPOLLIN | libc::EPOLLRDHUP | if want { libc::EPOLLOUT } else { 0 };
            let fd = c.fd;
            self.ep.modify(fd, ev, i as u64);
        }
        let c = self.conns[i].as_ref().unwrap();
        if !want && !c.busy && c.close {
            self.drop_conn(i);
        }
    }
}

fn wants_stream(body: &[u8]) -> bool {
    // the harness puts "stream" before the messages or after them: look at both ends
    let look = |b: &[u8]| {
        memchr::memmem::find(b, b"\"stream\"").is_some_and(|i| {
            b[i + 8..].trim_ascii_start().strip_prefix(b":").is_some_and(|r| r.trim_ascii_start().starts_with(b"true"))
        })
    };
    if body.len() <= 2048 { look(body) } else { look(&body[..1024]) || look(&body[body.len() - 1024..]) }
}

fn main() {
    let a = Args::parse();
    let port = a.num("port", 18000.0) as u16;
    let ctl = Ctl {
        latency_us: a.num("latency-us", 0.0) as u64,
        bytes: a.num("bytes", 600.0) as usize,
        chunks: a.num("chunks", 100.0) as usize,
        gap_us: a.num("gap-us", 0.0) as u64,
        dims: a.num("dims", 1536.0) as usize,
    };
    use std::os::fd::AsRawFd;
    let l = std::net::TcpListener::bind(("127.0.0.1", port)).expect("bind");
    l.set_nonblocking(true).unwrap();
    let lfd = l.as_raw_fd();
    unsafe { libc::listen(lfd, 4096) };
    let pre = prebuild(&ctl);
    let mut s = Server {
        ep: Epoll::new(),
        conns: vec![],
        free: vec![],
        timers: BinaryHeap::new(),
        ctl,
        pre,
        st: Stats::default(),
        gen_: 0,
    };
    s.ep.add(lfd, libc::EPOLLIN, u64::MAX);
    loop {
        let n = s.ep.wait(s.timers.peek().map(|t| t.0.0));
        for k in 0..n {
            let (ev, tok) = (s.ep.events[k].events as i32, s.ep.events[k].u64);
            if tok == u64::MAX {
                s.accept(lfd);
                continue;
            }
            let i = tok as usize;
            if ev & libc::EPOLLOUT != 0 {
                s.flush(i);
            }
            if ev & (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) != 0 {
                s.readable(i);
            }
        }
        let now = now_ns();
        while let Some(&Reverse((t, i, g, what))) = s.timers.peek() {
            if t > now {
                break;
            }
            s.timers.pop();
            if s.conns[i].as_ref().is_some_and(|c| c.gen_ == g) {
                s.answer(i, what);
            }
        }
    }
}
