//! How many bytes of held bodies the whole gateway may keep at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A gateway-wide allowance of bytes for held bodies. Cloning shares it. When it is used up, new bodies are refused at
/// once; nobody waits.
#[derive(Clone, Debug)]
pub struct ByteBudget(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    limit: usize,
    used: AtomicUsize,
}

impl ByteBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Counter { limit, used: AtomicUsize::new(0) }))
    }

    /// Takes `bytes` from the budget until the permit is dropped; `None` if that much is not left.
    pub fn take(&self, bytes: usize) -> Option<BytePermit> {
        let mut permit = BytePermit { budget: self.clone(), bytes: 0 };
        permit.grow(bytes).then_some(permit)
    }

    /// Bytes in use now.
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// The most that may be in use.
    pub fn limit(&self) -> usize {
        self.0.limit
    }
}

/// A part of a [`ByteBudget`]; given back on drop.
#[derive(Debug)]
pub struct BytePermit {
    budget: ByteBudget,
    bytes: usize,
}

impl BytePermit {
    /// How many bytes this permit holds.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `more` bytes on top; `false`, and nothing taken, if that much is not left.
    pub fn grow(&mut self, more: usize) -> bool {
        let counter = &self.budget.0;
        let taken = counter
            .used
            .fetch_update(Relaxed, Relaxed, |used| used.checked_add(more).filter(|sum| *sum <= counter.limit));
        if taken.is_ok() {
            self.bytes += more;
        }
        taken.is_ok()
    }
}

impl Drop for BytePermit {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_budget_refuses_and_a_dropped_permit_gives_back() {
        let budget = ByteBudget::new(10);
        let mut first = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        assert!(first.grow(4) && !first.grow(1));
        assert_eq!((budget.used(), first.bytes()), (10, 10));
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.take(usize::MAX).is_none());
    }

    #[test]
    fn many_threads_never_pass_the_limit_together() {
        let budget = ByteBudget::new(100);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let permit = budget.take(30);
                        assert!(budget.used() <= 100);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
