//! What follows a fault.

use std::{collections::HashSet, sync::Arc, time::Duration};

use policy::{
    health::Outcome,
    order::{Ask, Candidate, Need, choose},
    retry::{self, Facts, Next, STALE, Tries},
};
use types::{Fault, Kind, Retry, Sent};

use super::{SECOND, Scene, at, facts, fault, lane, refused, walk};

#[test]
fn a_failed_key_is_followed_by_another_key_and_a_failed_or_limited_target_by_another_target() {
    let (scene, need) = (Scene::new(), Need::default());
    let candidates: Vec<Candidate> = [("alpha", "one"), ("alpha", "two"), ("beta", "one"), ("beta", "two")]
        .map(|(place, key)| Candidate::new(lane(place, key)))
        .into();
    for (kind, same_place, same_key) in [
        (Kind::UpstreamUnauthenticated, true, false),
        (Kind::UpstreamPayment, true, false),
        (Kind::UpstreamForbidden, true, false),
        (Kind::UpstreamRateLimited, false, true),
        (Kind::UpstreamFailed, false, true),
        (Kind::UpstreamTimeout, false, true),
        (Kind::UpstreamLoading, false, true),
    ] {
        let mut tries = walk(&scene, &candidates, &need);
        let (first, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        drop(flight);
        assert_eq!(tries.after(first, &fault(kind), &facts(&scene), &scene.health, &candidates), Next::Other);
        let (second, _) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        let (a, b) = (&candidates[first].lane, &candidates[second].lane);
        assert!(same_place || a.place != b.place, "{kind:?}");
        assert!(same_key || a.key != b.key, "{kind:?}");
    }
}

#[test]
fn a_callers_fault_is_not_tried_again_and_no_call_more_often_than_allowed() {
    let (scene, need) = (Scene::new(), Need::default());
    let candidates: Vec<Candidate> = (0..10).map(|number| at(&format!("place {number}"))).collect();
    for kind in Kind::ALL.iter().filter(|kind| fault(**kind).retry == Retry::Never) {
        let mut tries = walk(&scene, &candidates, &need);
        let (first, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        let next = tries.after(first, &fault(*kind), &facts(&scene), &scene.health, &candidates);
        assert_eq!(next, Next::Fail, "{kind:?}");
    }
    let mut tries = walk(&scene, &candidates, &need);
    let mut asked = HashSet::new();
    loop {
        let (index, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        assert!(asked.insert(index));
        flight.end(Outcome::Caller, scene.now);
        if tries.after(index, &fault(Kind::UpstreamFailed), &facts(&scene), &scene.health, &candidates) == Next::Fail {
            break;
        }
    }
    assert_eq!(asked.len() as u32, retry::Settings::default().attempts);
}

#[test]
fn work_that_may_have_been_taken_on_is_never_submitted_again() {
    let (scene, need) = (Scene::new(), Need::default());
    let candidates = [at("alpha"), at("beta")];
    let next = |fault: &Fault| {
        let mut tries = walk(&scene, &candidates, &need);
        let (first, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        let facts = Facts { submits: true, ..facts(&scene) };
        tries.after(first, fault, &facts, &scene.health, &candidates)
    };
    for kind in Kind::ALL {
        assert_eq!(next(&Fault::new(*kind, "x").sent(Sent::Maybe)), Next::Fail, "{kind:?}");
    }
    assert_eq!(next(&fault(Kind::UpstreamUnreachable).code(STALE).sent(Sent::Maybe)), Next::Fail);
    for status in [500, 502, 504] {
        assert_eq!(next(&refused(status, Kind::UpstreamFailed, None)), Next::Fail, "{status}");
    }
    assert_eq!(next(&refused(503, Kind::UpstreamFailed, None)), Next::Other);
    assert_eq!(next(&refused(429, Kind::UpstreamRateLimited, None)), Next::Other);
    assert_eq!(next(&Fault::new(Kind::UpstreamUnreachable, "x").sent(Sent::No)), Next::Other);
}

#[test]
fn a_loading_model_is_tried_three_times_and_never_beyond_the_deadline() {
    let scene = Scene::new();
    let candidates = [at("alpha")];
    let loading = fault(Kind::UpstreamLoading).retry_after(200 * SECOND);
    let mut tries = Tries::single(Arc::default());
    let facts = Facts { left: 600 * SECOND, ..facts(&scene) };
    for expected in [Next::Again(60 * SECOND), Next::Again(60 * SECOND), Next::Fail] {
        let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        assert_eq!(tries.after(index, &loading, &facts, &scene.health, &candidates), expected);
    }
    let mut tries = Tries::single(Arc::default());
    let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    let short = Facts { left: 30 * SECOND, ..facts };
    assert_eq!(tries.after(index, &loading, &short, &scene.health, &candidates), Next::Fail);
}

#[test]
fn a_missing_model_is_looked_up_afresh_once() {
    let scene = Scene::new();
    let candidates = [at("alpha")];
    let mut tries = Tries::single(Arc::default());
    let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    let missing = fault(Kind::UpstreamNotFound);
    assert_eq!(tries.after(index, &missing, &facts(&scene), &scene.health, &candidates), Next::LookUp);
    tries.replaced(vec![0]);
    let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    assert_eq!(tries.after(index, &missing, &facts(&scene), &scene.health, &candidates), Next::Fail);
}

#[test]
fn a_dead_kept_connection_is_followed_by_a_fresh_one_once_and_costs_no_budget() {
    let scene = Scene::new();
    let candidates = [at("alpha")];
    let settings = Arc::new(retry::Settings { budget: 0.0, floor: 0.0, ..retry::Settings::default() });
    let mut tries = Tries::single(settings);
    let dead = fault(Kind::UpstreamUnreachable).code(STALE);
    let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    assert_eq!(tries.after(index, &dead, &facts(&scene), &scene.health, &candidates), Next::Again(Duration::ZERO));
    let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    assert_eq!(tries.after(index, &dead, &facts(&scene), &scene.health, &candidates), Next::Fail);
}

#[test]
fn a_refused_connection_is_tried_again_at_the_same_target_after_a_random_wait_when_there_is_no_other() {
    let scene = Scene::new();
    let candidates = [at("alpha")];
    let mut waits = HashSet::new();
    for seed in 0..50 {
        let mut tries = Tries::single(Arc::default());
        let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        let facts = Facts { seed: seed * 97, now: scene.now + seed as u32 * SECOND, ..facts(&scene) };
        let next = tries.after(index, &fault(Kind::UpstreamUnreachable), &facts, &scene.health, &candidates);
        let Next::Again(wait) = next else { panic!("{next:?}") };
        assert!((50..=100).contains(&wait.as_millis()), "{wait:?}");
        waits.insert(wait);
    }
    assert!(waits.len() > 20, "{waits:?}");
}

#[test]
fn the_budget_is_a_fifth_of_the_calls_and_ten_a_second() {
    let mut scene = Scene::new();
    let (candidates, need) = ([at("alpha"), at("beta")], Need::default());
    let mut again = 0;
    for _ in 0..1000 {
        let mut tries = walk(&scene, &candidates, &need);
        let (index, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        flight.end(Outcome::Caller, scene.now);
        let next = tries.after(index, &fault(Kind::UpstreamFailed), &facts(&scene), &scene.health, &candidates);
        again += u32::from(next == Next::Other);
        scene.wait(Duration::from_millis(2));
    }
    // 200 of 1,000 calls in two seconds, and 10 a second from a full start.
    assert!((215..=232).contains(&again), "{again}");
}

#[test]
fn the_first_failure_of_an_idle_gateway_is_tried_again() {
    let scene = Scene::new();
    let candidates = [at("alpha"), at("beta")];
    let mut tries = walk(&scene, &candidates, &Need::default());
    let (index, _flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    let next = tries.after(index, &fault(Kind::UpstreamFailed), &facts(&scene), &scene.health, &candidates);
    assert_eq!(next, Next::Other);
}

#[test]
fn a_second_attempt_starts_after_the_time_that_95_of_100_first_events_take_and_goes_elsewhere() {
    let mut scene = Scene::new();
    let candidates = [at("alpha"), at("beta")];
    for number in 1..=100 {
        scene.serve(&lane("alpha", "main"), Duration::from_millis(number));
    }
    let mut tries = Tries::new(vec![0, 1], Arc::default());
    let (index, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    let after = tries.hedge_after(index, &scene.health, &candidates).unwrap().as_millis();
    assert!((90..=125).contains(&after), "{after}");
    let (other, second) = tries.hedge(index, &scene.health, &candidates, scene.now).unwrap();
    assert_eq!((index, other), (0, 1));
    assert!(tries.hedge_after(index, &scene.health, &candidates).is_none(), "nobody is left");
    drop([flight, second]);
}

#[test]
fn a_call_that_timed_out_goes_back_to_who_failed_by_chance_before() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let candidates = vec![at("alpha"), at("beta")];
    let mut tries = walk(&scene, &candidates, &need);
    let mut asked = Vec::new();
    for kind in [Kind::UpstreamFailed, Kind::UpstreamTimeout] {
        let (index, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
        flight.end(Outcome::of(&fault(kind)), scene.now);
        asked.push(index);
        match tries.after(index, &fault(kind), &facts(&scene), &scene.health, &candidates) {
            Next::Again(wait) => scene.wait(wait),
            next => assert_eq!(next, Next::Other),
        }
    }
    let (again, _flight) = tries.begin(&scene.health, &candidates, scene.now).expect("the one that failed at once");
    assert_eq!(again, asked[0]);
}

#[test]
fn a_call_that_failed_waits_for_another_calls_try_as_one_that_comes_does() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let candidates = vec![at("alpha"), at("beta")];
    let mut tries = walk(&scene, &candidates, &need);
    let (first, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    let other = &candidates[1 - first].lane;
    for _ in 0..5 {
        scene.fail(other, &fault(Kind::UpstreamFailed));
    }
    scene.wait(SECOND * 2);
    let trying = scene.health.begin(other, scene.now).expect("another call's try");
    let failed = fault(Kind::UpstreamTimeout);
    flight.end(Outcome::of(&failed), scene.now);
    assert_eq!(tries.after(first, &failed, &facts(&scene), &scene.health, &candidates), Next::Other);
    assert!(tries.begin(&scene.health, &candidates, scene.now).is_none());
    assert!(tries.comes_again());
    let mut trying = trying;
    trying.first_event(scene.now);
    assert!(tries.begin(&scene.health, &candidates, scene.now).is_some_and(|(index, _)| index == 1 - first));
}

#[test]
fn what_follows_a_try_of_who_failed_is_not_on_the_budget() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let candidates = vec![at("alpha"), at("beta")];
    for _ in 0..5 {
        scene.fail(&candidates[0].lane, &fault(Kind::UpstreamFailed));
    }
    scene.wait(SECOND * 2);
    let none = retry::Settings { budget: 0.0, saved: 1.0, floor: 0.0, ..Default::default() };
    let order = choose(&candidates, &Ask::new(&need, 1), &scene.health, scene.now);
    let mut tries = Tries::new(order.attempts, Arc::new(none));
    let (first, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    assert_eq!(first, 0, "it is tried again");
    let failed = fault(Kind::UpstreamFailed);
    flight.end(Outcome::of(&failed), scene.now);
    assert_eq!(tries.after(0, &failed, &facts(&scene), &scene.health, &candidates), Next::Other);
    let (second, flight) = tries.begin(&scene.health, &candidates, scene.now).unwrap();
    flight.end(Outcome::of(&failed), scene.now);
    assert_eq!(tries.after(second, &failed, &facts(&scene), &scene.health, &candidates), Next::Fail);
}
