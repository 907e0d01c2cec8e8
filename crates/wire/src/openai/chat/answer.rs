//! Whole answers: what comes back becomes what OpenAI's schema promises; what already is passes untouched.

use bytes::Bytes;
use types::{Fault, Kind as FaultKind, Result, SendBody, Sent, Usage};

use super::choices::{self, Calls, Fill, Finish, Shape};
use crate::{
    json::{Edits, Limits, Reader},
    upstream_error,
};

/// What is filled in where a backend's answer says nothing.
#[derive(Clone, Copy, Debug)]
pub struct AnswerContext<'a> {
    /// An id of our own for the answer, e.g. `chatcmpl-…`.
    pub id: &'a str,
    /// The model's name.
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
}

/// An answer as the caller gets it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body; the backend's own bytes if nothing had to change.
    pub body: SendBody,
    /// What was used, if the backend said.
    pub usage: Option<Usage>,
    /// Why it ended (of the last choice that says).
    pub finish: Option<Finish>,
}

/// Reads a whole answer.
///
/// # Errors
/// The backend's own error when there is one in a good status; `UpstreamBadReply` when it is no chat answer.
pub fn answer(body: &Bytes, context: &AnswerContext<'_>) -> Result<Answer> {
    let fill = Fill { id: context.id, model: context.model, created: context.created };
    let (mut edits, mut calls) = (Edits::new(), Calls::default());
    let read = Reader::new(body, Limits { max_depth: 127, max_members: usize::MAX }).and_then(|mut reader| {
        let said = choices::read(&mut reader, Shape::Answer, fill, &mut calls, &mut edits)?;
        reader.finish()?;
        Ok(said)
    });
    let said = match read {
        Ok(said) if said.error => return Err(upstream_error::in_good_status(body)),
        Ok(said) => said,
        Err(error) => {
            return Err(bad_reply("The backend's answer is not JSON.").detail(error.to_string()));
        }
    };
    if said.choices.is_none() {
        return Err(if upstream_error::speaks_of_one(body) {
            upstream_error::in_good_status(body)
        } else {
            bad_reply("The backend's answer holds no `choices`.")
        });
    }
    Ok(Answer { body: edits.apply(body), usage: said.usage.map(|_| said.used), finish: said.finish })
}

fn bad_reply(message: &str) -> Box<Fault> {
    Fault::new(FaultKind::UpstreamBadReply, message).sent(Sent::Yes)
}
