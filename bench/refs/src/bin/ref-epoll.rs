//! Reference: about the least that a proxy which rewrites "model" can do in user space.
//! One thread, level-triggered epoll, one shared read buffer, no allocation on the hot
//! path, upstream connections kept and taken last-in-first-out, answers passed on as they
//! come (their framing is followed only to know where they end). Not a product: happy path only.
//!   ref-epoll --port P --upstream 127.0.0.1:18000

use gwbench::*;
use std::os::fd::{AsRawFd, RawFd};

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

enum End {
    Head,
    Length(usize),
    Chunked,
}

#[derive(Default)]
struct Side {
    fd: RawFd,
    peer: usize, // the other side's slot, usize::MAX: none
    client: bool,
    buf: Vec<u8>, // client: a request not yet whole; both: bytes that could not be sent
    out: Vec<u8>,
    end: Option<End>,
    dec: Chunked,
    usage_seen: bool,
}

struct P {
    ep: Epoll,
    s: Vec<Side>,
    free: Vec<usize>,
    pool: Vec<usize>,
    up: libc::sockaddr_in,
    scratch: Vec<u8>,
    req: Vec<u8>,
}

const NONE: usize = usize::MAX;

impl P {
    fn add(&mut self, fd: RawFd, client: bool) -> usize {
        nodelay(fd);
        let side = Side { fd, peer: NONE, client, ..Default::default() };
        let i = match self.free.pop() {
            Some(i) => {
                self.s[i] = side;
                i
            }
            None => {
                self.s.push(side);
                self.s.len() - 1
            }
        };
        self.ep.add(fd, libc::EPOLLIN | libc::EPOLLRDHUP, i as u64);
        i
    }

    fn close(&mut self, i: usize) {
        if self.s[i].fd < 0 {
            return;
        }
        unsafe { libc::close(self.s[i].fd) };
        self.s[i].fd = -1;
        self.s[i].buf = Vec::new();
        self.s[i].out = Vec::new();
        self.pool.retain(|&x| x != i);
        self.free.push(i);
        let p = std::mem::replace(&mut self.s[i].peer, NONE);
        if p != NONE && self.s[p].peer == i {
            self.s[p].peer = NONE;
            self.close(p);
        }
    }

    fn send(&mut self, i: usize, b: &[u8]) {
        let s = &mut self.s[i];
        if s.fd < 0 {
            return;
        }
        let mut done = 0;
        if s.out.is_empty() {
            while done < b.len() {
                let n = unsafe { libc::send(s.fd, b[done..].as_ptr() as *const _, b.len() - done, libc::MSG_NOSIGNAL) };
                if n <= 0 {
                    break;
                }
                done += n as usize;
            }
        }
        if done < b.len() {
            if s.out.is_empty() {
                self.ep.modify(s.fd, libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP, i as u64);
            }
            s.out.extend_from_slice(&b[done..]);
        }
    }

    fn writable(&mut self, i: usize) {
        let out = std::mem::take(&mut self.s[i].out);
        if !out.is_empty() {
            self.send(i, &out);
        }
        if self.s[i].out.is_empty() && self.s[i].fd >= 0 {
            self.ep.modify(self.s[i].fd, libc::EPOLLIN | libc::EPOLLRDHUP, i as u64);
        }
    }

    fn readable(&mut self, i: usize) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let n = unsafe { libc::recv(self.s[i].fd, scratch.as_mut_ptr() as *mut _, scratch.len(), 0) };
        if n > 0 {
            if self.s[i].client {
                self.from_client(i, &scratch[..n as usize]);
            } else {
                self.from_upstream(i, &scratch[..n as usize]);
            }
        } else if n == 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::WouldBlock {
            self.close(i);
        }
        self.scratch = scratch;
    }

    fn from_client(&mut self, i: usize, b: &[u8]) {
        if self.s[i].buf.is_empty() {
            if !self.request(i, b) {
                self.s[i].buf.extend_from_slice(b);
            }
        } else {
            let mut buf = std::mem::take(&mut self.s[i].buf);
            buf.extend_from_slice(b);
            if !self.request(i, &buf) {
                self.s[i].buf = buf;
            }
        }
    }

    /// Sends a whole request on; false if it is not whole yet.
    fn request(&mut self, i: usize, b: &[u8]) -> bool {
        let Some(h) = head_end(b) else { return false };
        let n = framing(&b[..h]).content_length.unwrap_or(0);
        if b.len() < h + n {
            return false;
        }
        let body = &b[h..h + n];
        let (x, y) = gwrefs::top_level_str(body, b"model").unwrap_or((0, 0));
        let model: &[u8] = if y > 0 { b"bench-model-upstream" } else { b"" };
        let mut req = std::mem::take(&mut self.req);
        req.clear();
        let line = memchr::memchr(b'\n', b).unwrap() + 1;
        req.extend_from_slice(&b[..line]);
        req.extend_from_slice(b"host: upstream\r\nauthorization: Bearer sk-upstream\r\ncontent-type: application/json\r\ncontent-length: ");
        use std::io::Write;
        let _ = write!(req, "{}\r\n\r\n", n - (y - x) + model.len());
        req.extend_from_slice(&body[..x]);
        req.extend_from_slice(model);
        req.extend_from_slice(&body[y..]);
        let u = match self.pool.pop() {
            Some(u) => u,
            None => unsafe {
                let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
                libc::connect(fd, &self.up as *const _ as *const _, 16);
                libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
                self.add(fd, false)
            },
        };
        self.s[u].peer = i;
        self.s[i].peer = u;
        self.s[u].end = Some(End::Head);
        self.send(u, &req);
        self.req = req;
        true
    }

    fn from_upstream(&mut self, u: usize, b: &[u8]) {
        let c = self.s[u].peer;
        if c == NONE {
            return;
        }
        self.send(c, b);
        let s = &mut self.s[u];
        // what a gateway must look at in the answer: where it ends, and the usage
        if !s.usage_seen && memchr::memmem::rfind(b, b"\"usage\":{").is_some() {
            s.usage_seen = true;
        }
        let mut rest = b;
        if let Some(End::Head) = s.end {
            let Some(h) = head_end(b) else { return };
            let f = framing(&b[..h]);
            rest = &b[h..];
            s.end = Some(if f.chunked { End::Chunked } else { End::Length(f.content_length.unwrap_or(0)) });
            s.dec = Chunked::default();
        }
        let done = match &mut s.end {
            Some(End::Length(n)) => {
                *n -= rest.len().min(*n);
                *n == 0
            }
            Some(End::Chunked) => {
                s.dec.feed(rest, |_| {});
                s.dec.done()
            }
            _ => false,
        };
        if done {
            (s.end, s.peer, s.usage_seen) = (None, NONE, false);
            self.s[c].peer = NONE;
            self.pool.push(u);
        }
    }
}

fn main() {
    let a = Args::parse();
    let up = a.str("upstream", "127.0.0.1:18000");
    let l = std::net::TcpListener::bind(("127.0.0.1", a.num("port", 18170.0) as u16)).expect("bind");
    l.set_nonblocking(true).unwrap();
    unsafe { libc::listen(l.as_raw_fd(), 4096) };
    let mut sa: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    sa.sin_family = libc::AF_INET as u16;
    sa.sin_port = up.split(':').nth(1).unwrap().parse::<u16>().unwrap().to_be();
    sa.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    let mut p = P {
        ep: Epoll::new(),
        s: vec![],
        free: vec![],
        pool: vec![],
        up: sa,
        scratch: vec![0; 256 << 10],
        req: Vec::new(),
    };
    p.ep.add(l.as_raw_fd(), libc::EPOLLIN, u64::MAX);
    loop {
        let n = p.ep.wait(None);
        for k in 0..n {
            let (ev, tok) = (p.ep.events[k].events as i32, p.ep.events[k].u64);
            if tok == u64::MAX {
                while let Ok((s, _)) = l.accept() {
                    s.set_nonblocking(true).ok();
                    use std::os::fd::IntoRawFd;
                    p.add(s.into_raw_fd(), true);
                }
                continue;
            }
            let i = tok as usize;
            if p.s[i].fd < 0 {
                continue;
            }
            if ev & libc::EPOLLOUT != 0 {
                p.writable(i);
            }
            if p.s[i].fd >= 0 && ev & !libc::EPOLLOUT != 0 {
                p.readable(i);
            }
        }
    }
}
