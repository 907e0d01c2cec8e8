//! What all calls that are JSON objects share: the members at the top, and the words in which a bad body is refused.

mod extra;

use std::{borrow::Cow, collections::HashSet};

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

pub(super) fn refuse_duplicates(body: &[u8], members: &[Member]) -> Result<()> {
    // Two names that are alike are of one length and begin alike: a bit for each such pair settles most calls.
    let mut bits = 0_u64;
    let alike = members.iter().any(|member| {
        let raw = member.name.inner.of(body);
        let bit = 1 << ((raw.len() * 7 + usize::from(raw.first().copied().unwrap_or(0))) % 64);
        let seen = member.name.escaped || bits & bit != 0;
        bits |= bit;
        seen
    });
    if !alike {
        return Ok(());
    }
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
