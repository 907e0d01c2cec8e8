//! What is neither chat nor embeddings: exchanges of one or several requests, without sockets and clocks.
//!
//! [`Exchange::begin`] gives the first request; [`Exchange::next`] takes each answer and says what follows: send, wait and
//! send, or done. An exchange can be written down at any time and taken up again ([`Exchange::resume`]): what was
//! submitted is then polled on, never submitted twice. Whoever drives it keeps the deadline.

mod answer;
mod body;
mod edit;
pub(crate) mod image;
pub mod image_stream;
mod places;
mod poll;
mod speech;
pub(crate) mod takes;
mod transcript;
mod transcription;

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde::{Deserialize, Serialize};
pub use takes::Takes;
use types::{
    Fault, Kind, Operation, Result, SendBody, Sent,
    ask::{EditAsk, ImageAsk, Outcome, SpeechAsk, TranscriptionAsk},
};
pub use wire::openai::chat::{Ask, encode::Dropped};

use crate::{Dress, Endpoint};
use body::Leave;
use poll::Ticket;

/// The version of a written exchange; another one is not taken up.
const VERSION: u8 = 1;

/// How a backend's exchanges go. The operation tells which of its codecs is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// `inputs` and `parameters`, or bare bytes; bare bytes come back.
    HfInference,
    /// fal at once: flat members; addresses come back.
    Fal,
    /// The same through fal's queue: submit, poll, fetch.
    FalQueue,
    /// fal's stream of pictures: see [`image_stream`].
    FalStream,
    /// A prediction that is waited for and then polled.
    Replicate,
    /// OpenAI's shape with names of its own.
    Together,
    /// OpenAI's shape with sides and an extension.
    Nebius,
    /// OpenAI's shape, base64 only.
    Nscale,
    /// `model_name`, `steps`, `cfg_scale`; base64 comes back.
    Hyperbolic,
    /// Submit and poll.
    Wavespeed,
    /// Submit and poll, slower.
    Zai,
    /// OpenAI's speech, with voices of its own.
    Deepinfra,
    /// OpenAI's sound as it is.
    Openai,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Speak.
    Speech(SpeechAsk),
    /// Write down what is heard. `file.claimed_type` must be what the bytes are, not what the caller said
    /// (or the label that [`Flow::takes`] gave for it).
    Transcription(TranscriptionAsk),
    /// Make pictures.
    Image(ImageAsk),
    /// Change pictures. `claimed_type` as for sound.
    Edit(EditAsk),
}

impl Work {
    /// Whether it belongs to this operation.
    pub const fn is(&self, operation: Operation) -> bool {
        matches!(
            (self, operation),
            (Self::Speech(_), Operation::Speech)
                | (Self::Transcription(_), Operation::Transcription)
                | (Self::Image(_), Operation::Image | Operation::ImageStream)
                | (Self::Edit(_), Operation::ImageEdit | Operation::ImageEditStream)
        )
    }
}

/// The model by its names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model<'a> {
    /// The backend's own name.
    pub id: &'a str,
    /// The Hub's id, where the model is known there.
    pub hub_id: Option<&'a str>,
    /// What the Hub's mapping says of it as an adapter, if it is one.
    pub lora: Option<Lora<'a>>,
}

/// A low-rank adapter in the Hub's mapping.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lora<'a> {
    /// Where its weights are in its repository (`adapterWeightsPath`).
    pub weights: Option<&'a str>,
}

/// A request to make.
#[derive(Clone, Debug)]
pub struct Send {
    /// Where it goes.
    pub to: To,
    /// How.
    pub method: Method,
    /// Headers on top of, and instead of, the endpoint's.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: SendBody,
    /// What it is within the exchange.
    pub step: What,
    /// Whether it must never be repeated when nobody knows what became of it.
    pub once: bool,
}

impl Send {
    /// A request without a body to the backend.
    fn get(target: String, step: What) -> Self {
        Self {
            to: To::Backend { target },
            method: Method::GET,
            headers: Vec::new(),
            body: SendBody::empty(),
            step,
            once: false,
        }
    }

    /// All headers of the request: the endpoint's with the key for the backend, no key at all for an asset, and no type
    /// of a body that is not there.
    ///
    /// # Errors
    /// As [`Endpoint::headers`].
    pub fn dressed(&self, endpoint: &Endpoint, dress: Dress<'_>) -> Result<HeaderMap> {
        let mut headers = match self.to {
            To::Backend { .. } => endpoint.headers(dress)?,
            To::Asset { .. } => crate::endpoint::anonymous(),
        };
        if self.body.is_empty() {
            headers.remove(CONTENT_TYPE);
        }
        if matches!(self.to, To::Asset { .. }) {
            headers.remove(AUTHORIZATION);
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(headers)
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// To the endpoint's own origin, with the key.
    Backend {
        /// Path and query.
        target: String,
    },
    /// To an address that an answer named: no key, guarded.
    Asset {
        /// The address.
        url: String,
    },
}

/// What a request is within its exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// The call itself.
    Submit,
    /// Asking how it stands.
    Poll,
    /// Fetching the answer.
    Result,
    /// Fetching what the answer names.
    Asset,
    /// Giving it up.
    Cancel,
}

/// An answer.
#[derive(Clone)]
pub struct Got<'a> {
    /// Its status.
    pub status: u16,
    /// A header's value by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Its body.
    pub body: Bytes,
    /// Seconds since 1970, for dates in headers.
    pub clock: u64,
}

/// What follows an answer.
#[derive(Clone, Debug)]
pub enum Step {
    /// The next request.
    Send(Send),
    /// The next request, after a pause.
    Wait {
        /// How long.
        pause: Duration,
        /// What then.
        then: Send,
    },
    /// It is over.
    Done(Outcome),
}

/// One exchange. It can be written down and taken up after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    version: u8,
    backend: String,
    flow: Flow,
    wants: Wants,
    base: String,
    query: String,
    state: State,
}

/// What is to come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wants {
    Sound,
    /// A text; whether its pieces are words.
    Transcript {
        words: bool,
    },
    Images,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at")]
enum State {
    /// The first request is on its way.
    Submitted,
    /// The backend works on it.
    Polling {
        ticket: Ticket,
        strikes: u8,
    },
    /// It is ready, and fetched.
    Fetching {
        ticket: Ticket,
        strikes: u8,
    },
    /// What the answer named is fetched.
    Asset {
        url: String,
    },
    Over,
}

impl Exchange {
    /// Begins: gives the first request, and what of the call was left out.
    ///
    /// # Errors
    /// `UnsupportedParameter` naming a member that changes the answer and that the backend cannot honour, if the caller is
    /// not lenient; what is wrong with a name that must stand in a path.
    pub fn begin(
        endpoint: &Endpoint,
        model: &Model<'_>,
        work: &Work,
        ask: Ask<'_>,
    ) -> Result<(Self, Send, Vec<Dropped>)> {
        let named = |fault: Box<Fault>| fault.backend(endpoint.backend.as_str());
        let flow = endpoint.flow().filter(|flow| *flow != Flow::FalStream && work.is(endpoint.operation));
        let Some(flow) = flow else {
            return Err(crate::refusal::unsupported_by(endpoint.backend.as_str(), endpoint.operation));
        };
        let ask = if ask.backend.is_empty() { Ask { backend: endpoint.backend.as_str(), ..ask } } else { ask };
        let mut leave = Leave::new(ask);
        let written = match work {
            Work::Speech(ask) => speech::write(flow, ask, model, &mut leave),
            Work::Transcription(ask) => transcription::write(flow, ask, model, &mut leave),
            Work::Image(ask) => image::write(flow, ask, model, &mut leave),
            Work::Edit(ask) => edit::write(flow, ask, model, &mut leave),
        }
        .map_err(named)?;
        let mut target = endpoint.target(model.id)?;
        if let Some((from, to)) = written.instead {
            target = target.replace(from, to);
        }
        let wants = match work {
            Work::Speech(_) => Wants::Sound,
            Work::Transcription(_) => Wants::Transcript { words: written.words },
            Work::Image(_) | Work::Edit(_) => Wants::Images,
        };
        let exchange = Self {
            version: VERSION,
            backend: endpoint.backend.as_str().to_owned(),
            flow,
            wants,
            base: endpoint.base().to_owned(),
            query: endpoint.query().to_owned(),
            state: State::Submitted,
        };
        let send = Send {
            to: To::Backend { target },
            method: Method::POST,
            headers: written.headers,
            body: written.body,
            step: What::Submit,
            once: flow.is_kept_upstream(),
        };
        Ok((exchange, send, leave.dropped))
    }

    /// Takes an answer and says what follows. `now` is the time since the exchange began.
    ///
    /// # Errors
    /// What the backend says went wrong, in its words; `UpstreamBadReply` when its answer cannot be read.
    #[expect(clippy::needless_pass_by_value, reason = "an answer is used up: nothing of it is left to the driver")]
    pub fn next(&mut self, reply: Got<'_>, now: Duration) -> Result<Step> {
        let step = match std::mem::replace(&mut self.state, State::Over) {
            State::Submitted => self.submitted(&reply, now),
            State::Polling { ticket, strikes } => self.polled(ticket, strikes, &reply, now),
            State::Fetching { ticket, strikes } => self.fetched(ticket, strikes, &reply, now),
            State::Asset { .. } => self.asset(&reply),
            State::Over => Err(Fault::new(Kind::Internal, "The exchange is over; nothing more was expected.")),
        };
        step.map_err(|fault| fault.backend(self.backend.as_str()))
    }

    /// The request with which to go on after a restart, or after one that got no answer; `None` when the first request's
    /// answer never came (nobody knows what became of it), or when it is over.
    pub fn resume(&self) -> Option<Send> {
        match &self.state {
            State::Polling { ticket, .. } => Some(Send::get(ticket.poll.clone(), What::Poll)),
            State::Fetching { ticket, .. } => {
                Some(Send::get(ticket.result.clone().unwrap_or_else(|| ticket.poll.clone()), What::Result))
            }
            State::Asset { url } => Some(asset(url)),
            State::Submitted | State::Over => None,
        }
    }

    /// The request that gives the work up upstream, where the backend has one and it is not over.
    pub fn cancel(&self) -> Option<Send> {
        let State::Polling { ticket, .. } = &self.state else { return None };
        let target = ticket.cancel.clone()?;
        let method = if self.flow == Flow::FalQueue { Method::PUT } else { Method::POST };
        Some(Send { method, ..Send::get(target, What::Cancel) })
    }

    /// The backend's id of the work, once it gave one.
    pub fn upstream_id(&self) -> Option<&str> {
        match &self.state {
            State::Polling { ticket, .. } | State::Fetching { ticket, .. } => Some(&ticket.id),
            _ => None,
        }
    }

    /// Whether it was written by a version that this one understands.
    pub const fn is_understood(&self) -> bool {
        self.version == VERSION
    }

    /// The backend that it is with: the endpoint to go on with is this backend's, on the route that it began on.
    pub fn backend(&self) -> &str {
        &self.backend
    }
}

impl Flow {
    /// Whether the first request leaves something at the backend that goes on by itself.
    pub const fn is_kept_upstream(self) -> bool {
        matches!(self, Self::FalQueue | Self::Replicate | Self::Wavespeed | Self::Zai)
    }
}

/// Fetches what an answer named.
fn asset(url: &str) -> Send {
    Send { to: To::Asset { url: url.to_owned() }, ..Send::get(String::new(), What::Asset) }
}

/// The first request, as a flow's codec writes it.
struct Written {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: SendBody,
    /// Whether the pieces of a transcript will be words.
    words: bool,
    /// What in the path gives way to something else.
    instead: Option<(&'static str, &'static str)>,
}

impl Written {
    fn json(body: SendBody) -> Self {
        Self { headers: Vec::new(), body, words: false, instead: None }
    }

    fn typed(content_type: &str, body: SendBody) -> Self {
        let kind = HeaderValue::from_str(content_type)
            .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
        Self { headers: vec![(CONTENT_TYPE, kind)], ..Self::json(body) }
    }
}

/// A flow that has no codec for an operation: the table names none such, and a test says so.
fn no_codec(flow: Flow) -> Box<Fault> {
    Fault::new(Kind::Internal, "This backend was asked for what its table does not have.").detail(format!("{flow:?}"))
}

fn bad_reply(message: impl Into<String>) -> Box<Fault> {
    Fault::new(Kind::UpstreamBadReply, message).sent(Sent::Yes)
}
