//! Moves bytes safely, and owns the HTTP types of the hot path.
//!
//! * [`Server`] and [`serve`]: listens, reads requests strictly, calls a [`Service`], writes its [`Response`].
//! * [`Upstream`]: sends an [`Outgoing`] request to an [`Origin`] in the caller's own task and gives the [`Reply`].
//! * [`Fields`]: the headers of a message that came in. [`AnswerHeaders`]: those of an answer that leaves.
//! * [`RecvBody`]: a body that arrives, from either side. [`Body`]: one that leaves.
//! * [`now`]: the time, read once for all that a connection does in one go.
//! * [`ByteBudget`]: how much may be held. [`Drain`]: who owns the tasks, and how all of it ends.
//!
//! It knows nothing of JSON, backends or tenants. Which HTTP implementation is underneath stays inside.

mod answer_headers;
mod budget;
mod chunked;
mod clock;
mod drain;
mod error;
mod fields;
mod framing;
mod guard;
mod io;
mod message;
mod origin;
mod recv;
mod sending;
mod server;
mod turn;
mod upstream;
mod usual;

pub use answer_headers::AnswerHeaders;
pub use budget::{ByteBudget, BytePermit};
pub use drain::{Drain, Drained, Leaving, Ticket};
pub use error::{NetError, NetErrorKind};
pub use fields::{Fields, NotText, Value};
pub use message::{Abort, Body, Request, Response, Service, StreamBody};
pub use origin::{BadOrigin, Origin, Permit, Scheme};
pub use recv::{CollectError, Held, RecvBody};
pub use server::{Listener, ServeError, Server, ServerLimits, Serving, TlsSettings, serve};
pub use turn::now;
pub use upstream::{Headers, Outgoing, Reply, Resolver, Upstream, UpstreamSettings};
