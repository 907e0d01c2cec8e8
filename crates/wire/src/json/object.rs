//! Taking members out of objects and items out of arrays, commas included.

use super::Span;

/// Where a member (or an item) stands among its neighbours: enough to take it out later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// How many come before it in its container.
    pub ordinal: usize,
    /// Where the one before ends; where the container opens, for the first.
    pub before: usize,
    /// From the name's quote (or the item's first byte) to the end of the value.
    pub whole: Span,
    /// Where the next one starts, if there is one.
    pub next: Option<usize>,
}

/// Gives the spans to remove from one container. Ask in the order of the slots.
///
/// What leads goes with the comma behind it, everything else with the comma before it; so any choice of slots leaves
/// a good container, and no two spans overlap.
#[derive(Clone, Copy, Debug, Default)]
pub struct TakeOut {
    leading: usize,
}

impl TakeOut {
    /// The span whose removal takes this slot out.
    pub fn span(&mut self, slot: &Slot) -> Span {
        if slot.ordinal == self.leading {
            self.leading += 1;
            Span::new(slot.whole.start, slot.next.unwrap_or(slot.whole.end))
        } else {
            Span::new(slot.before, slot.whole.end)
        }
    }
}
