//! The one pump that moves a stream: a chunk from upstream, through the decoder, to the caller.
//!
//! It runs inside the caller's connection: nobody reads ahead, so a slow reader slows the backend, and a caller who
//! leaves drops the pump, which closes the connection upstream at once.

mod patience;
mod rest;
mod sound;

use std::{
    collections::VecDeque,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use net::{Abort, Leaving, RecvBody, StreamBody};
use providers::Codec;
use types::{Fault, Result, Usage};
use wire::{
    anthropic::backend,
    events::{self, Event},
    native,
    openai::{
        self,
        chat::{Finish, Writer},
    },
};

pub(crate) use patience::Patience;
pub(crate) use rest::Rest;
use rest::Search;
pub(crate) use sound::{Sound, SoundPump};

use super::{
    dispatch::{Mask, PictureStream},
    send::read_fault,
};
use crate::trail::Trail;

/// A stream whose first event has arrived.
pub(crate) struct Live {
    pub(crate) body: RecvBody,
    pub(crate) decoder: Decoder,
    /// What was decoded and not yet handed on.
    pub(crate) ready: VecDeque<Bytes>,
    /// Whether upstream said everything already.
    pub(crate) ended: bool,
    /// The longest silence between two events. Comments are no events.
    pub(crate) idle: Duration,
    /// When the stream must be over.
    pub(crate) until: Instant,
    /// What must not be read by the caller in an error's words.
    pub(crate) mask: Mask,
    /// What it takes to go on elsewhere when the stream breaks; none where it then ends with an error.
    pub(crate) rest: Option<Box<Rest>>,
}

impl Live {
    /// Reads what came, or that nothing more comes.
    fn take(&mut self, chunk: Option<Bytes>) -> Result<()> {
        let Self { decoder, ready, rest, .. } = self;
        let mut hand_on = |bytes| ready.push_back(bytes);
        match (chunk, rest) {
            (Some(chunk), None) => decoder.push(chunk, &mut hand_on),
            (Some(chunk), Some(rest)) => rest.push(chunk, decoder, &mut hand_on),
            (None, None) => decoder.end(&mut hand_on),
            (None, Some(rest)) => rest.end(decoder, &mut hand_on),
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.rest.as_ref().map_or_else(|| self.decoder.usage(), |rest| rest.usage())
    }
}

/// What reads a backend's stream and writes the caller's.
pub(crate) enum Decoder {
    /// Chat chunks, which are the caller's dialect.
    Chat(openai::chat::Stream),
    /// Chat chunks that become another dialect.
    Translated(Box<Translated>),
    /// Another dialect's events that become the caller's.
    Heard(Box<Heard>),
    /// What passes as it is.
    Native(native::Stream),
    /// Pictures.
    Pictures(PictureStream),
}

impl Decoder {
    /// What reads a stream of chat in a codec's dialect, and writes it as OpenAI's chat until it is told otherwise.
    pub(crate) fn of_chat(codec: Codec, context: openai::chat::StreamContext) -> Self {
        if codec == Codec::Messages {
            let write = Writer::new(&context.model, context.show_usage);
            return Self::Heard(Box::new(Heard::new(backend::Stream::new(context.created), Box::new(write))));
        }
        Self::Chat(openai::chat::Stream::new(context))
    }

    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        match self {
            Self::Chat(stream) => stream.push(chunk, out),
            Self::Translated(stream) => stream.push(chunk, out),
            Self::Heard(stream) => stream.push(&chunk, out),
            Self::Native(stream) => stream.push(&chunk, out),
            Self::Pictures(stream) => stream.push(&chunk, out),
        }
    }

    pub(crate) fn end(&mut self, out: &mut impl FnMut(Bytes)) -> Result<()> {
        match self {
            Self::Chat(stream) => stream.end(out),
            Self::Translated(stream) => stream.end(out),
            Self::Heard(stream) => stream.end(out),
            Self::Native(stream) => stream.end(out),
            Self::Pictures(stream) => stream.end(out),
        }
    }

    /// How many events were decoded; comments are none.
    pub(crate) fn events(&self) -> u64 {
        match self {
            Self::Chat(stream) => stream.events(),
            Self::Translated(stream) => stream.chat.events(),
            Self::Heard(stream) => stream.read.events(),
            Self::Native(stream) => stream.events(),
            Self::Pictures(stream) => stream.events(),
        }
    }

    /// Whether the caller has been told that the stream ended well: nothing that follows can make it end badly.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Chat(stream) => stream.is_closed(),
            Self::Translated(stream) => stream.chat.is_closed(),
            Self::Heard(stream) => stream.read.is_closed(),
            Self::Native(stream) => stream.is_closed(),
            Self::Pictures(_) => false,
        }
    }

    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Chat(stream) => stream.usage(),
            Self::Translated(stream) => stream.chat.usage(),
            Self::Heard(stream) => stream.read.usage(),
            Self::Native(stream) => stream.usage(),
            Self::Pictures(_) => None,
        }
    }

    fn finish(&self) -> Option<Finish> {
        match self {
            Self::Chat(stream) => stream.finish(),
            Self::Translated(stream) => stream.chat.finish(),
            Self::Heard(stream) => stream.read.finish(),
            Self::Native(stream) => stream.finish(),
            Self::Pictures(_) => None,
        }
    }

    /// The same stream, to be written in another dialect from here on.
    ///
    /// # Errors
    /// `UpstreamBadReply` when what has come already cannot be read.
    pub(crate) fn translated(self, write: Box<dyn events::Write>, ready: &mut VecDeque<Bytes>) -> Result<Self> {
        match self {
            Self::Chat(chat) => Ok(Self::Translated(Box::new(Translated::over(chat, write, ready)?))),
            Self::Heard(mut stream) => {
                stream.rewrite(write, ready);
                Ok(Self::Heard(stream))
            }
            other => Ok(other),
        }
    }

    /// The dialect is the one it is: what was kept for another need not be kept.
    fn settle(&mut self) {
        if let Self::Heard(stream) = self {
            stream.early = None;
        }
    }

    /// Writes a fault into the stream, in the caller's dialect.
    pub(crate) fn fault(&mut self, fault: &Fault, request_id: &str, out: &mut impl FnMut(Bytes)) {
        match self {
            Self::Translated(stream) => stream.write.fault(fault, request_id, out),
            Self::Heard(stream) => stream.write.fault(fault, request_id, out),
            Self::Native(stream) => out(stream.fault(fault, request_id)),
            Self::Chat(_) | Self::Pictures(_) => out(openai::fault::event(fault, request_id).into()),
        }
    }
}

/// A stream of Anthropic's on its way into the caller's dialect.
pub(crate) struct Heard {
    read: backend::Stream,
    write: Box<dyn events::Write>,
    /// What was read before it was known in which dialect it is written.
    early: Option<Vec<Event>>,
}

impl Heard {
    /// A stream that has not begun; until something else is said, `write` writes it.
    fn new(read: backend::Stream, write: Box<dyn events::Write>) -> Self {
        Self { read, write, early: Some(Vec::new()) }
    }

    /// From here on, and for what was read already, `write` writes.
    fn rewrite(&mut self, write: Box<dyn events::Write>, ready: &mut VecDeque<Bytes>) {
        self.write = write;
        ready.clear();
        for event in self.early.take().unwrap_or_default() {
            self.write.event(&event, &mut |bytes| ready.push_back(bytes));
        }
    }

    fn push(&mut self, chunk: &Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let Self { read, write, early } = self;
        read.push(chunk, &mut |event| tell(&mut **write, early, event, out))
    }

    fn end(&mut self, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let Self { read, write, early } = self;
        read.end(&mut |event| tell(&mut **write, early, event, out))
    }
}

fn tell(write: &mut dyn events::Write, early: &mut Option<Vec<Event>>, event: Event, out: &mut impl FnMut(Bytes)) {
    write.event(&event, out);
    if let Some(early) = early {
        early.push(event);
    }
}

/// A stream of chat on its way into another dialect.
pub(crate) struct Translated {
    chat: openai::chat::Stream,
    read: events::Reader,
    write: Box<dyn events::Write>,
}

impl Translated {
    /// Takes over a stream that has begun; `ready` is what it has given already.
    ///
    /// # Errors
    /// `UpstreamBadReply` when that cannot be read.
    pub(crate) fn over(
        chat: openai::chat::Stream,
        write: Box<dyn events::Write>,
        ready: &mut VecDeque<Bytes>,
    ) -> Result<Self> {
        let mut this = Self { chat, read: events::Reader::default(), write };
        for chunk in std::mem::take(ready) {
            this.translate(&chunk, &mut |bytes| ready.push_back(bytes))?;
        }
        Ok(this)
    }

    fn push(&mut self, chunk: Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let mut chunks = Vec::new();
        let pushed = self.chat.push(chunk, &mut |chunk| chunks.push(chunk));
        chunks.iter().try_for_each(|chunk| self.translate(chunk, out))?;
        pushed
    }

    fn end(&mut self, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let mut chunks = Vec::new();
        let ended = self.chat.end(&mut |chunk| chunks.push(chunk));
        chunks.iter().try_for_each(|chunk| self.translate(chunk, out))?;
        ended
    }

    fn translate(&mut self, chunk: &Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let write = &mut self.write;
        self.read.push(chunk, &mut |event| write.event(&event, out))
    }
}

/// A live stream on its way to the caller.
pub(crate) struct Pump {
    live: Box<Live>,
    trail: Option<Trail>,
    patience: Patience,
    /// Who goes on is looked for.
    search: Option<Search>,
}

impl Pump {
    /// Takes a stream over, with the trail that it settles at its end.
    pub(crate) fn new(live: Box<Live>, trail: Trail, leaving: Leaving) -> Self {
        let patience = Patience::new(live.idle, live.until, leaving);
        let mut live = live;
        live.decoder.settle();
        Self { live, trail: Some(trail), patience, search: None }
    }

    /// Reads and decodes one chunk, or learns that there is none.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.search.is_some() {
            return self.look(cx);
        }
        let live = &mut *self.live;
        let read = match live.body.poll_chunk(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                let before = live.decoder.events();
                let taken = live.take(Some(chunk));
                if live.decoder.events() != before {
                    self.patience.progress();
                }
                taken
            }
            Poll::Ready(Some(Err(error))) => Err(read_fault(error)),
            Poll::Ready(None) => {
                live.ended = true;
                live.take(None)
            }
            Poll::Pending => Err(std::task::ready!(self.patience.poll(cx))),
        };
        match read {
            Err(_) if live.decoder.is_closed() => live.ended = true,
            Err(fault) => self.break_off(fault),
            Ok(()) => {}
        }
        Poll::Ready(())
    }

    /// The stream broke: somebody else goes on with it, or nobody does.
    fn break_off(&mut self, fault: Box<Fault>) {
        let fault = self.live.mask.apply(fault);
        self.note();
        let rest = self.live.rest.take().filter(|rest| rest.follows(&fault));
        let (Some(rest), Some(trail)) = (rest, &mut self.trail) else { return self.fail(&fault) };
        match rest.search(trail, fault, self.live.until) {
            Ok(search) => {
                self.search = Some(search);
                self.live.ended = false;
                self.patience.progress();
            }
            Err(fault) => self.fail(&fault),
        }
    }

    /// Looks for somebody who goes on.
    fn look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(search) = &mut self.search else { return Poll::Ready(()) };
        let looked = match search.poll(cx) {
            Poll::Ready(looked) => Ok(looked),
            Poll::Pending => Err(std::task::ready!(self.patience.poll(cx))),
        };
        let Some(search) = self.search.take() else { return Poll::Ready(()) };
        let found = looked.and_then(|(beside, found)| {
            if let Some(trail) = &mut self.trail {
                trail.went_on(beside, found.is_some());
            }
            found.ok_or(search.fault)
        });
        self.patience.progress();
        match found.map(|found| self.live.go_on(found)) {
            Ok(Ok(())) => {}
            Ok(Err(_)) if self.live.decoder.is_closed() => self.live.ended = true,
            Ok(Err(fault)) => self.break_off(fault),
            Err(fault) => self.fail(&fault),
        }
        Poll::Ready(())
    }

    /// The stream cannot go on: the caller gets an error event, never a silent end.
    fn fail(&mut self, fault: &Fault) {
        if let Some(trail) = &mut self.trail {
            trail.fault(fault);
            let live = &mut *self.live;
            live.decoder.fault(fault, &trail.request_id, &mut |bytes| live.ready.push_back(bytes));
        }
        self.live.ended = true;
    }

    fn note(&mut self) {
        if let Some(trail) = &mut self.trail {
            trail.record.usage = self.live.usage().or(trail.record.usage);
            trail.record.events = Some(self.live.decoder.events());
            trail.record.finish = self.live.decoder.finish();
        }
    }
}

impl StreamBody for Pump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        loop {
            if let Some(bytes) = self.live.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.live.ended {
                self.note();
                if let Some(trail) = self.trail.take() {
                    trail.settle();
                }
                return Poll::Ready(None);
            }
            if self.step(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Pump {
    /// The caller left: what was decoded so far is still what was used.
    fn drop(&mut self) {
        self.note();
    }
}
