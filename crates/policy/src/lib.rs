//! Decides what a name means, whose key is used, and whether a configuration is good.
//!
//! Everything here is a pure function: texts, environment and files come in from outside, nothing waits, nothing is
//! read or sent. No backend is known by name: the table of backends is an argument.

pub mod compile;
pub mod compiled;
pub mod credentials;
pub mod health;
pub mod ids;
pub mod name;
mod nearest;
pub mod order;
pub mod retry;
pub mod rules;
mod schema;
mod shown;

pub use compile::{File, Flag, Place, Problem, Sources, compile};
pub use compiled::Compiled;
pub use credentials::{Chosen, Presented, Target};
pub use ids::{BackendIds, Routing, VendorIds};
pub use name::{Names, parse};
pub use schema::{Setting, schema, settings};
