//! OpenAI's protocol: calls, answers and streams of each operation, faults, model lists.

pub mod audio;
pub mod chat;
pub mod completions;
pub mod detours;
pub mod embeddings;
mod envelope;
pub mod fault;
pub mod images;
mod members;
pub mod models;
pub mod responses;
