//! What names lead to: asked for at each new connection, remembered while nobody can be asked.

use crate::bed::*;
use net::{NetErrorKind, Origin, Permit, Resolver, Upstream, UpstreamSettings};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What a name leads to at the moment; none where nobody can be asked.
type Told = Arc<Mutex<Option<SocketAddr>>>;

/// A client that keeps no connection and asks this for addresses.
fn client(told: &Told, keep_addresses: Duration) -> Upstream {
    let told = Arc::clone(told);
    let resolver = Resolver::new(move |_, _| {
        let found = told.lock().unwrap().map(|address| vec![address]);
        async move { found.ok_or_else(|| io::Error::other("no name server answers")) }
    });
    let idle_timeout = Duration::ZERO;
    Upstream::new(UpstreamSettings {
        resolver: Some(resolver),
        idle_timeout,
        keep_addresses,
        ..UpstreamSettings::default()
    })
}

fn backend(port: u16) -> Origin {
    Origin::parse(&format!("http://backend.example:{port}"), Permit::Declared).unwrap().0
}

async fn ask(client: &Upstream, origin: &Origin) -> Result<(), NetErrorKind> {
    let mut reply = client.send(origin, get("/"), soon()).await.map_err(|error| error.kind)?;
    while let Some(chunk) = reply.body.chunk().await {
        chunk.map_err(|error| error.kind)?;
    }
    Ok(())
}

#[tokio::test]
async fn while_no_name_can_be_resolved_the_address_that_was_reached_serves_up_to_its_limit() {
    let server = serve(echo());
    let (address, told) = (server.address(), Told::default());
    for (keep, then) in [(Duration::from_secs(600), Ok(())), (Duration::ZERO, Err(NetErrorKind::Resolve))] {
        let client = client(&told, keep);
        *told.lock().unwrap() = None;
        assert_eq!(ask(&client, &backend(address.port())).await, Err(NetErrorKind::Resolve), "nothing is known yet");
        *told.lock().unwrap() = Some(address);
        assert_eq!(ask(&client, &backend(address.port())).await, Ok(()));
        *told.lock().unwrap() = None;
        for _ in 0..3 {
            assert_eq!(ask(&client, &backend(address.port())).await, then, "{keep:?}");
        }
    }
}

#[tokio::test]
async fn an_address_that_never_answered_is_not_remembered() {
    let told: Told = Arc::new(Mutex::new(Some("127.0.0.1:1".parse().unwrap())));
    let client = client(&told, Duration::from_secs(600));
    assert_eq!(ask(&client, &backend(1)).await, Err(NetErrorKind::ConnectRefused));
    *told.lock().unwrap() = None;
    assert_eq!(ask(&client, &backend(1)).await, Err(NetErrorKind::Resolve));
}

#[tokio::test]
async fn a_changed_address_is_taken_with_the_next_connection() {
    let (old, new) = (serve(echo()), serve(answers(|_| async { whole("new".to_owned()) })));
    let told: Told = Arc::new(Mutex::new(Some(old.address())));
    let client = client(&told, Duration::from_secs(600));
    let origin = backend(old.address().port());
    ask(&client, &origin).await.unwrap();
    // The test's resolver names the port as well, which a real one does not.
    *told.lock().unwrap() = Some(new.address());
    let mut reply = client.send(&origin, get("/"), soon()).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "new");
}
