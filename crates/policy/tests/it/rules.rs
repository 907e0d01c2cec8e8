//! Rules: what an expression may ask, what is refused, and the examples of the page.

use policy::{
    health::{State, TargetView},
    rules::{Facts, MAX_LENGTH, NAMES, Rule, first, percent},
};
use proptest::prelude::*;

use super::table::{good, problems};

fn facts<'a>() -> Facts<'a> {
    Facts {
        model: "smart",
        operation: "chat",
        stream: true,
        tools: false,
        vision: false,
        input_tokens: 1200,
        max_output: None,
        header: &|name| (name == "x-tier").then(|| "gold".to_owned()),
        key: "team-a",
        // Tuesday, 24 November 2026, 15:30.
        unix: 1_795_534_200,
        percent: 3.0,
        target: &|place| {
            (place == "groq").then(|| TargetView {
                state: State::Degraded,
                failures_per_thousand: 150,
                in_flight: 60,
                first_event_ms: Some(420),
                ..TargetView::default()
            })
        },
    }
}

fn is_true(when: &str) -> bool {
    Rule::new(when, Vec::new()).unwrap_or_else(|why| panic!("{when}: {why}")).matches(&facts())
}

#[test]
fn an_expression_asks_the_call_its_caller_the_time_and_the_state_of_targets() {
    for when in [
        "model == \"smart\" && operation == 'chat' && stream && !tools && !vision",
        "input_tokens > 1000 && max_output_tokens == 0",
        "headers[\"x-tier\"] == \"gold\"",
        "\"x-tier\" in headers && !(\"x-other\" in headers)",
        "headers[\"x-tier\"].startsWith(\"go\") && size(headers[\"x-tier\"]) == 4",
        "key in [\"team-a\", \"team-b\"]",
        "percent < 5.0",
        "hour >= 9 && hour < 18 && minute == 30 && weekday == 2",
        "targets[\"groq\"].state == \"degraded\" && targets.groq.in_flight > 50 && targets.groq.failures > 0.1",
        "\"groq\" in targets && !(\"together\" in targets)",
        "targets.groq.first_event_ms > 400 ? true : false",
    ] {
        assert!(is_true(when), "{when}");
    }
}

#[test]
fn what_is_not_there_makes_a_rule_untrue_and_nothing_else() {
    for when in [
        "headers[\"x-other\"] == \"gold\"",
        "targets[\"together\"].in_flight < 5",
        "1 / 0 == 1",
        "model + 1 == 2",
        "\"text\"",
        "9223372036854775807 + input_tokens > 0",
    ] {
        assert!(!is_true(when), "{when}");
    }
    assert!(is_true("headers[\"x-other\"] == \"gold\" || percent < 5.0"));
}

#[test]
fn what_cannot_be_a_rule_is_refused_with_what_is_wrong() {
    for (when, part) in [
        ("", "no expression"),
        ("percent <", "no expression"),
        ("(((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))) == 1", "expression"),
        ("percnt < 5.0", "did you mean"),
        ("lenght(model) > 2", "there is no function"),
        ("matches(model, \"(a+)+$\")", "there is no function"),
        ("headers.exists(h, h == \"a\")", "loops"),
        ("[1, 2].map(x, x * 2) == [2, 4]", "loops"),
        ("[[[[1].map(a, a)].map(b, b)].map(c, c)].map(d, d) == []", "loops"),
    ] {
        let why = Rule::new(when, Vec::new()).unwrap_err();
        assert!(why.contains(part), "{when}: {why}");
    }
    assert!(Rule::new(&"x".repeat(MAX_LENGTH + 1), Vec::new()).is_err());
    let many = vec!["true"; 200].join(" && ");
    assert!(Rule::new(&many, Vec::new()).unwrap_err().contains("parts"));
}

#[test]
fn known_texts_that_blow_up_other_parsers_are_refused_at_once() {
    for motif in ["!!(!!!!!!(!!!!(((((!!(!!(!!!!((", "[{[{(", "-(-!(", "a.b.c?", "1?1?1?"] {
        let _ = Rule::new(&motif.repeat(60), Vec::new()).map(|rule| rule.matches(&facts()));
    }
}

#[test]
fn mistakes_in_rules_are_reported_with_their_path_together_with_all_others() {
    let lines = problems(
        "[[routing.rules]]\nwhen = \"percnt < 5.0\"\ntargets = [\"huggingface/gorq/x/y\"]\n[aliases.a]\ntargets = []\n\
         [[aliases.a.rules]]\nwhen = \"true &&\"\ntargets = [{ model = \"huggingface/groq/x\", weight = 0 }]",
    );
    for part in [
        "2:1: routing.rules[0].when: there is no \"percnt\" (did you mean \"percent\"?)",
        "3:12: routing.rules[0].targets[0]: ",
        "5:1: aliases.a.targets: expected at least one route",
        "7:1: aliases.a.rules[0].when: this is no expression in CEL",
        "aliases.a.rules[0].targets[0].weight: expected a whole number from 1 to 1000",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}\n{lines:#?}");
    }
}

#[test]
fn the_first_true_rule_counts() {
    let compiled = good(
        "[aliases.smart]\ntargets = [\"huggingface/auto/a/b\"]\n\
         [[aliases.smart.rules]]\nwhen = 'key == \"nobody\"'\ntargets = [\"huggingface/auto/a/one\"]\n\
         [[aliases.smart.rules]]\nwhen = 'percent < 5.0'\ntargets = [\"huggingface/auto/a/two\", { model = \"huggingface/groq/x\", weight = 3, priority = 1 }]\n\
         [[aliases.smart.rules]]\nwhen = 'true'\ntargets = [\"huggingface/auto/a/three\"]",
    );
    let alias = compiled.names.policy("smart").unwrap();
    let rule = first(&alias.rules, &facts()).unwrap();
    assert_eq!(&**rule.targets[0].asked.model(), "a/two");
    assert_eq!((rule.targets[1].weight, rule.targets[1].priority), (3, 1));
    assert_eq!(&**policy::parse("smart", &compiled.names).unwrap().model(), "a/b");
}

#[test]
fn a_share_of_calls_is_a_share_and_the_same_caller_stays_on_its_side() {
    let canary = Rule::new("percent < 5.0", Vec::new()).unwrap();
    let chosen = (0..10_000).filter(|seed| canary.matches(&Facts { percent: percent(*seed), ..facts() })).count();
    assert!((400..600).contains(&chosen), "{chosen}");
    let of = |text: &str| percent(policy::order::sticky(text));
    assert_eq!(of("session 7").to_bits(), of("session 7").to_bits());
}

#[test]
fn the_page_names_everything_that_an_expression_may_ask() {
    let page = include_str!("../../../../docs/routing.md");
    for name in NAMES {
        assert!(page.contains(&format!("| `{name}`")), "{name}");
    }
}

#[test]
fn every_expression_on_the_page_is_one() {
    let page = include_str!("../../../../docs/routing.md");
    let mut seen = 0;
    for row in
        page.lines().skip_while(|line| *line != "| expression | true for |").skip(2).take_while(|l| l.starts_with('|'))
    {
        let when = row.trim_start_matches("| `").split("` |").next().unwrap().replace("\\|", "|");
        Rule::new(&when, Vec::new()).unwrap_or_else(|why| panic!("{when}: {why}"));
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_brings_the_reader_down(text in "[a-z0-9(){}\\[\\]!?:&|<>=+*/.,\"'\\- ]{0,120}") {
        if let Ok(rule) = Rule::new(&text, Vec::new()) {
            rule.matches(&facts());
        }
    }

    #[test]
    fn nor_does_any_mix_of_its_words(words in proptest::collection::vec(
        prop_oneof![Just("percent"), Just("headers"), Just("targets"), Just("[\"a\"]"), Just("("), Just(")"), Just("!"), Just("-"),
            Just("&&"), Just("||"), Just("=="), Just("<"), Just("in"), Just("?"), Just(":"), Just("1"), Just("5.0"), Just("\"x\""),
            Just("."), Just("size("), Just(","), Just("{"), Just("}"), Just("has("), Just("true"), Just("int(")], 0..60)) {
        if let Ok(rule) = Rule::new(&words.join(" "), Vec::new()) {
            rule.matches(&facts());
        }
    }
}
