//! What a backend lets a key do, by its rate-limit headers, counted down between two answers.

use std::time::Duration;

use super::{Settings, Tick, reason::Reason};

/// The rate-limit headers of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Calls.
    pub requests: Option<Bucket>,
    /// Tokens.
    pub tokens: Option<Bucket>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// What is left.
    pub remaining: u64,
    /// What there is when nothing is used.
    pub limit: Option<u64>,
    /// When it is full again.
    pub reset: Option<Duration>,
}

/// Where a call stands in the count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    calls: u64,
    tokens: u64,
}

/// What is left of both limits.
#[derive(Debug, Default)]
pub(crate) struct Left {
    calls: u64,
    tokens: u64,
    /// The newest call whose headers were taken: an older one knows less.
    told_by: u64,
    known: [Option<Known>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Known {
    left: u64,
    limit: Option<u64>,
    reset: Tick,
}

impl Left {
    /// Counts a call that goes out now.
    pub(crate) fn spend(&mut self, tokens: u64, now: Tick, settings: &Settings) -> Mark {
        self.renew(now, settings.quota);
        self.calls += 1;
        self.tokens += tokens;
        for (known, spent) in self.known.iter_mut().zip([1, tokens]) {
            if let Some(known) = known {
                known.left = known.left.saturating_sub(spent);
            }
        }
        Mark { calls: self.calls, tokens: self.tokens }
    }

    /// Takes what the answer to a call said. What went out after that call is not in it yet.
    pub(crate) fn told(&mut self, quota: Quota, mark: Mark, now: Tick, settings: &Settings) {
        if mark.calls < self.told_by {
            return;
        }
        self.told_by = mark.calls;
        let later = [self.calls - mark.calls, self.tokens - mark.tokens];
        for ((known, bucket), later) in self.known.iter_mut().zip([quota.requests, quota.tokens]).zip(later) {
            if let Some(bucket) = bucket {
                let reset = now.after(bucket.reset.unwrap_or(settings.quota).min(settings.rate_limited_max));
                *known = Some(Known { left: bucket.remaining.saturating_sub(later), limit: bucket.limit, reset });
            }
        }
    }

    /// Why nothing more may go out, if so.
    pub(crate) fn spent(&self, now: Tick) -> Option<Reason> {
        let spent = self.known.iter().flatten().filter(|known| known.left == 0 && now < known.reset);
        let wait = spent.map(|known| now.until(known.reset)).max()?;
        Some(Reason::QuotaSpent { wait })
    }

    /// How scarce it is: 1 with more than the share `quota_low` of it, `quota_pressure` with next to nothing.
    pub(crate) fn pressure(&self, now: Tick, settings: &Settings) -> f64 {
        let (low, most) = (settings.quota_low, settings.quota_pressure);
        let scarce = |known: &Known| {
            let limit = known.limit.filter(|_| now < known.reset)?;
            let share = known.left as f64 / limit.max(1) as f64;
            (share < low).then(|| 1.0 + (most - 1.0) * (low - share) / low)
        };
        self.known.iter().flatten().filter_map(scarce).fold(1.0, f64::max)
    }

    /// What was used up is there again, as far as the limit is known.
    fn renew(&mut self, now: Tick, period: Duration) {
        for known in &mut self.known {
            let full = |known: Known| known.limit.map(|limit| Known { left: limit, reset: now.after(period), ..known });
            *known = known.and_then(|known| if now < known.reset { Some(known) } else { full(known) });
        }
    }
}
