//! Fetches results that a backend put at an address of its own: without any key, never from a private place that the
//! operator did not allow, and within bounds of size, time and redirects.

use std::time::Instant;

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT_ENCODING, LOCATION, USER_AGENT},
};
use net::{Fields, Held, Origin, Outgoing, Permit, RecvBody, Value};
use types::{Fault, Kind, Result, SendBody, Sent};

use crate::{Gateway, Snapshot, steps::send::read_fault};

/// How many redirects are followed.
const HOPS: usize = 3;

/// A result whose head has arrived.
pub(crate) struct Asset {
    /// What its server says of it; what counts is what the bytes are.
    pub(crate) headers: Fields,
    /// Its bytes, to be read.
    pub(crate) body: RecvBody,
}

/// Asks for `url` and follows it to where it is.
///
/// # Errors
/// `UpstreamBadReply` for an address that is not allowed; `UpstreamUnreachable`, `UpstreamTimeout` and so on.
pub(crate) async fn open(gateway: &Gateway, snapshot: &Snapshot, url: &str, until: Instant) -> Result<Asset> {
    let until = until.min(Instant::now() + snapshot.config.assets.time);
    let mut url = url.to_owned();
    for _ in 0..=HOPS {
        let (origin, target) = place(snapshot, &url)?;
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ironbow/", env!("CARGO_PKG_VERSION"))));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let outgoing = Outgoing { method: Method::GET, target, headers: headers.into(), body: SendBody::empty() };
        let reply = gateway.0.upstream.send(&origin, outgoing, until).await.map_err(lost)?;
        if reply.status.is_redirection() {
            url = next(&origin, reply.headers.get(LOCATION))?;
            continue;
        }
        if reply.status != StatusCode::OK {
            let text =
                format!("The backend's result could not be fetched: its address answered {}.", reply.status.as_u16());
            return Err(Fault::new(Kind::UpstreamBadReply, text).sent(Sent::Yes));
        }
        return Ok(Asset { headers: reply.headers, body: reply.body });
    }
    Err(refused("it leads from one address to the next without end"))
}

/// Fetches the whole of `url`.
///
/// # Errors
/// As [`open`], and `UpstreamBadReply` when it is larger than results may be.
pub(crate) async fn fetch(gateway: &Gateway, snapshot: &Snapshot, url: &str, until: Instant) -> Result<Held> {
    let until = until.min(Instant::now() + snapshot.config.assets.time);
    let asset = open(gateway, snapshot, url, until).await?;
    asset.body.collect(snapshot.config.assets.size, until, &gateway.0.budget).await.map_err(crate::doors::answer_fault)
}

/// Where a URL leads: public hosts over TLS, and what the operator allowed. One parser reads and connects.
fn place(snapshot: &Snapshot, url: &str) -> Result<(Origin, String)> {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    let (base, rest) = url.split_at(end);
    let rest = rest.split('#').next().unwrap_or_default();
    if rest.len() > 8192 || !rest.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return Err(refused("its address cannot be a path"));
    }
    let target = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    for allowed in &snapshot.config.assets.allow {
        if let (Ok((known, _)), Ok((origin, _))) =
            (Origin::parse(allowed.as_str(), Permit::Declared), Origin::parse(base, Permit::Declared))
            && known == origin
        {
            return Ok((origin, target));
        }
    }
    match Origin::parse(base, Permit::Public) {
        Ok((origin, _)) if origin.scheme() == net::Scheme::Https => Ok((origin, target)),
        Ok(_) => Err(refused("its address is not encrypted (https)")),
        Err(_) => Err(refused("its address cannot be read")),
    }
}

/// Where a redirect leads: an absolute address, or a path at the same place.
fn next(origin: &Origin, location: Option<Value<'_>>) -> Result<String> {
    let Some(location) = location.and_then(|value| value.to_str().ok()) else {
        return Err(refused("it leads nowhere"));
    };
    let scheme = if origin.scheme() == net::Scheme::Https { "https" } else { "http" };
    if location.contains("://") {
        Ok(location.to_owned())
    } else if let Some(rest) = location.strip_prefix("//") {
        Ok(format!("{scheme}://{rest}"))
    } else if location.starts_with('/') {
        Ok(format!("{scheme}://{}{location}", origin.authority()))
    } else {
        Err(refused("it leads to a relative address"))
    }
}

fn lost(error: net::NetError) -> Box<Fault> {
    let mut fault = read_fault(error);
    fault.message = format!("The backend's result could not be fetched. {}", fault.message);
    fault.sent(Sent::Yes)
}

fn refused(why: &str) -> Box<Fault> {
    let text =
        format!("The backend's result is not fetched: {why}. Private addresses can be allowed with `assets.allow`.");
    Fault::new(Kind::UpstreamBadReply, text).sent(Sent::Yes)
}
