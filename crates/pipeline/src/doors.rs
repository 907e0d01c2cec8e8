//! The doors: they decode a call of their dialect and encode its answer. They decide nothing.

mod audio;
pub(crate) mod foreign;
mod images;
mod texts;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HOST},
};
use net::{BytePermit, CollectError, Fields, Request};
use serde::{Deserialize, Serialize};
use types::{
    Fault, Kind, Result, SendBody, Sent,
    ask::{AudioFormat, Delivery, TranscriptionAsk},
};
use wire::{
    events,
    json::Limits,
    multipart::{self, Form},
    native,
};

use crate::{
    Gateway, Snapshot,
    asks::{files::Parts, models::Sheet},
    call::{Call, Native},
    sessions::{Background, Follow, Keeping},
    spool,
    steps::{
        authenticate::Caller,
        passage::Passed,
        pump::{Live, Sound},
        recall::Recalled,
    },
    trail::Trail,
    tried::{Tried, in_words},
    vendors,
    wishes::Wishes,
};

/// A door, by the endpoint that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Door {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/audio/speech`
    Speech,
    /// `/v1/audio/transcriptions`
    Transcriptions,
    /// `/v1/audio/translations`
    Translations,
    /// `/v1/images/generations`
    Images,
    /// `/v1/images/edits`
    Edits,
    /// `/v1/completions`, the older way to ask for text.
    Completions,
    /// `/v1/responses`
    Responses,
    /// Anthropic's `/v1/messages`
    Messages,
    /// Google's `models/{model}:generateContent` and its kin.
    Gemini,
    /// Cohere's `/v2/chat`
    CohereChat,
    /// Cohere's `/v2/embed`
    CohereEmbed,
    /// Bedrock's `model/{model}/converse`
    Converse,
    /// Bedrock's `model/{model}/converse-stream`
    ConverseStream,
}

/// A call as its door understood it.
pub(crate) struct Heard {
    /// The call.
    pub(crate) call: Call,
    /// The model as the caller named it.
    pub(crate) model: String,
    /// What the answer must be.
    pub(crate) wants: Wants,
    /// The part of the budget that the call's body uses.
    pub(crate) held: BytePermit,
    /// Headers of the caller that go on to a vendor, where the name may mean one.
    pub(crate) carried: Option<Arc<HeaderMap>>,
    /// The call as it came, where its caller does not want to wait for the answer and need not.
    pub(crate) later: Option<Later>,
}

/// A call that its caller does not wait for.
pub(crate) enum Later {
    /// It becomes a job.
    Job(Stored),
    /// It becomes a response in the background.
    Response(Box<Background>),
}

/// A body as it was heard, with what its reading depends on.
pub(crate) struct Said<'p> {
    matter: Matter,
    /// Whether what cannot be said may be left out.
    pub(crate) lenient: bool,
    kind: String,
    base: String,
    query: Option<String>,
    named: &'p str,
    /// Whether its caller waits for the answer.
    waits: bool,
    /// The call as it came, where its model may be one of a vendor that speaks the door's dialect.
    native: Option<native::Call>,
    /// The caller's headers that a vendor may read.
    carried: HeaderMap,
}

/// What was heard.
enum Matter {
    /// A body, whole.
    Whole(net::Held),
    /// A form, read while it came.
    Form(Box<spool::Read>),
}

impl Said<'_> {
    /// The body; of a form nothing.
    pub(crate) fn bytes(&self) -> Bytes {
        match &self.matter {
            Matter::Whole(held) => held.bytes.clone(),
            Matter::Form(_) => Bytes::new(),
        }
    }

    /// The model that the path names.
    pub(crate) fn named(&self) -> Option<&str> {
        Some(self.named).filter(|named| !named.is_empty())
    }
}

/// What the answer must be, as far as the call says.
pub(crate) enum Wants {
    /// What the codec wrote.
    AsItIs,
    /// The same in another dialect.
    Translated {
        /// What writes it.
        write: Box<dyn events::Write>,
        /// Members that had no place in the translation.
        dropped: Vec<String>,
        /// What is to be kept of it.
        keeping: Option<Box<Keeping>>,
    },
    /// Vectors as another dialect writes them.
    Vectors {
        /// What writes it, from OpenAI's answer.
        write: VectorsWriter,
        /// Members that had no place in the translation.
        dropped: Vec<String>,
    },
    /// Sound.
    Speech {
        /// In this format; none: the backend's own.
        format: Option<AudioFormat>,
        /// As events instead of bare bytes.
        events: bool,
    },
    /// A transcript, written as the call says.
    Transcript {
        /// The call.
        ask: Box<TranscriptionAsk>,
        /// As events.
        events: bool,
    },
    /// Pictures.
    Pictures {
        /// As addresses or in base64; none: as the backend gives them.
        delivery: Option<Delivery>,
        /// Where this gateway was called: the begin of addresses that lead to it.
        base: String,
    },
}

impl Wants {
    /// Takes out what is to be kept.
    pub(crate) fn keeping(&mut self) -> Option<Box<Keeping>> {
        match self {
            Self::Translated { keeping, .. } => keeping.take(),
            _ => None,
        }
    }

    /// Takes out what is to be kept of a response that nobody waits for.
    fn background(&mut self) -> Option<Box<Keeping>> {
        match self {
            Self::Translated { keeping, .. } => keeping.take_if(|keeping| keeping.waiting["background"] == true),
            _ => None,
        }
    }

    /// Whether the answer is a stream of events.
    const fn events(&self) -> bool {
        matches!(self, Self::Speech { events: true, .. } | Self::Transcript { events: true, .. })
    }
}

/// A call as it came, to be read again later.
pub(crate) struct Stored {
    /// The door.
    pub(crate) door: Door,
    /// The media type of its body.
    pub(crate) kind: String,
    /// The address at which the gateway was called.
    pub(crate) base: String,
    /// The body.
    pub(crate) body: Bytes,
}

/// Whether the caller would rather not wait (RFC 7240).
fn wants_job(headers: &Fields) -> bool {
    let values = headers.get_all("prefer").filter_map(|value| value.to_str().ok());
    values.flat_map(|text| text.split([',', ';'])).any(|word| word.trim().eq_ignore_ascii_case("respond-async"))
}

/// Writes OpenAI's answer of vectors in another dialect.
pub(crate) type VectorsWriter = Box<dyn Fn(&[u8]) -> Result<Vec<u8>> + Send + Sync>;

/// An answer that only lacks our request id.
pub(crate) enum Answer {
    /// All of it.
    Whole {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: HeaderMap,
        /// The body.
        body: SendBody,
    },
    /// A stream whose first event is there.
    Stream {
        /// The headers.
        headers: HeaderMap,
        /// The stream.
        flow: Flow,
    },
}

/// What streams.
pub(crate) enum Flow {
    /// Events.
    Events(Box<Live>),
    /// Events of a response that is to be kept.
    Kept(Box<Live>, Box<Keeping>),
    /// A response in the background, as it is told.
    Followed(Follow),
    /// Sound, as events or bare.
    Sound(Box<Sound>, bool),
    /// What a backend answers to a request that was passed on.
    Passed(Box<Passed>),
    /// A list of models, and the piece of it that is written.
    Models(Box<Sheet>, Bytes),
    /// A kept file, with its first part.
    File(Parts, Bytes),
}

impl Answer {
    /// A whole answer of this type.
    pub(crate) fn whole(kind: &'static str, body: impl Into<SendBody>) -> Self {
        Self::dressed(HeaderMap::new(), kind, body.into())
    }

    /// The same with headers of its own.
    pub(crate) fn dressed(mut headers: HeaderMap, kind: &'static str, body: SendBody) -> Self {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Self::Whole { status: StatusCode::OK, headers, body }
    }

    /// A stream of events that nothing between us and the caller may keep back.
    pub(crate) fn events(headers: HeaderMap, flow: Flow) -> Self {
        Self::typed_events(headers, EVENTS, flow)
    }

    /// The same under a media type of the dialect's own.
    pub(crate) fn typed_events(mut headers: HeaderMap, kind: &'static str, flow: Flow) -> Self {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        Self::Stream { headers, flow }
    }
}

/// Tells nginx not to gather a stream.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// The media type of a stream of events.
pub(crate) const EVENTS: &str = "text/event-stream; charset=utf-8";

impl Door {
    /// Reads the body. `named` is the model that the path names, if it does: it stands above the body's.
    ///
    /// # Errors
    /// Why the body cannot be read.
    pub(crate) async fn hear<'p>(
        self,
        gateway: &Gateway,
        snapshot: &Snapshot,
        caller: &Caller,
        request: Request,
        named: &'p str,
    ) -> Result<Said<'p>> {
        let limits = &snapshot.config.limits;
        let until = request.received + snapshot.config.timeouts.body;
        let (kind, base) = (content_type(&request.headers), called_at(&request));
        let (query, lenient) = (request.uri.query().map(str::to_owned), Ask::of(&request)?.lenient);
        let waits = !wants_job(&request.headers);
        // A job is written down as it came; any other form is read while it comes.
        let matter = if is_form(&kind) && self.takes_forms() && waits {
            let sizes = spool::Sizes { most: limits.body, in_memory: limits.form_in_memory };
            Matter::Form(Box::new(Box::pin(spool::form(request.body, &kind, sizes, until, &gateway.0.budget)).await?))
        } else {
            let held = request.body.collect(limits.body, until, &gateway.0.budget).await;
            let mut held = held.map_err(body_fault)?;
            if !named.is_empty() && kind.trim_start().starts_with("application/json") {
                held.bytes = with_model(held.bytes, named);
            }
            Matter::Whole(held)
        };
        let native = match (&matter, vendors::dialect(self)) {
            (Matter::Whole(held), Some(dialect)) => passing(dialect, snapshot, caller, &held.bytes, named)?,
            _ => None,
        };
        let carried = vendors::readable(&request.headers);
        Ok(Said { matter, lenient, kind, base, query, named, waits, native, carried })
    }

    /// Reads the call in what was heard, with the past that it refers to.
    ///
    /// # Errors
    /// What is wrong with the body, naming the member.
    pub(crate) fn decode(
        self,
        gateway: &Gateway,
        snapshot: &Snapshot,
        caller: &Caller,
        mut said: Said<'_>,
        past: Result<Option<Box<Recalled>>>,
        trail: &mut Trail,
    ) -> Result<Heard> {
        let (native, carried) = (said.native.take(), std::mem::take(&mut said.carried));
        let mut heard = match native {
            None => self.understood(gateway, snapshot, said, past?, trail)?,
            // Whether it must be said in another way is not known yet, nor whether that it cannot be said matters.
            Some(native) => {
                let read = past.and_then(|past| self.understood(gateway, snapshot, said, past, trail));
                native_or(native, gateway, read, trail)?
            }
        };
        let meant = vendors::perhaps(snapshot, caller, &heard.model);
        heard.carried = meant.map(|meant| vendors::carried(meant.vendor, &carried));
        Ok(heard)
    }

    /// Reads the call in what was heard, as it is said in OpenAI's dialects.
    fn understood(
        self,
        gateway: &Gateway,
        snapshot: &Snapshot,
        said: Said<'_>,
        past: Option<Box<Recalled>>,
        trail: &mut Trail,
    ) -> Result<Heard> {
        let Said { matter, lenient, kind, base, query, named, waits, .. } = said;
        let held = match matter {
            Matter::Whole(held) => held,
            Matter::Form(read) => {
                let (call, said, wants) = self.read_form(read.form, base)?;
                return Ok(heard(call, named_or(named, said), wants, read.permit, None, trail));
            }
        };
        let stored = || Stored { door: self, kind: kind.clone(), base: base.clone(), body: held.bytes.clone() };
        if let Some(past) = past {
            let origin = foreign::Origin::new(gateway, snapshot, &trail.request_id)?;
            let (call, said, mut wants) = foreign::response(*past, &origin)?;
            let stream = call.stream();
            let later = wants.background().map(|keeping| Background { stored: stored(), keeping, stream });
            let later = later.map(|background| Later::Response(Box::new(background)));
            return Ok(heard(call, named_or(named, said), wants, held.permit, later, trail));
        }
        let later = (!waits).then(&stored);
        let around = foreign::Around {
            named,
            query: query.as_deref(),
            lenient,
            limits: &snapshot.json_limits,
            sealer: &gateway.0.sealer,
            request_id: &trail.request_id,
        };
        let (call, said, wants) = match foreign::read(self, &held.bytes, &around)? {
            Some(heard) => heard,
            None => self.read(&kind, held.bytes, &snapshot.json_limits, base)?,
        };
        // There the path names more than a model, or names it in a spelling of its own.
        let named = if matches!(self, Self::Gemini | Self::Converse | Self::ConverseStream) { "" } else { named };
        let later = later.filter(|_| matches!(call, Call::Work(_)) && !wants.events()).map(Later::Job);
        Ok(heard(call, named_or(named, said), wants, held.permit, later, trail))
    }

    /// Reads the call in a body of this media type; `base` is the address at which the gateway was called.
    ///
    /// # Errors
    /// What is wrong with the body, naming the member.
    pub(crate) fn read(self, kind: &str, body: Bytes, limits: &Limits, base: String) -> Result<(Call, String, Wants)> {
        if is_form(kind) && self.takes_forms() {
            return self.read_form(Form::read(kind, body, multipart::Limits::default())?, base);
        }
        match self {
            Self::Chat => texts::chat(body, limits),
            Self::Embeddings => texts::embeddings(body, limits),
            Self::Speech => audio::speech(&body, limits),
            Self::Images => images::generation(&body, limits, base),
            Self::Edits => images::edit(&body, limits, base),
            Self::Transcriptions
            | Self::Translations
            | Self::Completions
            | Self::Responses
            | Self::Messages
            | Self::Gemini
            | Self::CohereChat
            | Self::CohereEmbed
            | Self::Converse
            | Self::ConverseStream => Err(Fault::new(Kind::Internal, "This door is read elsewhere.")),
        }
    }

    /// Reads the call in a form.
    fn read_form(self, form: Form, base: String) -> Result<(Call, String, Wants)> {
        match self {
            Self::Edits => images::edit_form(form, base),
            _ => audio::transcription(form, self == Self::Translations),
        }
    }

    /// Whether the body may be a form.
    pub(crate) const fn takes_forms(self) -> bool {
        matches!(self, Self::Transcriptions | Self::Translations | Self::Edits)
    }

    /// Whether the body may be JSON.
    pub(crate) const fn takes_json(self) -> bool {
        !matches!(self, Self::Transcriptions | Self::Translations)
    }
}

/// A call as it was understood, noted on its trail.
fn heard(call: Call, model: String, wants: Wants, held: BytePermit, later: Option<Later>, trail: &mut Trail) -> Heard {
    trail.record.stream = call.stream();
    trail.record.model = Some(short(&model).to_owned());
    Heard { call, model, wants, held, carried: None, later }
}

/// The call as it came, where its model may be one of a vendor that speaks the door's dialect.
fn passing(
    dialect: native::Dialect,
    snapshot: &Snapshot,
    caller: &Caller,
    body: &Bytes,
    named: &str,
) -> Result<Option<native::Call>> {
    if !snapshot.has_vendors(caller) {
        return Ok(None);
    }
    let named = Some(named).filter(|named| !named.is_empty());
    let call = native::Call::read(dialect, body, named, &snapshot.json_limits)?;
    let meant = vendors::perhaps(snapshot, caller, call.model());
    let speaks = meant.is_some_and(|meant| meant.vendor.natives.iter().any(|(spoken, _)| *spoken == dialect));
    Ok(speaks.then_some(call))
}

/// A call that may pass as it came, with what stands for it elsewhere.
///
/// # Errors
/// `Overloaded` when its bytes cannot be held.
fn native_or(native: native::Call, gateway: &Gateway, read: Result<Heard>, trail: &mut Trail) -> Result<Heard> {
    let model = native.model().to_owned();
    let (otherwise, wants, held, later) = match read {
        Ok(heard) => (Ok(heard.call), heard.wants, heard.held, heard.later),
        // The bytes are held all the same.
        Err(fault) => match gateway.0.budget.take(native.len()) {
            Some(held) => (Err(fault), Wants::AsItIs, held, None),
            None => return Err(Fault::new(Kind::Overloaded, "The gateway holds as much as it may: try again.")),
        },
    };
    Ok(heard(Call::Native(Box::new(Native { call: native, otherwise })), model, wants, held, later, trail))
}

/// The body with a member `model` in it. One that it has stays, unless it is null: the codec replaces it anyway.
fn with_model(body: Bytes, model: &str) -> Bytes {
    type Members<'a> = std::collections::BTreeMap<String, &'a serde_json::value::RawValue>;
    let Ok(members) = serde_json::from_slice::<Members<'_>>(&body) else { return body };
    let model = serde_json::Value::from(model);
    if let Some(said) = members.get("model").map(|said| said.get()) {
        // LangChain's Azure class says null.
        let at = (said.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
        let Some(rest) = body.get(at + said.len()..).filter(|_| said == "null") else { return body };
        return [&body[..at], model.to_string().as_bytes(), rest].concat().into();
    }
    let Some(brace) = body.iter().position(|byte| *byte == b'{') else { return body };
    let empty = body[brace + 1..].trim_ascii_start().starts_with(b"}");
    let comma = if empty { "" } else { "," };
    [b"{\"model\":", model.to_string().as_bytes(), comma.as_bytes(), &body[brace + 1..]].concat().into()
}

/// Whether a media type is a form's.
fn is_form(kind: &str) -> bool {
    kind.trim_start().get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// The model that the path names, or the one that the body does.
fn named_or(named: &str, said: String) -> String {
    if named.is_empty() { said } else { named.to_owned() }
}

/// As much of a model's name as a record takes.
fn short(model: &str) -> &str {
    &model[..model.floor_char_boundary(256)]
}

fn content_type(headers: &Fields) -> String {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned()
}

/// The address by which the caller reached us, without a path.
fn called_at(request: &Request) -> String {
    let host = match request.uri.authority() {
        Some(authority) => authority.as_str(),
        None => request.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost"),
    };
    [if request.tls { "https://" } else { "http://" }, host].concat()
}

/// The headers of an answer from a backend: which one it was, and what of the call it did not get.
pub(crate) fn dress(mut headers: HeaderMap, dropped: &[String], trail: &Trail) -> HeaderMap {
    let record = &trail.record;
    name_backend(&mut headers, record.backend.as_ref().map(|b| b.as_str()), record.upstream_request_id.as_deref());
    name_dropped(&mut headers, dropped);
    name_attempts(&mut headers, &trail.tried, 1);
    headers
}

/// Which backend served.
const BACKEND: HeaderName = HeaderName::from_static("x-ironbow-backend");
/// That backend's own id of the request.
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-ironbow-upstream-request-id");
/// How many attempts there were, where there was more than one.
const ATTEMPTS: HeaderName = HeaderName::from_static("x-ironbow-attempts");
/// Who was tried before, and why that failed.
const TRIED: HeaderName = HeaderName::from_static("x-ironbow-tried");
/// Members that were taken out of the call, by name.
const DROPPED: HeaderName = HeaderName::from_static("x-ironbow-dropped");

/// Says which backend served, and under which id of its own.
pub(crate) fn name_backend(headers: &mut HeaderMap, backend: Option<&str>, upstream_request_id: Option<&str>) {
    for (name, value) in [(BACKEND, backend), (UPSTREAM_REQUEST_ID, upstream_request_id)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// Names the attempts that failed, where the answer is not that of the first; `more` are those that did not fail.
pub(crate) fn name_attempts(headers: &mut HeaderMap, tried: &[Tried], more: usize) {
    let all = tried.len() + more;
    if all < 2 {
        return;
    }
    headers.insert(ATTEMPTS, HeaderValue::from(all));
    if let Ok(value) = HeaderValue::from_str(&in_words(tried)) {
        headers.insert(TRIED, value);
    }
}

/// Names what was taken out of the call.
pub(crate) fn name_dropped(headers: &mut HeaderMap, dropped: &[String]) {
    if dropped.is_empty() {
        return;
    }
    let names: String =
        dropped.join(", ").chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if let Ok(value) = HeaderValue::from_str(&names) {
        headers.insert(DROPPED, value);
    }
}

/// Why a caller's body could not be read.
pub(crate) fn body_fault(error: CollectError) -> Box<Fault> {
    match error {
        CollectError::TooLarge { announced, limit } => Fault::new(
            Kind::BodyTooLarge,
            match announced {
                Some(size) => format!("The body has {size} bytes; at most {limit} bytes are taken."),
                None => format!("The body has more than the {limit} bytes that are taken."),
            },
        ),
        CollectError::OverBudget => {
            Fault::new(Kind::Overloaded, "Too many bodies are being held at the moment. Try again in a second.")
                .retry_after(Duration::from_secs(1))
        }
        CollectError::Timeout => Fault::new(Kind::RequestTimeout, "The body did not arrive in time."),
        CollectError::Broken(error) => {
            Fault::new(Kind::BadRequest, "The body ended before it was complete.").detail(error.to_string())
        }
    }
}

/// Why a backend's whole answer could not be read.
pub(crate) fn answer_fault(error: CollectError) -> Box<Fault> {
    match error {
        CollectError::TooLarge { limit, .. } => {
            Fault::new(Kind::UpstreamBadReply, format!("The backend's answer is longer than {limit} bytes."))
        }
        CollectError::OverBudget => body_fault(CollectError::OverBudget),
        CollectError::Timeout => Fault::new(Kind::UpstreamTimeout, "The backend's answer did not arrive in time."),
        CollectError::Broken(error) => crate::steps::send::read_fault(error),
    }
    .sent(Sent::Yes)
}

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
