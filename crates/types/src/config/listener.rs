//! The listener's part of the document.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, Size};

/// Where the gateway listens, and for whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Listener {
    /// The IP address and port to listen on. Port 0 takes any free port.
    pub address: String,
    /// Whether an address that other machines can reach is allowed. Whoever reaches the gateway can spend your keys.
    pub allow_remote: bool,
    /// Names besides `localhost` and IP addresses by which callers may address the gateway (their `Host` header).
    pub hosts: Vec<String>,
    /// Threads that serve requests; 0 means one for each core.
    #[schemars(range(min = 0, max = 1024))]
    pub workers: u32,
    /// Connections held open at once; one more is answered 503. Fewer where the system lets few files be open.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_connections: u32,
    /// The largest head of a request, request line and headers together.
    pub max_head: Size,
    /// The largest number of headers in a request.
    #[schemars(range(min = 8, max = 1024))]
    pub max_headers: u32,
    /// How long the head of a request may take to arrive.
    pub head_time: Period,
    /// How long a connection may stay open with nothing to do.
    pub idle_time: Period,
    /// Certificate and key, if the listener speaks TLS.
    pub tls: Option<Tls>,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:8080".to_owned(),
            allow_remote: false,
            hosts: Vec::new(),
            workers: 0,
            max_connections: 10_000,
            max_head: Size::bytes(64 << 10),
            max_headers: 100,
            head_time: Period::seconds(10),
            idle_time: Period::seconds(75),
            tls: None,
        }
    }
}

/// Certificate and key of a listener that speaks TLS. Both files are read again when they change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The PEM file with the certificate chain, the listener's own certificate first.
    pub cert: PathBuf,
    /// The PEM file with the private key.
    pub key: PathBuf,
}
