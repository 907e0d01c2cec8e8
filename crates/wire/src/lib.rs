//! Turns protocol bytes into the vocabulary and back: OpenAI's calls and answers, the Hub's shapes, server-sent events,
//! forms.
//!
//! Everything here is pure: no socket, no clock, no async, no backend by name. What a backend understands comes in as
//! data ([`openai::chat::Dialect`]).

pub mod anthropic;
pub mod bedrock;
pub mod calendar;
pub mod cohere;
pub mod events;
pub mod gemini;
pub mod heard;
pub mod hub;
pub mod json;
pub mod multipart;
pub mod native;
pub mod openai;
pub mod servers;
pub mod sse;
pub mod upstream_error;
