//! Three backends, four keys, and what becomes of a call there.

use std::time::Duration;

use policy::health::{Bucket, Quota};
use types::{Fault, Kind, Sent};

use super::scenarios::Scenario;

pub(crate) const TARGETS: usize = 3;
pub(crate) const KEYS: usize = 4;
pub(crate) const LANES: usize = TARGETS * KEYS;

/// Microseconds from a run's beginning.
pub(crate) type Time = u64;
pub(crate) const SECOND: Time = 1_000_000;
const MILLISECOND: Time = 1000;
/// Time to the first event of each backend when nothing happens.
pub(crate) const FIRST: [Time; TARGETS] = [200 * MILLISECOND, 250 * MILLISECOND, 300 * MILLISECOND];
const PER_TOKEN: [Time; TARGETS] = [8 * MILLISECOND, 10 * MILLISECOND, 12 * MILLISECOND];
/// How many calls a backend works on at once without getting slower.
const ROOM: f64 = 60.0;
/// How long a call waits for its first event.
const PATIENCE: Time = 10 * SECOND;
const WINDOW: Time = 10 * SECOND;

/// Random numbers of a seed; only operations that every machine computes alike.
#[derive(Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Around one, with a long tail (Pareto's, of the second power).
    fn noise(&mut self) -> f64 {
        (0.8 + 0.2 / (1.0 - self.unit()).sqrt()).min(8.0)
    }

    /// The time to the next of independent calls: between none and twice the mean, which differs little from the real law.
    pub(crate) fn gap(&mut self, rate: f64) -> Time {
        (self.unit() * 2.0 * SECOND as f64 / rate) as Time
    }
}

/// What goes wrong, where, from when to when (seconds).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incident {
    pub(crate) target: Option<usize>,
    pub(crate) key: Option<usize>,
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// So many milliseconds to the first event more.
    Slower(u64),
    /// No connection.
    Refuses,
    /// So many of 100 calls answered with 500.
    Fails(u64),
    /// Calls are taken and never answered.
    Silent,
    /// 401.
    Revoked,
    /// 402.
    MustPay,
}

/// What becomes of a call.
pub(crate) struct Answer {
    /// When the first event, or the fault, is there.
    pub(crate) first: Time,
    /// When the answer ends, and with how many tokens; or what went wrong.
    pub(crate) end: Result<(Time, u64), Box<Fault>>,
    pub(crate) quota: Option<Quota>,
}

pub(crate) struct World {
    scenario: &'static Scenario,
    incidents: Vec<Incident>,
    dice: Dice,
    in_flight: [u32; TARGETS],
    used: [(Time, u32); LANES],
    /// Calls that were refused for their number, and those that came although their lane had said when to come again.
    pub(crate) limited: u32,
    pub(crate) too_early: u32,
    /// Calls beyond what an answer had told before they were sent.
    pub(crate) beyond_told: u32,
    /// From when to when each lane is told to stay away.
    away: [(Time, Time); LANES],
}

impl World {
    pub(crate) fn new(scenario: &'static Scenario, seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0xa5a5);
        let incidents = (scenario.incidents)(&mut dice);
        Self {
            scenario,
            incidents,
            dice,
            in_flight: [0; TARGETS],
            used: [(0, 0); LANES],
            limited: 0,
            too_early: 0,
            beyond_told: 0,
            away: [(0, 0); LANES],
        }
    }

    /// A call arrives at a backend with a key.
    pub(crate) fn send(&mut self, lane: usize, now: Time) -> Answer {
        let (target, key) = (lane / KEYS, lane % KEYS);
        self.in_flight[target] += 1;
        let noise = self.dice.noise();
        let chance = self.dice.below(100);
        let tokens = 20 + self.dice.below(160);
        let crowd = (f64::from(self.in_flight[target]) / ROOM).max(1.0);
        let mut first = (FIRST[target] as f64 * noise * crowd) as Time;
        let second = now / SECOND;
        for incident in &self.incidents {
            let here = incident.target.is_none_or(|t| t == target) && incident.key.is_none_or(|k| k == key);
            if !here || !(incident.from..incident.until).contains(&second) {
                continue;
            }
            let fault = |after: Time, kind, status: Option<u16>, sent| {
                let mut fault = Fault::new(kind, "x").sent(sent);
                fault.status = status;
                Answer { first: now + after, end: Err(fault), quota: None }
            };
            match incident.what {
                What::Slower(more) => first += more * MILLISECOND,
                What::Refuses => return fault(2 * MILLISECOND, Kind::UpstreamUnreachable, None, Sent::No),
                What::Fails(share) if chance < share => {
                    return fault(50 * MILLISECOND, Kind::UpstreamFailed, Some(500), Sent::Yes);
                }
                What::Fails(_) => {}
                What::Silent => return fault(PATIENCE, Kind::UpstreamTimeout, None, Sent::Maybe),
                What::Revoked => return fault(30 * MILLISECOND, Kind::UpstreamUnauthenticated, Some(401), Sent::Yes),
                What::MustPay => return fault(30 * MILLISECOND, Kind::UpstreamPayment, Some(402), Sent::Yes),
            }
        }
        let quota = match self.count(lane, now) {
            Ok(quota) => quota,
            Err(fault) => return Answer { first: now + 20 * MILLISECOND, end: Err(fault), quota: None },
        };
        let first = now + first;
        Answer { first, end: Ok((first + tokens * PER_TOKEN[target], tokens)), quota }
    }

    pub(crate) fn done(&mut self, lane: usize) {
        self.in_flight[lane / KEYS] -= 1;
    }

    /// Counts the call; windows begin at whole tens of seconds.
    fn count(&mut self, lane: usize, now: Time) -> Result<Option<Quota>, Box<Fault>> {
        let Some(limit) = self.scenario.quota else { return Ok(None) };
        let (told, until) = self.away[lane];
        self.too_early += u32::from((told..until).contains(&now));
        let (window, used) = &mut self.used[lane];
        if now / WINDOW != *window {
            (*window, *used) = (now / WINDOW, 0);
        }
        let reset = Duration::from_micros(WINDOW - now % WINDOW);
        if *used >= limit {
            self.limited += 1;
            if self.scenario.tells {
                self.beyond_told += 1;
            }
            // The refusal is there a little later, and counts from then.
            let told = now + 20 * MILLISECOND;
            self.away[lane] = (told, told + reset.as_micros() as Time);
            let mut fault = Fault::new(Kind::UpstreamRateLimited, "x").sent(Sent::Yes).retry_after(reset);
            fault.status = Some(429);
            return Err(fault);
        }
        *used += 1;
        let bucket = Bucket { remaining: u64::from(limit - *used), limit: Some(u64::from(limit)), reset: Some(reset) };
        Ok(self.scenario.tells.then_some(Quota { requests: Some(bucket), tokens: None }))
    }
}
