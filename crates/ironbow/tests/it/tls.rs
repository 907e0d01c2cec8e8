//! TLS on the listener, through the real binary: both versions of HTTP by ALPN, and a certificate that is replaced while it serves.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use net::{Drain, Origin, Outgoing, Permit, RecvBody, Upstream, UpstreamSettings};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use types::SendBody;

use super::commands::file;
use super::process::{Gateway, LONG};

/// A certificate for `localhost` and its key, in files, with the name of one test in their names.
struct Pair {
    cert: PathBuf,
    key: PathBuf,
    der: CertificateDer<'static>,
}

impl Pair {
    fn new(test: &str) -> Self {
        let (cert, key) = (file(&format!("{test}-cert.pem"), ""), file(&format!("{test}-key.pem"), ""));
        let der = write_pair(&cert, &key);
        Self { cert, key, der }
    }

    fn gateway(&self, test: &str) -> Gateway {
        let toml = format!("[listener.tls]\ncert = {:?}\nkey = {:?}\n", self.cert, self.key);
        let config = file(&format!("{test}.toml"), &toml);
        let gateway = Gateway::start(&["--sandbox", "--config", config.to_str().unwrap()], &[]);
        assert!(gateway.started["url"].as_str().unwrap().starts_with("https://"), "{}", gateway.started);
        gateway
    }
}

/// Makes a pair and puts it in the place of whatever is there.
fn write_pair(cert: &Path, key: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(key, made.signing_key.serialize_pem()).unwrap();
    fs::write(cert, made.cert.pem()).unwrap();
    made.cert.der().clone()
}

/// A connection that trusts this certificate only and offers these protocols.
fn connect(
    gateway: &Gateway,
    trusted: &CertificateDer<'static>,
    offered: &[&[u8]],
) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
    let session = rustls::ClientConnection::new(client.into(), "localhost".try_into().unwrap()).unwrap();
    rustls::StreamOwned::new(session, gateway.connect())
}

/// What `/health` answers over HTTP/1.1 to someone who trusts this certificate only.
fn health(gateway: &Gateway, trusted: &CertificateDer<'static>) -> Result<String, std::io::Error> {
    let mut stream = connect(gateway, trusted, &[b"http/1.1"]);
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    Ok(reply)
}

#[test]
fn http_1_is_spoken_with_who_offers_nothing_else() {
    let pair = Pair::new("tls-h1");
    let gateway = pair.gateway("tls-h1");
    assert!(health(&gateway, &pair.der).unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn http_2_is_agreed_on_by_alpn_and_carries_chats_and_streams() {
    let pair = Pair::new("tls-h2");
    let gateway = pair.gateway("tls-h2");
    let mut stream = connect(&gateway, &pair.der, &[b"h2", b"http/1.1"]);
    stream.flush().unwrap();
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let drain = Drain::new();
        let client = Upstream::new(UpstreamSettings {
            extra_ca: Some(pair.cert.clone()),
            crypto: Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider())),
            drain: drain.clone(),
            ..UpstreamSettings::default()
        });
        let port = gateway.address.rsplit(':').next().unwrap();
        let origin = Origin::parse(&format!("https://localhost:{port}"), Permit::Declared).unwrap().0;
        for stream in [false, true] {
            let body = json!({"model": "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct", "stream": stream,
                "messages": [{"role": "user", "content": "over h2"}]});
            let mut headers = http::HeaderMap::new();
            headers.insert("content-type", "application/json".parse().unwrap());
            let ask = Outgoing {
                method: http::Method::POST,
                target: "/v1/chat/completions".to_owned(),
                headers: headers.into(),
                body: SendBody::from(body.to_string()),
            };
            let reply = client.send(&origin, ask, Instant::now() + LONG).await.unwrap();
            assert_eq!(reply.status, 200);
            let text = whole(reply.body).await;
            if stream {
                assert!(text.starts_with("data: ") && text.ends_with("data: [DONE]\n\n"), "{text}");
            } else {
                let said: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(said["choices"][0]["message"]["content"], "echo: over h2");
            }
        }
        drain.finished(LONG).await;
    });
}

async fn whole(mut body: RecvBody) -> String {
    let mut read = Vec::new();
    while let Some(chunk) = body.chunk().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    String::from_utf8(read).unwrap()
}

#[test]
fn a_replaced_certificate_is_taken_while_it_serves_and_a_broken_one_is_not() {
    let pair = Pair::new("tls-reload");
    let mut gateway = pair.gateway("tls-reload");
    assert!(health(&gateway, &pair.der).unwrap().starts_with("HTTP/1.1 200"));
    // Half-written files must not end what serves: the log says so, and the pair in use stays.
    fs::write(&pair.cert, "-----BEGIN CERTIFICATE-----\nbroken\n").unwrap();
    said(&mut gateway, "the certificate in use stays");
    assert!(health(&gateway, &pair.der).unwrap().starts_with("HTTP/1.1 200"));
    let new = write_pair(&pair.cert, &pair.key);
    said(&mut gateway, "the certificate was loaded again");
    assert!(health(&gateway, &new).unwrap().starts_with("HTTP/1.1 200"));
    assert!(health(&gateway, &pair.der).is_err(), "the old certificate is gone");
}

/// Waits until the log has said this.
fn said(gateway: &mut Gateway, words: &str) {
    while !gateway.log_line().contains(words) {}
}
