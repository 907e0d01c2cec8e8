//! A new connection: resolve, check each address, connect to the first that answers, TLS.

use super::{Conn, Upstream, Way, h2::H2Conn};
use crate::{NetError, NetErrorKind, Origin, Scheme, guard, io::Io, origin::Host};
use rustls::{CertificateError, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::atomic::Ordering::Relaxed,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long an address may be silent before the next one is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

impl Upstream {
    /// Makes a connection to `origin`, or gets a share of one that somebody else has just made.
    pub(super) async fn dial(&self, origin: &Origin, deadline: Instant) -> Result<Way, NetError> {
        self.0.pool.make_room();
        let limit = Instant::now() + origin.connect_limit().unwrap_or(self.0.settings.connect_timeout);
        let dialing = async {
            match origin.scheme() {
                Scheme::Http => Ok(Way::H1(Conn::new(Io::Plain(self.connect(origin).await?)))),
                Scheme::Https => self.dial_tls(origin).await,
            }
        };
        let dialed = tokio::time::timeout_at(limit.min(deadline).into(), Box::pin(dialing)).await;
        dialed.unwrap_or_else(|_| {
            Err(if deadline < limit {
                NetError::new(NetErrorKind::Timeout, "the deadline passed while connecting")
            } else {
                NetError::new(NetErrorKind::ConnectTimeout, format!("{origin} did not answer in time"))
            })
        })
    }

    async fn dial_tls(&self, origin: &Origin) -> Result<Way, NetError> {
        let memory = self.0.pool.tls_memory(origin);
        let _turn = if memory.speaks_h1.load(Relaxed) {
            None
        } else {
            // One connection may be enough for everybody who waits here.
            let turn = memory.dialing.lock().await;
            if let Some(way) = self.take(origin) {
                return Ok(way);
            }
            (!memory.speaks_h1.load(Relaxed)).then_some(turn)
        };
        let config = self.0.tls.config(&self.0.settings).await?;
        let tcp = self.connect(origin).await?;
        let name = match origin.host_ref() {
            Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
            Host::Name(name) => ServerName::try_from(name.to_string())
                .map_err(|_| NetError::new(NetErrorKind::Tls, "the host is not a name that a certificate can have"))?,
        };
        let tls = TlsConnector::from(config).connect(name, tcp).await;
        let tls = tls.map_err(|error| NetError::new(distrust(&error), format!("{origin}: {error}")))?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            memory.speaks_h1.store(true, Relaxed);
            return Ok(Way::H1(Conn::new(Io::Tls(Box::new(tls.into())))));
        }
        memory.speaks_h1.store(false, Relaxed);
        let settings = &self.0.settings;
        let mut conn = H2Conn::open(tls, settings.max_head, &settings.drain).await?;
        let lease = conn.lease(usize::MAX);
        self.sweep_soon(self.0.pool.share(origin, conn));
        lease.map(Way::H2).ok_or_else(|| NetError::new(NetErrorKind::Closed, "closed right after the handshake"))
    }

    /// Connects to the first allowed address that accepts. What is checked is what is connected to.
    async fn connect(&self, origin: &Origin) -> Result<TcpStream, NetError> {
        let (host, permit) = (origin.host_ref(), origin.permit());
        if guard::refuses_name(host, permit) {
            return Err(refused(origin));
        }
        let shared = &self.0;
        let tcp = match host {
            Host::Ip(ip) => connect_to(origin, vec![SocketAddr::new(*ip, origin.port())]).await?,
            Host::Name(name) => {
                let found = shared.names.look_up(name, origin.port(), &shared.settings).await;
                let (addresses, fresh) =
                    found.map_err(|error| NetError::new(NetErrorKind::Resolve, format!("{origin}: {error}")))?;
                let tcp = connect_to(origin, addresses.clone()).await?;
                if fresh {
                    shared.names.reached(name, &addresses);
                }
                tcp
            }
        };
        tcp.set_nodelay(true).ok();
        end_with_silence(&tcp, shared.settings.silent);
        Ok(tcp)
    }
}

/// Has the system end a connection whose other end is gone without a word: no router or machine answers any more.
fn end_with_silence(tcp: &TcpStream, silent: Duration) {
    let socket = SockRef::from(tcp);
    let (first, again) = (silent / 2, (silent / 4).max(Duration::from_secs(1)));
    // A system that does not know an option waits as long as it always did.
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(first).with_interval(again)).ok();
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(silent)).ok();
}

/// What is wrong with a peer whose handshake failed.
fn distrust(error: &io::Error) -> NetErrorKind {
    use CertificateError as C;
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. } => {
                NetErrorKind::CertificateDate
            }
            C::NotValidForName | C::NotValidForNameContext { .. } => NetErrorKind::CertificateName,
            _ => NetErrorKind::CertificateIssuer,
        },
        _ => NetErrorKind::Tls,
    }
}

/// Connects to the first of the addresses that a name led to and that are allowed. The name is not asked for again: what
/// it means a moment later changes nothing.
async fn connect_to(origin: &Origin, mut addresses: Vec<SocketAddr>) -> Result<TcpStream, NetError> {
    addresses.retain(|address| guard::allows(origin.host_ref(), origin.permit(), address.ip()));
    if addresses.is_empty() {
        return Err(refused(origin));
    }
    let tcp = race(alternate(addresses)).await;
    tcp.map_err(|error| NetError::new(NetErrorKind::ConnectRefused, format!("{origin}: {error}")))
}

fn refused(origin: &Origin) -> NetError {
    NetError::new(NetErrorKind::AddressRefused, format!("{origin} leads to an address that is not allowed for it"))
}

/// The two families in turn, beginning with the one that the system prefers.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv4() == first_is_v4);
    let mut mixed = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        match (preferred.next(), other.next()) {
            (None, None) => return mixed,
            (a, b) => mixed.extend(a.into_iter().chain(b)),
        }
    }
}

/// Tries the addresses in order; a silent one gets company after [`HEAD_START`]. The first connection wins.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;
    let mut waiting = addresses.into_iter();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match waiting.next() {
            Some(address) => attempts.push(Box::pin(TcpStream::connect(address))),
            None if attempts.is_empty() => return Err(last),
            None => {}
        }
        let one = poll_fn(|cx| {
            for i in 0..attempts.len() {
                if let Poll::Ready(done) = attempts[i].as_mut().poll(cx) {
                    drop(attempts.swap_remove(i));
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        });
        let more = waiting.len() > 0;
        let done = if more { tokio::time::timeout(HEAD_START, one).await } else { Ok(one.await) };
        match done {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Permit;

    fn addresses(port: u16, ips: &[&str]) -> Vec<SocketAddr> {
        ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect()
    }

    /// Whatever a name leads to this time, among public addresses or alone, nobody inside is asked.
    #[tokio::test]
    async fn a_name_that_turns_to_the_inside_reaches_nobody_there() {
        let inside = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let port = inside.local_addr().unwrap().port();
        let (origin, _) = Origin::parse(&format!("https://rebinds.example:{port}"), Permit::Public).unwrap();
        let answers: [&[&str]; 6] = [
            &["127.0.0.1"],
            &["::1", "127.0.0.1"],
            &["::ffff:127.0.0.1"],
            &["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00:ec2::254"],
            &["0.0.0.0"],
            &["64:ff9b::7f00:1", "127.0.0.1"],
        ];
        for _ in 0..200 {
            for ips in answers {
                let error = connect_to(&origin, addresses(port, ips)).await.unwrap_err();
                assert_eq!(error.kind, NetErrorKind::AddressRefused, "{ips:?}");
            }
        }
        assert!(inside.accept().is_err(), "somebody inside was asked");
    }

    /// Of a mixed answer only the public part is tried.
    #[test]
    fn of_a_mixed_answer_the_public_addresses_remain() {
        let (origin, _) = Origin::parse("https://mixed.example", Permit::Public).unwrap();
        let mut mixed = addresses(443, &["127.0.0.1", "1.1.1.1", "::1", "2606:4700::1111", "192.168.0.1"]);
        mixed.retain(|address| guard::allows(origin.host_ref(), origin.permit(), address.ip()));
        assert_eq!(mixed, addresses(443, &["1.1.1.1", "2606:4700::1111"]));
    }
}
