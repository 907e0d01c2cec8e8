//! Keeping a response: begun before a stream says so, ended with the answer.

use bytes::Bytes;
use serde_json::Value;
use types::{
    Result, SendBody,
    ports::{
        Moment, PortError,
        jobs::Owner,
        sessions::{Ending, Item, NewSession, SessionId},
    },
};
use wire::openai::responses::{self, Answered};

use super::Seat;
use crate::doors::Stored;

/// A response that is to be kept.
pub(crate) struct Keeping {
    pub(crate) seat: Seat,
    pub(crate) owner: Owner,
    pub(crate) previous: Option<SessionId>,
    pub(crate) conversation: Option<SessionId>,
    pub(crate) expires: Moment,
    /// What was asked.
    pub(crate) asked: Vec<Item>,
    /// Whether the call names what is kept: then it fails where nothing can be kept.
    pub(crate) demanded: bool,
    /// Where its whole answer will be.
    pub(crate) answered: Answered,
    /// What is shown of it until then.
    pub(crate) waiting: Value,
}

/// A call for a response that nobody waits for.
pub(crate) struct Background {
    pub(crate) stored: Stored,
    pub(crate) keeping: Box<Keeping>,
    /// Whether its caller listens as it is told.
    pub(crate) stream: bool,
}

impl Keeping {
    /// Keeps the response before it has an answer. `false` where it cannot be kept and the call does not demand it: then the
    /// answer says so.
    ///
    /// # Errors
    /// Why it cannot be kept, where the call demands it.
    pub(crate) async fn begin(&self) -> Result<bool> {
        let body = Bytes::from(self.waiting.to_string());
        self.judge(self.create(body, self.asked.clone(), false).await)
    }

    /// Keeps a whole answer, and gives what is to be written.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) async fn whole(&self, body: SendBody, dropped: &mut Vec<String>) -> Result<SendBody> {
        let Some(response) = self.answered.response() else { return Ok(body) };
        let items = self.asked.iter().cloned().chain(self.answers()).collect();
        let kept = self.judge(self.create(body.to_bytes(), items, true).await)?;
        if kept {
            return Ok(body);
        }
        dropped.push("store".to_owned());
        Ok(responses::unkept(response).to_string().into())
    }

    /// Ends a response that was begun, with its stream where that is to be told again.
    ///
    /// # Errors
    /// When it could not be kept.
    pub(crate) async fn end(&self, told: Option<Bytes>) -> std::result::Result<(), PortError> {
        let Some(response) = self.answered.response() else { return Ok(()) };
        let ending = Ending { body: response.to_string().into(), items: self.answers().collect(), told };
        self.seat.archive.sessions.end(&self.seat.id, ending, crate::clock()).await
    }

    /// The items of the answer, to be kept.
    fn answers(&self) -> impl Iterator<Item = Item> {
        kept_items(self.answered.items(), true)
    }

    /// Takes back what was begun.
    pub(crate) async fn forget(&self) {
        let forgotten = self.seat.archive.sessions.delete(&self.owner, &self.seat.id, crate::clock()).await;
        if let Err(error) = forgotten {
            tracing::warn!(response = %self.seat.id, %error, "a response that has no answer cannot be forgotten now");
        }
    }

    async fn create(&self, body: Bytes, items: Vec<Item>, ended: bool) -> std::result::Result<(), PortError> {
        let new = NewSession {
            id: self.seat.id.clone(),
            owner: self.owner.clone(),
            previous: self.previous.clone(),
            conversation: self.conversation.clone(),
            expires: self.expires,
            ended,
            asked: self.demanded,
            body,
            items,
        };
        self.seat.archive.sessions.create(new, crate::clock()).await
    }

    /// Who does not demand that the response is kept is answered anyway.
    fn judge(&self, created: std::result::Result<(), PortError>) -> Result<bool> {
        match created {
            Ok(()) => Ok(true),
            Err(error) if self.demanded => Err(error.into()),
            Err(error) => {
                let fails = matches!(error, PortError::Unavailable(_));
                if fails {
                    tracing::warn!(response = %self.seat.id, %error, "a response is not kept");
                } else {
                    tracing::debug!(response = %self.seat.id, %error, "a response is not kept");
                }
                self.answered.not_kept();
                Ok(false)
            }
        }
    }
}

/// Items to be kept.
pub(crate) fn kept_items(items: Vec<(String, Value)>, answer: bool) -> impl Iterator<Item = Item> {
    items.into_iter().map(move |(id, item)| Item { id, answer, body: item.to_string().into() })
}
