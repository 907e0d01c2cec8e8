//! Makes of a backend's answer what the caller asked for: sound in the wanted format, pictures as addresses or in base64,
//! a transcript as text or captions.

use std::{sync::Arc, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{StatusCode, header::CONTENT_TYPE};
use net::AnswerHeaders;
use types::{
    Fault, Kind, Result, SendBody, Sent,
    ask::{AudioFormat, Delivery, Made, Outcome, Transcript, TranscriptionAsk},
    ports::{Moment, kept::NewFile},
};
use wire::{
    events,
    openai::{audio, images},
};

use super::{
    dispatch::{Content, Reply},
    pump::{Decoder, Sound},
    send::now,
};
use crate::{
    Gateway, Snapshot, assets, conversion,
    doors::{Answer, Flow, Wants, dress, name_dropped},
    trail::Trail,
    workers::Diary,
};

const JSON: &str = "application/json";

/// Delivers.
///
/// # Errors
/// What cannot be fetched, converted or kept.
pub(crate) async fn deliver(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    reply: Reply,
    wants: Wants,
    until: Instant,
    trail: &Trail,
) -> Result<Answer> {
    let mut dropped = reply.dropped;
    let passed = match &reply.content {
        Content::Native(_) => true,
        Content::Stream(live) => matches!(live.decoder, Decoder::Native(_)),
        _ => false,
    };
    // What passed is the vendor's to write, and to keep.
    let wants = if passed { Wants::AsItIs } else { wants };
    if let Wants::Translated { dropped: before, .. } | Wants::Vectors { dropped: before, .. } = &wants {
        dropped.extend_from_slice(before);
    }
    let mut headers = dress(reply.headers, &dropped, trail);
    let expires = trail.diary.as_ref().map(Diary::expires);
    let site = Site { gateway, snapshot, until, expires };
    match (reply.content, wants) {
        (Content::Whole(body), Wants::Translated { mut write, keeping, .. }) => {
            let said = events::of_answer(&body.to_bytes())?;
            let mut body = write.whole(&said);
            if let Some(keeping) = keeping {
                body = Box::pin(keeping.whole(body, &mut dropped)).await?;
                name_dropped(&mut headers, &dropped);
            }
            Ok(Answer::dressed(headers, JSON, body))
        }
        (Content::Stream(live), Wants::Translated { write, mut keeping, .. }) => {
            let kind = write.stream_type();
            if let Some(begun) = &keeping
                && !Box::pin(begun.begin()).await?
            {
                dropped.push("store".to_owned());
                name_dropped(&mut headers, &dropped);
                keeping = None;
            }
            let mut live = *live;
            live.decoder = live.decoder.translated(write, &mut live.ready)?;
            let live = Box::new(live);
            let flow = match keeping {
                Some(keeping) => Flow::Kept(live, keeping),
                None => Flow::Events(live),
            };
            Ok(Answer::typed_events(headers, kind, flow))
        }
        (Content::Native(body), _) => Ok(Answer::dressed(headers, JSON, body)),
        (Content::Whole(body), Wants::Vectors { write, .. }) => {
            Ok(Answer::dressed(headers, JSON, write(&body.to_bytes())?.into()))
        }
        (Content::Whole(body), _) => Ok(Answer::dressed(headers, JSON, body)),
        (Content::Stream(live), _) => Ok(Answer::events(headers, Flow::Events(live))),
        (Content::Sound(sound), Wants::Speech { format, events }) => {
            Box::pin(site.sound(headers, sound, format, events)).await
        }
        (Content::Outcome(Outcome::Sound(bytes)), Wants::Speech { format, events }) => {
            Box::pin(site.whole_sound(headers, bytes, format, events)).await
        }
        (Content::Outcome(Outcome::Transcript(heard)), Wants::Transcript { ask, events }) => {
            Box::pin(transcript(headers, heard, &ask, events)).await
        }
        (Content::Outcome(Outcome::Images { made, extra }), Wants::Pictures { delivery, base }) => {
            let mut delivered = Vec::with_capacity(made.len());
            for made in made {
                delivered.push(Box::pin(site.picture(made, delivery, &base)).await?);
            }
            Ok(Answer::dressed(headers, JSON, images::answer(delivered, &extra, now())))
        }
        _ => Err(Fault::new(Kind::UpstreamBadReply, "The backend answered with something else than was asked for.")),
    }
}

/// Where things are fetched and kept, and until when.
struct Site<'a> {
    gateway: &'a Gateway,
    snapshot: &'a Arc<Snapshot>,
    until: Instant,
    /// When what is kept is forgotten, where a job has set that.
    expires: Option<Moment>,
}

impl Site<'_> {
    /// Sound that arrives: passed on if it is what is wanted, else taken whole and converted.
    async fn sound(
        &self,
        mut headers: AnswerHeaders,
        sound: Box<Sound>,
        format: Option<AudioFormat>,
        events: bool,
    ) -> Result<Answer> {
        let kind = media::sniff(&sound.first).map(media::Kind::media_type);
        if format.is_none_or(|format| is(kind, format)) {
            if events {
                return Ok(Answer::events(headers, Flow::Sound(sound, true)));
            }
            let named = format.map(AudioFormat::media_type);
            let kind = kind.or(named).unwrap_or(&sound.claimed_type);
            headers.insert(CONTENT_TYPE, "audio/mpeg");
            headers.insert(CONTENT_TYPE, kind);
            return Ok(Answer::Stream { headers, flow: Flow::Sound(sound, false) });
        }
        let bytes = sound.whole(self.snapshot.config.assets.size, self.until, &self.gateway.0.budget).await?;
        self.whole_sound(headers, bytes.into(), format, events).await
    }

    async fn whole_sound(
        &self,
        mut headers: AnswerHeaders,
        bytes: Bytes,
        format: Option<AudioFormat>,
        events: bool,
    ) -> Result<Answer> {
        let kind = media::sniff(&bytes).map(media::Kind::media_type);
        let (bytes, kind) = match format {
            Some(format) if !is(kind, format) => {
                (conversion::for_listening(bytes.to_vec(), format).await?.into(), format.media_type())
            }
            _ => (bytes, kind.or(format.map(AudioFormat::media_type)).unwrap_or("application/octet-stream")),
        };
        if events {
            let mut body = SendBody::with_capacity(2);
            body.push(audio::sound_delta(&bytes));
            body.push(audio::sound_done(None));
            return Ok(Answer::dressed(headers, crate::doors::EVENTS, body));
        }
        headers.insert(CONTENT_TYPE, kind);
        Ok(Answer::Whole { status: StatusCode::OK, headers, body: bytes.into() })
    }

    /// A picture as it is wanted.
    async fn picture(&self, made: Made, delivery: Option<Delivery>, base: &str) -> Result<Made> {
        match (made, delivery) {
            (Made::Url(url), Some(Delivery::B64Json)) => {
                let held = assets::fetch(self.gateway, self.snapshot, &url, self.until).await?;
                if !media::sniff(&held.bytes).is_some_and(media::Kind::is_image) {
                    let text = "What stands at the address of the backend's result is no picture.";
                    return Err(Fault::new(Kind::UpstreamBadReply, text).sent(Sent::Yes));
                }
                Ok(Made::Base64(STANDARD.encode(&held.bytes)))
            }
            (Made::Base64(text), Some(Delivery::Url)) => {
                let bytes = STANDARD.decode(text.as_bytes()).map_err(|_| {
                    Fault::new(Kind::UpstreamBadReply, "The backend's picture is not base64.").sent(Sent::Yes)
                })?;
                self.keep(bytes.into(), base).await
            }
            (Made::Bytes(bytes), Some(Delivery::Url)) => self.keep(bytes, base).await,
            (Made::Bytes(bytes), _) => Ok(Made::Base64(STANDARD.encode(&bytes))),
            (made, _) => Ok(made),
        }
    }

    /// Keeps a picture for a while and gives the address under which it can be fetched.
    async fn keep(&self, bytes: Bytes, base: &str) -> Result<Made> {
        let now = crate::clock();
        let kind = media::sniff(&bytes).map_or("application/octet-stream", media::Kind::media_type);
        let expires = self.expires.unwrap_or_else(|| now.after(self.snapshot.config.assets.keep));
        let file = NewFile { media_type: kind.to_owned(), body: bytes.into(), expires };
        let kept = self.gateway.0.kept.put(file, now).await?;
        Ok(Made::Url(format!("{base}/v1/files/{}", kept.id)))
    }
}

/// Whether bytes of this kind are what a format names. Bare samples look like nothing: what cannot be told is them, when
/// they were asked for.
fn is(kind: Option<&str>, format: AudioFormat) -> bool {
    kind.map_or(format == AudioFormat::Pcm, |kind| kind == format.media_type())
}

async fn transcript(
    headers: AnswerHeaders,
    mut heard: Transcript,
    ask: &TranscriptionAsk,
    events: bool,
) -> Result<Answer> {
    if heard.duration.is_none() {
        heard.duration = conversion::seconds(&ask.file.bytes).await;
    }
    if events {
        let mut body = SendBody::with_capacity(2);
        body.push(audio::text_delta(&heard.text));
        body.push(audio::text_done(&heard));
        return Ok(Answer::dressed(headers, crate::doors::EVENTS, body));
    }
    let written = audio::transcript(&heard, ask)?;
    Ok(Answer::dressed(headers, written.content_type, written.body.into()))
}
