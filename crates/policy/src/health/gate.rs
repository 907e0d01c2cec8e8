//! A gate on a lane's way: open, shut for a time, or ajar for one call that tries.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Settings, Tick, reason::Reason};

/// Why a gate was shut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cause {
    #[default]
    Unauthenticated,
    Forbidden,
    Payment,
    RateLimited,
    Unavailable,
}

impl Cause {
    const fn reason(self, wait: Duration) -> Reason {
        match self {
            Self::Unauthenticated => Reason::KeyRefused { wait },
            Self::Forbidden => Reason::KeyForbidden { wait },
            Self::Payment => Reason::Payment { wait },
            Self::RateLimited => Reason::RateLimited { wait },
            Self::Unavailable => Reason::Unavailable { wait },
        }
    }
}

/// How a gate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    /// One call may try.
    Ajar,
    /// Shut, but one call that has nobody else may try.
    Spare(Reason),
    Shut(Reason),
}

/// A gate. Most are open all their life, which is read without a lock.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Zero: open.
    until: AtomicU64,
    shut: Mutex<Shut>,
}

#[derive(Debug, Default)]
struct Shut {
    cause: Cause,
    /// Whether the backend told the time.
    told: bool,
    /// How often in a row it was shut without a good call between.
    times: u32,
    /// Until when a call that tries holds others off.
    tried_until: Tick,
    /// How often it was tried while it was shut, and from when it may be again.
    spares: u32,
    spare_from: Tick,
}

impl Gate {
    pub(crate) fn standing(&self, now: Tick) -> Standing {
        let until = Tick(self.until.load(Ordering::Relaxed));
        if until.0 == 0 {
            return Standing::Open;
        }
        let shut = self.lock();
        if now < until {
            let reason = shut.cause.reason(now.until(until));
            return match now < shut.tried_until {
                true if !shut.told => Standing::Shut(Reason::Probing),
                false if !shut.told && now >= shut.spare_from => Standing::Spare(reason),
                _ => Standing::Shut(reason),
            };
        }
        if now < shut.tried_until { Standing::Shut(Reason::Probing) } else { Standing::Ajar }
    }

    /// Takes the one try of a gate that stands ajar, or that is shut and is tried by a call that has nobody else.
    pub(crate) fn take(&self, now: Tick, settings: &Settings) -> bool {
        let mut shut = self.lock();
        if now < shut.tried_until {
            return false;
        }
        shut.tried_until = now.after(settings.probe);
        if now.0 < self.until.load(Ordering::Relaxed) {
            shut.spares = shut.spares.saturating_add(1);
            if let Some(waits) = shut.spares.checked_sub(settings.spares) {
                shut.spare_from = now.after(settings.spare_wait.saturating_mul(1 << waits.min(16)));
            }
        }
        true
    }

    /// The try came to nothing: another call may try.
    pub(crate) fn give_back(&self) {
        self.lock().tried_until = Tick::default();
    }

    /// A call went through: what was shut until now is open. An answer to an older call does not end a time that was told.
    pub(crate) fn answered(&self, now: Tick) {
        let until = self.until.load(Ordering::Relaxed);
        if until != 0 && now.0 >= until {
            let mut shut = self.lock();
            *shut = Shut::default();
            self.until.store(0, Ordering::Relaxed);
        }
    }

    /// The try of a call that has nobody else went well: what was no told time is over.
    pub(crate) fn tried_well(&self, now: Tick) {
        let mut shut = self.lock();
        if !shut.told || now.0 >= self.until.load(Ordering::Relaxed) {
            *shut = Shut::default();
            self.until.store(0, Ordering::Relaxed);
        }
    }

    /// Shuts it for a time.
    pub(crate) fn shut(&self, cause: Cause, now: Tick, wait: Duration) {
        self.shut_for(cause, false, now, |_| wait);
    }

    /// Shuts it for the time that the backend told.
    pub(crate) fn shut_as_told(&self, cause: Cause, now: Tick, wait: Duration) {
        self.shut_for(cause, true, now, |_| wait);
    }

    /// Shuts it for a time that depends on how often it was shut in a row before.
    pub(crate) fn shut_for(&self, cause: Cause, told: bool, now: Tick, wait: impl FnOnce(u32) -> Duration) {
        let mut shut = self.lock();
        let until = now.after(wait(shut.times)).0.max(1);
        // Answers that were under way together say the same thing; only one that comes later is another time.
        if now.0 >= self.until.load(Ordering::Relaxed) {
            shut.times = shut.times.saturating_add(1);
        }
        // A told time stands until it is over, whatever else is said meanwhile.
        shut.told = told || (shut.told && now.0 < self.until.load(Ordering::Relaxed));
        shut.cause = cause;
        shut.tried_until = Tick::default();
        self.until.store(until.max(self.until.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Shut> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
