//! What happens in each scenario. Fixed before anything was tuned; the same for every way of choosing.

use super::world::{Dice, Incident, What};

/// How long a run takes, in seconds.
pub(crate) const LENGTH: u64 = 90;
/// Calls a second, on average.
pub(crate) const RATE: f64 = 12.0;
/// When the first backend is slow, in seconds.
pub(crate) const SLOW: (u64, u64) = (20, 45);
/// When all are down.
pub(crate) const DOWN: (u64, u64) = (20, 40);

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) incidents: fn(&mut Dice) -> Vec<Incident>,
    /// Calls that a key may make at a backend in ten seconds.
    pub(crate) quota: Option<u32>,
    /// Whether backends say in their headers what is left.
    pub(crate) tells: bool,
}

const fn at(target: usize, from: u64, until: u64, what: What) -> Incident {
    Incident { target: Some(target), key: None, from, until, what }
}

const fn key(key: usize, from: u64, until: u64, what: What) -> Incident {
    Incident { target: None, key: Some(key), from, until, what }
}

const fn plain(name: &'static str, about: &'static str, incidents: fn(&mut Dice) -> Vec<Incident>) -> Scenario {
    Scenario { name, about, incidents, quota: None, tells: false }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    plain("calm", "nothing happens; the three backends take 200, 250 and 300 ms to the first event", |_| Vec::new()),
    plain("slow", "the first backend takes 2 s more, for 25 s", |_| vec![at(0, SLOW.0, SLOW.1, What::Slower(2000))]),
    plain("down", "the first backend refuses connections, for 25 s", |_| vec![at(0, 20, 45, What::Refuses)]),
    plain("flaky", "30 of 100 calls to the first backend fail with 500, for 40 s", |_| {
        vec![at(0, 20, 60, What::Fails(30))]
    }),
    plain("silent", "the first backend takes calls and never answers, for 20 s", |_| vec![at(0, 20, 40, What::Silent)]),
    plain("keys", "one of four keys is revoked (401), two others' account must pay (402) for 20 s", |_| {
        let pays = |number| key(number, 40, 60, What::MustPay);
        vec![key(0, 20, LENGTH, What::Revoked), pays(2), pays(3)]
    }),
    Scenario {
        name: "limits",
        about: "each key may make 14 calls in 10 s at each backend, which only says so with 429 and Retry-After",
        incidents: |_| Vec::new(),
        quota: Some(14),
        tells: false,
    },
    Scenario {
        name: "quotas",
        about: "the same, and each answer says in its headers what is left",
        incidents: |_| Vec::new(),
        quota: Some(14),
        tells: true,
    },
    plain("half", "all three fail 15 of 100 calls, for 30 s", |_| {
        (0..3).map(|target| at(target, 20, 50, What::Fails(15))).collect()
    }),
    plain("all down", "all three refuse connections, for 20 s", |_| {
        (0..3).map(|target| at(target, DOWN.0, DOWN.1, What::Refuses)).collect()
    }),
    plain("mixed", "six incidents of random kind, backend, time and length", |dice| {
        let mut incidents = Vec::new();
        for _ in 0..6 {
            let from = 10 + dice.below(60);
            let what = match dice.below(5) {
                0 => What::Slower(500 + dice.below(3000)),
                1 => What::Refuses,
                2 => What::Fails(10 + dice.below(90)),
                3 => What::Silent,
                _ => What::Fails(5 + dice.below(20)),
            };
            incidents.push(at(dice.below(3) as usize, from, from + 5 + dice.below(20), what));
        }
        incidents
    }),
];
