//! The vocabulary of Ironbow: what is asked, what is answered, what went wrong, and what an operator may configure.
//!
//! Nothing here opens a socket or a file, knows a protocol library, or knows a backend by name.

pub mod ask;
pub mod blob;
pub mod body;
pub mod config;
pub mod fault;
pub mod model;
pub mod op;
pub mod ports;
pub mod secret;
pub mod usage;

pub use blob::Blob;
pub use body::SendBody;
pub use fault::{Fault, Kind, Origin, Retry, Scope, Sent};
pub use model::{Asked, BackendName, RoutePolicy};
pub use op::Operation;
pub use secret::Secret;
pub use usage::Usage;

/// What every fallible step of the walk returns. The fault is boxed, so that the good path stays small.
pub type Result<T, E = Box<Fault>> = std::result::Result<T, E>;
