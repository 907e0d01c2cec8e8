//! Backends that misbehave below HTTP: a listener on loopback and what is done with each connection.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

/// A listener that does the same with every connection, each in a thread of its own.
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// How many connections were made.
    pub(crate) connections: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Peer {
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (over, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (ends, count, serve) = (Arc::clone(&over), Arc::clone(&connections), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(SeqCst) {
                    return;
                }
                count.fetch_add(1, SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { addr, connections, over }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        let _ = TcpStream::connect(self.addr);
    }
}

/// A port at which packets are lost: its queue of connections is full, and nobody takes any.
pub(crate) struct BlackHole {
    pub(crate) addr: SocketAddr,
    _held: Vec<TcpStream>,
    _listener: TcpListener,
}

impl BlackHole {
    pub(crate) fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(1).unwrap().into_std().unwrap()
        });
        let addr = listener.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
            held.push(stream);
            assert!(held.len() < 10, "the queue never gets full");
        }
        Self { addr, _held: held, _listener: listener }
    }
}

/// Reads a request: its head, and as much body as it announces. Gives what was read.
pub(crate) fn read_request(stream: &mut impl Read) -> Vec<u8> {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => seen.extend_from_slice(&buffer[..n]),
            _ => return seen,
        }
        let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&seen[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
        if seen.len() >= end + 4 + length.unwrap_or(0) {
            return seen;
        }
    }
}

/// Writes this, then that again and again until the other side has enough; gives how many bytes it took.
pub(crate) fn write_for_ever(stream: &mut impl Write, first: &[u8], again: &[u8]) -> usize {
    let again = again.repeat(16_384_usize.div_ceil(again.len()));
    let mut taken = 0;
    let mut piece = first;
    while stream.write_all(piece).is_ok() {
        taken += piece.len();
        piece = &again;
    }
    taken
}

/// A chat's whole answer, as OpenAI's API gives it, with its head.
pub(crate) fn whole_answer(text: &str) -> Vec<u8> {
    let body = serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    })
    .to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}
