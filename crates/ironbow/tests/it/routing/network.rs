//! What the network does to calls: resets, silence, lost packets, certificates that are not to be trusted.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;

use super::{SERVED, at_once, one_of_three};
use crate::it::{
    peer::{BlackHole, Peer, read_request, whole_answer},
    world::{With, World, and, ask},
};

/// A thousand calls, streams and whole answers, to three servers of which the first is bad: how many failed.
fn failures(world: &World) -> usize {
    let failed = AtomicUsize::new(0);
    at_once(8, 1000, |number| {
        let body = and(ask("even", "hi"), json!({"stream": number % 2 == 0}));
        let reply = world.chat_with(&body, &[("x-ironbow-timeout", "20")]);
        if reply.status != 200 || !reply.text().contains("echo") {
            failed.fetch_add(1, SeqCst);
        }
    });
    failed.into_inner()
}

#[test]
fn resets_of_one_of_three_reach_no_caller() {
    // What is left unread when a connection is closed makes the system reset it.
    let peer = Peer::start(|mut stream| drop(stream.read(&mut [0; 10])));
    let world = World::configured(one_of_three(&format!("http://{}", peer.addr), ""));
    let failed = failures(&world);
    assert!(failed <= 1, "{failed} of 1000 calls failed");
    assert!(peer.connections() > 0);
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_costs_callers_some_time_and_nothing_else() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let world = World::configured(one_of_three(&url, "routing.patience = \"1s\"\n"));
    let failed = failures(&world);
    assert!(failed <= 1, "{failed} of 1000 calls failed");
}

#[test]
fn lost_packets_cost_callers_the_two_seconds_in_which_a_connection_must_be_made() {
    let hole = BlackHole::open();
    let url = format!("http://{}", hole.addr);
    let world = World::configured(one_of_three(&url, ""));
    let began = Instant::now();
    let reply = world.chat(&ask("first", "hi"));
    let took = began.elapsed();
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("good")), "{}", reply.text());
    assert_eq!(reply.header("x-ironbow-tried"), Some("bad upstream_unreachable"));
    // The next one is asked when two seconds are over: not at once, and not after the three of a second lost packet.
    let expected = Duration::from_millis(1900)..Duration::from_millis(2900);
    assert!(expected.contains(&took), "{took:?}");
    let failed = failures(&world);
    assert!(failed <= 1, "{failed} of 1000 calls failed");
    let reply = World::configured(one_of_three(&url, "timeouts.connect = \"200ms\"\n")).chat(&ask(&pinned(), "hi"));
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_eq!(reply.json()["error"]["message"], "No connection to the backend could be made in time.");
}

#[test]
fn one_server_may_have_its_own_time_in_which_a_connection_must_be_made() {
    let hole = BlackHole::open();
    let config = one_of_three(&format!("http://{}", hole.addr), "timeouts.connect = \"30s\"\n");
    let config = config.replacen("[servers.good]", "timeouts.connect = \"200ms\"\n[servers.good]", 1);
    let world = World::configured(Box::leak(config.into_boxed_str()));
    let began = Instant::now();
    let reply = world.chat(&ask("first", "hi"));
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("good")), "{}", reply.text());
    assert!(began.elapsed() < Duration::from_secs(20));
}

fn pinned() -> String {
    format!("huggingface/bad/{SERVED}")
}

/// A server behind TLS with this certificate; what it could read of what was sent.
fn tls_peer(certificate: &rcgen::Certificate, key: &KeyPair) -> (Peer, Arc<Mutex<Vec<u8>>>) {
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (config, read) = (Arc::new(config), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&read);
    let peer = Peer::start(move |tcp| {
        let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, tcp);
        let request = read_request(&mut stream);
        if !request.is_empty() {
            seen.lock().unwrap().extend(request);
            let _ = stream.write_all(&whole_answer("over tls"));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (peer, read)
}

/// An authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `name` by `issuer`, valid from the beginning of one year to that of another.
fn certificate(
    name: &str,
    years: (i32, i32),
    issuer: &CertifiedIssuer<'static, KeyPair>,
    key: &KeyPair,
) -> rcgen::Certificate {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    params.signed_by(key, issuer).unwrap()
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_told_by_its_fault_and_nothing_is_sent_there() {
    let (trusted, stranger, key) = (authority(), authority(), KeyPair::generate().unwrap());
    let file = std::env::temp_dir().join(format!("ironbow-it-authority-{}.pem", std::process::id()));
    fs::write(&file, trusted.pem()).unwrap();
    let alone = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (now, past, future) = ((2020, 2090), (2001, 2002), (2090, 2091));
    let words =
        ["has expired or is not valid yet", "is for another host name", "signed by nobody whom this machine trusts"];
    for (what, made, said) in [
        ("good", certificate("localhost", now, &trusted, &key), None),
        ("expired", certificate("localhost", past, &trusted, &key), Some(words[0])),
        ("not valid yet", certificate("localhost", future, &trusted, &key), Some(words[0])),
        ("of another host", certificate("other.example", now, &trusted, &key), Some(words[1])),
        ("of an unknown authority", certificate("localhost", now, &stranger, &key), Some(words[2])),
        ("signed by itself", alone, Some(words[2])),
    ] {
        let (peer, read) = tls_peer(&made, &key);
        let url = format!("https://localhost:{}", peer.addr.port());
        // Who failed is left alone for good, so that what follows can be counted.
        let config = one_of_three(&url, "[routing.health]\nopen = \"1h\"\nopen_max = \"1h\"\n");
        let env = vec![("SSL_CERT_FILE", file.display().to_string())];
        let world = World::with(With { config, env, ..With::default() });
        let reply = world.chat(&ask(&pinned(), "hi"));
        let Some(said) = said else {
            assert_eq!(reply.status, 200, "{what}: {}", reply.text());
            assert!(!read.lock().unwrap().is_empty());
            continue;
        };
        let error = &reply.json()["error"];
        assert_eq!((reply.status, &error["code"]), (502, &json!("upstream_unreachable")), "{what}: {error}");
        assert!(error["message"].as_str().unwrap().contains(said), "{what}: {error}");
        for _ in 0..5 {
            let reply = world.chat(&ask("first", "hi"));
            assert_eq!(
                (reply.status, reply.header("x-ironbow-backend")),
                (200, Some("good")),
                "{what}: {}",
                reply.text()
            );
        }
        // By now it is put aside: nobody knocks there any more.
        let before = peer.connections();
        for _ in 0..20 {
            let reply = world.chat(&ask("first", "hi"));
            assert_eq!((reply.status, reply.header("x-ironbow-tried")), (200, None), "{what}");
        }
        assert_eq!(peer.connections(), before, "{what}");
        assert_eq!(read.lock().unwrap().len(), 0, "{what}: something was sent there");
    }
    fs::remove_file(&file).unwrap();
}

#[test]
fn where_tls_is_asked_for_nothing_is_ever_sent_in_plain_text() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&seen);
    // Speaks HTTP to whoever comes, and keeps every byte.
    let peer = Peer::start(move |mut stream| {
        let _ = stream.write_all(&whole_answer("in plain text"));
        let mut buffer = [0; 4096];
        while let Ok(n) = stream.read(&mut buffer)
            && n > 0
        {
            all.lock().unwrap().push(buffer[..n].to_vec());
        }
    });
    let url = format!("https://localhost:{}", peer.addr.port());
    let world = World::configured(one_of_three(&url, ""));
    for model in [pinned(), "first".to_owned()] {
        let reply = world.chat(&ask(&model, "canary in a prompt"));
        assert!(reply.status == 502 || reply.header("x-ironbow-backend") == Some("good"), "{}", reply.text());
        assert!(!reply.text().contains("in plain text"));
    }
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|bytes| bytes[0] == 0x16 || bytes[0] == 0x15), "records of TLS only");
    assert!(!String::from_utf8_lossy(&seen.concat()).contains("canary"));
}
