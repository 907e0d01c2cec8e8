//! Runs an exchange of several requests (submit, poll, fetch). What is sent next is decided by the exchange itself, which
//! has no socket; here are the sockets, the deadline, and the cancel when the caller leaves.

use std::time::{Duration, Instant};

use net::{AnswerHeaders, Outgoing};
use providers::{
    Flow,
    exchange::{Exchange, Got, Send, Step, Takes, To, What, Work},
};
use types::{
    Fault, Kind, Operation, Result, Retry, Sent,
    ask::{Picture, Upload},
};

use super::{Content, Reply, spliced::names};
use crate::{
    Gateway, assets, conversion,
    doors::answer_fault,
    steps::{
        plan::Attempt,
        pump::Sound,
        send::{now, send, shown_headers, too_large},
    },
    trail::Trail,
};

/// So much of a file is looked at to learn what it is.
const ENOUGH: usize = 64 * 1024;
/// A cancel that is sent after the caller has left may take this long.
const CANCEL_TIME: Duration = Duration::from_secs(10);
/// How often a question about work that goes on anyway is asked before its silence counts.
const QUESTION_TRIES: u32 = 7;
/// How long one such question may take.
const QUESTION_TIME: Duration = Duration::from_secs(60);
/// The longest pause between two tries of a question.
const QUESTION_PAUSE: Duration = Duration::from_secs(15);

/// Begins an exchange and runs it to its end.
///
/// # Errors
/// The backend's fault in its own words; `UpstreamTimeout` when the deadline passes first.
pub(super) async fn run(gateway: &Gateway, attempt: &Attempt, work: &Work, trail: &mut Trail) -> Result<Reply> {
    let work = &made_ready(attempt, work).await?;
    let (exchange, first, dropped) = Exchange::begin(&attempt.endpoint, &attempt.names(), work, attempt.ask())?;
    let mut run = Run::new(gateway, attempt, exchange, trail);
    let (headers, content) = run.finish(first, trail).await?;
    Ok(Reply { headers, content, dropped: names(dropped) })
}

/// Goes on with an exchange that was written down.
///
/// # Errors
/// As [`run`].
pub(super) async fn resume(
    gateway: &Gateway,
    attempt: &Attempt,
    exchange: Exchange,
    trail: &mut Trail,
) -> Result<Reply> {
    let Some(first) = exchange.resume() else {
        return Err(Fault::new(Kind::Internal, "What was written down of this job cannot be continued."));
    };
    let mut run = Run::new(gateway, attempt, exchange, trail);
    let (headers, content) = run.finish(first, trail).await?;
    Ok(Reply { headers, content, dropped: Vec::new() })
}

/// Does of an exchange what needs no socket, to find what is wrong with a call before anybody promises to make it.
/// Sound is not converted for that.
///
/// # Errors
/// As [`run`], as far as it can be known.
pub(super) async fn rehearse(attempt: &Attempt, work: &Work) -> Result<()> {
    if matches!(work, Work::Transcription(_)) {
        return Ok(());
    }
    let work = made_ready(attempt, work).await?;
    Exchange::begin(&attempt.endpoint, &attempt.names(), &work, attempt.ask()).map(drop)
}

/// Says of each file what its bytes are, and converts sound that the backend does not take as it is.
async fn made_ready(attempt: &Attempt, work: &Work) -> Result<Work> {
    let mut work = work.clone();
    match &mut work {
        Work::Transcription(ask) => {
            let kind = truly(&mut ask.file).unwrap_or_default();
            match attempt.endpoint.flow().map(|flow| flow.takes(kind)) {
                Some(Takes::AsIs(label)) => ask.file.claimed_type = Some(label.to_owned()),
                Some(Takes::Convert(format)) => {
                    let room = attempt.snapshot.config.limits.form_in_memory;
                    ask.file = conversion::for_hearing(&ask.file, format, room).await?;
                }
                Some(Takes::Refuse) | None => {
                    let what = if kind.is_empty() { "nothing that is known here" } else { kind };
                    let text = format!("The file is {what}, not sound. Send wav, flac, mp3, ogg, webm or m4a.");
                    return Err(Fault::new(Kind::BadRequest, text).param("file"));
                }
            }
        }
        Work::Edit(ask) => {
            for picture in ask.images.iter_mut().chain(&mut ask.mask) {
                if let Picture::Bytes(upload) = picture
                    && !truly(upload).is_some_and(|kind| kind.starts_with("image/"))
                {
                    let text = "A file is no picture that is known here. Send png, jpeg, webp or gif.";
                    return Err(Fault::new(Kind::BadRequest, text).param("image"));
                }
            }
        }
        Work::Speech(_) | Work::Image(_) => {}
    }
    Ok(work)
}

/// What the bytes are, which is then what the file claims.
fn truly(upload: &mut Upload) -> Option<&'static str> {
    // What cannot be read here is met again when it is sent.
    let kind = media::sniff(&upload.bytes.read_at(0, ENOUGH).unwrap_or_default()).map(media::Kind::media_type);
    upload.claimed_type = kind.map(str::to_owned);
    kind
}

/// An exchange under way. Dropped before its end, it is cancelled upstream by a task that the drain owns.
struct Run<'a> {
    gateway: &'a Gateway,
    attempt: &'a Attempt,
    exchange: Exchange,
    begun: Instant,
    done: bool,
    /// Nobody waits: it goes on after a restart, and who runs the job cancels it.
    job: bool,
}

/// An answer to one request of an exchange.
enum Answered {
    /// All of it.
    Whole { status: u16, headers: net::Fields, body: net::Held },
    /// Sound that can be passed on as it arrives.
    Sound(AnswerHeaders, Box<Sound>),
}

impl<'a> Run<'a> {
    fn new(gateway: &'a Gateway, attempt: &'a Attempt, exchange: Exchange, trail: &Trail) -> Self {
        Self { gateway, attempt, exchange, begun: Instant::now(), done: false, job: trail.diary.is_some() }
    }

    async fn finish(&mut self, first: Send, trail: &mut Trail) -> Result<(AnswerHeaders, Content)> {
        let mut send = first;
        loop {
            let answered =
                self.send(&send, trail).await.map_err(|fault| self.final_once_submitted(fault, send.step))?;
            trail.record.first_event.get_or_insert_with(Instant::now);
            let (status, headers, body) = match answered {
                Answered::Whole { status, headers, body } => (status, headers, body),
                Answered::Sound(headers, sound) => {
                    self.done = true;
                    return Ok((headers, Content::Sound(sound)));
                }
            };
            let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
            let got = Got { status, header: &header, body: body.bytes, clock: now() };
            let step = self.exchange.next(got, self.begun.elapsed());
            let step = step.map_err(|fault| self.final_once_submitted(fault, send.step))?;
            if let Some(diary) = &trail.diary {
                diary.replied(self.attempt, &self.exchange).await?;
            }
            match step {
                Step::Done(outcome) => {
                    self.done = true;
                    return Ok((shown_headers(&headers), Content::Outcome(outcome)));
                }
                Step::Send(next) => send = next,
                Step::Wait { pause, then } => {
                    self.wait(pause).await?;
                    send = then;
                }
            }
        }
    }

    /// What was taken on is never asked of anybody else.
    fn final_once_submitted(&self, mut fault: Box<Fault>, step: What) -> Box<Fault> {
        if step != What::Submit && self.attempt.endpoint.flow().is_some_and(Flow::is_kept_upstream) {
            fault.retry = Retry::Never;
        }
        fault
    }

    /// Sends one request of the exchange.
    async fn send(&self, request: &Send, trail: &mut Trail) -> Result<Answered> {
        let mut tries = 1;
        loop {
            if let Some(diary) = trail.diary.as_ref().filter(|_| request.step == What::Submit) {
                diary.submitting(request.once).await?;
            }
            let answered = once(self.gateway, self.attempt, request, trail).await;
            if let (Some(diary), Err(fault)) = (&trail.diary, &answered)
                && request.step == What::Submit
                && (fault.sent == Sent::No || fault.kind == Kind::UpstreamLoading)
            {
                diary.not_submitted().await?;
            }
            match answered {
                // The work goes on whether it is asked for or not: a question may be asked again.
                Err(fault) if request.step != What::Submit && passes(fault.kind) && tries < QUESTION_TRIES => {
                    let pause = Duration::from_millis(250) * 2_u32.pow(tries);
                    tries += 1;
                    self.wait(fault.retry_after.unwrap_or_default().max(pause).min(QUESTION_PAUSE)).await?;
                }
                // Nobody knows what became of a submit without an answer: it is not sent again.
                Err(mut fault) if request.once && fault.sent != Sent::No => {
                    fault.code = None;
                    return Err(fault);
                }
                other => return other,
            }
        }
    }

    async fn wait(&self, pause: Duration) -> Result<()> {
        if Instant::now() + pause >= self.attempt.deadline {
            let text = match self.job {
                true => "The backend did not finish in the time that a job has (`jobs.time`).",
                false => "The backend did not finish in time. With `Prefer: respond-async` the call goes on as a job.",
            };
            return Err(Fault::new(Kind::UpstreamTimeout, text).sent(Sent::Yes));
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !self.done && !self.job {
            give_up(self.gateway, self.attempt, &self.exchange);
        }
    }
}

/// Whether a fault passes by itself.
const fn passes(kind: Kind) -> bool {
    use Kind::{
        Overloaded, UpstreamFailed, UpstreamLoading, UpstreamRateLimited, UpstreamTimeout, UpstreamTruncated,
        UpstreamUnreachable,
    };
    matches!(
        kind,
        UpstreamUnreachable
            | UpstreamTimeout
            | UpstreamTruncated
            | UpstreamFailed
            | UpstreamRateLimited
            | UpstreamLoading
            | Overloaded
    )
}

/// Tells the backend, once, that nobody wants the work any more, where it can be told.
pub(super) fn give_up(gateway: &Gateway, attempt: &Attempt, exchange: &Exchange) {
    {
        let Some(request) = exchange.cancel() else { return };
        let (gateway, mut attempt) = (gateway.clone(), attempt.clone());
        attempt.deadline = Instant::now() + CANCEL_TIME;
        let drain = gateway.0.drain.clone();
        drain.spawn("cancel upstream", async move {
            let mut trail = Trail::silent(gateway.0.metrics.clone());
            if let Err(fault) = once(&gateway, &attempt, &request, &mut trail).await {
                let (backend, fault) = (attempt.endpoint.backend.as_str(), attempt.mask.apply(fault));
                tracing::debug!(backend, fault = fault.kind.name(), "a job could not be cancelled at its backend");
            }
        });
    }
}

/// Sends one request of an exchange, once.
async fn once(gateway: &Gateway, attempt: &Attempt, request: &Send, trail: &mut Trail) -> Result<Answered> {
    let backend = attempt.endpoint.backend.as_str();
    let speaks = attempt.endpoint.operation == Operation::Speech;
    let patience = if request.step == What::Submit { attempt.patience } else { QUESTION_TIME };
    let until = attempt.deadline.min(Instant::now() + patience);
    let (headers, body) = match &request.to {
        To::Asset { url } => {
            let asset = assets::open(gateway, &attempt.snapshot, url, until).await?;
            (asset.headers, asset.body)
        }
        To::Backend { target } => {
            if request.body.len() > attempt.body_limit {
                let offer = "a compressed format such as MP3, or smaller pieces";
                return Err(too_large(backend, request.body.len(), attempt.body_limit, offer));
            }
            let outgoing = Outgoing {
                method: request.method.clone(),
                target: target.clone(),
                headers: request.dressed(&attempt.endpoint, attempt.dress())?.into(),
                body: request.body.clone(),
            };
            let reply = send(gateway, &attempt.origin, outgoing, until, trail).await?;
            (reply.headers, reply.body)
        }
    };
    if speaks && let Some(kind) = sound_type(&headers) {
        let shown = shown_headers(&headers);
        return Sound::begin(attempt, kind, body).await.map(|sound| Answered::Sound(shown, Box::new(sound)));
    }
    let limit = attempt.answer_limit.max(attempt.snapshot.config.assets.size);
    let body = body.collect(limit, until, &gateway.0.budget).await.map_err(answer_fault)?;
    Ok(Answered::Whole { status: 200, headers, body })
}

/// The media type of an answer that says that it is sound.
fn sound_type(headers: &net::Fields) -> Option<String> {
    let kind = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    kind.starts_with("audio/").then(|| kind.to_owned())
}
