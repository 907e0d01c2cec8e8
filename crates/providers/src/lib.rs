//! Where each backend is and how it deviates from OpenAI's shape. Data first, code only for real differences.
//!
//! [`TABLE`] is the data: one file of about ten lines per backend under `huggingface/`. An [`Endpoint`] is one entry of
//! it (or a server that an operator declared), made ready for a route and an operation: it gives the target and the headers
//! of an attempt. What is not chat or embeddings goes through an [`exchange::Exchange`].

pub mod backend;
mod chat;
pub mod dialects;
pub mod docs;
pub mod endpoint;
pub mod exchange;
pub mod huggingface;
pub mod path;
pub mod refusal;

pub use backend::{Backend, Codec, Op, Promise, Queue, Routing, Scheme, Vendor};
pub use endpoint::{Dress, Endpoint, Route, question_headers};
pub use exchange::Flow;
pub use huggingface::{TABLE, find};
