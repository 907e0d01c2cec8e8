//! What is counted, and what comes of it.

use std::{collections::BTreeMap, time::Duration};

use super::ask::Call;

/// What was counted while the load ran.
#[derive(Default)]
pub(super) struct Tally {
    took: Vec<u64>,
    first: Vec<u64>,
    gaps: Vec<u64>,
    tokens: u64,
    errors: BTreeMap<String, u64>,
}

/// So many kinds of errors are told apart; more are counted together.
const KINDS: usize = 20;

impl Tally {
    /// Adds a call that began `late` after it was due.
    pub(super) fn add(&mut self, call: &Call, late: Duration) {
        if let Err(why) = &call.outcome {
            let kind = if self.errors.len() < KINDS || self.errors.contains_key(why) { why } else { "others" };
            *self.errors.entry(kind.to_owned()).or_default() += 1;
            return;
        }
        self.took.push(micros(late + call.took));
        self.first.extend(call.first.map(|first| micros(late + first)));
        self.gaps.extend(call.gaps.iter().copied().map(micros));
        self.tokens += call.tokens;
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The figures of one load.
pub(super) struct Figures {
    pub(super) address: String,
    pub(super) seconds: f64,
    pub(super) good: u64,
    /// What went wrong, and how often.
    pub(super) errors: BTreeMap<String, u64>,
    /// Calls that found no free connection when they were due.
    pub(super) late: u64,
    pub(super) tokens: u64,
    /// From when a call was due to the end of its answer.
    pub(super) latency: Option<Spread>,
    pub(super) first_token: Option<Spread>,
    pub(super) gap: Option<Spread>,
    pub(super) memory: Option<Memory>,
}

/// Microseconds: of so many, half took at most this, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

impl Spread {
    pub(super) fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        let at = |share: usize| times[(times.len() * share / 100).min(last)];
        Some(Self { count: times.len(), p50: at(50), p90: at(90), p99: at(99), max: times[last] })
    }
}

impl Figures {
    pub(super) fn of(tally: Tally, took: Duration, late: u64, memory: Option<Memory>, address: String) -> Self {
        Self {
            address,
            seconds: took.as_secs_f64(),
            good: tally.took.len() as u64,
            errors: tally.errors,
            late,
            tokens: tally.tokens,
            latency: Spread::of(tally.took),
            first_token: Spread::of(tally.first),
            gap: Spread::of(tally.gaps),
            memory,
        }
    }

    pub(super) fn bad(&self) -> u64 {
        self.errors.values().sum()
    }

    /// So many in a second.
    pub(super) fn per_second(&self, n: u64) -> f64 {
        n as f64 / self.seconds.max(1e-9)
    }
}

/// What is shown: one load, or two to compare.
pub(super) struct Report {
    pub(super) measured: Figures,
    /// The same load on the address that was given to compare with.
    pub(super) against: Option<Figures>,
}

impl Report {
    /// Whether every call was answered well.
    pub(super) fn is_good(&self) -> bool {
        self.measured.good > 0
            && [Some(&self.measured), self.against.as_ref()].into_iter().flatten().all(|f| f.bad() == 0)
    }
}

/// The resident memory of a local process, in KiB.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pid: u32,
    pub(super) before: u64,
    pub(super) most: u64,
    pub(super) last: u64,
}

impl Memory {
    /// The memory of the process that was asked for, if one was.
    pub(super) fn of(pid: Option<u32>) -> Result<Option<Self>, String> {
        let Some(pid) = pid else { return Ok(None) };
        let before =
            resident(pid).ok_or_else(|| format!("there is no process {pid} whose memory can be read (--pid)"))?;
        Ok(Some(Self { pid, before, most: before, last: before }))
    }

    /// Looks again.
    pub(super) fn look(&mut self) {
        if let Some(now) = resident(self.pid) {
            self.last = now;
            self.most = self.most.max(now);
        }
    }
}

fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_names_the_time_within_which_so_many_were_done() {
        let spread = Spread::of((1..=1_000).rev().collect()).unwrap();
        assert_eq!(spread, Spread { count: 1_000, p50: 501, p90: 901, p99: 991, max: 1_000 });
        assert_eq!(Spread::of(vec![7]).unwrap(), Spread { count: 1, p50: 7, p90: 7, p99: 7, max: 7 });
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn errors_are_counted_by_kind_and_never_among_the_times() {
        let call = |outcome: Result<(), String>| Call {
            took: Duration::from_millis(2),
            first: Some(Duration::from_millis(1)),
            gaps: Vec::new(),
            tokens: 3,
            outcome,
        };
        let mut tally = Tally::default();
        tally.add(&call(Ok(())), Duration::from_millis(5));
        (0..3).for_each(|_| tally.add(&call(Err("status 500".to_owned())), Duration::ZERO));
        (0..50).for_each(|n| tally.add(&call(Err(format!("kind {n}"))), Duration::ZERO));
        let figures = Figures::of(tally, Duration::from_secs(2), 0, None, String::new());
        assert_eq!((figures.good, figures.bad(), figures.tokens, figures.errors["status 500"]), (1, 53, 3, 3));
        assert_eq!(figures.latency.unwrap().p50, 7_000, "what was late counts");
        assert!(figures.errors.len() <= KINDS + 1 && figures.per_second(figures.good) == 0.5);
    }
}
