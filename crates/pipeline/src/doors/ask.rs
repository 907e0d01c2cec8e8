//! What the headers of a call ask of the gateway itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName};
use net::{Fields, Request};
use types::{Fault, Kind, Result};

use crate::{Snapshot, wishes::Wishes};

/// What the headers of a call ask of the gateway itself.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// When the request's head was there.
    pub(crate) received: Instant,
    /// Take out what the backend cannot do instead of refusing it (`x-ironbow-lenient: true`).
    pub(crate) lenient: bool,
    /// The longest that the caller wants to wait (`x-ironbow-timeout`, seconds).
    pub(crate) timeout: Option<Duration>,
    /// When the job that the call has become must be done.
    pub(crate) job_until: Option<Instant>,
    /// What the headers ask of the call's routing.
    pub(crate) wishes: Option<Arc<Wishes>>,
    /// The headers themselves, where rules or aliases may ask for any of them.
    pub(crate) headers: Option<Arc<HeaderMap>>,
}

impl Ask {
    /// Reads the headers of a call.
    ///
    /// # Errors
    /// `BadRequest` naming the header that cannot be read.
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let text = |name: HeaderName| -> Result<Option<&str>> {
            let Some(value) = request.headers.get(&name) else { return Ok(None) };
            value.to_str().map(Some).map_err(|_| bad_header(&name, "text"))
        };
        let lenient = match text(LENIENT)? {
            None => false,
            Some(value) if value.eq_ignore_ascii_case("true") || value == "1" => true,
            Some(value) if value.eq_ignore_ascii_case("false") || value == "0" => false,
            Some(_) => return Err(bad_header(&LENIENT, "`true` or `false`")),
        };
        let timeout = match text(TIMEOUT)? {
            None => None,
            Some(value) => match value.trim().parse::<f64>() {
                Ok(seconds) if seconds > 0.0 && seconds < 1e9 => Some(Duration::from_secs_f64(seconds)),
                _ => return Err(bad_header(&TIMEOUT, "a number of seconds above 0")),
            },
        };
        let wishes = Wishes::of(&request.headers)?;
        Ok(Self { received: request.received, lenient, timeout, job_until: None, wishes, headers: None })
    }

    /// What is asked for a job that begins now.
    pub(crate) fn of_job(lenient: bool, wishes: Option<Arc<Wishes>>, until: Instant) -> Self {
        Self { received: Instant::now(), lenient, timeout: None, job_until: Some(until), wishes, headers: None }
    }

    /// The same with the request's headers, where rules or aliases may ask for any of them.
    pub(crate) fn with_headers(self, headers: &Fields, snapshot: &Snapshot) -> Self {
        Self { headers: snapshot.reads_headers.then(|| Arc::new(headers.to_map())), ..self }
    }
}

const LENIENT: HeaderName = HeaderName::from_static("x-ironbow-lenient");
const TIMEOUT: HeaderName = HeaderName::from_static("x-ironbow-timeout");

fn bad_header(name: &HeaderName, wanted: &str) -> Box<Fault> {
    Fault::new(Kind::BadRequest, format!("The header `{name}` must be {wanted}.")).param(name.as_str())
}
