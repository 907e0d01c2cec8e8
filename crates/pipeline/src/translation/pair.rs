//! One door before one dialect: what becomes of the caller's calls and of the backend's answers.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde_json::Value;
use types::{Fault, Result, Sent};
use wire::{
    events,
    json::Limits,
    native,
    openai::chat::{self, AnswerContext, Ask, StreamContext},
    upstream_error,
};

use super::{
    CASES,
    asking::{self, Asked, Heard},
    dialects::{self, Dialect, Said, Spoken},
    page,
};
use crate::{
    doors::{Door, foreign},
    steps::pump::Decoder,
};

const ID: &str = "chatcmpl-ours";
const CREATED: u64 = 1_700_000_001;
const REQUEST: &str = "req_0123456789abcdef";

/// A part of a page: its title and what stands under it.
pub(super) struct Section {
    pub case: &'static str,
    pub title: &'static str,
    /// What is particular to this dialect and says nothing of the translation.
    pub source: String,
    pub text: String,
}

/// What is sent to a backend, and what will read its answer.
pub(super) struct Sending {
    pub body: Value,
    pub dropped: Vec<String>,
    /// Nothing where what came is passed on.
    pub heard: Option<Heard>,
}

/// Everything that a page tells of a pair.
pub(super) fn sections(door: Door, asked: &BTreeMap<String, Asked>, dialect: &Dialect) -> Vec<Section> {
    let pair = Pair { door, dialect };
    let mut sections = Vec::new();
    for case in CASES {
        // What fails is asked for like a text.
        let own = asked.get(case);
        let asked = own.unwrap_or_else(|| &asked["text"]);
        let mut add = |title, source: &str, text| sections.push(Section { case, title, source: source.into(), text });
        let (lenient, sent) = match pair.send(&asked.call, false, false) {
            Ok(sent) => (false, sent),
            Err(fault) => {
                add("call", "", pair.told(fault));
                match pair.send(&asked.call, false, true) {
                    Ok(sent) => (true, sent),
                    Err(fault) => {
                        add("call of a lenient caller", "", pair.told(fault));
                        continue;
                    }
                }
            }
        };
        if own.is_some() {
            add(if lenient { "call of a lenient caller" } else { "call" }, "", page::call(&sent.body, &sent.dropped));
            let streamed = pair.send(&asked.call, true, lenient).unwrap();
            add("call for a stream, where it differs", "", page::differing(&sent.body, &streamed.body));
        }
        let said = dialects::said(dialect, case, false);
        let whole = pair.whole(sent, &said);
        let told = match &whole {
            Ok(answer) if answer == &said.body => page::as_it_came(&said.body),
            Ok(answer) => format!("200\n{}", page::answer(answer)),
            Err(fault) => pair.told(fault.clone()),
        };
        add("answer", &said.source, told);
        add("stream", &dialects::said(dialect, case, true).source, pair.streamed(&asked.call, case, lenient));
        if let (Some(next), Ok(answer)) = (&asked.next, &whole) {
            let next = asking::filled(next, &serde_json::from_slice(answer).unwrap());
            let before = pair.send(&asked.call, false, lenient).unwrap();
            let told = match pair.send(&next, false, lenient) {
                Ok(sent) => page::differing(&before.body, &sent.body) + &page::dropped(&sent.dropped),
                Err(fault) => pair.told(fault),
            };
            add("next call, where it differs", "", told);
        }
    }
    sections
}

/// A door before a dialect.
pub(super) struct Pair<'a> {
    pub door: Door,
    pub dialect: &'a Dialect,
}

impl Pair<'_> {
    /// What the backend gets.
    pub(super) fn send(&self, body: &Value, stream: bool, lenient: bool) -> Result<Sending> {
        match self.dialect.spoken {
            Spoken::Native(native) => {
                let body = if stream { asking::streaming(self.door, body) } else { body.clone() };
                let call = native::Call::read(native, &body.to_string().into(), None, &Limits::default())?;
                let sent = call.encode(self.dialect.model()).to_bytes();
                assert_eq!(sent, body.to_string().replacen("asked/model", self.dialect.model(), 1));
                Ok(Sending { body: serde_json::from_slice(&sent).unwrap(), dropped: Vec::new(), heard: None })
            }
            Spoken::Codec(codec) => {
                let heard = asking::hear(self.door, body, stream, lenient)?;
                let ask = Ask { lenient, backend: &self.dialect.name };
                let encoded = codec.encode_chat(&heard.call, self.dialect.model(), ask)?;
                let sent = encoded.body.to_bytes();
                // No member is there twice, and all that a server must find is.
                assert_eq!(chat::Call::read(sent.clone(), &Limits::default())?.stream(), stream);
                let mut dropped: Vec<String> =
                    encoded.dropped.into_iter().map(|dropped| dropped.member.into_owned()).collect();
                dropped.extend_from_slice(&heard.dropped);
                Ok(Sending { body: serde_json::from_slice(&sent).unwrap(), dropped, heard: Some(heard) })
            }
        }
    }

    /// What the caller gets of a whole answer.
    pub(super) fn whole(&self, sent: Sending, said: &Said) -> Result<Bytes> {
        refused(said)?;
        match self.dialect.spoken {
            Spoken::Native(native) => native::answer(native, &said.body).map(|_| said.body.clone()),
            Spoken::Codec(codec) => {
                let context = AnswerContext { id: ID, model: self.dialect.model(), created: CREATED };
                let answer = codec.chat_answer(&said.body, &context)?.body.to_bytes();
                match sent.heard.and_then(|heard| heard.write) {
                    None => Ok(answer),
                    Some(mut write) => Ok(write.whole(&events::of_answer(&answer)?).to_bytes()),
                }
            }
        }
    }

    /// What the caller gets of a stream, whatever pieces it comes in.
    fn streamed(&self, call: &Value, case: &'static str, lenient: bool) -> String {
        let said = dialects::said(self.dialect, case, true);
        if let Err(fault) = refused(&said) {
            return self.told(fault);
        }
        let run = |size: usize| {
            let heard = self.send(call, true, lenient).unwrap().heard;
            self.run(heard, said.body.chunks(size))
        };
        let out = match run(7) {
            Ok(out) => out,
            Err(fault) => return self.told(fault),
        };
        for size in [1, 16, 40] {
            let other =
                run(size).unwrap_or_else(|fault| panic!("{}, {case}, pieces of {size}: {fault}", self.dialect.name));
            assert_eq!(String::from_utf8_lossy(&other), String::from_utf8_lossy(&out), "pieces of {size}");
        }
        if out == said.body { page::as_it_came(&said.body) } else { page::stream(self.door, &out) }
    }

    /// Moves a stream as the pump does: a fault before the first event is told instead of it, a later one in it.
    pub(super) fn run<'p>(&self, heard: Option<Heard>, pieces: impl Iterator<Item = &'p [u8]>) -> Result<Vec<u8>> {
        let mut decoder = match self.dialect.spoken {
            Spoken::Native(native) => Decoder::Native(native::Stream::new(native)),
            Spoken::Codec(codec) => {
                let context = StreamContext {
                    show_usage: heard.as_ref().is_some_and(Heard::show_usage),
                    id: ID.into(),
                    model: self.dialect.model().into(),
                    created: CREATED,
                    ..StreamContext::default()
                };
                Decoder::of_chat(codec, context)
            }
        };
        let mut pieces = pieces.map(Bytes::copy_from_slice);
        let mut ready = VecDeque::new();
        while decoder.events() == 0 {
            match pieces.next() {
                Some(piece) => decoder.push(piece, &mut |bytes| ready.push_back(bytes))?,
                None => {
                    decoder.end(&mut |bytes| ready.push_back(bytes))?;
                    break;
                }
            }
        }
        if let Some(write) = heard.and_then(|heard| heard.write) {
            decoder = decoder.translated(write, &mut ready)?;
        }
        let mut out = |bytes| ready.push_back(bytes);
        let moved = pieces.try_for_each(|piece| decoder.push(piece, &mut out)).and_then(|()| decoder.end(&mut out));
        match moved {
            Err(fault) if !decoder.is_closed() => decoder.fault(&fault, REQUEST, &mut out),
            _ => {}
        }
        Ok(ready.into_iter().flatten().collect())
    }

    /// A fault as the caller is told it.
    fn told(&self, fault: Box<Fault>) -> String {
        let fault = if fault.sent == Sent::No { fault } else { fault.backend(&self.dialect.name) };
        let (status, _, body) = foreign::fault(Some(self.door), &fault, REQUEST);
        format!("{status}\n{}", page::answer(&body))
    }
}

/// The fault of an answer with a bad status.
fn refused(said: &Said) -> Result<()> {
    if said.status < 400 {
        return Ok(());
    }
    Err(upstream_error::read(said.status, &|name| said.header(name), &said.body, 0).sent(Sent::Yes))
}
