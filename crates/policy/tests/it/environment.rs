//! Every setting can come from the environment; flags win over it, and it wins over the file.

use policy::{Place, settings};
use types::{Asked, BackendName, config::LogLevel};

use super::table::World;

fn level(world: &World, text: &str) -> LogLevel {
    world.compile(text).unwrap_or_else(|problems| panic!("{problems:#?}")).log.level
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let file = "log.level = \"warn\"";
    assert_eq!(level(&World::default(), file), LogLevel::Warn);
    let env = World::default().env("IRONBOW_LOG__LEVEL", "debug");
    assert_eq!(level(&env, file), LogLevel::Debug);
    assert_eq!(level(&env.flag("--log", "log.level", "trace"), file), LogLevel::Trace);
}

#[test]
fn short_names_work_and_do_not_contradict_long_ones() {
    let world = World::default().env("IRONBOW_LOG", "error").env("IRONBOW_LISTEN", "127.0.0.1:99");
    let compiled = world.compile("").unwrap();
    assert_eq!((compiled.log.level, compiled.listener.address.port()), (LogLevel::Error, 99));
    let twice = World::default().env("IRONBOW_LOG", "error").env("IRONBOW_LOG__LEVEL", "info").compile("").unwrap_err();
    assert!(twice.len() == 1 && twice[0].message.contains("IRONBOW_LOG__LEVEL"), "{twice:?}");
}

#[test]
fn names_of_hugging_faces_own_clients_are_honoured_below_our_own() {
    let world = World::default().env("HF_ENDPOINT", "http://127.0.0.1:1/").env("HF_ROUTER_URL", "http://127.0.0.1:2");
    let compiled = world.compile("huggingface.hub = \"https://hub.example\"").unwrap();
    assert_eq!((compiled.hub.as_str(), compiled.router.as_str()), ("http://127.0.0.1:1", "http://127.0.0.1:2"));
    let world = world.env("IRONBOW_HUGGINGFACE__HUB", "http://127.0.0.1:3");
    assert_eq!(world.compile("").unwrap().hub.as_str(), "http://127.0.0.1:3");
    let empty = World::default().env("HF_ENDPOINT", "").env("HF_TOKEN", " ").compile("").unwrap();
    assert_eq!(empty.hub.as_str(), "https://huggingface.co");
    assert!(!empty.keys.has_routed());
    let bad = World::default().env("HF_ENDPOINT", "hub").compile("").unwrap_err();
    assert_eq!(bad[0].place, Some(Place::Variable("HF_ENDPOINT".to_owned())));
    assert_eq!(bad[0].path, "huggingface.hub");
}

#[test]
fn names_in_variables_find_backends_and_servers_as_they_are_spelt() {
    let compiled = World::default()
        .env("IRONBOW_BACKENDS__FIREWORKS_AI__BASE_URL", "http://127.0.0.1:5")
        .env("IRONBOW_SERVERS__MY_VLLM__URL", "http://127.0.0.1:6")
        .env("IRONBOW_SERVERS__In_File__ADVERTISED", "false")
        .env("IRONBOW_ALIASES__GPT_4O", "huggingface/groq/x")
        .env("IRONBOW_ALIASES", "{\"claude 4.5\": \"a/b\"}")
        .compile("servers.in_file.url = \"http://127.0.0.1:7\"\n[aliases]\nkept = \"a/b\"")
        .unwrap();
    let urls: Vec<_> = compiled.servers.iter().map(|s| (s.name.as_str(), s.url.as_str(), s.advertised)).collect();
    assert_eq!(urls, [("in_file", "http://127.0.0.1:7", false), ("my-vllm", "http://127.0.0.1:6", true)]);
    assert!(compiled.direct_base(&BackendName::new("fireworks-ai")).is_some());
    for alias in ["gpt-4o", "claude 4.5", "kept"] {
        assert!(
            matches!(policy::parse(alias, &compiled.names), Ok(Asked::Pinned { .. } | Asked::Auto { .. })),
            "{alias}"
        );
    }
}

#[test]
fn lists_come_by_index_or_as_json() {
    let world = World::default().env("A", "hf_a").env("B", "hf_b");
    let by_index = (0..12).fold(world, |world, index| {
        world
            .env(&format!("IRONBOW_HUGGINGFACE__KEYS__{index}__NAME"), &format!("k{index}"))
            .env(&format!("IRONBOW_HUGGINGFACE__KEYS__{index}__VALUE"), "env:A")
    });
    let names: Vec<_> = by_index.compile("").unwrap().keys.all().map(|key| key.name.to_string()).collect();
    assert_eq!(names, (0..12).map(|index| format!("k{index}")).collect::<Vec<_>>());

    let whole = World::default()
        .env("B", "hf_b")
        .env("IRONBOW_HUGGINGFACE__KEYS", "[{\"name\": \"b\", \"value\": \"env:B\"}]")
        .env("IRONBOW_LISTENER__HOSTS", "[\"gw.example\"]")
        .compile("[[huggingface.keys]]\nname = \"a\"\nvalue = \"env:NOT_SET\"")
        .unwrap();
    assert_eq!(whole.keys.all().count(), 1);
    assert_eq!(&*whole.listener.hosts[0], "gw.example");

    for (name, text) in [
        ("IRONBOW_HUGGINGFACE__KEYS__3__NAME", "x"),
        ("IRONBOW_HUGGINGFACE__KEYS__X__NAME", "x"),
        ("IRONBOW_HUGGINGFACE__KEYS", "env:HF_TOKEN"),
        ("IRONBOW_ALIASES", "a=b"),
        ("IRONBOW_ALIASES", "5"),
    ] {
        let problems = World::default().env(name, text).compile("").unwrap_err();
        assert_eq!(problems[0].place, Some(Place::Variable(name.to_owned())), "{name}");
    }
}

#[test]
fn an_unknown_variable_is_a_mistake_that_names_the_nearest() {
    for (name, near) in [
        ("IRONBOW_LISTNER__ADDRESS", "IRONBOW_LISTENER__ADDRESS"),
        ("IRONBOW_LISTENER__ADRESS", "IRONBOW_LISTENER__ADDRESS"),
        ("IRONBOW_LISTENER_ADDRESS", "IRONBOW_LISTENER__ADDRESS"),
        ("IRONBOW_LOGS", "IRONBOW_LOG"),
        ("IRONBOW_LOG_LEVEL", "IRONBOW_LOG__LEVEL"),
        ("IRONBOW_CONFG", "IRONBOW_CONFIG"),
        ("IRONBOW_HUGGINGFACE__KEYS__0__VALU", "IRONBOW_HUGGINGFACE__KEYS__0__VALUE"),
    ] {
        let problems = World::default().env(name, "x").compile("").unwrap_err();
        assert!(problems[0].to_string().starts_with(&format!("{name}: ")), "{problems:?}");
        assert!(problems[0].message.contains(near), "{name}: {}", problems[0]);
    }
    for name in ["IRONBOW_", "IRONBOW__", "IRONBOW_X", "IRONBOW_LOG__LEVEL__X", "IRONBOW_LISTENER__"] {
        assert!(World::default().env(name, "x").compile("").is_err(), "{name}");
    }
    for name in ["IRONBOW_CONFIG", "IRONBOW_URL", "IRONBOWX", "PATH"] {
        assert!(World::default().env(name, "x").compile("").is_ok(), "{name}");
    }
}

#[test]
fn every_setting_has_a_variable_that_sets_it() {
    for setting in settings() {
        let named = match setting.path.split('.').next() {
            Some("backends") => "GROQ",
            Some("providers") => "OPENAI",
            _ => "HOME",
        };
        let name = setting.variable.replace("<NAME>", named);
        let problems = World::default().env(&name, "\u{1}not a value").compile("").err().unwrap_or_default();
        // Whatever is wrong, it is the value: the variable itself is known.
        assert!(!problems.iter().any(|problem| problem.message.contains("no such setting")), "{name}: {problems:?}");
        let expected = Place::Variable(name.clone());
        let free =
            ["data.folder", "huggingface.keys[].name", "providers.<name>.keys[].name"].contains(&setting.path.as_str());
        assert!(
            free || problems.iter().any(|problem| problem.place.as_ref() == Some(&expected)),
            "{name}: {problems:?}"
        );
    }
}

#[test]
fn a_number_or_truth_in_a_variable_is_read_by_what_the_setting_wants() {
    let world = World::default().env("IRONBOW_LISTENER__WORKERS", "3").env("IRONBOW_LISTENER__ALLOW_REMOTE", "true");
    let listener = world.env("IRONBOW_LIMITS__BODY", "1024").compile("").unwrap().listener;
    assert_eq!((listener.workers, listener.allow_remote), (Some(3), true));
    for (name, text) in [
        ("IRONBOW_LISTENER__WORKERS", "three"),
        ("IRONBOW_LISTENER__WORKERS", "-3"),
        ("IRONBOW_LISTENER__ALLOW_REMOTE", "yes"),
        ("IRONBOW_TIMEOUTS__ANSWER", "600"),
    ] {
        let problems = World::default().env(name, text).compile("").unwrap_err();
        assert!(problems[0].message.starts_with("expected "), "{problems:?}");
    }
}
