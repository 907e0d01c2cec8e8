//! Hearing a call: its body is read under the limits, then understood, and what its answer must be is noted.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, Uri,
    header::{CONTENT_TYPE, HOST},
};
use net::{BytePermit, Fields, Request};
use types::{Fault, Kind, Result, ports::jobs::Owner};
use wire::{
    json::Limits,
    multipart::{self, Form},
    native,
};

use super::{Door, Wants, audio, body_fault, foreign, images, texts};
use crate::{
    Gateway, Snapshot,
    call::{Call, Native},
    sessions::Background,
    spool,
    steps::{authenticate::Caller, recall::Recalled},
    trail::Trail,
    vendors,
};

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
    head: Head,
    named: &'p str,
    /// Whether its caller waits for the answer.
    waits: bool,
    /// The call as it came, where its model may be one of a vendor that speaks the door's dialect.
    native: Option<native::Call>,
}

/// How a body was said: what its reading depends on.
#[derive(Clone, Copy)]
struct Way<'a> {
    lenient: bool,
    head: &'a Head,
    named: &'a str,
    waits: bool,
}

/// What came before the body. Few calls need any of it, so nothing is made of it until one does.
struct Head {
    uri: Uri,
    headers: Fields,
    tls: bool,
}

impl Head {
    /// The media type of the body.
    fn kind(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
    }

    /// The address by which the caller reached us, without a path.
    fn base(&self) -> String {
        let host = match self.uri.authority() {
            Some(authority) => authority.as_str(),
            None => self.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost"),
        };
        [if self.tls { "https://" } else { "http://" }, host].concat()
    }
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

    /// The response that a call continues which may pass as it came: the member that says so, and the id.
    pub(crate) fn continues(&self) -> Option<(&'static str, &str)> {
        self.native.as_ref()?.continues()
    }

    /// The model that the path names.
    pub(crate) fn named(&self) -> Option<&str> {
        Some(self.named).filter(|named| !named.is_empty())
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
        lenient: bool,
        named: &'p str,
    ) -> Result<Said<'p>> {
        let limits = &snapshot.config.limits;
        let Request { uri, headers, tls, received, body, .. } = request;
        let (head, until) = (Head { uri, headers, tls }, received + snapshot.config.timeouts.body);
        let waits = !wants_job(&head.headers);
        // A job is written down as it came; any other form is read while it comes.
        let matter = if self.takes_forms() && is_form(head.kind()) && waits {
            let sizes = spool::Sizes { most: limits.body, in_memory: limits.form_in_memory };
            let form = Box::pin(spool::form(body, head.kind(), sizes, until, &gateway.0.budget));
            Matter::Form(Box::new(form.await?))
        } else {
            let held = body.collect(limits.body, until, &gateway.0.budget).await;
            let mut held = held.map_err(body_fault)?;
            if !named.is_empty() && head.kind().trim_start().starts_with("application/json") {
                held.bytes = with_model(held.bytes, named);
            }
            Matter::Whole(held)
        };
        let native = match (&matter, vendors::dialect(self)) {
            (Matter::Whole(held), Some(dialect)) => passing(dialect, snapshot, caller, &held.bytes, named)?,
            _ => None,
        };
        Ok(Said { matter, lenient, head, named, waits, native })
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
        said: Said<'_>,
        past: Result<Option<Box<Recalled>>>,
        trail: &mut Trail,
    ) -> Result<Heard> {
        let Said { matter, lenient, head, named, waits, native } = said;
        let way = Way { lenient, head: &head, named, waits };
        // What continues something that is kept here is no vendor's to continue: the vendor does not know it.
        let continues = |past: &Result<Option<Box<Recalled>>>| {
            past.as_ref().is_ok_and(|past| past.as_ref().is_some_and(|past| past.request.continues()))
        };
        let mut heard = match native.filter(|_| !continues(&past)) {
            None => self.understood(gateway, snapshot, matter, way, past?, trail)?,
            // Whether it must be said in another way is not known yet, nor whether that it cannot be said matters.
            Some(native) => {
                let read = past.and_then(|past| self.understood(gateway, snapshot, matter, way, past, trail));
                let owner = (self == Self::Responses).then(|| gateway.0.desk.owner(caller));
                native_or(native, owner, gateway, read, trail)?
            }
        };
        let meant = vendors::perhaps(snapshot, caller, &heard.model);
        heard.carried = meant.map(|meant| vendors::carried(meant.vendor, &vendors::readable(&head.headers)));
        Ok(heard)
    }

    /// Reads the call in what was heard, as it is said in OpenAI's dialects.
    fn understood(
        self,
        gateway: &Gateway,
        snapshot: &Snapshot,
        matter: Matter,
        way: Way<'_>,
        past: Option<Box<Recalled>>,
        trail: &mut Trail,
    ) -> Result<Heard> {
        let Way { lenient, head, named, waits } = way;
        let held = match matter {
            Matter::Whole(held) => held,
            Matter::Form(read) => {
                let (call, said, wants) = self.read_form(read.form, head.base())?;
                return Ok(heard(call, named_or(named, said), wants, read.permit, None, trail));
            }
        };
        let stored =
            || Stored { door: self, kind: head.kind().to_owned(), base: head.base(), body: held.bytes.clone() };
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
            query: head.uri.query(),
            lenient,
            limits: &snapshot.json_limits,
            sealer: &gateway.0.sealer,
            request_id: &trail.request_id,
        };
        let (call, said, wants) = match foreign::read(self, &held.bytes, &around)? {
            Some(heard) => heard,
            None => self.read(head.kind(), held.bytes, &snapshot.json_limits, || head.base())?,
        };
        // There the path names more than a model, or names it in a spelling of its own.
        let named = if matches!(self, Self::Gemini | Self::Converse | Self::ConverseStream) { "" } else { named };
        let later = later.filter(|_| matches!(call, Call::Work(_)) && !wants.events()).map(Later::Job);
        Ok(heard(call, named_or(named, said), wants, held.permit, later, trail))
    }

    /// Reads the call in a body of this media type; `base` gives the address at which the gateway was called.
    ///
    /// # Errors
    /// What is wrong with the body, naming the member.
    pub(crate) fn read(
        self,
        kind: &str,
        body: Bytes,
        limits: &Limits,
        base: impl FnOnce() -> String,
    ) -> Result<(Call, String, Wants)> {
        if self.takes_forms() && is_form(kind) {
            return self.read_form(Form::read(kind, body, multipart::Limits::default())?, base());
        }
        match self {
            Self::Chat => texts::chat(body, limits),
            Self::Embeddings => texts::embeddings(body, limits),
            Self::Speech => audio::speech(&body, limits),
            Self::Images => images::generation(&body, limits, base()),
            Self::Edits => images::edit(&body, limits, base()),
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
fn native_or(
    native: native::Call,
    owner: Option<Owner>,
    gateway: &Gateway,
    read: Result<Heard>,
    trail: &mut Trail,
) -> Result<Heard> {
    let model = native.model().to_owned();
    let (otherwise, wants, held, later) = match read {
        Ok(heard) => (Ok(heard.call), heard.wants, heard.held, heard.later),
        // The bytes are held all the same.
        Err(fault) => match gateway.0.budget.take(native.len()) {
            Some(held) => (Err(fault), Wants::AsItIs, held, None),
            None => return Err(Fault::new(Kind::Overloaded, "The gateway holds as much as it may: try again.")),
        },
    };
    let call = Call::Native(Box::new(Native { call: native, otherwise, owner }));
    Ok(heard(call, model, wants, held, later, trail))
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
