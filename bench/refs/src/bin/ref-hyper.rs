//! Reference: the usual stack. hyper server, hyper-util pooled client, tokio.
//!   ref-hyper --port P --upstream 127.0.0.1:18000 --json lazy|full|none [--threads 2 | --per-core 2]
//! `lazy` replaces the top-level "model" by byte splicing, `full` parses and writes the whole body.

use bytes::{Bytes, BytesMut};
use gwbench::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, header};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

type C = Client<HttpConnector, Full<Bytes>>;

async fn proxy(
    req: Request<Incoming>,
    c: C,
    up: &'static str,
    json: u8,
) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut p, body) = req.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = match json {
        1 => match gwrefs::top_level_str(&body, b"model") {
            Some((a, b)) => {
                let mut o = BytesMut::with_capacity(body.len() + 32);
                o.extend_from_slice(&body[..a]);
                o.extend_from_slice(b"bench-model-upstream");
                o.extend_from_slice(&body[b..]);
                o.freeze()
            }
            None => body,
        },
        2 => {
            let mut v: serde_json::Value = serde_json::from_slice(&body)?;
            v["model"] = "bench-model-upstream".into();
            serde_json::to_vec(&v)?.into()
        }
        _ => body,
    };
    p.headers.remove(header::CONTENT_LENGTH);
    p.headers.remove(header::HOST);
    p.headers.insert(header::AUTHORIZATION, header::HeaderValue::from_static("Bearer sk-upstream"));
    p.uri = format!("http://{up}{}", p.uri.path()).parse()?;
    Ok(c.request(Request::from_parts(p, Full::new(body))).await?)
}

fn listen(port: u16) -> std::net::TcpListener {
    use std::os::fd::FromRawFd;
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0);
        let one = 1i32;
        for o in [libc::SO_REUSEPORT, libc::SO_REUSEADDR] {
            libc::setsockopt(fd, libc::SOL_SOCKET, o, &one as *const _ as *const _, 4);
        }
        let mut sa: libc::sockaddr_in = std::mem::zeroed();
        (sa.sin_family, sa.sin_port, sa.sin_addr.s_addr) =
            (libc::AF_INET as u16, port.to_be(), u32::from_ne_bytes([127, 0, 0, 1]));
        assert_eq!(libc::bind(fd, &sa as *const _ as *const _, 16), 0, "bind");
        libc::listen(fd, 4096);
        std::net::TcpListener::from_raw_fd(fd)
    }
}

async fn serve(port: u16, up: &'static str, json: u8) {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let c: C = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(8192).build(http);
    let l = tokio::net::TcpListener::from_std(listen(port)).unwrap();
    loop {
        let Ok((s, _)) = l.accept().await else { continue };
        s.set_nodelay(true).ok();
        let c = c.clone();
        tokio::spawn(async move {
            let svc = hyper::service::service_fn(move |r| proxy(r, c.clone(), up, json));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(s), svc).await;
        });
    }
}

fn main() {
    let a = Args::parse();
    let port = a.num("port", 18160.0) as u16;
    let up: &'static str = a.str("upstream", "127.0.0.1:18000").leak();
    let json = match a.str("json", "lazy").as_str() {
        "lazy" => 1,
        "full" => 2,
        _ => 0,
    };
    let n = a.num("per-core", 0.0) as usize;
    if n > 0 {
        let h: Vec<_> = (0..n)
            .map(|_| {
                std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap()
                        .block_on(serve(port, up, json))
                })
            })
            .collect();
        h.into_iter().for_each(|t| t.join().unwrap());
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(a.num("threads", 2.0) as usize)
            .enable_all()
            .build()
            .unwrap()
            .block_on(serve(port, up, json));
    }
}
