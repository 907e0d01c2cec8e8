//! A stream that breaks after its first event: another backend goes on with the answer, where the operator wants that and
//! what was said can be gone on with.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use net::{BytePermit, RecvBody};
use policy::{health::Outcome, retry::Next};
use types::{Fault, Kind, Result, Usage};
use wire::openai::chat::{self, Stream, StreamContext, Thread};

use super::{Decoder, Live};
use crate::{
    Gateway,
    call::Call,
    steps::{
        dispatch::{Content, Made, Mask, note, serve},
        plan::Plan,
    },
    trail::Trail,
};

/// What it takes to go on with a stream when it breaks.
pub(crate) struct Rest {
    gateway: Gateway,
    plan: Plan,
    call: Box<chat::Call>,
    /// Whether the call was said in another dialect than chat.
    translated: bool,
    served: Box<Made>,
    /// Reads the backend's bytes; what it gives goes into the caller's decoder.
    source: Stream,
    thread: Thread,
    /// Why the first stream broke.
    broke: Option<Box<Fault>>,
    /// The call's bytes are held for so long.
    held: Option<BytePermit>,
}

impl Rest {
    /// Prepares a stream that has begun for its break. It stays as it is where nobody could go on with it.
    ///
    /// # Errors
    /// `UpstreamBadReply` when what has come already cannot be read.
    pub(crate) fn prepare(live: &mut Live, gateway: &Gateway, mut plan: Plan, call: &Call) -> Result<()> {
        let (translated, call) = match call {
            Call::Chat(call) => (false, call),
            Call::Translated(call) => (true, call),
            _ => return Ok(()),
        };
        let (Decoder::Chat(source), Some(served)) = (&mut live.decoder, plan.served.take()) else { return Ok(()) };
        if !call.may_be_gone_on_with() {
            return Ok(());
        }
        let outer = Stream::new(StreamContext { show_usage: source.shows_usage(), ..StreamContext::default() });
        let source = std::mem::replace(source, outer);
        let (gateway, call, thread) = (gateway.clone(), call.clone(), Thread::default());
        let mut rest = Self { gateway, plan, call, translated, served, source, thread, broke: None, held: None };
        for chunk in std::mem::take(&mut live.ready) {
            rest.said(chunk, &mut live.decoder, &mut |bytes| live.ready.push_back(bytes))?;
        }
        if live.ended {
            rest.end_well(&mut live.decoder, &mut |bytes| live.ready.push_back(bytes))?;
        }
        live.rest = Some(Box::new(rest));
        Ok(())
    }

    /// The call's bytes count as held.
    pub(crate) fn holds(&mut self, bytes: BytePermit) {
        self.held = Some(bytes);
    }

    /// Reads what came from the backend.
    pub(super) fn push(&mut self, chunk: Bytes, decoder: &mut Decoder, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let mut chunks = Vec::new();
        let pushed = self.source.push(chunk, &mut |chunk| chunks.push(chunk));
        chunks.into_iter().try_for_each(|chunk| self.said(chunk, decoder, out))?;
        pushed
    }

    /// The backend's bytes ended.
    pub(super) fn end(&mut self, decoder: &mut Decoder, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let mut chunks = Vec::new();
        let ended = self.source.end(&mut |chunk| chunks.push(chunk));
        chunks.into_iter().try_for_each(|chunk| self.said(chunk, decoder, out))?;
        ended?;
        self.end_well(decoder, out)
    }

    fn end_well(&mut self, decoder: &mut Decoder, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let mut last = Vec::new();
        self.thread.end(&mut |chunk| last.push(chunk));
        last.into_iter().try_for_each(|chunk| decoder.push(chunk, out))?;
        decoder.end(out)
    }

    fn said(&mut self, chunk: Bytes, decoder: &mut Decoder, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let mut chunks = Vec::new();
        let joined = self.thread.push(chunk, &mut |chunk| chunks.push(chunk));
        chunks.into_iter().try_for_each(|chunk| decoder.push(chunk, out))?;
        joined
    }

    /// What all streams so far used, as far as their backends said.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.thread.used(self.source.usage())
    }

    /// Whether somebody may be asked to go on after `fault`.
    pub(super) fn follows(&self, fault: &Fault) -> bool {
        let passes = matches!(
            fault.kind,
            Kind::UpstreamTruncated
                | Kind::UpstreamStalled
                | Kind::UpstreamFailed
                | Kind::UpstreamUnreachable
                | Kind::UpstreamBadReply
                | Kind::UpstreamRateLimited
                | Kind::UpstreamLoading
        );
        passes && self.source.finish().is_none() && self.thread.may_go_on()
    }

    /// Looks for somebody who goes on, after `fault`. The whole stream must be over by `until`.
    ///
    /// # Errors
    /// Why the first stream broke, when nobody can be asked.
    pub(super) fn search(mut self: Box<Self>, trail: &mut Trail, fault: Box<Fault>, until: Instant) -> Result<Search> {
        let this = &mut *self;
        let anew = this.thread.begins_anew();
        this.thread.next(this.source.usage());
        let now = net::now();
        if let Some(flight) = trail.flight.take() {
            // Whoever cannot go on with what others began is none the worse for it.
            flight.end(if anew { Outcome::Caller } else { Outcome::of(&fault) }, now);
        }
        note(&this.gateway, &this.plan, &this.served, &fault, trail);
        let limits = &this.plan.ticket.snapshot.json_limits;
        let call = this.thread.rest(&this.call, limits).ok().flatten();
        // Where nothing is left to say, nothing is taken from the budget.
        let next =
            call.as_ref().and_then(|_| this.plan.broke_off(this.served.turn, &fault, until, &this.gateway.0.health));
        let first = this.broke.get_or_insert(fault).clone();
        let (call, wait) = match (call, next) {
            (Some(call), Some(Next::Other)) => (Box::new(call), Duration::ZERO),
            (Some(call), Some(Next::Again(wait))) => (Box::new(call), wait),
            _ => return Err(first),
        };
        let call = if self.translated { Call::Translated(call) } else { Call::Chat(call) };
        let mut beside = Trail::silent(self.gateway.0.metrics.clone());
        beside.request_id.clone_from(&trail.request_id);
        let work = Box::pin(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let found = self.look(&call, &mut beside).await;
            (beside, found)
        });
        Ok(Search { work, fault: first })
    }

    async fn look(mut self: Box<Self>, call: &Call, trail: &mut Trail) -> Option<Found> {
        let reply = serve(&self.gateway, &mut self.plan, call, trail).await.ok()?;
        let Content::Stream(live) = reply.content else { return None };
        let Live { body, decoder: Decoder::Chat(source), ready, ended, idle, mask, .. } = *live else { return None };
        (self.source, self.served) = (source, self.plan.served.take()?);
        Some(Found { rest: self, body, ready, ended, idle, mask })
    }
}

/// A stream that goes on.
pub(super) struct Found {
    rest: Box<Rest>,
    body: RecvBody,
    ready: VecDeque<Bytes>,
    ended: bool,
    idle: Duration,
    mask: Mask,
}

/// A search that is under way. It gives back a trail of its own, with the stream if there is one.
pub(super) struct Search {
    work: Pin<Box<dyn Future<Output = (Trail, Option<Found>)> + Send>>,
    /// What the caller is told when there is none.
    pub(super) fault: Box<Fault>,
}

impl Search {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Trail, Option<Found>)> {
        self.work.as_mut().poll(cx)
    }
}

impl Live {
    /// Goes on with another backend's stream.
    ///
    /// # Errors
    /// What is wrong with it; `UpstreamBadReply` when it begins anew instead of going on.
    pub(super) fn go_on(&mut self, found: Found) -> Result<()> {
        let Self { decoder, ready, .. } = self;
        (self.body, self.ended, self.idle) = (found.body, found.ended, found.idle);
        self.mask.add(found.mask);
        let rest = self.rest.insert(found.rest);
        let mut hand_on = |bytes| ready.push_back(bytes);
        found.ready.into_iter().try_for_each(|chunk| rest.said(chunk, decoder, &mut hand_on))?;
        if self.ended { rest.end_well(decoder, &mut hand_on) } else { Ok(()) }
    }
}
