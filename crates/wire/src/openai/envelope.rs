//! What all calls that are JSON objects share: the members at the top, and the words in which a bad body is refused.

mod extra;

use std::{borrow::Cow, collections::HashSet, ops::Deref};

use types::{Fault, Kind as FaultKind, Result};

use crate::json::{self, Kind, Limits, Reader, Slot, Span, Str};

pub(super) use extra::flatten;

/// One member at the top of the body.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its name.
    pub name: Str,
    /// Its value.
    pub value: Span,
    /// What kind of value.
    pub kind: Kind,
}

/// Where the member stands among the others.
pub(super) fn slot(members: &[Member], index: usize) -> Slot {
    let member = &members[index];
    let before = match index.checked_sub(1).and_then(|i| members.get(i)) {
        Some(previous) => previous.value.end,
        None => member.name.outer().start,
    };
    Slot {
        ordinal: index,
        before,
        whole: Span::new(member.name.outer().start, member.value.end),
        next: members.get(index + 1).map(|next| next.name.outer().start),
    }
}

/// A reader of a caller's body.
pub(super) fn reader(body: &[u8], limits: Limits) -> Result<Reader<'_>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::new(FaultKind::BadRequest, "The body is empty; send a JSON object."));
    }
    Reader::new(body, limits).map_err(not_json)
}

/// Goes into the body's object.
pub(super) fn open(reader: &mut Reader<'_>) -> Scanned {
    let kind = reader.peek()?;
    if kind != Kind::Object {
        let message = format!("The body must be a JSON object, not {}.", kind.name());
        return Err(Fault::new(FaultKind::BadRequest, message).into());
    }
    Ok(reader.open_object()?)
}

/// What stops a scan.
pub(super) enum Trouble {
    Json(json::Error),
    Fault(Box<Fault>),
}

impl From<json::Error> for Trouble {
    fn from(error: json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<Box<Fault>> for Trouble {
    fn from(fault: Box<Fault>) -> Self {
        Self::Fault(fault)
    }
}

pub(super) type Scanned<T = ()> = std::result::Result<T, Trouble>;

impl Trouble {
    /// What the caller is told. Broken JSON comes first, wherever it is.
    pub(super) fn told(self, body: &[u8], limits: Limits) -> Box<Fault> {
        match self {
            Self::Json(error) => not_json(error),
            Self::Fault(fault) => json::validate(body, limits).err().map_or(fault, not_json),
        }
    }
}

/// The members at the top, in order. Most look-ups are for members that are not there, and a bit for each name answers
/// those.
#[derive(Clone, Debug)]
pub(super) struct Members {
    list: Vec<Member>,
    bits: u64,
    /// Whether two names have the same bit, or one is written with escapes.
    alike: bool,
}

/// The bit of a name: names that are equal have the same length, first and last letter. With these factors the usual names
/// are rarely in each other's way.
pub(super) const fn bit(name: &[u8]) -> u64 {
    let ([first, ..], [.., last]) = (name, name) else { return 1 };
    1 << ((name.len() + 4 * *first as usize + 17 * *last as usize) % 64)
}

impl Member {
    /// The bit of its name; all of them where it is written with escapes, since it may then be any.
    #[inline]
    pub(super) fn bits(&self, body: &[u8]) -> u64 {
        if self.name.escaped { u64::MAX } else { bit(self.name.inner.of(body)) }
    }
}

impl Members {
    /// No members, with room for `n`.
    pub(super) fn with_capacity(n: usize) -> Self {
        Self { list: Vec::with_capacity(n), bits: 0, alike: false }
    }

    /// Adds the next one.
    #[inline]
    pub(super) fn push(&mut self, body: &[u8], member: Member) {
        let bits = member.bits(body);
        self.alike |= self.bits & bits != 0 || member.name.escaped;
        self.bits |= bits;
        self.list.push(member);
    }

    /// The place of the member of this name.
    #[inline]
    pub(super) fn find(&self, body: &[u8], name: &str) -> Option<usize> {
        if self.bits & bit(name.as_bytes()) != 0 {
            self.list.iter().position(|member| member.name.is(body, name))
        } else {
            None
        }
    }

    /// Refuses a name that is given twice.
    pub(super) fn refuse_duplicates(&self, body: &[u8]) -> Result<()> {
        if self.alike { refuse_duplicates(body, &self.list) } else { Ok(()) }
    }
}

impl Deref for Members {
    type Target = [Member];

    fn deref(&self) -> &[Member] {
        &self.list
    }
}

fn refuse_duplicates(body: &[u8], members: &[Member]) -> Result<()> {
    let name = |m: &Member| m.name.decode(body);
    let twice: Option<Cow<'_, str>> = if members.len() <= 24 {
        members.iter().enumerate().find_map(|(i, m)| {
            let same = |other: &&Member| {
                if m.name.escaped || other.name.escaped {
                    name(m) == name(other)
                } else {
                    m.name.inner.of(body) == other.name.inner.of(body)
                }
            };
            members[..i].iter().find(same).map(name)
        })
    } else {
        let mut seen = HashSet::with_capacity(members.len());
        members.iter().map(name).find(|text| !seen.insert(text.clone()))
    };
    twice.map_or(Ok(()), |twice| Err(duplicate(&twice)))
}

pub(super) fn duplicate(member: &str) -> Box<Fault> {
    let shown: String = member.chars().take(100).collect();
    Fault::new(FaultKind::BadRequest, format!("`{shown}` is given twice; give it once.")).param(shown)
}

pub(super) fn wrong_type(member: &str, wanted: &str, found: Kind) -> Box<Fault> {
    Fault::new(FaultKind::BadRequest, format!("`{member}` must be {wanted}, not {}.", found.name())).param(member)
}

pub(super) fn missing(member: &str, what_to_do: &str) -> Box<Fault> {
    Fault::new(FaultKind::BadRequest, format!("`{member}` is missing: {what_to_do}.")).param(member)
}

fn not_json(error: json::Error) -> Box<Fault> {
    Fault::new(FaultKind::BadRequest, format!("The body is not valid JSON: {error}."))
}
