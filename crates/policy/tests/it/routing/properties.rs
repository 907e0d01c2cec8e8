//! What holds for any candidates, any health and any call.

use std::{collections::HashSet, sync::Arc};

use policy::{
    credentials::Whose,
    health::{Lane, Outcome, State},
    order::{Abilities, Ask, Candidate, MarketState, Need, Price, Strategy, choose},
    retry::{Facts, Next, Tries},
};
use proptest::{prelude::*, strategy::Strategy as Any};
use types::Kind;

use super::{SECOND, Scene, facts, fault, lane};

/// Any candidate, health and need.
fn candidates() -> impl Any<Value = Vec<Candidate>> {
    let ability = || prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
    let one = (
        (0..5_usize, 0..3_usize, any::<bool>()),
        (ability(), ability(), ability(), ability(), ability()),
        (proptest::option::of(0..3_000_000_u64), proptest::option::of(0..20_000_u64)),
        (1..10_u32, 0..3_u32, 0..3_u8, any::<bool>(), any::<bool>()),
    );
    let made = one.prop_map(|((place, key, callers), can, (price, context), (weight, priority, state, own, named))| {
        let whose = if callers { Whose::Caller } else { Whose::Operator };
        Candidate {
            price: price.map(|price| Price { input: price, output: price * 3 }),
            context_length: context,
            abilities: Abilities {
                tools: can.0,
                parallel_tools: can.1,
                structured_output: can.2,
                vision: can.3,
                streaming: can.4,
            },
            refuses: if weight == 1 { &["seed"] } else { &[] },
            own_server: own,
            weight,
            priority,
            state: [MarketState::Live, MarketState::Staging, MarketState::Error][usize::from(state)],
            named,
            ..Candidate::new(Lane { whose, ..lane(&format!("place {place}"), &format!("key {key}")) })
        }
    });
    proptest::collection::vec(made, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_order_never_repeats_never_contains_who_cannot_and_is_never_empty_without_a_fault(
        candidates in candidates(),
        failures in proptest::collection::vec((0..24_usize, 0..Kind::ALL.len()), 0..60),
        needs in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        (input_tokens, max_output, max_price) in (0..15_000_u64, proptest::option::of(0..5000_u64), proptest::option::of(0..40_000_u64)),
        (strategy, sticky, seed) in (0..4_usize, proptest::option::of(any::<u64>()), any::<u64>()),
    ) {
        let mut scene = Scene::new();
        for (index, kind) in failures {
            if let Some(candidate) = candidates.get(index)
                && let Ok(flight) = scene.health.begin(&candidate.lane, scene.now) {
                scene.wait(SECOND / 10);
                flight.end(Outcome::of(&fault(Kind::ALL[kind])), scene.now);
            }
        }
        let need = Need {
            tools: needs.0, parallel_tools: needs.1, structured_output: needs.2, vision: needs.3, stream: needs.4,
            input_tokens, max_output, parameters: if needs.0 { vec!["seed".into()] } else { vec![] },
        };
        let strategy = [Strategy::Auto, Strategy::Fastest, Strategy::Cheapest, Strategy::Preferred][strategy];
        let ask = Ask { strategy, max_price, sticky, ..Ask::new(&need, seed) };
        let order = choose(&candidates, &ask, &scene.health, scene.now);
        let asked: HashSet<_> = order.attempts.iter().copied().collect();
        prop_assert_eq!(asked.len(), order.attempts.len());
        let lanes: HashSet<_> = order.attempts.iter().map(|index| &candidates[*index].lane).map(|l| (&l.place, &l.key, l.whose)).collect();
        prop_assert_eq!(lanes.len(), order.attempts.len());
        prop_assert_eq!(order.attempts.len() + order.excluded.len(), candidates.len());
        prop_assert!(order.excluded.iter().all(|(index, _)| !asked.contains(index)));
        // Nobody of a lower priority is passed over, but who failed and is only in reserve.
        let passed = order.attempts.iter().all(|index| {
            let failed = scene.health.state(&candidates[*index].lane, scene.now) == State::Failed;
            failed || candidates[order.attempts[0]].priority <= candidates[*index].priority
        });
        prop_assert!(passed);
        for index in &order.attempts {
            let (one, can) = (&candidates[*index], candidates[*index].abilities);
            for (needed, able) in [(need.tools, can.tools), (need.parallel_tools, can.parallel_tools),
                (need.structured_output, can.structured_output), (need.vision, can.vision), (need.stream, can.streaming)] {
                prop_assert!(!needed || able != Some(false));
            }
            prop_assert!(one.named || one.state == MarketState::Live);
            prop_assert!(one.context_length.is_none_or(|limit| input_tokens + max_output.unwrap_or(1) <= limit));
            prop_assert!(order.alone || scene.health.may_ask(&one.lane, scene.now));
            if let (Some(limit), Some(price)) = (max_price, one.price) {
                let output = max_output.or(one.context_length.map(|context| context - input_tokens));
                let worst = output.map_or(u128::from(u64::MAX), |output| {
                    (u128::from(input_tokens) * u128::from(price.input) + u128::from(output) * u128::from(price.output)).div_ceil(1_000_000)
                });
                prop_assert!(price.output == 0 || worst <= u128::from(limit));
            }
        }
        match order.usable(&candidates) {
            Ok(()) => prop_assert!(!order.attempts.is_empty()),
            Err(fault) => {
                prop_assert!(order.attempts.is_empty());
                for (index, _) in order.excluded.iter().take(12) {
                    prop_assert!(fault.message.contains(&candidates[*index].lane.name()));
                }
            }
        }
    }

    #[test]
    fn a_walk_always_ends_and_never_asks_more_often_than_allowed(
        candidates in candidates(),
        kinds in proptest::collection::vec(0..Kind::ALL.len(), 40),
        submits in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut scene = Scene::new();
        let need = Need::default();
        let order = choose(&candidates, &Ask::new(&need, seed), &scene.health, scene.now);
        let mut tries = Tries::new(order.attempts.clone(), Arc::default()).later(order.later);
        let mut sent = 0;
        for kind in kinds {
            let Some((index, flight)) = tries.begin(&scene.health, &candidates, scene.now) else { break };
            prop_assert!(order.attempts.contains(&index));
            sent += 1;
            let fault = fault(Kind::ALL[kind]);
            flight.end(Outcome::of(&fault), scene.now);
            let facts = Facts { submits, seed, ..facts(&scene) };
            match tries.after(index, &fault, &facts, &scene.health, &candidates) {
                Next::Fail => break,
                Next::Again(wait) => scene.wait(wait),
                Next::Other => {}
                Next::LookUp => tries.replaced(order.attempts.clone()),
            }
        }
        prop_assert!(sent <= 4, "{sent}");
    }
}
