//! Sessions in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use types::ports::{
    Answer, Moment, PortError, Sessions,
    jobs::Owner,
    sessions::{Ending, History, Item, NewSession, Session, SessionId},
};

use super::{Memory, answer};
use crate::limits::{SessionsThere, weight};

/// One session with what its owner does not see.
pub(super) struct Entry {
    owner: Owner,
    previous: Option<SessionId>,
    conversation: Option<SessionId>,
    session: Session,
    asked: bool,
    deleted: bool,
    items: Vec<Item>,
    told: Option<Bytes>,
}

type Entries = BTreeMap<SessionId, Entry>;

impl Entry {
    fn bytes(&self) -> u64 {
        (self.session.body.len() + self.told.as_ref().map_or(0, Bytes::len)) as u64 + weight(&self.items)
    }

    fn is_found(&self, owner: &Owner, now: Moment) -> bool {
        self.owner == *owner && !self.deleted && self.session.expires > now
    }
}

fn find<'a>(entries: &'a mut Entries, owner: &Owner, id: &SessionId, now: Moment) -> Option<&'a mut Entry> {
    entries.get_mut(id).filter(|entry| entry.is_found(owner, now))
}

impl Sessions for Memory {
    fn create(&self, new: NewSession, now: Moment) -> Answer<'_, ()> {
        answer(self.create_session(new, now))
    }

    fn get<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<Session>> {
        answer(Ok(find(&mut self.sessions(), owner, id, now).map(|entry| entry.session.clone())))
    }

    fn history<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<History>> {
        answer(self.history_of(owner, id, now))
    }

    fn told<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<Bytes>> {
        answer(Ok(find(&mut self.sessions(), owner, id, now).and_then(|entry| entry.told.clone())))
    }

    fn items<'a>(&'a self, owner: &'a Owner, ids: &'a [String], now: Moment) -> Answer<'a, Vec<Item>> {
        let entries = self.sessions();
        let found = entries.values().filter(|entry| entry.is_found(owner, now)).flat_map(|entry| &entry.items);
        let found: Vec<Item> = found.filter(|item| ids.contains(&item.id)).cloned().collect();
        answer(self.limits.check_history(weight(&found)).map(|()| found))
    }

    fn end<'a>(&'a self, id: &'a SessionId, ending: Ending, now: Moment) -> Answer<'a, ()> {
        answer(self.end_session(id, ending, now))
    }

    fn amend<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, body: Bytes, now: Moment) -> Answer<'a, bool> {
        let mut entries = self.sessions();
        answer(match find(&mut entries, owner, id, now).filter(|entry| entry.session.ended) {
            None => Ok(false),
            Some(entry) => {
                entry.session.body = body;
                Ok(true)
            }
        })
    }

    fn append<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a SessionId,
        items: Vec<Item>,
        expires: Moment,
        now: Moment,
    ) -> Answer<'a, bool> {
        answer(self.append_items(owner, id, items, expires, now))
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, item: &'a str, now: Moment) -> Answer<'a, bool> {
        let mut entries = self.sessions();
        let Some(entry) = find(&mut entries, owner, id, now) else { return answer(Ok(false)) };
        let before = entry.items.len();
        entry.items.retain(|kept| kept.id != item);
        answer(Ok(entry.items.len() < before))
    }

    fn delete<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, bool> {
        let mut entries = self.sessions();
        let Some(entry) = find(&mut entries, owner, id, now) else { return answer(Ok(false)) };
        (entry.deleted, entry.session.body, entry.told) = (true, Bytes::new(), None);
        if !is_continued(&entries, id) {
            entries.remove(id);
        }
        answer(Ok(true))
    }

    fn expire(&self, now: Moment) -> Answer<'_, u64> {
        let mut entries = self.sessions();
        let before = entries.len();
        loop {
            let over = |entry: &Entry| entry.deleted || entry.session.expires <= now;
            let ids: Vec<SessionId> =
                entries.iter().filter(|(_, entry)| over(entry)).map(|(id, _)| id.clone()).collect();
            let free: Vec<SessionId> = ids.into_iter().filter(|id| !is_continued(&entries, id)).collect();
            if free.is_empty() {
                return answer(Ok((before - entries.len()) as u64));
            }
            free.iter().for_each(|id| drop(entries.remove(id)));
        }
    }
}

/// Whether a later session needs this one.
fn is_continued(entries: &Entries, id: &SessionId) -> bool {
    entries.values().any(|entry| entry.previous.as_ref() == Some(id))
}

impl Memory {
    fn create_session(&self, new: NewSession, now: Moment) -> Result<(), PortError> {
        let mut entries = self.sessions();
        for needed in new.previous.iter().chain(&new.conversation) {
            find(&mut entries, &new.owner, needed, now).ok_or(PortError::Gone)?;
        }
        let copies = if new.ended && new.conversation.is_some() { new.items.clone() } else { Vec::new() };
        let session = Session { body: new.body, ended: new.ended, created: now, expires: new.expires };
        let entry = Entry {
            owner: new.owner,
            previous: new.previous,
            conversation: new.conversation,
            session,
            asked: new.asked,
            deleted: false,
            items: new.items,
            told: None,
        };
        self.limits.check_session(entry.bytes())?;
        let needed = entry.previous.clone();
        self.make_room(&mut entries, &entry.owner, needed.as_ref(), 1, entry.bytes() + weight(&copies))?;
        self.copy(&mut entries, entry.conversation.as_ref(), copies, entry.session.expires)?;
        entries.insert(new.id, entry);
        Ok(())
    }

    fn end_session(&self, id: &SessionId, ending: Ending, _now: Moment) -> Result<(), PortError> {
        let mut entries = self.sessions();
        let entry = entries.get(id).filter(|entry| !entry.session.ended && !entry.deleted).ok_or(PortError::Stale)?;
        let more = (ending.body.len() + ending.told.as_ref().map_or(0, Bytes::len)) as u64 + weight(&ending.items);
        self.limits.check_session(entry.bytes() + more)?;
        let conversation = entry.conversation.clone();
        let all = entry.items.iter().chain(&ending.items).cloned();
        let copies: Vec<Item> = if conversation.is_some() { all.collect() } else { Vec::new() };
        let (owner, expires) = (entry.owner.clone(), entry.session.expires);
        self.make_room(&mut entries, &owner, None, 0, more + weight(&copies))?;
        self.copy(&mut entries, conversation.as_ref(), copies, expires)?;
        if let Some(entry) = entries.get_mut(id) {
            (entry.session.body, entry.session.ended, entry.told) = (ending.body, true, ending.told);
            entry.items.extend(ending.items);
        }
        Ok(())
    }

    fn append_items(
        &self,
        owner: &Owner,
        id: &SessionId,
        items: Vec<Item>,
        expires: Moment,
        now: Moment,
    ) -> Result<bool, PortError> {
        let mut entries = self.sessions();
        if find(&mut entries, owner, id, now).is_none_or(|entry| !entry.session.ended) {
            return Ok(false);
        }
        self.make_room(&mut entries, owner, None, 0, weight(&items))?;
        self.copy(&mut entries, Some(id), items, expires)?;
        Ok(true)
    }

    /// Adds items to a conversation, and keeps it so much longer.
    fn copy(
        &self,
        entries: &mut Entries,
        to: Option<&SessionId>,
        items: Vec<Item>,
        expires: Moment,
    ) -> Result<(), PortError> {
        let Some(entry) = to.filter(|_| !items.is_empty()) else { return Ok(()) };
        let entry = entries.get_mut(entry).filter(|entry| !entry.deleted).ok_or(PortError::Gone)?;
        self.limits.check_session(entry.bytes() + weight(&items))?;
        entry.items.extend(items);
        entry.session.expires = entry.session.expires.max(expires);
        Ok(())
    }

    /// Makes room for so many more sessions and bytes; `needed` stays.
    fn make_room(
        &self,
        entries: &mut Entries,
        owner: &Owner,
        needed: Option<&SessionId>,
        sessions: u64,
        bytes: u64,
    ) -> Result<(), PortError> {
        while let Err(full) = self.check_room(entries, sessions, bytes) {
            let unasked = entries.iter().filter(|(id, entry)| {
                !entry.asked && entry.session.ended && Some(*id) != needed && !is_continued(entries, id)
            });
            let oldest = unasked.min_by_key(|(_, entry)| (entry.owner != *owner, entry.session.created));
            let oldest = oldest.map(|(id, _)| id.clone()).ok_or(full)?;
            entries.remove(&oldest);
        }
        Ok(())
    }

    fn check_room(&self, entries: &Entries, sessions: u64, bytes: u64) -> Result<(), PortError> {
        let there = SessionsThere { sessions: entries.len() as u64, bytes: entries.values().map(Entry::bytes).sum() };
        self.limits.check_room_for_session(there, SessionsThere { sessions, bytes })
    }

    fn history_of(&self, owner: &Owner, id: &SessionId, now: Moment) -> Result<Option<History>, PortError> {
        let mut entries = self.sessions();
        let Some(entry) = find(&mut entries, owner, id, now) else { return Ok(None) };
        let (ended, mut chain, mut next) = (entry.session.ended, vec![id.clone()], entry.previous.clone());
        while let Some(id) = next {
            next = entries.get(&id).and_then(|entry| entry.previous.clone());
            chain.push(id);
        }
        let entries_of = || chain.iter().rev().filter_map(|id| entries.get(id));
        self.limits.check_history(entries_of().map(|entry| weight(&entry.items)).sum())?;
        let items: Vec<Item> = entries_of().flat_map(|entry| entry.items.iter().cloned()).collect();
        let own = entries.get(id).map_or(0, |entry| entry.items.len());
        Ok(Some(History { ended, before: items.len() - own, items }))
    }
}
