//! Several keys at one target: which one a call goes out with.

use std::{collections::BTreeMap, time::Duration};

use policy::{
    health::{Bucket, Lane, Outcome, Quota},
    order::{Ask, Candidate, Need, choose, sticky},
};
use types::Kind;

use super::{SECOND, Scene, fault, lane, refused};

/// So many keys at one target.
fn keys(count: usize) -> Vec<Candidate> {
    (0..count).map(|number| Candidate::new(lane("alpha", &format!("key {number}")))).collect()
}

/// Calls one after the other, each with its own seed; how many each key got. `took` is how long a key takes.
fn shares(
    scene: &mut Scene,
    candidates: &[Candidate],
    calls: u64,
    took: impl Fn(usize) -> Duration,
) -> BTreeMap<usize, u64> {
    let (need, mut shares) = (Need { stream: true, ..Need::default() }, BTreeMap::new());
    for seed in 0..calls {
        let first = scene.first(candidates, &Ask::new(&need, seed * 7919 + calls));
        scene.serve(&candidates[first].lane, took(first));
        *shares.entry(first).or_default() += 1;
    }
    shares
}

#[test]
fn equal_keys_share_calls_from_the_first_one_on() {
    for count in 2..=8 {
        let (mut scene, candidates) = (Scene::new(), keys(count));
        let calls = 100 * count as u64;
        let shares = shares(&mut scene, &candidates, calls, |_| SECOND / 5);
        let fair = 85..=115;
        assert!(shares.len() == count && shares.values().all(|calls| fair.contains(calls)), "{count}: {shares:?}");
        // Already of the first few calls no key gets nearly all.
        let (mut scene, few) = (Scene::new(), 4 * count as u64);
        let shares = self::shares(&mut scene, &candidates, few, |_| SECOND / 5);
        assert!(shares.len() > count / 2 && shares.values().all(|calls| calls * 4 <= few * 3), "{count}: {shares:?}");
    }
}

#[test]
fn calls_that_belong_together_stay_with_one_key_and_others_spread() {
    let (scene, candidates, need) = (Scene::new(), keys(4), Need::default());
    let mut seen = BTreeMap::new();
    for session in 0..200 {
        let sticky = Some(sticky(&format!("session {session}")));
        let key = |seed| scene.first(&candidates, &Ask { sticky, ..Ask::new(&need, seed) });
        let first = key(1);
        assert!((2..20).all(|seed| key(seed) == first));
        *seen.entry(first).or_insert(0) += 1;
    }
    assert!(seen.len() == 4 && seen.values().all(|sessions| *sessions > 25), "{seen:?}");
}

#[test]
fn a_key_that_takes_two_seconds_more_loses_its_share_within_ten_seconds_and_has_it_back_within_thirty() {
    let (mut scene, candidates) = (Scene::new(), keys(3));
    let usual = SECOND / 5;
    let part = |shares: &BTreeMap<usize, u64>| {
        shares.get(&0).copied().unwrap_or_default() as f64 / shares.values().sum::<u64>() as f64
    };
    shares(&mut scene, &candidates, 100, |_| usual);
    let slow = |key| if key == 0 { usual + 2 * SECOND } else { usual };
    let began = scene.now;
    while scene.now < began + 10 * SECOND {
        shares(&mut scene, &candidates, 1, slow);
    }
    let slower = shares(&mut scene, &candidates, 200, slow);
    assert!(part(&slower) < 0.10, "{slower:?}");
    let healed = scene.now;
    let mut seed = 0;
    while scene.now < healed + 30 * SECOND {
        seed += 1;
        shares(&mut scene, &candidates, seed % 5 + 1, |_| usual);
    }
    let again = shares(&mut scene, &candidates, 200, |_| usual);
    assert!(part(&again) > 0.25, "{again:?}");
}

#[test]
fn times_that_differ_a_little_move_no_share() {
    let (mut scene, candidates) = (Scene::new(), keys(3));
    let shares = shares(&mut scene, &candidates, 300, |key| SECOND / 5 + SECOND / 20 * key as u32);
    assert!(shares.values().all(|calls| (70..=130).contains(calls)), "{shares:?}");
    // Ten times as long is little where it is a few milliseconds.
    let (mut scene, millisecond) = (Scene::new(), SECOND / 1000);
    let shares =
        self::shares(&mut scene, &candidates, 300, |key| if key == 1 { millisecond * 20 } else { millisecond * 2 });
    assert!(shares.values().all(|calls| (70..=130).contains(calls)), "{shares:?}");
}

#[test]
fn a_key_that_fails_where_others_do_not_gets_few_calls() {
    let (mut scene, candidates, need) = (Scene::new(), keys(3), Need { stream: true, ..Need::default() });
    let mut failed = 0;
    for seed in 0..300 {
        let first = scene.first(&candidates, &Ask::new(&need, seed));
        if first == 0 && seed % 2 == 0 {
            scene.fail(&candidates[first].lane, &fault(Kind::UpstreamFailed));
            failed += 1;
        } else {
            scene.serve(&candidates[first].lane, SECOND / 5);
        }
    }
    assert!((1..30).contains(&failed), "{failed}");
}

#[test]
fn a_key_of_which_little_is_left_gets_few_calls() {
    let (scene, candidates, need) = (Scene::new(), keys(2), Need { stream: true, ..Need::default() });
    let told = |lane: &Lane, remaining| {
        let mut flight = scene.health.begin(lane, scene.now).unwrap();
        let bucket = Bucket { remaining, limit: Some(1000), reset: Some(60 * SECOND) };
        flight.quota(Quota { requests: Some(bucket), tokens: None }, scene.now);
        flight.end(Outcome::Served { output_tokens: Some(10) }, scene.now);
    };
    told(&candidates[0].lane, 20);
    told(&candidates[1].lane, 900);
    let scarce = (0..200).filter(|seed| scene.first(&candidates, &Ask::new(&need, *seed)) == 0).count();
    assert!(scarce < 10, "{scarce}");
}

#[test]
fn the_key_with_less_under_way_is_taken_the_more_often_the_more_the_other_has() {
    let (scene, candidates, need) = (Scene::new(), keys(2), Need::default());
    let busy = |scene: &Scene| (0..400).filter(|seed| scene.first(&candidates, &Ask::new(&need, *seed)) == 0).count();
    let mut under_way = Vec::new();
    for most in [60, 20, 8] {
        under_way.push(scene.health.begin(&candidates[0].lane, scene.now).unwrap());
        let calls = busy(&scene);
        assert!(calls < most, "{calls} of 400 calls with {} under way", under_way.len());
    }
}

#[test]
fn after_a_refusal_the_key_that_was_used_longest_ago_is_next() {
    let (mut scene, candidates, need) = (Scene::new(), keys(4), Need { stream: true, ..Need::default() });
    for key in [2, 0, 3, 1] {
        scene.serve(&candidates[key].lane, SECOND / 5);
    }
    scene.fail(&candidates[2].lane, &refused(429, Kind::UpstreamRateLimited, Some(60 * SECOND)));
    for seed in 0..50 {
        let order = choose(&candidates, &Ask::new(&need, seed), &scene.health, scene.now);
        let rest: Vec<usize> = [0, 3, 1].into_iter().filter(|key| *key != order.attempts[0]).collect();
        assert_eq!(order.attempts[1..], rest, "{:?}", order.attempts);
    }
}
