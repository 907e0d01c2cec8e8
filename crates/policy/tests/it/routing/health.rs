//! What is remembered of targets, keys and accounts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use policy::{
    credentials::Whose,
    health::{Bucket, Health, Lane, Outcome, Quota, Reason, Settings, State},
    order::{Ask, Candidate, Need, choose},
    retry::Tries,
};
use types::{BackendName, Kind};

use super::{SECOND, Scene, fault, lane, refused, walk};

#[test]
fn five_failures_in_a_row_shut_a_target_and_one_call_tries_it_after_a_second() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    for _ in 0..5 {
        scene.fail(&lane, &fault(Kind::UpstreamFailed));
    }
    assert_eq!(scene.state(&lane), State::Failed);
    assert!(matches!(scene.refusal(&lane), Some(Reason::Failed { wait }) if wait <= SECOND));
    scene.wait(SECOND);
    let trying = scene.health.begin(&lane, scene.now).expect("one may try");
    assert_eq!(scene.refusal(&lane), Some(Reason::Probing));
    trying.end(Outcome::of(&fault(Kind::UpstreamFailed)), scene.now);
    scene.wait(SECOND);
    assert_eq!(scene.state(&lane), State::Failed, "the time has doubled");
    scene.wait(SECOND);
    for _ in 0..3 {
        assert_eq!(scene.state(&lane), State::Recovering);
        scene.serve(&lane, SECOND / 10);
    }
    assert_eq!(scene.state(&lane), State::Recovering, "its share grows slowly");
    scene.wait(10 * SECOND);
    assert_eq!(scene.state(&lane), State::Healthy);
}

#[test]
fn a_stream_that_stalls_or_is_cut_off_is_a_failure() {
    for kind in [Kind::UpstreamStalled, Kind::UpstreamTruncated] {
        let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
        for _ in 0..5 {
            let mut flight = scene.health.begin(&lane, scene.now).expect("it may be asked");
            flight.first_event(scene.now);
            scene.wait(SECOND);
            flight.end(Outcome::of(&fault(kind)), scene.now);
        }
        assert_eq!(scene.state(&lane), State::Failed, "{kind:?}");
    }
}

#[test]
fn a_target_that_fails_sometimes_or_gets_slow_is_degraded() {
    let (mut scene, flaky, slow) = (Scene::new(), lane("alpha", "main"), lane("beta", "main"));
    for round in 0..40 {
        scene.serve(&slow, SECOND / 20);
        if round % 4 == 0 {
            scene.fail(&flaky, &fault(Kind::UpstreamFailed));
        } else {
            scene.serve(&flaky, SECOND / 20);
        }
    }
    assert_eq!((scene.state(&flaky), scene.state(&slow)), (State::Degraded, State::Healthy));
    for _ in 0..5 {
        scene.serve(&slow, SECOND);
    }
    assert_eq!(scene.state(&slow), State::Degraded);
}

#[test]
fn too_many_requests_put_one_key_at_one_backend_with_one_model_aside_exactly_as_long_as_told() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    scene.fail(&lane, &refused(429, Kind::UpstreamRateLimited, Some(7 * SECOND)));
    let others =
        [self::lane("beta", "main"), self::lane("alpha", "second"), Lane { model: "org/other".into(), ..lane.clone() }];
    assert!(others.iter().all(|other| scene.refusal(other).is_none()));
    scene.wait(7 * SECOND - Duration::from_millis(1));
    assert!(matches!(scene.refusal(&lane), Some(Reason::RateLimited { .. })));
    scene.wait(Duration::from_millis(1));
    let one = scene.health.begin(&lane, scene.now).expect("one may try");
    assert_eq!(scene.refusal(&lane), Some(Reason::Probing));
    one.end(Outcome::Served { output_tokens: None }, scene.now);
    assert_eq!((scene.refusal(&lane), scene.state(&lane)), (None, State::Healthy));
}

#[test]
fn a_time_to_come_again_is_believed_for_five_minutes_at_most_and_on_429_and_503_only() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    scene.fail(&lane, &refused(429, Kind::UpstreamRateLimited, Some(3600 * SECOND)));
    assert!(matches!(scene.refusal(&lane), Some(Reason::RateLimited { wait }) if wait == 300 * SECOND));
    let mut scene = Scene::new();
    scene.fail(&lane, &refused(500, Kind::UpstreamFailed, Some(60 * SECOND)));
    assert_eq!(scene.refusal(&lane), None);
    scene.fail(&lane, &refused(503, Kind::UpstreamFailed, Some(60 * SECOND)));
    assert!(matches!(scene.refusal(&lane), Some(Reason::Unavailable { wait }) if wait == 60 * SECOND));
}

#[test]
fn without_a_time_to_come_again_the_wait_doubles() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    for wait in [1, 2, 4, 8] {
        scene.fail(&lane, &refused(429, Kind::UpstreamRateLimited, None));
        let told = scene.refusal(&lane).and_then(|reason| reason.wait());
        assert_eq!(told, Some(wait * SECOND));
        scene.wait(wait * SECOND);
    }
}

#[test]
fn a_refused_key_is_put_aside_everywhere_a_forbidden_one_for_the_model_an_account_with_all_its_keys() {
    let elsewhere = |lane: &Lane| Lane { place: BackendName::new("beta"), ..lane.clone() };
    let other_model = |lane: &Lane| Lane { model: "org/other".into(), ..lane.clone() };
    let one = lane("alpha", "one");
    let two = Lane { account: one.account.clone(), ..lane("alpha", "two") };

    let mut scene = Scene::new();
    scene.fail(&one, &refused(401, Kind::UpstreamUnauthenticated, None));
    assert!(scene.refusal(&elsewhere(&one)).is_some() && scene.refusal(&other_model(&one)).is_some());
    assert!(scene.refusal(&two).is_none());
    scene.health.forget_key("one");
    assert!(scene.refusal(&one).is_none(), "a new secret is a new key");

    let mut scene = Scene::new();
    scene.fail(&one, &refused(403, Kind::UpstreamForbidden, None));
    assert!(scene.refusal(&elsewhere(&one)).is_some());
    assert!(scene.refusal(&other_model(&one)).is_none() && scene.refusal(&two).is_none());

    let mut scene = Scene::new();
    scene.fail(&one, &refused(402, Kind::UpstreamPayment, None));
    assert!(scene.refusal(&elsewhere(&two)).is_some(), "the same account");
    assert!(scene.refusal(&lane("alpha", "other account")).is_none());

    let (mut scene, direct) = (Scene::new(), Lane { account: None, ..one });
    scene.fail(&direct, &refused(402, Kind::UpstreamPayment, None));
    assert!(matches!(scene.refusal(&direct), Some(Reason::Payment { .. })));
    assert!(scene.refusal(&Lane { account: None, ..two }).is_none());
}

#[test]
fn a_refused_key_is_tried_ten_times_at_once_and_then_ever_more_rarely_by_calls_that_have_nobody_else() {
    for (status, kind) in
        [(401, Kind::UpstreamUnauthenticated), (403, Kind::UpstreamForbidden), (402, Kind::UpstreamPayment)]
    {
        let mut scene = Scene::new();
        let candidates = [Candidate::new(lane("alpha", "one")), Candidate::new(lane("beta", "one"))];
        scene.fail(&candidates[0].lane, &refused(status, kind, None));
        for _ in 0..9 {
            assert!(scene.alone(&candidates, &refused(status, kind, None)).is_some(), "{status}");
        }
        for wait in [0, 1, 2, 4, 8] {
            if wait > 0 {
                scene.wait(wait * SECOND - SECOND / 100);
                assert!(scene.alone(&candidates, &refused(status, kind, None)).is_none(), "{status} before {wait} s");
                scene.wait(SECOND / 100);
            }
            assert!(scene.alone(&candidates, &refused(status, kind, None)).is_some(), "{status} after {wait} s");
        }
        // Somebody mended it: the next try shows it, and everybody may.
        scene.wait(16 * SECOND);
        let flight = scene.health.begin_alone(&candidates[0].lane, scene.now).unwrap();
        assert!(scene.health.begin_alone(&candidates[0].lane, scene.now).is_err(), "one tries at a time");
        flight.end(Outcome::Served { output_tokens: None }, scene.now);
        assert_eq!(scene.refusal(&candidates[0].lane), None);
    }
}

#[test]
fn who_has_nobody_else_waits_for_the_call_that_tries() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let only = [Candidate::new(lane("alpha", "one"))];
    scene.fail(&only[0].lane, &refused(429, Kind::UpstreamRateLimited, Some(SECOND)));
    let mut early = walk(&scene, &only, &need);
    assert!(early.begin(&scene.health, &only, scene.now).is_none() && !early.comes_again(), "a told time is no try");
    scene.wait(SECOND);
    let trying = scene.health.begin(&only[0].lane, scene.now).unwrap();
    for mut tries in [walk(&scene, &only, &need), Tries::single(Arc::default())] {
        for _ in 0..3 {
            assert!(tries.begin(&scene.health, &only, scene.now).is_none());
            assert!(tries.comes_again());
        }
    }
    let mut tries = walk(&scene, &only, &need);
    assert!(tries.begin(&scene.health, &only, scene.now).is_none() && tries.comes_again());
    trying.end(Outcome::Served { output_tokens: None }, scene.now);
    assert!(tries.begin(&scene.health, &only, scene.now).is_some() && !tries.comes_again());
}

#[test]
fn a_hundred_calls_at_once_wait_for_the_one_that_tries_a_refused_key() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let only = [Candidate::new(lane("alpha", "one"))];
    scene.fail(&only[0].lane, &refused(401, Kind::UpstreamUnauthenticated, None));
    let mut all: Vec<_> = (0..100).map(|_| walk(&scene, &only, &need)).collect();
    let (_, trying) = all[0].begin(&scene.health, &only, scene.now).unwrap();
    for tries in &mut all[1..] {
        assert!(tries.begin(&scene.health, &only, scene.now).is_none() && tries.comes_again());
    }
    trying.end(Outcome::Served { output_tokens: None }, scene.now);
    for tries in &mut all[1..] {
        assert!(tries.begin(&scene.health, &only, scene.now).is_some());
    }
}

#[test]
fn a_failed_target_is_tried_ten_times_at_once_by_calls_for_which_there_is_no_other() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let keys = [Candidate::new(lane("alpha", "one")), Candidate::new(lane("alpha", "two"))];
    let down = refused(503, Kind::UpstreamFailed, None);
    for _ in 0..5 {
        scene.fail(&keys[0].lane, &down);
    }
    for _ in 0..10 {
        assert!(scene.alone(&keys, &down).is_some());
    }
    assert!(scene.alone(&keys, &down).is_none(), "then it is left alone");
    scene.wait(SECOND);
    assert!(scene.alone(&keys, &down).is_some(), "or one call a second");

    let others = [keys[0].clone(), Candidate::new(lane("beta", "one"))];
    let mut scene = Scene::new();
    for candidate in &others {
        for _ in 0..5 {
            scene.fail(&candidate.lane, &down);
        }
    }
    let order = choose(&others, &Ask::new(&need, 1), &scene.health, scene.now);
    assert!(order.attempts.is_empty(), "where several were there to choose from, the call is refused at once");
}

#[test]
fn while_all_targets_fail_each_is_tried_now_and_then_and_that_delays_nothing() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let all = [Candidate::new(lane("alpha", "one")), Candidate::new(lane("beta", "one"))];
    let down = refused(503, Kind::UpstreamFailed, None);
    for candidate in &all {
        (0..5).for_each(|_| scene.fail(&candidate.lane, &down));
    }
    let millisecond = SECOND / 1000;
    let mut tried = 0;
    for _ in 0..900 {
        scene.wait(millisecond);
        for candidate in &all {
            let refused = scene.refusal(&candidate.lane).is_some();
            if !refused {
                scene.fail(&candidate.lane, &down);
                tried += 1;
            }
        }
    }
    assert!((30..=40).contains(&tried), "one every 50 ms at each, and no more: {tried}");
    // A second after the failures anybody's call may try, whatever was tried before its time.
    scene.wait(millisecond * 101);
    let order = choose(&all, &Ask::new(&need, 1), &scene.health, scene.now);
    assert!(order.explores, "{order:?}");
}

#[test]
fn beside_a_try_that_hangs_another_one_follows_and_a_good_one_opens_the_way() {
    let mut scene = Scene::new();
    let target = lane("alpha", "one");
    for _ in 0..5 {
        let flight = scene.health.begin(&target, scene.now).unwrap();
        scene.wait(10 * SECOND);
        flight.end(Outcome::of(&fault(Kind::UpstreamTimeout)), scene.now);
    }
    assert!(scene.refusal(&target).is_some());
    let mut hanging = Vec::new();
    for _ in 0..3 {
        scene.wait(SECOND);
        hanging.push(scene.health.begin(&target, scene.now).expect("one a second"));
        assert!(scene.refusal(&target).is_some(), "and no more");
    }
    scene.wait(SECOND);
    for _ in 0..3 {
        scene.serve(&target, SECOND / 5);
    }
    assert_eq!(scene.state(&target), State::Recovering, "well, and begins slowly");
    assert!((0..20).all(|_| scene.refusal(&target).is_none()));
    drop(hanging);
}

#[test]
fn a_limit_without_a_time_keeps_nobody_from_trying_who_has_nobody_else() {
    let mut scene = Scene::new();
    let only = [Candidate::new(lane("alpha", "one"))];
    scene.fail(&only[0].lane, &refused(429, Kind::UpstreamRateLimited, None));
    let flight = scene.health.begin_alone(&only[0].lane, scene.now).unwrap();
    flight.end(Outcome::Served { output_tokens: None }, scene.now);
    assert_eq!(scene.refusal(&only[0].lane), None, "it went well");
    scene.fail(&only[0].lane, &refused(429, Kind::UpstreamRateLimited, Some(3 * SECOND)));
    scene.wait(2 * SECOND);
    assert!(scene.health.begin_alone(&only[0].lane, scene.now).is_err(), "a told time is obeyed");
}

#[test]
fn a_refused_key_is_not_tried_while_another_one_is_good_and_no_told_time_is_cut_short() {
    let (mut scene, need) = (Scene::new(), Need::default());
    let candidates = [Candidate::new(lane("alpha", "one")), Candidate::new(lane("alpha", "two"))];
    scene.fail(&candidates[0].lane, &refused(401, Kind::UpstreamUnauthenticated, None));
    let order = choose(&candidates, &Ask::new(&need, 1), &scene.health, scene.now);
    assert_eq!((order.attempts, order.alone), (vec![1], false));
    scene.fail(&candidates[1].lane, &refused(429, Kind::UpstreamRateLimited, Some(9 * SECOND)));
    assert!(scene.health.begin_alone(&candidates[1].lane, scene.now).is_err());
    let order = choose(&candidates, &Ask::new(&need, 1), &scene.health, scene.now);
    assert_eq!((order.attempts, order.alone), (vec![0], true));
}

#[test]
fn keys_that_are_refused_say_nothing_of_the_target() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    for (status, kind) in [
        (401, Kind::UpstreamUnauthenticated),
        (402, Kind::UpstreamPayment),
        (403, Kind::UpstreamForbidden),
        (429, Kind::UpstreamRateLimited),
    ] {
        for key in 0..10 {
            let lane = Lane { key: Some(format!("{status} {key}").into()), account: None, ..lane.clone() };
            scene.fail(&lane, &refused(status, kind, None));
        }
    }
    assert_eq!((scene.state(&lane), scene.refusal(&lane)), (State::Healthy, None));
}

#[test]
fn what_a_caller_does_wrong_and_a_callers_own_key_never_touch_what_is_shared() {
    let (scene, own) = (Scene::new(), lane("alpha", "main"));
    for kind in Kind::ALL.iter().filter(|kind| kind.origin() != types::Origin::Upstream) {
        assert!(matches!(Outcome::of(&fault(*kind)), Outcome::Caller | Outcome::Left), "{kind:?}");
    }
    assert_eq!(Outcome::of(&fault(Kind::UpstreamRejected)), Outcome::Caller);
    let dead = fault(Kind::UpstreamUnreachable).code(policy::retry::STALE);
    assert_eq!(Outcome::of(&dead), Outcome::Caller);
    let callers = Lane { whose: Whose::Caller, key: None, ..own };
    for kind in Kind::ALL {
        for _ in 0..10 {
            let flight = scene.health.begin(&callers, scene.now).expect("it is never held off");
            flight.end(Outcome::of(&fault(*kind)), scene.now);
        }
    }
    assert_eq!(scene.health.view(scene.now), Default::default());
}

#[test]
fn a_callers_own_key_goes_to_a_failed_target_last() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        scene.fail(&lane("alpha", "main"), &fault(Kind::UpstreamFailed));
    }
    let own = |place| Candidate::new(Lane { whose: Whose::Caller, key: None, ..lane(place, "main") });
    let (candidates, need) = ([own("alpha"), own("beta")], Need::default());
    for seed in 0..50 {
        assert_eq!(choose(&candidates, &Ask::new(&need, seed), &scene.health, scene.now).attempts, [1, 0]);
    }
}

#[test]
fn a_caller_who_left_after_a_long_wait_says_that_it_was_long() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    scene.serve(&lane, SECOND / 10);
    let seen =
        |scene: &Scene| scene.health.target(&lane.place, &lane.model, scene.now).unwrap().first_event_ms.unwrap();
    assert_eq!(seen(&scene), 100);
    drop(scene.health.begin(&lane, scene.now));
    assert_eq!(seen(&scene), 100);
    let flight = scene.health.begin(&lane, scene.now).unwrap();
    scene.wait(20 * SECOND);
    flight.end(Outcome::Left, scene.now);
    assert!(seen(&scene) > 2000);
    assert_eq!(scene.state(&lane), State::Healthy, "nobody failed");
}

#[test]
fn who_is_dropped_is_timed_by_the_tables_clock() {
    thread_local! { static NOW: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) }; }
    let begun = Instant::now();
    let health = Health::new(Settings::default(), begun).with_clock(|| NOW.get().expect("a time"));
    let lane = lane("alpha", "main");
    let flight = health.begin(&lane, begun).unwrap();
    NOW.set(Some(begun + 20 * SECOND));
    drop(flight);
    let seen = health.target(&lane.place, &lane.model, begun + 20 * SECOND).unwrap();
    assert_eq!((seen.first_event_ms, seen.in_flight, seen.failed), (Some(20_000), 0, 0));
}

#[test]
fn a_quota_is_counted_down_between_two_answers_and_is_there_again_after_its_time() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    let mut flight = scene.health.begin(&lane, scene.now).unwrap();
    let bucket = Bucket { remaining: 2, limit: Some(10), reset: Some(30 * SECOND) };
    flight.quota(Quota { requests: Some(bucket), tokens: None }, scene.now);
    let under_way = [scene.health.begin(&lane, scene.now).unwrap(), scene.health.begin(&lane, scene.now).unwrap()];
    assert!(matches!(scene.refusal(&lane), Some(Reason::QuotaSpent { wait }) if wait == 30 * SECOND));
    drop(under_way);
    assert!(scene.refusal(&lane).is_some(), "what was sent is used up");
    scene.wait(30 * SECOND);
    assert!(scene.refusal(&lane).is_none());
}

#[test]
fn the_table_is_bounded_and_keeps_what_is_under_way() {
    let now = Instant::now();
    let health = Health::new(Settings { entries: 100, ..Settings::default() }, now);
    let kept = lane("kept", "main");
    let flight = health.begin(&kept, now).unwrap();
    for number in 0..5000_u64 {
        let lane = lane(&format!("place {number}"), "main");
        let now = now + Duration::from_millis(number);
        health.begin(&lane, now).unwrap().end(Outcome::Served { output_tokens: None }, now);
    }
    let view = health.view(now);
    assert!(view.targets.len() <= 101, "{}", view.targets.len());
    assert!(view.targets.iter().any(|target| target.place == "kept" && target.in_flight == 1));
    flight.end(Outcome::Served { output_tokens: None }, now);
}

#[test]
fn the_view_can_be_sent_to_another_node() {
    let (mut scene, lane) = (Scene::new(), lane("alpha", "main"));
    scene.serve(&lane, SECOND / 10);
    scene.fail(&lane, &refused(429, Kind::UpstreamRateLimited, Some(SECOND)));
    let view = scene.health.view(scene.now);
    let text = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<policy::health::View>(&text).unwrap(), view);
    assert!(text.contains("\"reason\":\"rate_limited\""), "{text}");
}
