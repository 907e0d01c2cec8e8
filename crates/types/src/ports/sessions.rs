//! Sessions: what is kept between calls of the Responses API. A session is a response, with what it was asked and what it
//! answered, or a conversation, to which responses add what was said.
//!
//! A response may continue an earlier one: together they are a chain, and the history of a response is that of the whole chain. An
//! earlier response that its owner deletes, or that expires, is no longer found; what was said in it stays as long as a later one needs it.

use std::fmt;

use bytes::Bytes;

use super::{Answer, Moment, jobs::Owner};

/// The id of a session: `resp_`, `conv_` or, for what a vendor keeps, `away_`, and 32 hexadecimal digits. Who has it must still be
/// its owner.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    const RESPONSE: &'static str = "resp_";
    const CONVERSATION: &'static str = "conv_";
    const AWAY: &'static str = "away_";

    /// The id of a conversation with these random bits.
    pub fn conversation(bits: u128) -> Self {
        Self(format!("{}{bits:032x}", Self::CONVERSATION))
    }

    /// The id of a note about what a vendor keeps, with these bits of a hash. No text that a caller sends is read as one.
    pub fn away(bits: u128) -> Self {
        Self(format!("{}{bits:032x}", Self::AWAY))
    }

    /// Reads the id of a response; none when the text cannot be one.
    pub fn parse_response(text: &str) -> Option<Self> {
        Self::parse(Self::RESPONSE, text)
    }

    /// Reads the id of a conversation; none when the text cannot be one.
    pub fn parse_conversation(text: &str) -> Option<Self> {
        Self::parse(Self::CONVERSATION, text)
    }

    /// Reads an id of either kind; none when the text cannot be one.
    pub fn parse_any(text: &str) -> Option<Self> {
        Self::parse_response(text).or_else(|| Self::parse_conversation(text))
    }

    fn parse(prefix: &str, text: &str) -> Option<Self> {
        let digits = text.strip_prefix(prefix)?;
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (digits.len() == 32 && digits.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The id as text: letters, digits and an underscore, safe in a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 32 digits alone.
    pub fn digits(&self) -> &str {
        &self.0[Self::RESPONSE.len()..]
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One item of a session, in a form that only the pipeline reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id, by which later calls may refer to it.
    pub id: String,
    /// Whether it was answered, not asked.
    pub answer: bool,
    /// The item.
    pub body: Bytes,
}

/// A session to keep.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id, made by the pipeline.
    pub id: SessionId,
    /// Whose it is.
    pub owner: Owner,
    /// The response that this one continues. It must be this owner's, and there.
    pub previous: Option<SessionId>,
    /// The conversation that gets the items as well, once the session has ended. It must be this owner's, and there.
    pub conversation: Option<SessionId>,
    /// When it is no longer found.
    pub expires: Moment,
    /// Whether nothing of it is still to come.
    pub ended: bool,
    /// Whether its owner asked for it to be kept. What nobody asked for makes room for what is newer.
    pub asked: bool,
    /// What its owner is shown, in a form that only the pipeline reads.
    pub body: Bytes,
    /// What was said, oldest first.
    pub items: Vec<Item>,
}

/// The end of a session that was kept before it had one.
#[derive(Clone, Debug)]
pub struct Ending {
    /// What its owner is shown from now on.
    pub body: Bytes,
    /// What was answered.
    pub items: Vec<Item>,
    /// The stream as it was told, where it is to be told again.
    pub told: Option<Bytes>,
}

/// A session that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What its owner is shown.
    pub body: Bytes,
    /// Whether nothing of it is still to come.
    pub ended: bool,
    /// When it was kept first.
    pub created: Moment,
    /// When it is no longer found.
    pub expires: Moment,
}

/// What was said in a session: that of the chain before it, and its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Whether the session itself has ended.
    pub ended: bool,
    /// How many of the items come from before the session.
    pub before: usize,
    /// The items, oldest first.
    pub items: Vec<Item>,
}

/// Keeps sessions. What it has acknowledged survives a restart, where the implementation says so. A full keeper forgets sessions that
/// nobody asked to be kept and nothing continues, the oldest first and those of the same owner before others'; then it refuses.
pub trait Sessions: Send + Sync + fmt::Debug {
    /// Keeps a session. `Gone` when what it continues or belongs to is not there.
    fn create(&self, new: NewSession, now: Moment) -> Answer<'_, ()>;

    /// The session, if it is this owner's, not deleted and not expired.
    fn get<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<Session>>;

    /// What was said in it; `TooLarge` where that is more than can be held at once.
    fn history<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<History>>;

    /// The stream that was kept with it.
    fn told<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<Bytes>>;

    /// The items of these ids in any of this owner's sessions, in any order; an id that is not known is left out.
    fn items<'a>(&'a self, owner: &'a Owner, ids: &'a [String], now: Moment) -> Answer<'a, Vec<Item>>;

    /// Ends a session that had not ended. `Stale` when it had, or is gone.
    fn end<'a>(&'a self, id: &'a SessionId, ending: Ending, now: Moment) -> Answer<'a, ()>;

    /// Changes what the owner is shown of a session that has ended; `false` when there is none.
    fn amend<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, body: Bytes, now: Moment) -> Answer<'a, bool>;

    /// Adds items to a session that has ended, and keeps it until `expires`; `false` when there is none.
    fn append<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a SessionId,
        items: Vec<Item>,
        expires: Moment,
        now: Moment,
    ) -> Answer<'a, bool>;

    /// Takes an item out of a session; `false` when there is none.
    fn remove<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, item: &'a str, now: Moment) -> Answer<'a, bool>;

    /// Deletes a session; `false` when there is none.
    fn delete<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, bool>;

    /// Forgets what is expired or deleted and is not needed by a later session; says how many.
    fn expire(&self, now: Moment) -> Answer<'_, u64>;
}
