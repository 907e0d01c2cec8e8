//! `extra_body` and `extra_params`: what the SDKs merge into the body themselves, some callers send as a member.
//!
//! Their members move to the top, behind the caller's own, unless the top already has one of that name. It is the one
//! case in which a call's body is copied; what is read afterwards is what is sent.

use std::collections::HashSet;

use bytes::Bytes;

use super::{Member, Members, slot};
use crate::json::{Edits, Kind, Limits, Part, Reader, Slot, Span, TakeOut};

/// Whether this is one of the two members.
fn is_extra(body: &[u8], member: &Member) -> bool {
    member.name.is(body, "extra_body") || member.name.is(body, "extra_params")
}

/// The body with the members moved up; nothing when there are none to move.
pub(in crate::openai) fn flatten(body: &Bytes, members: &Members) -> Option<Bytes> {
    members.find(body, "extra_body").or_else(|| members.find(body, "extra_params"))?;
    let mut known: HashSet<_> =
        members.iter().filter(|m| !is_extra(body, m)).map(|m| m.name.decode(body).into_owned()).collect();
    let mut edits = Edits::new();
    let mut gone = TakeOut::default();
    let mut moved = Vec::new();
    for (index, member) in members.iter().enumerate().filter(|(_, m)| is_extra(body, m)) {
        let slot: Slot = slot(members, index);
        edits.remove(gone.span(&slot));
        if member.kind == Kind::Object {
            let mut names = Vec::new();
            let _ = inner_members(body, member.value, |name, whole| {
                // Twice within one object stays twice, and is refused as such.
                if !known.contains(&name) {
                    names.push(name);
                    moved.push(whole);
                }
            });
            known.extend(names);
        }
    }
    let end = members.last()?.value.end;
    let mut first = members.iter().all(|m| is_extra(body, m));
    for whole in moved {
        if !std::mem::replace(&mut first, false) {
            edits.insert(end, ",");
        }
        edits.insert(end, Part::Original(whole));
    }
    let mut flat = Vec::with_capacity(body.len());
    edits.write(body, &mut flat);
    Some(flat.into())
}

fn inner_members(body: &[u8], object: Span, mut each: impl FnMut(String, Span)) -> Result<(), crate::json::Error> {
    let mut reader = Reader::within(body, object, Limits { max_depth: 127, max_members: usize::MAX });
    reader.open_object()?;
    while let Some(name) = reader.next_key()? {
        let value = reader.skip()?;
        each(name.decode(body).into_owned(), Span::new(name.outer().start, value.end));
    }
    Ok(())
}
