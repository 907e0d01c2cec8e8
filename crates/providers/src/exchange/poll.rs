//! Submit, poll, fetch: the exchanges of fal's queue, replicate, WaveSpeed and Z.ai.
//!
//! What an answer names is asked for on our own endpoint's origin: of an address only the path counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{Fault, Kind, Result, Sent};
use wire::upstream_error;

use super::{
    Exchange, Flow, Got, Send, State, Step, What,
    answer::{bad_status, is_good, json, not_there},
    places,
};

/// Where submitted work is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// The backend's id of it.
    pub(super) id: String,
    /// Path and query of how it stands.
    pub(super) poll: String,
    /// Path and query of the result, where that is another.
    pub(super) result: Option<String>,
    /// Path and query that give it up.
    pub(super) cancel: Option<String>,
}

/// The longest pause between two questions.
const LONGEST: Duration = Duration::from_secs(5);

/// How many questions in a row may go unanswered.
const STRIKES: u8 = 6;

/// How work stands.
enum Stands {
    Ready,
    Working,
    Failed,
}

impl Flow {
    const fn first_pause(self) -> Duration {
        match self {
            Self::Zai => Duration::from_secs(2),
            _ => Duration::from_millis(500),
        }
    }

    /// The pause before the next question: each half as long again as the one before, as the time that has passed tells.
    fn pause(self, passed: Duration) -> Duration {
        (self.first_pause() + passed / 2).min(LONGEST)
    }

    /// How the work stands, by the member in which the backend says so. What nobody knows goes on.
    fn stands(self, value: &Value) -> Stands {
        let status = match self {
            Self::Wavespeed => &value["data"]["status"],
            Self::Zai => &value["task_status"],
            _ => &value["status"],
        };
        let status = status.as_str().unwrap_or_default().to_ascii_lowercase();
        match status.as_str() {
            "completed" | "succeeded" | "success" => Stands::Ready,
            "failed" | "fail" | "error" | "canceled" | "cancelled" | "aborted" | "timeout" | "rejected" | "expired" => {
                Stands::Failed
            }
            _ => Stands::Working,
        }
    }
}

impl Exchange {
    /// The answer to the first request.
    pub(super) fn submitted(&mut self, reply: &Got<'_>, now: Duration) -> Result<Step> {
        if !is_good(reply.status) {
            return Err(bad_status(reply));
        }
        if !self.flow.is_kept_upstream() {
            return self.at_once(reply);
        }
        let value = json(reply)?;
        match (self.flow, self.flow.stands(&value)) {
            (_, Stands::Failed) => return Err(failed(self.flow, &value)),
            // A prediction that was waited for has its output, whatever its status still reads.
            (Flow::Replicate, stands) if has_output(&value) || matches!(stands, Stands::Ready) => {
                return self.outcome_of(&value["output"], reply);
            }
            (Flow::Wavespeed, Stands::Ready) => return self.outcome_of(&value, reply),
            (Flow::Zai, Stands::Ready) => return self.outcome_of(&value, reply),
            _ => {}
        }
        let ticket = self.ticket(&value, reply)?;
        Ok(self.wait(ticket, 0, self.flow.pause(now)))
    }

    /// The answer to the question how it stands.
    pub(super) fn polled(&mut self, ticket: Ticket, strikes: u8, reply: &Got<'_>, now: Duration) -> Result<Step> {
        if !is_good(reply.status) {
            let passes = matches!(reply.status, 408 | 425 | 429 | 500 | 502..=504);
            return self.strike(ticket, strikes, reply, now, passes);
        }
        let Ok(value) = json(reply) else { return self.strike(ticket, strikes, reply, now, true) };
        match self.flow.stands(&value) {
            Stands::Failed => Err(failed(self.flow, &value)),
            Stands::Working => Ok(self.wait(ticket, 0, self.flow.pause(now))),
            Stands::Ready => match (self.flow, ticket.result.clone()) {
                // It may be over because it went wrong.
                (Flow::FalQueue, _) if says_error(&value) => Err(failed(self.flow, &value)),
                (_, Some(result)) => {
                    self.state = State::Fetching { ticket, strikes: 0 };
                    Ok(Step::Send(Send::get(result, What::Result)))
                }
                (Flow::Replicate, None) => self.outcome_of(&value["output"], reply),
                (_, None) => self.outcome_of(&value, reply),
            },
        }
    }

    /// The result.
    pub(super) fn fetched(&mut self, ticket: Ticket, strikes: u8, reply: &Got<'_>, now: Duration) -> Result<Step> {
        if is_good(reply.status) {
            let value = json(reply)?;
            return self.outcome_of(&value, reply);
        }
        let again = ticket.result.clone().unwrap_or_else(|| ticket.poll.clone());
        if !matches!(reply.status, 408 | 425 | 429 | 502..=504) || strikes >= STRIKES {
            return Err(bad_status(reply));
        }
        self.state = State::Fetching { ticket, strikes: strikes + 1 };
        Ok(Step::Wait { pause: after(reply, self.flow.pause(now)), then: Send::get(again, What::Result) })
    }

    fn wait(&mut self, ticket: Ticket, strikes: u8, pause: Duration) -> Step {
        let then = Send::get(ticket.poll.clone(), What::Poll);
        self.state = State::Polling { ticket, strikes };
        Step::Wait { pause, then }
    }

    /// A question without an answer: the work goes on all the same, so it is asked again a few times.
    fn strike(&mut self, ticket: Ticket, strikes: u8, reply: &Got<'_>, now: Duration, passes: bool) -> Result<Step> {
        if !passes || strikes >= STRIKES {
            if passes {
                // Nobody says that the work is over: it can still be given up, or asked for later.
                self.state = State::Polling { ticket, strikes: 0 };
            }
            return Err(if is_good(reply.status) { not_there(reply, "state") } else { bad_status(reply) });
        }
        Ok(self.wait(ticket, strikes + 1, after(reply, self.flow.pause(now))))
    }

    /// Where the submitted work is asked for.
    fn ticket(&self, value: &Value, reply: &Got<'_>) -> Result<Ticket> {
        let here = |path: &str| {
            let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
            format!("{}{path}{query}", self.base)
        };
        match self.flow {
            Flow::FalQueue => {
                let Some(address) = value["response_url"].as_str() else {
                    return Err(not_there(reply, "address to ask"));
                };
                let path = places::path(address)?;
                let id = value["request_id"].as_str().or_else(|| path.rsplit('/').next()).unwrap_or_default();
                Ok(Ticket {
                    id: places::segment(id)?.to_owned(),
                    poll: here(&format!("{path}/status")),
                    result: Some(here(&path)),
                    cancel: Some(here(&format!("{path}/cancel"))),
                })
            }
            Flow::Wavespeed => {
                let Some(address) = value["data"]["urls"]["get"].as_str() else {
                    return Err(not_there(reply, "address to ask"));
                };
                let path = places::path(address)?;
                let id = value["data"]["id"].as_str().unwrap_or(&path).to_owned();
                Ok(Ticket { id, poll: here(&path), result: None, cancel: None })
            }
            _ => {
                let Some(id) = value["id"].as_str() else { return Err(not_there(reply, "id to ask for")) };
                let id = places::segment(id)?;
                let (poll, cancel) = if self.flow == Flow::Zai {
                    (format!("/api/paas/v4/async-result/{id}"), None)
                } else {
                    let poll = format!("/v1/predictions/{id}");
                    (poll.clone(), Some(here(&format!("{poll}/cancel"))))
                };
                Ok(Ticket { id: id.to_owned(), poll: here(&poll), result: None, cancel })
            }
        }
    }
}

/// The pause that a backend asks for, if it is longer, within reason.
fn after(reply: &Got<'_>, pause: Duration) -> Duration {
    let asked = (reply.header)("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    asked.map_or(pause, |asked| asked.clamp(pause, Duration::from_secs(30)))
}

fn has_output(value: &Value) -> bool {
    match &value["output"] {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

fn says_error(value: &Value) -> bool {
    !matches!(&value["error"], Value::Null) && value["error"] != ""
}

/// Work that failed, in the backend's words.
fn failed(flow: Flow, value: &Value) -> Box<Fault> {
    let place = if flow == Flow::Wavespeed { &value["data"] } else { value };
    let status = [&place["status"], &place["task_status"]].into_iter().find_map(Value::as_str).unwrap_or("failed");
    let canceled = matches!(status.to_ascii_lowercase().as_str(), "canceled" | "cancelled");
    let words = ["error", "error_message", "message", "detail"].iter().find(|name| {
        let said = &place[**name];
        !said.is_null() && said != "" && said != "success"
    });
    let Some(words) = words else {
        let message = if canceled {
            "The work was cancelled at the backend.".to_owned()
        } else {
            format!("The backend gave the work up (`{status}`) without a word.")
        };
        return Fault::new(Kind::UpstreamFailed, message).sent(Sent::Yes);
    };
    let said = serde_json::json!({"error": place[*words], "code": value["error_type"]});
    upstream_error::in_good_status(said.to_string().as_bytes())
}
