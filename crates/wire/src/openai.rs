//! OpenAI's protocol: chat calls, answers and streams, faults, model lists.

pub mod chat;
pub mod fault;
pub mod models;
