//! TLS on both sides: whom the client trusts, HTTP/2, and certificates that change.

use crate::bed::*;
use bytes::Bytes;
use http::StatusCode;
use net::{
    Abort, Drain, NetError, NetErrorKind, Origin, Permit, Response, ServeError, Service, TlsSettings, Upstream,
    UpstreamSettings,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, crypto::CryptoProvider, pki_types::ServerName};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{net::TcpStream, sync::mpsc};
use types::Sent;

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A folder of our own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("net-tls-{}-{}", std::process::id(), NEXT.fetch_add(1, SeqCst));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// An authority, and the files of a server that it vouches for.
pub(crate) struct Trust {
    folder: Folder,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Trust {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = Folder::new();
        fs::write(folder.file("ca.pem"), authority.pem()).unwrap();
        Self { folder, authority }
    }

    /// Writes a certificate for `name` that the authority has signed.
    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        self.write(&certificate.pem(), &key.serialize_pem());
    }

    fn write(&self, certificate: &str, key: &str) {
        fs::write(self.folder.file("cert.pem"), certificate).unwrap();
        fs::write(self.folder.file("key.pem"), key).unwrap();
    }

    fn settings(&self) -> TlsSettings {
        let files = TlsSettings::new(self.folder.file("cert.pem"), self.folder.file("key.pem"));
        TlsSettings { look_every: Duration::from_millis(5), crypto: Some(crypto()), ..files }
    }

    pub(crate) fn serve(&self, service: impl Service) -> (Running, Origin) {
        let server = serve_with(limits(), Some(self.settings()), service);
        let url = format!("https://localhost:{}", server.address().port());
        (server, Origin::parse(&url, Permit::Declared).unwrap().0)
    }

    pub(crate) fn client(&self) -> Upstream {
        trusting(Some(self.folder.file("ca.pem")))
    }
}

fn trusting(extra_ca: Option<PathBuf>) -> Upstream {
    Upstream::new(UpstreamSettings { extra_ca, crypto: Some(crypto()), ..UpstreamSettings::default() })
}

type Shaken = tokio_rustls::client::TlsStream<TcpStream>;

/// A connection for HTTP/1.1 that is written by hand; and the certificate it was shown.
async fn by_hand(trust: &Trust, server: &Running) -> (Shaken, Vec<u8>) {
    let tls = shake(trust, server, &[]).await;
    let shown = tls.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    (tls, shown)
}

/// A connection for HTTP/2 that is written by hand.
pub(crate) async fn h2_by_hand(trust: &Trust, server: &Running) -> Shaken {
    shake(trust, server, &[b"h2"]).await
}

async fn shake(trust: &Trust, server: &Running, alpn: &[&[u8]]) -> Shaken {
    let mut roots = RootCertStore::empty();
    roots.add(trust.authority.der().clone()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

async fn refused(client: &Upstream, origin: &Origin, kind: NetErrorKind) -> NetError {
    let error = client.send(origin, get("/"), soon()).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (kind, Sent::No), "{error}");
    error
}

#[tokio::test]
async fn requests_go_over_one_shared_http_2_connection() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let peers = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    let seen = Arc::clone(&peers);
    let (_server, origin) = trust.serve(answers(move |request| {
        assert!(request.tls);
        seen.lock().unwrap().insert(request.peer);
        async move {
            let version = format!("{:?}", request.version);
            let body = held(request.body).await.unwrap();
            whole(format!("{version} {} {}", request.uri.path(), body.bytes.len()))
        }
    }));
    let client = trust.client();
    let mut running = tokio::task::JoinSet::new();
    for n in 0..60_usize {
        let (client, origin) = (client.clone(), origin.clone());
        running.spawn(async move {
            let reply = client.send(&origin, post(&format!("/{n}"), vec![b'x'; n * 1_000]), soon()).await.unwrap();
            assert_eq!(text(reply).await, format!("HTTP/2.0 /{n} {}", n * 1_000));
        });
    }
    running.join_all().await;
    assert_eq!(peers.lock().unwrap().len(), 1, "everybody waited for one handshake");
}

#[tokio::test]
async fn more_streams_than_a_connection_may_have_open_another() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (_server, origin) = trust.serve(answers(|_| async {
        let (send, receive) = mpsc::channel(1);
        send.send(Ok(Bytes::from_static(b"x"))).await.ok();
        tokio::spawn(async move { send.closed().await });
        piped(Piped(receive))
    }));
    let settings = UpstreamSettings {
        h2_streams: 2,
        extra_ca: Some(trust.folder.file("ca.pem")),
        crypto: Some(crypto()),
        ..UpstreamSettings::default()
    };
    let client = Upstream::new(settings);
    let mut replies = Vec::new();
    for n in 0..5 {
        let reply = client.send(&origin, get("/"), soon()).await.unwrap();
        assert_eq!(reply.reused, n % 2 == 1);
        replies.push(reply);
    }
}

#[tokio::test]
async fn http_1_over_tls_is_spoken_with_those_who_choose_it() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (server, _) = trust.serve(echo());
    let (mut tls, _) = by_hand(&trust, &server).await;
    tokio::io::AsyncWriteExt::write_all(&mut tls, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut tls, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("GET /x 0"), "{answer}");
}

/// A backend that offers no ALPN at all: our client must speak HTTP/1.1 with it, and keep the connection.
#[tokio::test]
async fn a_backend_without_alpn_is_spoken_to_in_http_1() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let trust = Trust::new();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &trust.authority).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tls = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap();
        for _ in 0..3 {
            let mut buf = [0; 4_096];
            let n = tls.read(&mut buf).await.unwrap();
            assert!(buf[..n].starts_with(b"GET / HTTP/1.1\r\n"));
            tls.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await.unwrap();
            tls.flush().await.unwrap();
        }
        // Closed without a goodbye of TLS inside a body: that must not look like a good end.
        let mut buf = [0; 4_096];
        assert!(tls.read(&mut buf).await.unwrap() > 0);
        tls.write_all(b"HTTP/1.1 200 OK\r\n\r\npart").await.unwrap();
        tls.flush().await.unwrap();
    });
    let origin = Origin::parse(&format!("https://localhost:{}", address.port()), Permit::Declared).unwrap().0;
    let client = trust.client();
    for n in 0..3 {
        let reply = client.send(&origin, get("/"), soon()).await.unwrap();
        assert_eq!(reply.reused, n > 0);
        assert_eq!(text(reply).await, "ok");
    }
    let mut reply = client.send(&origin, get("/"), soon()).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "part");
    assert_eq!(reply.body.chunk().await.unwrap().unwrap_err().kind, NetErrorKind::Truncated);
    peer.await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_is_refused_with_the_reason() {
    use NetErrorKind::{CertificateDate, CertificateIssuer, CertificateName, Tls};
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (_server, origin) = trust.serve(echo());
    // Unknown authority.
    refused(&trusting(None), &origin, CertificateIssuer).await;
    refused(&Trust::new().client(), &origin, CertificateIssuer).await;
    // Another name.
    let other = format!("https://127.0.0.1:{}", origin.port());
    refused(&trust.client(), &Origin::parse(&other, Permit::Declared).unwrap().0, CertificateName).await;
    trust.issue("other.example", |_| ());
    let (_server, origin) = trust.serve(echo());
    refused(&trust.client(), &origin, CertificateName).await;
    // Out of date, and not valid yet.
    for (from, to) in [(2001, 2002), (2090, 2091)] {
        trust.issue("localhost", |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        let (_server, origin) = trust.serve(echo());
        refused(&trust.client(), &origin, CertificateDate).await;
    }
    // Signed by itself.
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    trust.write(&own.cert.pem(), &own.signing_key.serialize_pem());
    let (_server, origin) = trust.serve(echo());
    refused(&trust.client(), &origin, CertificateIssuer).await;
    // No TLS at all.
    let plain = serve(echo());
    let url = format!("https://localhost:{}", plain.address().port());
    refused(&trust.client(), &Origin::parse(&url, Permit::Declared).unwrap().0, Tls).await;
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_used_is_an_error_that_names_it() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (_server, origin) = trust.serve(echo());
    fs::write(trust.folder.file("bad.pem"), "nothing in here").unwrap();
    for name in ["missing.pem", "bad.pem", "key.pem"] {
        let error = refused(&trusting(Some(trust.folder.file(name))), &origin, NetErrorKind::Tls).await;
        assert!(error.detail.contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_changed_certificate_is_taken_and_a_bad_one_is_not() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (server, _) = trust.serve(echo());
    let (_, first) = by_hand(&trust, &server).await;
    // A key that belongs to another certificate changes nothing.
    fs::write(trust.folder.file("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(by_hand(&trust, &server).await.1, first);
    fs::write(trust.folder.file("cert.pem"), "not a certificate").unwrap();
    assert_eq!(by_hand(&trust, &server).await.1, first);
    // A good pair is taken soon.
    trust.issue("localhost", |_| ());
    let changed = async { while by_hand(&trust, &server).await.1 == first {} };
    tokio::time::timeout(LONG, changed).await.unwrap();
}

#[tokio::test]
async fn a_changed_certificate_is_looked_for_when_told_to() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let rarely = TlsSettings { look_every: Duration::from_secs(3600), ..trust.settings() };
    let server = serve_with(limits(), Some(rarely), echo());
    let before = by_hand(&trust, &server).await.1;
    trust.issue("localhost", |_| ());
    let until = soon();
    loop {
        server.serving.look_at_certificate();
        if by_hand(&trust, &server).await.1 != before {
            break;
        }
        assert!(std::time::Instant::now() < until, "the old certificate is still shown");
    }
}

#[test]
fn a_pair_that_cannot_be_used_is_an_error_at_the_start_that_names_the_file() {
    let trust = Trust::new();
    let start = || net::serve(listen(), limits(), Some(trust.settings()), echo(), &Drain::new());
    let message = |result: Result<net::Serving, ServeError>| result.unwrap_err().to_string();
    assert!(message(start()).contains("cert.pem"));
    trust.write("", "");
    assert!(message(start()).contains("cert.pem"));
    trust.issue("localhost", |_| ());
    fs::write(trust.folder.file("key.pem"), "").unwrap();
    assert!(message(start()).contains("key.pem"));
    fs::write(trust.folder.file("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(message(start()).contains("do not make a pair"));
}

fn piping(trust: &Trust) -> (Running, Origin, mpsc::Sender<Result<Bytes, Abort>>) {
    let (send, receive) = mpsc::channel(1);
    let receive = std::sync::Mutex::new(Some(receive));
    let (server, origin) = trust.serve(answers(move |_| {
        let taken = receive.lock().unwrap().take();
        async move { taken.map_or_else(|| Response::new(StatusCode::NO_CONTENT), |body| piped(Piped(body))) }
    }));
    (server, origin, send)
}

#[tokio::test]
async fn over_http_2_chunks_arrive_one_by_one_and_an_abort_resets_the_stream_alone() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (_server, origin, send) = piping(&trust);
    let client = trust.client();
    let mut reply = client.send(&origin, get("/"), soon()).await.unwrap();
    for n in 0..20 {
        send.send(Ok(Bytes::from(format!("{n}")))).await.unwrap();
        assert_eq!(reply.body.chunk().await.unwrap().unwrap(), format!("{n}"));
    }
    send.send(Err(Abort)).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap_err().kind, NetErrorKind::Truncated);
    let next = client.send(&origin, get("/"), soon()).await.unwrap();
    assert!(next.reused && next.body.is_done());
}

#[tokio::test]
async fn over_http_2_a_caller_who_leaves_drops_the_stream() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (_server, origin, send) = piping(&trust);
    let client = trust.client();
    let mut reply = client.send(&origin, get("/"), soon()).await.unwrap();
    send.send(Ok(Bytes::from_static(b"part"))).await.unwrap();
    reply.body.chunk().await.unwrap().unwrap();
    drop(reply);
    tokio::time::timeout(LONG, send.closed()).await.unwrap();
    // The connection serves on.
    assert!(client.send(&origin, get("/"), soon()).await.unwrap().reused);
}

#[tokio::test]
async fn over_http_2_a_panic_is_a_500_for_that_request_only() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (_server, origin) = trust.serve(answers(|request| async move {
        assert!(request.uri.path() != "/bad", "on purpose");
        whole("fine".to_owned())
    }));
    let client = trust.client();
    for (path, status) in [("/bad", 500), ("/good", 200)] {
        assert_eq!(client.send(&origin, get(path), soon()).await.unwrap().status.as_u16(), status);
    }
}

#[tokio::test]
async fn over_http_2_a_drain_lets_a_stream_end_and_then_the_connection() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (server, origin, send) = piping(&trust);
    let client = trust.client();
    let mut reply = client.send(&origin, get("/"), soon()).await.unwrap();
    send.send(Ok(Bytes::from_static(b"first"))).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "first");
    server.drain.start();
    send.send(Ok(Bytes::from_static(b"last"))).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "last");
    drop(send);
    assert!(reply.body.chunk().await.is_none());
    assert_eq!(server.drain.finished(LONG).await, net::Drained::Clean);
}

#[tokio::test]
async fn the_deadline_ends_the_waiting_over_http_2() {
    let trust = Trust::new();
    trust.issue("localhost", |_| ());
    let (_server, origin) = trust.serve(answers(|_| std::future::pending::<Response>()));
    let client = trust.client();
    let deadline = std::time::Instant::now() + Duration::from_millis(300);
    let error = client.send(&origin, get("/"), deadline).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Timeout, "{error}");
}
