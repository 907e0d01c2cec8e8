//! Whose key is used, which way the call goes with it, and that no key goes where it does not belong.

use policy::{
    Presented, Routing, Target,
    credentials::{Way, Whose},
};
use types::{BackendName, Kind, Secret};

use super::table::World;

const KEYS: &str = r#"
[huggingface]
bill_to = "house"
[[huggingface.keys]]
name = "first"
value = "env:A"
bill_to = "team"
[[huggingface.keys]]
name = "second"
value = "env:B"
[[huggingface.keys]]
name = "own"
value = "env:G"
backend = "groq"
[[huggingface.keys]]
name = "retired"
value = "env:N"
backend = "nebius"
[servers.ep]
url = "https://ep.example"
key = "env:E"
[servers.open]
url = "http://127.0.0.1:8000"
"#;

fn world() -> World {
    World::default().env("A", "hf_first").env("B", "hf_second").env("G", "gsk").env("N", "nsk").env("E", "hf_endpoint")
}

/// What was chosen, in words: secret, way, payer, owner.
fn chosen(config: &policy::Compiled, target: Target<'_>, presented: Presented<'_>) -> (String, Way, String, Whose) {
    let chosen = config.keys.choose(target, presented).unwrap_or_else(|fault| panic!("{fault}"));
    (
        chosen.secret.map_or_else(String::new, |secret| secret.expose().to_owned()),
        chosen.way,
        chosen.bill_to.as_deref().unwrap_or_default().to_owned(),
        chosen.whose,
    )
}

fn backend(id: &BackendName, routing: Routing) -> Target<'_> {
    Target::Backend { id, routing, mapped: false }
}

#[test]
fn each_key_goes_only_where_it_belongs() {
    let config = world().compile(KEYS).unwrap();
    let none = Presented::default();
    let id = BackendName::new;
    let operator = |secret: &str, way, payer: &str| (secret.to_owned(), way, payer.to_owned(), Whose::Operator);
    assert_eq!(chosen(&config, Target::Router, none), operator("hf_first", Way::Routed, "team"));
    assert_eq!(chosen(&config, backend(&id("cohere"), Routing::Live), none), operator("hf_first", Way::Routed, "team"));
    assert_eq!(chosen(&config, backend(&id("groq"), Routing::Live), none), operator("gsk", Way::Direct, ""));
    assert_eq!(chosen(&config, backend(&id("nebius"), Routing::Retired), none), operator("nsk", Way::Direct, ""));
    assert_eq!(chosen(&config, Target::Server(&id("ep")), none), operator("hf_endpoint", Way::Direct, ""));
    assert_eq!(chosen(&config, Target::Server(&id("open")), none), operator("", Way::Direct, ""));
    assert_eq!(config.keys.for_hub(none).unwrap().expose(), "hf_first");
}

#[test]
fn the_house_pays_where_a_key_names_nobody() {
    let text = "huggingface.bill_to = \"house\"\n[[huggingface.keys]]\nname = \"b\"\nvalue = \"env:B\"";
    let config = world().compile(text).unwrap();
    assert_eq!(chosen(&config, Target::Router, Presented::default()).2, "house");
    let implicit = World::default().env("HF_TOKEN", "hf_x").compile("huggingface.bill_to = \"house\"").unwrap();
    assert_eq!(chosen(&implicit, Target::Router, Presented::default()).2, "house");
}

#[test]
fn a_callers_token_is_used_by_the_rule_only() {
    let caller = Secret::new("hf_caller");
    let presented = Presented { token: Some(&caller), bill_to: Some("their-org") };
    let callers = ("hf_caller".to_owned(), Way::Routed, "their-org".to_owned(), Whose::Caller);
    let remote = "listener.address = \"0.0.0.0:1\"\nlistener.allow_remote = true\n";
    let rule = |rule: &str| format!("huggingface.caller_keys = \"{rule}\"\n");
    for (own, text, used) in [
        (false, String::new(), true),
        (true, String::new(), false),
        (false, remote.to_owned(), false),
        (true, rule("always"), true),
        (true, format!("{remote}{}", rule("always")), true),
        (false, rule("never"), false),
    ] {
        let world = if own { World::default().env("HF_TOKEN", "hf_own") } else { World::default() };
        let config = world.compile(&text).unwrap();
        assert_eq!(config.keys.allow_callers(), used, "{own} {text}");
        if used {
            assert_eq!(chosen(&config, Target::Router, presented), callers);
            assert_eq!(config.keys.for_hub(presented).unwrap().expose(), "hf_caller");
        } else if own {
            // The payer that a caller names counts only with the caller's own token.
            let (secret, _, payer, whose) = chosen(&config, Target::Router, presented);
            assert_eq!((secret.as_str(), payer.as_str(), whose), ("hf_own", "", Whose::Operator));
        } else {
            let fault = config.keys.choose(Target::Router, presented).unwrap_err();
            assert_eq!(fault.kind, Kind::NoCredential);
            assert!(fault.message.contains("caller_keys") && !fault.message.contains("hf_caller"), "{fault}");
        }
    }
}

#[test]
fn only_an_hf_token_of_a_caller_ever_goes_upstream() {
    let config = world().compile(&format!("{KEYS}\n[log]")).unwrap();
    let always = world().compile(&KEYS.replace("[huggingface]", "[huggingface]\ncaller_keys = \"always\"")).unwrap();
    let (vendor, hf) = (Secret::new("sk-whatever"), Secret::new("hf_caller"));
    let id = BackendName::new;
    for config in [&config, &always] {
        let presented = Presented { token: Some(&vendor), bill_to: None };
        assert_eq!(chosen(config, Target::Router, presented).0, "hf_first");
        assert_eq!(chosen(config, backend(&id("groq"), Routing::Live), presented).0, "gsk");
    }
    let presented = Presented { token: Some(&hf), bill_to: None };
    assert_eq!(
        chosen(&always, backend(&id("groq"), Routing::Live), presented),
        ("hf_caller".into(), Way::Routed, String::new(), Whose::Caller)
    );
    // Never to a backend's own address, and never to a declared server.
    assert_eq!(chosen(&always, backend(&id("nebius"), Routing::Retired), presented).0, "nsk");
    assert_eq!(chosen(&always, Target::Server(&id("ep")), presented).0, "hf_endpoint");
    assert_eq!(chosen(&always, Target::Server(&id("open")), presented).0, "");
}

#[test]
fn what_is_not_routed_needs_its_own_key_and_says_so() {
    let config = World::default().env("HF_TOKEN", "hf_x").compile("").unwrap();
    for (name, routing) in [("nebius", Routing::Retired), ("openai", Routing::Never)] {
        let id = BackendName::new(name);
        let fault = config.keys.choose(backend(&id, routing), Presented::default()).unwrap_err();
        assert_eq!((fault.kind, fault.backend.as_deref()), (Kind::NoCredential, Some(name)));
        assert_eq!(fault.code.as_deref(), Some("backend_not_routed"));
        assert!(fault.message.contains(&format!("backend = \"{name}\"")), "{fault}");
    }
    // The Hub names it again: then it is routed again. What was never routed is not.
    let id = BackendName::new("nebius");
    let again = Target::Backend { id: &id, routing: Routing::Retired, mapped: true };
    assert_eq!(chosen(&config, again, Presented::default()).1, Way::Routed);
    let never = Target::Backend { id: &id, routing: Routing::Never, mapped: true };
    assert!(config.keys.choose(never, Presented::default()).is_err());
}

#[test]
fn without_any_key_the_fault_says_what_to_set() {
    let id = BackendName::new("groq");
    let here = World::default().compile("").unwrap().keys;
    let fault = here.choose(backend(&id, Routing::Live), Presented::default()).unwrap_err();
    for word in ["HF_TOKEN", "backend = \"groq\"", "send an hf_ token as the API key"] {
        assert!(fault.message.contains(word), "{fault}");
    }
    let never = World::default().compile("huggingface.caller_keys = \"never\"").unwrap().keys;
    let fault = never.choose(Target::Router, Presented::default()).unwrap_err();
    assert!(fault.message.contains("HF_TOKEN") && !fault.message.contains("API key"), "{fault}");
}

#[test]
fn a_payer_that_could_break_a_header_is_refused() {
    let keys = World::default().compile("").unwrap().keys;
    let token = Secret::new("hf_caller");
    for bad in ["", "a b", "a\r\nx: y", "é", &"x".repeat(97)] {
        let presented = Presented { token: Some(&token), bill_to: Some(bad) };
        assert_eq!(keys.choose(Target::Router, presented).unwrap_err().kind, Kind::BadRequest, "{bad:?}");
    }
}

#[test]
fn the_token_is_found_where_hugging_faces_clients_keep_it() {
    let token = |world: World| {
        let config = world.compile("").unwrap();
        config.keys.all().next().map(|key| (key.name.to_string(), key.secret.expose().to_owned()))
    };
    let found = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
    let home = || World::default().env("HOME", "/h").file("/h/.cache/huggingface/token", "hf_file\n");
    assert_eq!(
        token(home().env("HF_TOKEN", "hf_1\n").env("HUGGING_FACE_HUB_TOKEN", "hf_2")),
        found("HF_TOKEN", "hf_1")
    );
    assert_eq!(token(home().env("HUGGING_FACE_HUB_TOKEN", "hf_2")), found("HUGGING_FACE_HUB_TOKEN", "hf_2"));
    assert_eq!(token(home()), found("token file", "hf_file"));
    assert_eq!(token(home().env("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")), None);
    assert_eq!(token(home().env("HF_HUB_DISABLE_IMPLICIT_TOKEN", "0")), found("token file", "hf_file"));
    assert_eq!(token(home().env("HF_HOME", "/hf")), None);
    assert_eq!(token(home().env("HF_HOME", "/hf").file("/hf/token", "hf_home")), found("token file", "hf_home"));
    assert_eq!(
        token(home().env("XDG_CACHE_HOME", "/x").file("/x/huggingface/token", "hf_x")),
        found("token file", "hf_x")
    );
    assert_eq!(token(home().env("HF_TOKEN_PATH", "/t").file("/t", "hf_path")), found("token file", "hf_path"));
    assert_eq!(token(home().env("IRONBOW_HUGGINGFACE__IMPLICIT_TOKEN", "false").env("HF_TOKEN", "hf_1")), None);
    let note = home().file("/h/.cache/huggingface/token", "not a token").compile("").unwrap();
    assert!(note.keys.all().next().is_none() && note.notes.len() == 1, "{:?}", note.notes);
}

#[test]
fn a_listed_token_takes_the_place_of_the_environments_one() {
    let text = "[[huggingface.keys]]\nname = \"a\"\nvalue = \"env:A\"";
    let config = world().env("HF_TOKEN", "hf_env").compile(text).unwrap();
    assert_eq!(config.keys.all().count(), 1);
    let with_own = format!("{text}\nbackend = \"groq\"").replace("env:A", "env:G");
    let config = world().env("HF_TOKEN", "hf_env").compile(&with_own).unwrap();
    assert_eq!(config.keys.all().count(), 2);
}

#[test]
fn a_key_of_the_wrong_class_is_refused() {
    let key =
        |value: &str, backend: &str| format!("[[huggingface.keys]]\nname = \"k\"\nvalue = \"env:{value}\"\n{backend}");
    for text in [key("G", ""), key("A", "backend = \"groq\"")] {
        let problems = world().compile(&text).unwrap_err();
        assert_eq!(problems[0].path, "huggingface.keys[0].value");
        assert!(problems[0].message.contains("hf_"), "{problems:?}");
    }
    let problems = world().compile(&key("G", "backend = \"groq\"\nbill_to = \"x\"")).unwrap_err();
    assert_eq!(problems[0].path, "huggingface.keys[0].bill_to");
    let problems = World::default().env("HF_TOKEN", "sk-not-hf").compile("").unwrap_err();
    assert!(
        problems[0].to_string().starts_with("HF_TOKEN: ") && !problems[0].message.contains("sk-not"),
        "{problems:?}"
    );
}

const VENDORS: &str = "[providers.anthropic]\nbase_url = \"http://127.0.0.1:9/a\"\nenvironment_key = true\n\
    [[providers.openai.keys]]\nname = \"team\"\nvalue = \"env:TEAM\"\n";

fn at<'a>(id: &'a BackendName) -> Target<'a> {
    Target::Backend { id, routing: Routing::Never, mapped: false }
}

#[test]
fn a_vendors_key_goes_to_that_vendor_and_a_callers_only_where_it_is_allowed() {
    let (anthropic, openai) = (BackendName::new("anthropic"), BackendName::new("openai"));
    let world = World::default().env("ANTHROPIC_API_KEY", "sk-ant-1").env("TEAM", "sk-team");
    let compiled = world.compile(VENDORS).unwrap();
    assert_eq!(compiled.direct_base(&anthropic).unwrap().as_str(), "http://127.0.0.1:9/a");
    let theirs = Secret::new("sk-ant-theirs");
    let presented = Presented { token: Some(&theirs), bill_to: None };
    for (id, key) in [(&anthropic, "sk-ant-1"), (&openai, "sk-team")] {
        let chosen = compiled.keys.choose(at(id), presented).unwrap();
        assert_eq!((chosen.secret, chosen.way, chosen.whose), (Some(Secret::new(key)), Way::Direct, Whose::Operator));
    }
    let open = World::default().compile("").unwrap();
    let chosen = open.keys.choose(at(&anthropic), presented).unwrap();
    assert_eq!((chosen.secret, chosen.whose), (Some(theirs.clone()), Whose::Caller));
    assert!(open.keys.choose(at(&openai), presented).is_err(), "another vendor's key");
    let hugging_face = Secret::new("hf_theirs");
    let wrong = Presented { token: Some(&hugging_face), bill_to: None };
    assert!(open.keys.choose(at(&anthropic), wrong).is_err() && !open.keys.opens(&anthropic, wrong));
    for shut in [
        "providers.anthropic.caller_keys = \"never\"",
        "listener.address = \"0.0.0.0:1\"\nlistener.allow_remote = true",
    ] {
        let shut = World::default().compile(shut).unwrap();
        assert!(!shut.keys.opens(&anthropic, presented));
    }
    let always =
        "listener.address = \"0.0.0.0:1\"\nlistener.allow_remote = true\nproviders.anthropic.caller_keys = \"always\"";
    assert!(World::default().compile(always).unwrap().keys.opens(&anthropic, presented));
}

#[test]
fn what_is_wrong_with_a_vendors_settings_is_said() {
    for (text, said) in [
        ("[providers.groq]", "there is no such provider; known here are openai, anthropic"),
        ("[providers.openai]\nenvironment_key = true", "OPENAI_API_KEY\" is not set"),
        ("[providers.openai]\nbase_url = \"x\"", "providers.openai.base_url"),
        (
            "[providers.openai]\nbase_url = \"http://127.0.0.1:1\"\n[backends.openai]\nbase_url = \"http://127.0.0.1:2\"",
            "keep one of them",
        ),
    ] {
        let problems = World::default().compile(text).unwrap_err();
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(all.len() == 1 && all[0].contains(said), "{text}: {all:?}");
    }
    let hf =
        World::default().env("K", "hf_x").compile("[providers.openai]\nkeys = [{ name = \"a\", value = \"env:K\" }]");
    assert!(hf.unwrap_err()[0].to_string().contains("hf_ token"));
}
