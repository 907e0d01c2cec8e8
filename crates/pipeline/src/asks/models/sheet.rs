//! The answer to `GET /v1/models`, written while it is read: a caller costs one piece of it, however long it is.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use catalog::{Listing, Loss};
use net::{Abort, StreamBody};
use types::Result;
use wire::openai::models::Page;

use super::{
    query::{After, Query, bad},
    rows::{self, Declared, Row},
    shape::{List, Shape},
};
use crate::{Snapshot, trail::Trail};

/// A part of the list of models, on its way.
pub(crate) struct Sheet {
    query: Query,
    listing: Arc<Listing>,
    snapshot: Arc<Snapshot>,
    declared: Vec<Declared>,
    /// Models that backends do not serve any more.
    lost: Vec<Loss>,
    /// How far the two lists are read.
    item_at: usize,
    declared_at: usize,
    left: usize,
    first: Option<String>,
    last: Option<(bool, String)>,
    list: List,
    ended: bool,
    /// Of a page that was asked for backwards: whether there are models before it.
    earlier: Option<bool>,
}

impl Sheet {
    /// The part that was asked for.
    ///
    /// # Errors
    /// `BadRequest` when `after` or `before_id` names no listed model.
    pub(super) fn new(
        query: Query,
        listing: Arc<Listing>,
        snapshot: Arc<Snapshot>,
        declared: Vec<Declared>,
        lost: Vec<Loss>,
        shape: Shape,
    ) -> Result<Self> {
        let start = rows::start(&query, &listing, &declared)?;
        let start = start.as_ref().map(|(adapter, id)| (*adapter, id.as_str()));
        let item_at = start.map_or(0, |start| listing.items.len() - listing.after(start).len());
        let declared_at = declared.partition_point(|own| start.is_some_and(|start| (false, own.id.as_str()) <= start));
        let left = query.limit;
        let (first, last, list) = (None, None, List::new(shape));
        let before = query.before.clone();
        let mut sheet = Self {
            query,
            listing,
            snapshot,
            declared,
            lost,
            item_at,
            declared_at,
            left,
            first,
            last,
            list,
            ended: false,
            earlier: None,
        };
        if let Some(id) = before {
            sheet.back(&id)?;
        }
        Ok(sheet)
    }

    /// Goes to the page that ends right before this model.
    fn back(&mut self, id: &str) -> Result<()> {
        let (listing, declared) = (Arc::clone(&self.listing), std::mem::take(&mut self.declared));
        let (mut page, mut earlier) = (VecDeque::new(), false);
        let found = loop {
            let at = (self.item_at, self.declared_at);
            match self.advance(&listing, &declared) {
                None => break None,
                Some(row) if row.place().1 == id => break Some(at),
                Some(_) if self.query.limit == 0 => earlier = true,
                Some(_) => {
                    if page.len() == self.query.limit {
                        page.pop_front();
                        earlier = true;
                    }
                    page.push_back(at);
                }
            }
        };
        self.declared = declared;
        let Some(end) = found else {
            let text = "`before_id` must be the id of a listed model, such as the `first_id` of an earlier answer.";
            return Err(bad("before_id", text));
        };
        (self.item_at, self.declared_at) = page.front().copied().unwrap_or(end);
        (self.left, self.earlier) = (page.len(), Some(earlier));
        Ok(())
    }

    /// The next piece; nothing when all of it was given.
    pub(super) fn next_piece(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        // What `advance` needs stays here while its rows are looked at.
        let (listing, declared) = (Arc::clone(&self.listing), std::mem::take(&mut self.declared));
        let mut has_more = false;
        let mut piece = None;
        while let Some(row) = self.advance(&listing, &declared) {
            if self.left == 0 {
                has_more = true;
                break;
            }
            self.left -= 1;
            self.list.push(&row.model());
            let (adapter, id) = row.place();
            self.first.get_or_insert_with(|| id.to_owned());
            self.last = Some((adapter, id.to_owned()));
            piece = self.list.piece();
            if piece.is_some() {
                break;
            }
        }
        self.declared = declared;
        Some(piece.unwrap_or_else(|| self.end(has_more)))
    }

    /// Whether everything was given.
    pub(super) const fn is_over(&self) -> bool {
        self.ended
    }

    /// The next wanted row: two lists in the same order become one.
    fn advance<'a>(&mut self, listing: &'a Listing, declared: &'a [Declared]) -> Option<Row<'a>> {
        loop {
            let (item, own) = (listing.items.get(self.item_at), declared.get(self.declared_at).map(Row::Declared));
            let row = match (item, own) {
                (None, None) => return None,
                (Some(item), own) if own.as_ref().is_none_or(|own| item.place() < own.place()) => {
                    self.item_at += 1;
                    let maybe = self.query.has_backend(&item.backend);
                    maybe.then(|| Row::of_item(item, &self.snapshot)).flatten()
                }
                (_, own) => {
                    self.declared_at += 1;
                    own
                }
            };
            if let Some(row) = row.filter(|row| row.is_wanted(&self.query)) {
                return Some(row);
            }
        }
    }

    fn end(&mut self, has_more: bool) -> Bytes {
        self.ended = true;
        let has_more = self.earlier.unwrap_or(has_more);
        let last = self.last.as_ref();
        let cursor = last.filter(|_| has_more).map(|(adapter, id)| After::cursor(*adapter, id));
        let warnings = rows::warnings(&self.query, &self.listing, &self.snapshot, &self.lost);
        self.list.end(&Page {
            has_more,
            first_id: self.first.as_deref(),
            last_id: last.map(|(_, id)| id.as_str()),
            next_cursor: cursor.as_deref(),
            warnings: &warnings,
        })
    }
}

/// A sheet in the caller's connection.
pub(crate) struct SheetPump {
    sheet: Sheet,
    /// The piece that was written to learn whether there are more.
    first: Option<Bytes>,
    trail: Option<Trail>,
}

impl SheetPump {
    /// Takes the sheet over after its first piece, with the trail that it settles at its end.
    pub(crate) fn new(sheet: Sheet, first: Bytes, trail: Trail) -> Self {
        Self { sheet, first: Some(first), trail: Some(trail) }
    }
}

impl StreamBody for SheetPump {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        let piece = self.first.take().or_else(|| self.sheet.next_piece());
        if piece.is_none()
            && let Some(trail) = self.trail.take()
        {
            trail.settle();
        }
        Poll::Ready(piece.map(Ok))
    }
}
