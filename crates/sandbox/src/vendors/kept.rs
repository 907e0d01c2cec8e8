//! What OpenAI keeps: responses by their ids, each for the key that made it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::chat;
use crate::chat::errors::{Kind, Refusal};
use crate::reply::Reply;

/// Older ones go when newer ones come.
const MOST: usize = 1000;

/// A response that is kept.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) id: String,
    pub(super) key: String,
    /// As it is while nothing is done yet, and as it is in the end.
    pub(super) queued: String,
    pub(super) done: String,
    /// The events of its stream.
    pub(super) frames: Vec<bytes::Bytes>,
    pub(super) input: Vec<Value>,
    /// Looks at it until it is done.
    pub(super) looks: usize,
    pub(super) cancelled: bool,
}

/// All that is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<VecDeque<Response>>);

impl Kept {
    fn open(&self) -> MutexGuard<'_, VecDeque<Response>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, response: Response) {
        let mut all = self.open();
        all.retain(|kept| kept.id != response.id);
        all.push_back(response);
        if all.len() > MOST {
            all.pop_front();
        }
    }

    /// Whether this key made it.
    pub(super) fn has(&self, id: &str, key: &str) -> bool {
        self.open().iter().any(|kept| kept.id == id && kept.key == key)
    }

    /// Answers at `v1/responses/{rest}`.
    pub(super) fn answer(&self, ask: &Ask, rest: &str) -> Result<Reply, Refusal> {
        let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
        let mut all = self.open();
        let at = all.iter().position(|kept| kept.id == id && kept.key == ask.secret());
        let Some(at) = at else {
            return Err(Refusal::new(Kind::NoModel, format!("Response with id '{id}' not found.")));
        };
        let kept = &mut all[at];
        match (ask.method.as_str(), what) {
            ("GET", "") if ask.asked("stream") == ["true"] => {
                let after: Option<usize> = ask.asked("starting_after").first().and_then(|number| number.parse().ok());
                let frames = kept.frames.iter().skip(after.map_or(0, |after| after + 1)).cloned().collect();
                Ok(Reply::events("text/event-stream; charset=utf-8", frames, ask.knobs.gap()))
            }
            ("GET", "") => {
                let body = kept.look();
                Ok(Reply::json(200, body))
            }
            ("DELETE", "") => {
                all.remove(at);
                Ok(Reply::json(200, format!("{{\"id\":\"{id}\",\"object\":\"response\",\"deleted\":true}}")))
            }
            ("POST", "cancel") if !kept.queued.contains("\"background\":true") => {
                Err(Refusal::new(Kind::Malformed, "Cannot cancel a synchronous response."))
            }
            ("POST", "cancel") => {
                kept.cancelled |= kept.looks > 0;
                Ok(Reply::json(200, kept.look()))
            }
            ("GET", "input_items") => {
                let ends = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
                let list = json!({"object": "list", "data": kept.input, "first_id": ends(kept.input.first()), "last_id": ends(kept.input.last()), "has_more": false});
                Ok(Reply::json(200, list.to_string()))
            }
            _ => Err(chat::wrong_method()),
        }
    }
}

impl Response {
    fn look(&mut self) -> String {
        if self.cancelled {
            return self.queued.replace("\"status\":\"queued\"", "\"status\":\"cancelled\"");
        }
        if self.looks == 0 {
            return self.done.clone();
        }
        self.looks -= 1;
        self.queued.replace("\"status\":\"queued\"", "\"status\":\"in_progress\"")
    }
}
