//! Reading answers: sound, transcripts and pictures, in any of the shapes that backends have.

use bytes::Bytes;
use serde_json::{Map, Value};
use types::{
    Fault, Kind, Result, Sent,
    ask::{Extra, Made, Outcome},
};
use wire::upstream_error;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Exchange, Flow, Got, State, Step, Wants, asset, bad_reply, places, transcript};

/// The most pictures that are read of an answer.
const MOST: usize = 100;

/// Whether a status is a good one.
pub(super) const fn is_good(status: u16) -> bool {
    matches!(status, 200..=299)
}

/// What a bad status says.
pub(super) fn bad_status(reply: &Got<'_>) -> Box<Fault> {
    upstream_error::read(reply.status, reply.header, &reply.body, reply.clock)
}

/// Reads a body as JSON; a fault in its words when it is an error, whatever the status said.
pub(super) fn json(reply: &Got<'_>) -> Result<Value> {
    match serde_json::from_slice(&reply.body) {
        Ok(value) => Ok(value),
        Err(error) => {
            let shown: String = String::from_utf8_lossy(&reply.body[..reply.body.len().min(120)]).into_owned();
            Err(bad_reply("The backend's answer is not the JSON that it should be.")
                .detail(format!("{error}: {shown}")))
        }
    }
}

impl Exchange {
    /// The answer to the first request, where it holds the outcome.
    pub(super) fn at_once(&mut self, reply: &Got<'_>) -> Result<Step> {
        match (self.wants, self.flow) {
            (Wants::Sound, Flow::Fal) => {
                let value = json(reply)?;
                self.sound_of(&value, reply)
            }
            (Wants::Sound, _) => bare(reply).map(|sound| Step::Done(Outcome::Sound(sound))),
            (Wants::Images, Flow::HfInference) => {
                let made = vec![Made::Bytes(bare(reply)?)];
                Ok(Step::Done(Outcome::Images { made, extra: Extra::new() }))
            }
            (Wants::Images, _) => {
                let value = json(reply)?;
                self.pictures_of(&value, reply)
            }
            (Wants::Transcript { words }, _) => {
                let value = json(reply)?;
                match transcript::read(&value, words).filter(|_| value["error"].is_null()) {
                    Some(transcript) => Ok(Step::Done(Outcome::Transcript(transcript))),
                    None => Err(not_there(reply, "text")),
                }
            }
        }
    }

    /// The outcome that stands in a value, or the request for what it names.
    pub(super) fn outcome_of(&mut self, value: &Value, reply: &Got<'_>) -> Result<Step> {
        match self.wants {
            Wants::Sound => self.sound_of(value, reply),
            Wants::Images => self.pictures_of(value, reply),
            Wants::Transcript { words } => match transcript::read(value, words) {
                Some(transcript) => Ok(Step::Done(Outcome::Transcript(transcript))),
                None => match value["txt_file"].as_str() {
                    Some(url) => self.fetch(url),
                    None => Err(not_there(reply, "text")),
                },
            },
        }
    }

    fn sound_of(&mut self, value: &Value, reply: &Got<'_>) -> Result<Step> {
        let Some(url) = sound_url(value) else { return Err(not_there(reply, "sound")) };
        match data_uri(url) {
            Some(text) => {
                let sound = STANDARD.decode(text).map_err(|_| bad_reply("The backend's sound is not valid base64."))?;
                Ok(Step::Done(Outcome::Sound(sound.into())))
            }
            None => self.fetch(url),
        }
    }

    fn pictures_of(&self, value: &Value, reply: &Got<'_>) -> Result<Step> {
        let made = pictures(value)?;
        if made.is_empty() {
            return Err(not_there(reply, "picture"));
        }
        Ok(Step::Done(Outcome::Images { made, extra: extra(self.flow, value) }))
    }

    /// Fetches what an answer named.
    fn fetch(&mut self, url: &str) -> Result<Step> {
        if !places::is_web(url) {
            return Err(bad_reply("The backend named a result that cannot be fetched."));
        }
        self.state = State::Asset { url: url.to_owned() };
        Ok(Step::Send(asset(url)))
    }

    /// What was fetched.
    pub(super) fn asset(&self, reply: &Got<'_>) -> Result<Step> {
        if !is_good(reply.status) {
            let message = format!("The backend's result could not be fetched: its host answered {}.", reply.status);
            return Err(Fault::new(Kind::UpstreamFailed, message).sent(Sent::Yes));
        }
        if reply.body.is_empty() {
            return Err(bad_reply("The backend's result is empty."));
        }
        match self.wants {
            Wants::Sound => Ok(Step::Done(Outcome::Sound(bare(reply)?))),
            Wants::Images => {
                let made = vec![Made::Bytes(reply.body.clone())];
                Ok(Step::Done(Outcome::Images { made, extra: Extra::new() }))
            }
            Wants::Transcript { words } => {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                let transcript = transcript::read(&Value::String(text), words).unwrap_or_default();
                Ok(Step::Done(Outcome::Transcript(transcript)))
            }
        }
    }
}

/// Bare bytes of a medium. Text in their place is an error, whatever the label says.
fn bare(reply: &Got<'_>) -> Result<Bytes> {
    let body = &reply.body;
    if body.is_empty() {
        return Err(bad_reply("The backend's answer is empty."));
    }
    let looks_like_text = matches!(body.iter().find(|b| !b.is_ascii_whitespace()), Some(b'{' | b'[' | b'<' | b'"'))
        && std::str::from_utf8(&body[..body.len().min(256)]).map_or_else(|e| e.error_len().is_none(), |_| true);
    if looks_like_text {
        return Err(not_there(reply, "medium"));
    }
    Ok(body.clone())
}

/// A good status without what was asked for: the backend's words if it has any.
pub(super) fn not_there(reply: &Got<'_>, what: &str) -> Box<Fault> {
    if upstream_error::speaks_of_one(&reply.body) {
        return upstream_error::in_good_status(&reply.body);
    }
    let shown = String::from_utf8_lossy(&reply.body[..reply.body.len().min(200)]).into_owned();
    bad_reply(format!("The backend's answer has no {what} in it.")).detail(shown)
}

fn sound_url(value: &Value) -> Option<&str> {
    match value {
        Value::String(url) => Some(url),
        Value::Array(list) => sound_url(list.first()?),
        Value::Object(object) => {
            ["audio", "audio_url", "audio_file", "url", "output"].iter().find_map(|name| sound_url(object.get(*name)?))
        }
        _ => None,
    }
}

/// The base64 of a data URI.
fn data_uri(url: &str) -> Option<&str> {
    let (head, text) = url.strip_prefix("data:")?.split_once(',')?;
    head.ends_with(";base64").then_some(text)
}

/// The pictures of an answer, wherever they stand.
pub(super) fn pictures(value: &Value) -> Result<Vec<Made>> {
    let places = [
        &value["images"],
        &value["data"]["images"],
        &value["data"]["outputs"],
        &value["data"],
        &value["outputs"],
        &value["output"],
        &value["image_result"],
        &value["image"],
        value,
    ];
    let place = places.into_iter().find(|place| match place {
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Object(object) => ["url", "b64_json"].iter().any(|name| object.contains_key(*name)),
        _ => false,
    });
    match place {
        Some(Value::Array(list)) => list.iter().take(MOST).map(picture).collect(),
        Some(one) => Ok(vec![picture(one)?]),
        None => Ok(Vec::new()),
    }
}

fn picture(value: &Value) -> Result<Made> {
    let text = match value {
        Value::String(text) => Some(text.as_str()),
        Value::Object(_) => ["b64_json", "url", "image", "image_url", "image_base64"]
            .iter()
            .find_map(|name| value[*name].as_str().filter(|text| !text.is_empty())),
        _ => None,
    };
    let unreadable = || bad_reply("The backend's answer has a picture that cannot be read.");
    let text = text.ok_or_else(unreadable)?;
    if let Some(base64) = data_uri(text) {
        return Ok(Made::Base64(base64.to_owned()));
    }
    if places::is_web(text) {
        return Ok(Made::Url(text.to_owned()));
    }
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if !text.contains(':') && text.len() >= 16 && text.bytes().all(is_base64) {
        return Ok(Made::Base64(text.to_owned()));
    }
    Err(unreadable())
}

/// What else a caller may want of an answer.
fn extra(flow: Flow, value: &Value) -> Map<String, Value> {
    let Value::Object(object) = value else { return Map::new() };
    let known: &[&str] = match flow {
        Flow::Replicate | Flow::Wavespeed | Flow::Zai => &["seed", "metrics", "timings", "has_nsfw_contents"],
        _ => &[],
    };
    let ours = ["images", "image", "data", "output", "outputs", "image_result", "created", "object", "error", "status"];
    let keep = |name: &str| if known.is_empty() { !ours.contains(&name) } else { known.contains(&name) };
    object.iter().filter(|(name, value)| keep(name) && !value.is_null()).map(|(n, v)| (n.clone(), v.clone())).collect()
}
