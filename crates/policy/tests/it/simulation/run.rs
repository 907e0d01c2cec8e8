//! One run: calls arrive, are sent, answered, tried again.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use policy::{
    credentials::Whose,
    health::{self, Flight, Health, Lane},
    order::{Ask, Candidate, Need, choose},
    retry::{self, Facts, Next, Tries},
};
use types::{BackendName, Fault, Retry};

use super::{
    scenarios::{LENGTH, RATE, Scenario},
    ways::{self, Way},
    world::{Answer, Dice, KEYS, LANES, SECOND, TARGETS, Time, World},
};

/// How long a call may take in all.
const DEADLINE: Time = 30 * SECOND;
/// How long a call waits for another one's try, and how often it looks: as the configuration has it.
const PROBE_WAIT: Time = 5 * SECOND;
const PROBE_LOOK: Time = SECOND / 50;
/// How often a call is sent in the other ways.
const ATTEMPTS: u32 = 4;

/// What came of a run.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) calls: u32,
    pub(crate) sent: u32,
    pub(crate) explored: u32,
    pub(crate) limited: u32,
    pub(crate) too_early: u32,
    pub(crate) beyond_told: u32,
    /// Of each call: when it came, how long its first event took, whether it failed.
    pub(crate) ends: Vec<(Time, Time, bool)>,
    /// Of each attempt: when, and to which target.
    firsts: Vec<(Time, usize)>,
}

impl Outcome {
    /// The share of first attempts that went to a target in these seconds.
    pub(crate) fn share(&self, target: usize, seconds: Range<u64>) -> f64 {
        let within = |at: &Time| seconds.contains(&(at / SECOND));
        let all = self.firsts.iter().filter(|(at, _)| within(at)).count();
        let own = self.firsts.iter().filter(|(at, to)| within(at) && *to == target).count();
        own as f64 / all.max(1) as f64
    }

    /// How long calls took that came in these seconds.
    pub(crate) fn took(&self, seconds: Range<u64>) -> impl Iterator<Item = Duration> {
        let within = self.ends.iter().filter(move |(at, ..)| seconds.contains(&(at / SECOND)));
        within.map(|(_, took, _)| Duration::from_micros(*took))
    }

    /// How many of them failed.
    pub(crate) fn failed(&self, seconds: Range<u64>) -> usize {
        self.ends.iter().filter(|(at, _, failed)| *failed && seconds.contains(&(at / SECOND))).count()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    /// A call is sent (again).
    Send(usize),
    /// The first event or the fault of a call is there.
    First(usize),
    End(usize),
}

struct Call {
    came: Time,
    order: Vec<usize>,
    tries: Option<Tries>,
    flight: Option<Flight>,
    lane: usize,
    sent: u32,
    /// How long it has waited for other calls' tries.
    waited: Time,
    answer: Option<Answer>,
}

struct Run {
    way: Way,
    base: Instant,
    health: Health,
    retries: Arc<retry::Settings>,
    candidates: Vec<Candidate>,
    need: Need,
    world: World,
    dice: Dice,
    under_way: [u32; LANES],
    calls: Vec<Call>,
    queue: BinaryHeap<Reverse<(Time, u64, Event)>>,
    number: u64,
    outcome: Outcome,
}

/// The 12 lanes: four hf_ tokens of two accounts at three backends.
fn candidates() -> Vec<Candidate> {
    let lane = |lane: usize| Lane {
        place: BackendName::new(["alpha", "beta", "gamma"][lane / KEYS]),
        model: "org/model".into(),
        key: Some(["k0", "k1", "k2", "k3"][lane % KEYS].into()),
        account: Some(["one", "one", "two", "two"][lane % KEYS].into()),
        whose: Whose::Operator,
    };
    (0..LANES).map(|index| Candidate::new(lane(index))).collect()
}

pub(crate) fn run(scenario: &'static Scenario, way: Way, seed: u64) -> Outcome {
    let base = Instant::now();
    let mut run = Run {
        way,
        base,
        health: Health::new(health::Settings::default(), base),
        retries: Arc::default(),
        candidates: candidates(),
        need: Need { stream: true, ..Need::default() },
        world: World::new(scenario, seed),
        dice: Dice(seed ^ 0x5eed_5eed_5eed_5eed),
        under_way: [0; LANES],
        calls: Vec::new(),
        queue: BinaryHeap::new(),
        number: 0,
        outcome: Outcome::default(),
    };
    // Arrivals are the same for every way: they have dice of their own.
    let (mut arrivals, mut at) = (Dice(seed.wrapping_add(77)), 0);
    while at < LENGTH * SECOND {
        run.push(at, Event::Arrive);
        at += arrivals.gap(RATE);
    }
    while let Some(Reverse((now, _, event))) = run.queue.pop() {
        run.step(now, event);
    }
    run.outcome.limited = run.world.limited;
    run.outcome.too_early = run.world.too_early;
    run.outcome.beyond_told = run.world.beyond_told;
    run.outcome
}

impl Run {
    fn push(&mut self, at: Time, event: Event) {
        self.number += 1;
        self.queue.push(Reverse((at, self.number, event)));
    }

    fn at(&self, now: Time) -> Instant {
        self.base + Duration::from_micros(now)
    }

    fn step(&mut self, now: Time, event: Event) {
        match event {
            Event::Arrive => self.arrive(now),
            Event::Send(call) => self.send(call, now),
            Event::First(call) => self.first(call, now),
            Event::End(call) => self.end(call, now),
        }
    }

    fn arrive(&mut self, now: Time) {
        let number = self.calls.len();
        let (order, tries) = match self.way {
            Way::Ironbow => {
                let ask = Ask::new(&self.need, self.dice.next());
                let order = choose(&self.candidates, &ask, &self.health, self.at(now));
                self.outcome.explored += u32::from(order.explores);
                (
                    Vec::new(),
                    Some(Tries::new(order.attempts, self.retries.clone()).later(order.later).alone(order.alone)),
                )
            }
            way => (ways::order(way, number as u64, &self.under_way, &mut self.dice), None),
        };
        self.outcome.calls += 1;
        self.calls.push(Call { came: now, order, tries, flight: None, lane: 0, sent: 0, waited: 0, answer: None });
        self.send(number, now);
    }

    fn send(&mut self, number: usize, now: Time) {
        let at = self.at(now);
        let call = &mut self.calls[number];
        let lane = match &mut call.tries {
            Some(tries) => match tries.begin(&self.health, &self.candidates, at) {
                Some((lane, flight)) => {
                    call.flight = Some(flight);
                    Some(lane)
                }
                None => None,
            },
            None => call.order.get(call.sent as usize).copied(),
        };
        let Some(lane) = lane else {
            // As in the gateway: whoever has nobody else waits while other calls try everybody.
            let call = &mut self.calls[number];
            if call.waited < PROBE_WAIT && call.tries.as_mut().is_some_and(Tries::comes_again) {
                call.waited += PROBE_LOOK;
                return self.push(now + PROBE_LOOK, Event::Send(number));
            }
            return self.over(number, now, true);
        };
        call.lane = lane;
        call.sent += 1;
        if call.sent == 1 {
            self.outcome.firsts.push((now, lane / KEYS));
        }
        self.outcome.sent += 1;
        self.under_way[lane] += 1;
        let answer = self.world.send(lane, now);
        let first = answer.first;
        self.calls[number].answer = Some(answer);
        self.push(first, Event::First(number));
    }

    fn first(&mut self, number: usize, now: Time) {
        let at = self.at(now);
        let Some(answer) = self.calls[number].answer.take() else { return };
        let call = &mut self.calls[number];
        match answer.end {
            Ok((end, _)) => {
                if let Some(flight) = &mut call.flight {
                    if let Some(quota) = answer.quota {
                        flight.quota(quota, at);
                    }
                    flight.first_event(at);
                }
                call.answer = Some(answer);
                self.over(number, now, false);
                self.push(end, Event::End(number));
            }
            Err(fault) => {
                self.leave(number);
                self.failed(number, &fault, now);
            }
        }
    }

    fn leave(&mut self, number: usize) {
        let lane = self.calls[number].lane;
        self.under_way[lane] -= 1;
        self.world.done(lane);
    }

    fn failed(&mut self, number: usize, fault: &Fault, now: Time) {
        let at = self.at(now);
        let seed = self.dice.next();
        let call = &mut self.calls[number];
        let left = (call.came + DEADLINE).saturating_sub(now);
        if let Some(flight) = call.flight.take() {
            flight.end(health::Outcome::of(fault), at);
        }
        let next = match &mut call.tries {
            Some(tries) => {
                let facts = Facts { submits: false, left: Duration::from_micros(left), now: at, seed };
                tries.after(call.lane, fault, &facts, &self.health, &self.candidates)
            }
            None if fault.retry == Retry::Never || call.sent >= ATTEMPTS => Next::Fail,
            None => Next::Other,
        };
        match next {
            _ if left == 0 => self.over(number, now, true),
            Next::Other => self.send(number, now),
            Next::Again(wait) => self.push(now + wait.as_micros() as Time, Event::Send(number)),
            Next::Fail | Next::LookUp => self.over(number, now, true),
        }
    }

    fn end(&mut self, number: usize, now: Time) {
        let at = self.at(now);
        self.leave(number);
        let call = &mut self.calls[number];
        let tokens = call.answer.take().and_then(|answer| answer.end.ok()).map(|(_, tokens)| tokens);
        if let Some(flight) = call.flight.take() {
            flight.end(health::Outcome::Served { output_tokens: tokens }, at);
        }
    }

    fn over(&mut self, number: usize, now: Time, failed: bool) {
        let came = self.calls[number].came;
        self.outcome.ends.push((came, now - came, failed));
    }
}

const _: () = assert!(LANES == TARGETS * KEYS);
