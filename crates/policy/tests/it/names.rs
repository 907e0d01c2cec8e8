//! The grammar of names: what is understood, what is refused, and that nothing dangerous comes through.

use policy::{name, parse};
use proptest::prelude::*;
use types::{Asked, Kind, RoutePolicy};

use super::table::{TABLE, good, names};

fn pinned(text: &str) -> (String, String) {
    match parse(text, &names()).unwrap_or_else(|fault| panic!("{text}: {fault}")) {
        Asked::Pinned { backend, model } => (backend.as_str().to_owned(), model.to_string()),
        auto => panic!("{text}: {auto:?}"),
    }
}

fn auto(text: &str) -> (String, RoutePolicy) {
    match parse(text, &names()).unwrap_or_else(|fault| panic!("{text}: {fault}")) {
        Asked::Auto { model, policy } => (model.to_string(), policy),
        pinned => panic!("{text}: {pinned:?}"),
    }
}

fn refused(text: &str) -> (Kind, String) {
    let fault = parse(text, &names()).expect_err(text);
    assert_eq!(fault.param.as_deref(), Some("model"), "{text}");
    (fault.kind, fault.message)
}

#[test]
fn routes_that_people_already_have_work() {
    for (text, backend, model) in [
        ("huggingface/cerebras/llama-3.1-70b-instruct", "cerebras", "llama-3.1-70b-instruct"),
        ("huggingface/groq/llama-3.2-90b-vision-instruct", "groq", "llama-3.2-90b-vision-instruct"),
        ("huggingface/fireworks/mixtral-8x7b-instruct", "fireworks-ai", "mixtral-8x7b-instruct"),
        ("huggingface/fal-ai/fal-ai/flux/dev", "fal-ai", "fal-ai/flux/dev"),
        (
            "huggingface/hf-inference/meta-llama/Meta-Llama-3-8B-Instruct",
            "hf-inference",
            "meta-llama/Meta-Llama-3-8B-Instruct",
        ),
        ("huggingface/ovhcloud-ai-endpoints/a/b", "ovhcloud", "a/b"),
        ("huggingface/z-ai/glm-4.6", "zai-org", "glm-4.6"),
        ("huggingface/sambanova/x/y", "sambanova", "x/y"),
        ("huggingface/nebius/y", "nebius", "y"),
        ("huggingface/openai/openai/gpt-4o", "openai", "openai/gpt-4o"),
        (
            "huggingface/replicate/bytedance/sdxl-lightning-4step:5599ed30703defd1d160a25a63321b4dec97101d98b4674bcc56e41f62f35637",
            "replicate",
            "bytedance/sdxl-lightning-4step:5599ed30703defd1d160a25a63321b4dec97101d98b4674bcc56e41f62f35637",
        ),
        (
            "huggingface/fireworks-ai/accounts/fireworks/models/llama-v3p3-70b-instruct",
            "fireworks-ai",
            "accounts/fireworks/models/llama-v3p3-70b-instruct",
        ),
    ] {
        assert_eq!(pinned(text), (backend.to_owned(), model.to_owned()), "{text}");
    }
}

#[test]
fn a_suffix_is_read_as_hugging_faces_router_reads_it() {
    for (suffix, policy) in [
        ("", RoutePolicy::Default),
        (":auto", RoutePolicy::Default),
        (":fastest", RoutePolicy::Fastest),
        (":cheapest", RoutePolicy::Cheapest),
        (":preferred", RoutePolicy::Preferred),
    ] {
        for front in ["", "huggingface/", "huggingface/auto/"] {
            assert_eq!(auto(&format!("{front}Qwen/Qwen3-32B{suffix}")), ("Qwen/Qwen3-32B".to_owned(), policy));
        }
    }
    for front in ["", "huggingface/", "huggingface/auto/"] {
        assert_eq!(
            pinned(&format!("{front}zai-org2/GLM:fireworks")),
            ("fireworks-ai".to_owned(), "zai-org2/GLM".to_owned())
        );
    }
    assert_eq!(pinned("huggingface/auto/gpt2:groq"), ("groq".to_owned(), "gpt2".to_owned()));
    assert_eq!(pinned("huggingface/groq/a/b:groq"), ("groq".to_owned(), "a/b".to_owned()));
}

#[test]
fn with_one_slash_only_a_name_that_is_routed_is_a_backend() {
    assert_eq!(auto("huggingface/openai/gpt-oss-120b").0, "openai/gpt-oss-120b");
    assert_eq!(pinned("huggingface/openai/gpt-oss-120b:groq").1, "openai/gpt-oss-120b");
    assert_eq!(auto("huggingface/meta-llama/Llama-3").0, "meta-llama/Llama-3");
    assert_eq!(auto("huggingface/auto/groq/Llama-3").0, "groq/Llama-3");
    assert_eq!(auto("huggingface/auto/gpt2").0, "gpt2");
    assert_eq!(pinned("huggingface/together/Llama-3").0, "together");
    // Backends are written in lower case; the Hub has an organisation `Groq`.
    assert_eq!(auto("huggingface/Groq/Llama-3-Groq-8B").0, "Groq/Llama-3-Groq-8B");
    // Without the prefix it is a Hub id, as for Hugging Face's own router.
    assert_eq!(auto("groq/Llama-3").0, "groq/Llama-3");
    assert_eq!(auto("openai/gpt-oss-20b").0, "openai/gpt-oss-20b");
    assert_eq!(auto("anthropic/x").0, "anthropic/x");
}

#[test]
fn a_miss_can_be_told_the_other_meaning_and_it_parses() {
    let names = names();
    for (text, said) in [
        ("huggingface/groq/x", "for the Hub model groq/x write huggingface/auto/groq/x"),
        (
            "huggingface/openai/gpt-oss",
            "for the model gpt-oss of the backend openai write huggingface/auto/gpt-oss:openai",
        ),
        ("groq/x", "for the model x of the backend groq write huggingface/auto/x:groq"),
    ] {
        assert_eq!(name::other_meaning(text, &names).as_deref(), Some(said));
        parse(said.rsplit(' ').next().unwrap(), &names).unwrap();
    }
    assert_eq!(name::other_meaning("huggingface/meta-llama/x", &names), None);
    assert_eq!(name::other_meaning("huggingface/groq/a/b", &names), None);
}

#[test]
fn what_could_change_a_path_or_a_header_is_refused_as_malformed() {
    for text in [
        "",
        "huggingface/",
        "huggingface//x",
        "huggingface/groq/",
        "huggingface/groq//x",
        "/a/b",
        "a/b/",
        "a//b",
        "huggingface/groq/../x",
        "huggingface/groq/..",
        "a/..",
        "../a",
        "a/.b",
        "./a",
        "a/b..c",
        "a b/c",
        "a/b\r\nX: y",
        "a/b\0",
        "a/bü",
        "http://evil/x",
        "huggingface/groq/http://evil",
        "huggingface/groq/a@b",
        "a/b#c",
        "a/b?c",
        "a\\b",
        "a/b%2e",
        "a/b\t",
        "a/b:",
        ":a/b",
        "a/:b",
        "a/b:/c",
        "a/b::c",
        "a/b;c",
        "a/b,c",
        "a/{b}",
        "a/\"b\"",
        " a/b",
        "a/b\u{202e}",
        "a/b\u{7f}",
    ] {
        assert_eq!(refused(text).0, Kind::BadRequest, "{text:?}");
    }
    assert!(parse(&"x".repeat(257), &names()).is_err());
    assert!(parse(&format!("{}/{}", "o".repeat(100), "x".repeat(155)), &names()).is_ok());
}

#[test]
fn a_readable_name_without_meaning_is_an_unknown_model() {
    for text in [
        "gpt-4o",
        "groq",
        "huggingface/groq",
        "huggingface/gpt2",
        "huggingface/auto",
        "huggingface/nobody/a/b",
        "huggingface/gorq/a/b",
        "groq/a/b",
        "x/a/b",
        "a/b:nobody",
        "huggingface/a/b:fastets",
        "huggingface/auto/a/b/c",
        "a/b:c/d",
        "HuggingFace/groq/a",
        "huggingface/huggingface/groq/a",
        "a/b:fastest:groq",
        "claude-sonnet-4-5:fastest",
    ] {
        assert_eq!(refused(text).0, Kind::UnknownModel, "{text}");
    }
    for text in ["huggingface/groq/a/b:fastest", "huggingface/groq/a/b:together", "huggingface/groq/a:auto"] {
        assert_eq!(refused(text).0, Kind::BadRequest, "{text}");
    }
}

#[test]
fn every_refusal_says_what_was_understood_and_what_is_right() {
    let texts = [
        "",
        "huggingface/",
        "gpt-4o",
        "groq",
        "huggingface/groq",
        "huggingface/auto",
        "huggingface/gpt2",
        "huggingface/gorq/a/b",
        "huggingface/nobody-like-this/a/b",
        "groq/a/b",
        "x/a/b",
        "HuggingFace/groq/a",
        "huggingface/huggingface/groq/a",
        "a/b:fastets",
        "a/b:c/d",
        "a/b:fastest:groq",
        "huggingface/auto/a/b/c",
        "huggingface/groq/a/b:fastest",
        "huggingface/groq/a/b:together",
        "http://evil/x",
        "a/../b",
        "a//b",
        "a/.b",
        "a/b:",
        "a/b#c",
        "a b/c",
        "a/b\n",
        "a/hf_abcdefghijkl\n",
    ];
    let said: Vec<String> = texts.iter().map(|text| format!("{text:?}\n  {}", refused(text).1)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn an_alias_lets_a_client_keep_its_name() {
    let compiled = good(
        "[aliases]\n\"claude-sonnet-4-5\" = \"huggingface/together/org/model\"\n\"my model (new)\" = \"org/x:cheapest\"\n[servers.home]\nurl = \"http://127.0.0.1:8000\"",
    );
    let Asked::Pinned { backend, model } = parse("claude-sonnet-4-5", &compiled.names).unwrap() else { panic!() };
    assert_eq!((backend.as_str(), &*model), ("together", "org/model"));
    assert!(matches!(
        parse("my model (new)", &compiled.names).unwrap(),
        Asked::Auto { policy: RoutePolicy::Cheapest, .. }
    ));
    assert!(
        parse("Claude-Sonnet-4-5", &compiled.names).unwrap_err().message.contains("did you mean \"claude-sonnet-4-5\"")
    );
    for (text, name) in [
        ("huggingface/home/llama3:8b", "llama3:8b"),
        ("huggingface/home/a/b/c:groq", "a/b/c:groq"),
        ("org/x:home", "org/x"),
    ] {
        let Asked::Pinned { backend, model } = parse(text, &compiled.names).unwrap() else { panic!("{text}") };
        assert_eq!((backend.as_str(), &*model), ("home", name));
    }
}

#[test]
fn a_backend_that_is_switched_off_is_refused_under_every_name() {
    let compiled = good("[backends.fireworks]\nenabled = false");
    for text in ["huggingface/fireworks/x", "huggingface/fireworks-ai/a/b", "a/b:fireworks-ai"] {
        let fault = parse(text, &compiled.names).unwrap_err();
        assert!(fault.message.contains("backends.fireworks-ai.enabled"), "{fault}");
    }
}

fn model() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9_-]{0,12}(\\.[A-Za-z0-9]{1,4})?(/[A-Za-z0-9][A-Za-z0-9_+~-]{0,20}){0,3}"
}

proptest! {
    #[test]
    fn every_backend_by_every_name_gives_back_id_and_model(model in model(), variant in "(:[0-9a-f]{8})?") {
        let names = names();
        for backend in TABLE {
            for front in backend.aliases.iter().chain([&backend.id]) {
                let model = format!("{model}{variant}");
                // With one slash, what is never routed is an organisation.
                if backend.routing == policy::Routing::Never && !model.contains('/') {
                    continue;
                }
                let asked = parse(&format!("huggingface/{front}/{model}"), &names).unwrap();
                let expected = Asked::Pinned { backend: types::BackendName::new(backend.id), model: model.as_str().into() };
                prop_assert_eq!(asked, expected);
            }
        }
    }

    #[test]
    fn a_hub_id_gives_itself_back_with_every_suffix(org in "[A-Z][a-z0-9-]{0,10}", name in "[A-Za-z0-9][A-Za-z0-9_-]{0,20}") {
        let names = names();
        let id = format!("{org}/{name}");
        for front in ["", "huggingface/", "huggingface/auto/"] {
            let asked = parse(&format!("{front}{id}:cheapest"), &names).unwrap();
            prop_assert_eq!(asked, Asked::Auto { model: id.as_str().into(), policy: RoutePolicy::Cheapest });
            for backend in TABLE {
                let asked = parse(&format!("{front}{id}:{}", backend.id), &names).unwrap();
                prop_assert_eq!(asked.model().as_ref(), id.as_str());
            }
        }
    }

    #[test]
    fn no_text_panics_or_lets_a_dangerous_model_through(front in "(huggingface/)?(auto/|groq/|openai/|fal/)?", tail in any::<String>()) {
        check_any(&format!("{front}{tail}"));
        check_any(&tail);
    }

    #[test]
    fn nor_does_a_text_of_nothing_but_special_characters(text in "(huggingface/|groq/|auto/|a|:|/|\\.|%|@|#|\\?|\\\\|\r|\n|é|~|fastest|openai){0,12}") {
        check_any(&text);
    }
}

fn check_any(text: &str) {
    let names = names();
    let (first, second) = (parse(text, &names), parse(text, &names));
    match (&first, &second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first, second);
            let model = first.model();
            assert!(!model.is_empty() && model.len() <= 256, "{text:?}");
            assert!(model.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+~/:".contains(&b)), "{text:?}");
            assert!(
                model.split('/').all(|part| !part.is_empty() && !part.starts_with('.')) && !model.contains(".."),
                "{text:?}"
            );
            assert!(!model.contains("://") && !model.starts_with(':') && !model.ends_with(':'), "{text:?}");
        }
        (Err(first), Err(second)) => {
            assert_eq!(first.message, second.message);
            assert!(
                first.message.len() > 20 && first.message.is_ascii() | !text.is_ascii() | (text.len() > 80),
                "{text:?}"
            );
            assert!(!first.message.contains(['\r', '\n', '\0']), "{text:?}");
        }
        _ => panic!("{text:?} is decided differently each time"),
    }
}
