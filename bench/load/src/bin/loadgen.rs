//! Load generator for one gateway: closed loop, open loop (latency counted from
//! the moment a request was due, so a stalled server cannot hide), and held streams.
//! Prints one JSON object.
//!
//!   loadgen --addr 127.0.0.1:8080 --path /v1/chat/completions --body FILE \
//!           --header 'authorization: Bearer x' --mode closed --conns 32 --duration 5
//!   ... --mode open --rate 500 --conns 64 --duration 5
//!   ... --mode hold --stream --conns 2000 --ramp 1000 --duration 20   (one stream on each connection)

use gwbench::*;
use std::collections::VecDeque;
use std::os::fd::RawFd;

#[derive(Clone, Copy, PartialEq)]
enum Body {
    Head,
    Length(usize),
    Chunked,
    UntilClose,
}

struct Conn {
    fd: RawFd,
    out: usize, // bytes of the request still to send
    buf: Vec<u8>,
    body: Body,
    dec: Chunked,
    due: u64,
    first: u64,
    active: bool,
    status: u16,
    close: bool,
    reused: bool,
    // SSE scanning
    line: usize, // bytes of the current line seen, saturating
    is_data: bool,
    tail: Vec<u8>,
    got: usize,
}

#[derive(Default)]
struct Res {
    sent: u64,
    ok: u64,
    non2xx: u64,
    errors: u64,
    timeouts: u64,
    reconnects: u64,
    done_seen: u64,
    events: u64,
    bytes: u64,
    lat: Vec<u32>,
    ttfb: Vec<u32>,
    chunk_lat: Vec<u32>,
    first_error: String,
}

fn quantiles(v: &mut [u32]) -> String {
    if v.is_empty() {
        return "null".into();
    }
    v.sort_unstable();
    let q = |p: f64| v[((v.len() as f64 * p) as usize).min(v.len() - 1)];
    let mean = v.iter().map(|&x| x as f64).sum::<f64>() / v.len() as f64;
    format!(
        r#"{{"n":{},"mean":{mean:.1},"p50":{},"p90":{},"p99":{},"p999":{},"max":{}}}"#,
        v.len(),
        q(0.5),
        q(0.9),
        q(0.99),
        q(0.999),
        v[v.len() - 1]
    )
}

struct Gen {
    ep: Epoll,
    addr: libc::sockaddr_in,
    req: Vec<u8>,
    conns: Vec<Conn>,
    idle: Vec<usize>,
    waiting: VecDeque<u64>,
    r: Res,
    stream: bool,
    closed_loop: bool,
    stop_at: u64,
    count_left: u64,
    active: usize,
}

impl Gen {
    fn connect(&mut self) -> RawFd {
        let fd =
            unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
        assert!(fd >= 0, "socket: {}", std::io::Error::last_os_error());
        nodelay(fd);
        unsafe { libc::connect(fd, &self.addr as *const _ as *const _, size_of::<libc::sockaddr_in>() as u32) };
        fd
    }

    fn open(&mut self) -> usize {
        let fd = self.connect();
        let i = self.conns.len();
        self.conns.push(Conn {
            fd,
            out: 0,
            buf: Vec::new(),
            body: Body::Head,
            dec: Chunked::default(),
            due: 0,
            first: 0,
            active: false,
            status: 0,
            close: false,
            reused: false,
            line: 0,
            is_data: false,
            tail: Vec::new(),
            got: 0,
        });
        self.ep.add(fd, libc::EPOLLIN | libc::EPOLLRDHUP, i as u64);
        i
    }

    fn reopen(&mut self, i: usize) {
        unsafe { libc::close(self.conns[i].fd) };
        let fd = self.connect();
        self.conns[i].fd = fd;
        self.conns[i].reused = false;
        self.ep.add(fd, libc::EPOLLIN | libc::EPOLLRDHUP, i as u64);
        self.r.reconnects += 1;
    }

    fn start(&mut self, i: usize, due: u64) {
        let n = self.req.len();
        let c = &mut self.conns[i];
        c.out = n;
        c.buf.clear();
        c.body = Body::Head;
        c.dec = Chunked::default();
        c.due = due;
        c.first = 0;
        c.active = true;
        (c.line, c.is_data, c.got) = (0, false, 0);
        c.tail.clear();
        self.active += 1;
        self.r.sent += 1;
        self.send(i);
    }

    fn send(&mut self, i: usize) {
        let c = &mut self.conns[i];
        while c.out > 0 {
            let from = self.req.len() - c.out;
            let n = unsafe { libc::send(c.fd, self.req[from..].as_ptr() as *const _, c.out, libc::MSG_NOSIGNAL) };
            if n > 0 {
                c.out -= n as usize;
                continue;
            }
            let e = std::io::Error::last_os_error();
            match e.raw_os_error() {
                Some(libc::EAGAIN) | Some(libc::ENOTCONN) | Some(libc::EINPROGRESS) => {
                    let fd = c.fd;
                    self.ep.modify(fd, libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLOUT, i as u64);
                    return;
                }
                _ => return self.fail(i, &format!("send: {e}")),
            }
        }
    }

    fn writable(&mut self, i: usize) {
        self.send(i);
        if self.conns[i].out == 0 {
            self.ep.modify(self.conns[i].fd, libc::EPOLLIN | libc::EPOLLRDHUP, i as u64);
        }
    }

    fn fail(&mut self, i: usize, why: &str) {
        if !self.conns[i].active {
            // the server closed an idle connection: no error, only a new connection
            self.reopen(i);
            return;
        }
        self.r.errors += 1;
        if self.r.first_error.is_empty() {
            self.r.first_error = why.replace(['"', '\\', '\n', '\r'], " ");
        }
        self.reopen(i);
        self.finish(i);
    }

    fn finish(&mut self, i: usize) {
        self.conns[i].active = false;
        self.conns[i].reused = true;
        self.active -= 1;
        let now = now_ns();
        if self.closed_loop {
            if now < self.stop_at && self.count_left > 0 {
                self.count_left -= 1;
                self.start(i, now);
            }
        } else if let Some(due) = self.waiting.pop_front() {
            self.start(i, due);
        } else {
            self.idle.push(i);
        }
    }

    fn complete(&mut self, i: usize) {
        let now = now_ns();
        let c = &mut self.conns[i];
        let us = |t: u64| ((t - c.due) / 1000).min(u32::MAX as u64) as u32;
        if (200..300).contains(&c.status) && c.got > 0 {
            self.r.ok += 1;
            self.r.lat.push(us(now));
            self.r.ttfb.push(us(c.first));
        } else {
            self.r.non2xx += 1;
            if self.r.first_error.is_empty() {
                let t = String::from_utf8_lossy(&c.tail).replace(['"', '\\', '\n', '\r'], " ");
                self.r.first_error = format!("status {}: {t}", c.status);
            }
        }
        if memchr::memmem::find(&c.tail, b"[DONE]").is_some() {
            self.r.done_seen += 1;
        }
        if c.close {
            self.reopen(i);
        }
        self.finish(i);
    }

    fn readable(&mut self, i: usize, scratch: &mut [u8]) {
        loop {
            let c = &mut self.conns[i];
            let n = unsafe { libc::recv(c.fd, scratch.as_mut_ptr() as *mut _, scratch.len(), 0) };
            if n < 0 {
                let e = std::io::Error::last_os_error();
                match e.raw_os_error() {
                    Some(libc::EAGAIN) | Some(libc::ENOTCONN) => return,
                    _ => return self.fail(i, &format!("recv: {e}")),
                }
            }
            if n == 0 {
                if c.active && c.body == Body::UntilClose {
                    c.close = true;
                    return self.complete(i);
                }
                return self.fail(i, "closed by server");
            }
            let n = n as usize;
            self.r.bytes += n as u64;
            if self.take(i, &scratch[..n]) || n < scratch.len() {
                return;
            }
        }
    }

    /// Consumes bytes of an answer; true when the answer is complete.
    fn take(&mut self, i: usize, b: &[u8]) -> bool {
        let held: Vec<u8>;
        let mut b: &[u8] = b;
        let now = if self.stream { now_ns() } else { 0 };
        let c = &mut self.conns[i];
        if !c.active {
            return true;
        }
        if c.body == Body::Head {
            if !c.buf.is_empty() || head_end(b).is_none() {
                c.buf.extend_from_slice(b);
                held = std::mem::take(&mut c.buf);
                b = &held;
            }
            let Some(h) = head_end(b) else {
                c.buf = b.to_vec();
                return false;
            };
            c.status = std::str::from_utf8(&b[9..12]).ok().and_then(|s| s.parse().ok()).unwrap_or(0);
            let f = framing(&b[..h]);
            b = &b[h..];
            if c.status == 100 {
                c.buf = b.to_vec();
                return false;
            }
            c.close = f.close;
            c.body = match f {
                Framing { chunked: true, .. } => Body::Chunked,
                Framing { content_length: Some(n), .. } => Body::Length(n),
                _ => Body::UntilClose,
            };
        }
        if c.first == 0 && !b.is_empty() {
            c.first = now_ns();
        }
        let mut dec = std::mem::take(&mut c.dec);
        let (line, is_data, tail, got) = (&mut c.line, &mut c.is_data, &mut c.tail, &mut c.got);
        let (r, stream) = (&mut self.r, self.stream);
        let mut sink = |s: &[u8]| {
            *got += s.len();
            if tail.len() + s.len() > 256 {
                let keep = &s[s.len().saturating_sub(128)..];
                if keep.len() >= 128 {
                    tail.clear();
                } else if tail.len() > 128 {
                    tail.drain(..tail.len() - 128);
                }
                tail.extend_from_slice(keep);
            } else {
                tail.extend_from_slice(s);
            }
            if !stream {
                return;
            }
            // count "data:" lines
            let mut p = 0;
            while p < s.len() {
                if *line < 5 {
                    let ch = s[p];
                    if *line == 0 {
                        *is_data = true;
                    }
                    if ch != b"data:"[*line] {
                        *is_data = false;
                        *line = 5;
                        continue;
                    }
                    *line += 1;
                    p += 1;
                    if *line == 5 && *is_data {
                        r.events += 1;
                    }
                } else {
                    match memchr::memchr(b'\n', &s[p..]) {
                        Some(k) => {
                            p += k + 1;
                            *line = 0;
                        }
                        None => p = s.len(),
                    }
                }
            }
            for k in memchr::memmem::find_iter(s, b"\"t=") {
                if let Some(d) = s.get(k + 3..k + 19)
                    && d.iter().all(u8::is_ascii_digit)
                {
                    let t = d.iter().fold(0u64, |a, &x| a * 10 + (x - b'0') as u64);
                    r.chunk_lat.push((now.saturating_sub(t) / 1000).min(u32::MAX as u64) as u32);
                }
            }
        };
        let done = match c.body {
            Body::Length(n) => {
                let k = n.min(b.len());
                sink(&b[..k]);
                c.body = Body::Length(n - k);
                n == k
            }
            Body::Chunked => {
                dec.feed(b, &mut sink);
                dec.done()
            }
            _ => {
                sink(b);
                false
            }
        };
        self.conns[i].dec = dec;
        if done {
            self.complete(i);
        }
        done
    }
}

fn main() {
    let a = Args::parse();
    let addr = a.str("addr", "127.0.0.1:8080");
    let (ip, port) = addr.split_once(':').expect("--addr ip:port");
    let ip: std::net::Ipv4Addr = ip.parse().expect("ip");
    assert!(ip.is_loopback(), "this load generator only talks to loopback");
    let mut sa: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    sa.sin_family = libc::AF_INET as u16;
    sa.sin_port = port.parse::<u16>().expect("port").to_be();
    sa.sin_addr.s_addr = u32::from_ne_bytes(ip.octets());
    let body = if a.has("body") { std::fs::read(a.str("body", "")).expect("body file") } else { vec![] };
    let mut req = format!(
        "{} {} HTTP/1.1\r\nhost: {addr}\r\nuser-agent: gwbench\r\naccept: */*\r\n",
        if body.is_empty() { "GET" } else { "POST" },
        a.str("path", "/v1/chat/completions")
    );
    if !body.is_empty() {
        req += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    for h in a.all("header") {
        req += h;
        req += "\r\n";
    }
    req += "\r\n";
    let mut req = req.into_bytes();
    req.extend_from_slice(&body);

    let mode = a.str("mode", "closed");
    let conns = a.num("conns", 32.0) as usize;
    let dur_s = a.num("duration", 5.0).min(120.0);
    let rate = a.num("rate", 500.0);
    let timeout = (a.num("timeout", 30.0) * 1e9) as u64;
    let ramp = a.num("ramp", 2000.0);
    let start = now_ns();
    let stop = start + (dur_s * 1e9) as u64;
    let mut g = Gen {
        ep: Epoll::new(),
        addr: sa,
        req,
        conns: vec![],
        idle: vec![],
        waiting: VecDeque::new(),
        r: Res::default(),
        stream: a.has("stream"),
        closed_loop: mode == "closed",
        stop_at: stop,
        count_left: a.num("count", 1e15) as u64,
        active: 0,
    };
    let mut scratch = vec![0u8; 1 << 18];
    // arrivals: exponential gaps from a fixed seed, the same for every gateway
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut expo = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        -(((seed >> 11) as f64 / (1u64 << 53) as f64).max(1e-12)).ln()
    };
    let mut next = match mode.as_str() {
        "closed" => {
            for _ in 0..conns {
                if g.count_left > 0 {
                    g.count_left -= 1;
                    let i = g.open();
                    g.start(i, now_ns());
                }
            }
            u64::MAX
        }
        "open" => {
            for _ in 0..conns.min(16) {
                let i = g.open();
                g.idle.push(i);
            }
            start
        }
        "hold" => start,
        m => panic!("mode {m}?"),
    };
    let mut last_sweep = start;
    let hard_stop = stop + timeout.min(10_000_000_000);
    loop {
        let now = now_ns();
        while next <= now && next < stop {
            if mode == "hold" {
                if g.conns.len() < conns {
                    let i = g.open();
                    g.start(i, now);
                    next += (1e9 / ramp) as u64;
                } else {
                    next = u64::MAX;
                }
            } else {
                match g.idle.pop() {
                    Some(i) => g.start(i, next),
                    None if g.conns.len() < conns => {
                        let i = g.open();
                        g.start(i, next)
                    }
                    None => g.waiting.push_back(next),
                }
                next += (expo() * 1e9 / rate) as u64;
            }
        }
        if now >= stop && (mode == "hold" || (g.active == 0 && g.waiting.is_empty())) || now >= hard_stop {
            break;
        }
        if g.active == 0 && g.waiting.is_empty() && mode != "open" && (mode == "closed" || g.conns.len() >= conns) {
            break;
        }
        let mut wake = now + 200_000_000;
        wake = wake.min(if next < stop { next } else { u64::MAX });
        if now < stop {
            wake = wake.min(stop)
        }
        let n = g.ep.wait(Some(wake));
        for k in 0..n {
            let (ev, i) = (g.ep.events[k].events as i32, g.ep.events[k].u64 as usize);
            if ev & libc::EPOLLOUT != 0 {
                g.writable(i);
            }
            if ev & (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) != 0 {
                g.readable(i, &mut scratch);
            }
        }
        let now = now_ns();
        if now - last_sweep > 500_000_000 {
            last_sweep = now;
            for i in 0..g.conns.len() {
                if g.conns[i].active && now.saturating_sub(g.conns[i].due) > timeout && mode != "hold" {
                    g.r.timeouts += 1;
                    g.fail(i, "timeout");
                }
            }
        }
    }
    let secs = (now_ns() - start) as f64 / 1e9;
    let held = g.active;
    let unsent = g.waiting.len();
    let r = &mut g.r;
    println!(
        r#"{{"mode":"{mode}","secs":{secs:.4},"sent":{},"ok":{},"non2xx":{},"errors":{},"timeouts":{},"reconnects":{},"unfinished":{held},"unsent":{unsent},"events":{},"done_seen":{},"bytes":{},"rps":{:.2},"lat_us":{},"ttfb_us":{},"chunk_us":{},"first_error":"{}"}}"#,
        r.sent,
        r.ok,
        r.non2xx,
        r.errors,
        r.timeouts,
        r.reconnects,
        r.events,
        r.done_seen,
        r.bytes,
        r.ok as f64 / secs,
        quantiles(&mut r.lat),
        quantiles(&mut r.ttfb),
        quantiles(&mut r.chunk_lat),
        r.first_error
    );
}
