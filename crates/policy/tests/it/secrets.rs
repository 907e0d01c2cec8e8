//! Whatever is wrong and wherever a secret stands, no message shows it.

use policy::settings;
use proptest::prelude::*;

use super::table::World;

/// Keys as vendors give them out; the last has no mark by which one could know it.
const SECRETS: [&str; 4] = [
    "hf_CanaryCanaryCanary123",
    "sk-proj-CanaryCanary123",
    "https://me:Canary123@host/x",
    "Canary7f3a9b2c4d5e6f708192",
];

fn assert_unseen(secret: &str, at: &str, world: &World, text: &str) {
    let said = match world.compile(text) {
        Err(problems) => problems.iter().map(|p| format!("{p} {p:?}")).collect::<Vec<_>>().join("\n"),
        Ok(compiled) => {
            // What is no secret by its setting (a folder, a name of an alias) may be shown; keys never.
            format!("{:?}", (&compiled.keys, &compiled.notes))
        }
    };
    assert!(!said.contains("Canary"), "{at} = {secret}: {said}");
}

#[test]
fn a_secret_in_any_setting_is_never_repeated() {
    for secret in SECRETS {
        for setting in settings() {
            let name =
                setting.variable.replace("<NAME>", if setting.path.starts_with("backends") { "GROQ" } else { "MINE" });
            assert_unseen(secret, &name, &World::default().env(&name, secret), "");
        }
    }
}

#[test]
fn a_secret_as_a_key_or_broken_into_the_file_is_never_repeated() {
    for secret in SECRETS {
        for text in [
            format!("\"{secret}\" = 1"),
            format!("[\"{secret}\"]\nx = 1"),
            format!("key = {secret}"),
            secret.to_owned(),
            format!("[listener]\n{secret}"),
            format!("x = \"{secret}"),
            format!("[huggingface]\nkeys = [\"{secret}\"]"),
            format!("[huggingface]\nkeys = \"{secret}\""),
            format!("[backends.\"{secret}\"]"),
            format!("[servers.\"{secret}\"]\nurl = \"x\""),
            format!("[aliases]\na = \"{secret}\""),
            format!("[aliases]\na = \"huggingface/{secret}/x/y\""),
            format!("[aliases]\n\"{secret}\" = \"{secret}\""),
            format!(
                "[servers.x]\nurl = \"http://h\"\nkey = \"{secret}\"\nmodels = [\"{secret}\"]\ndialect = \"{secret}\""
            ),
            format!(
                "[[huggingface.keys]]\nname = \"{secret}\"\nvalue = \"{secret}\"\nbackend = \"{secret}\"\nbill_to = \"{secret}\""
            ),
        ] {
            assert_unseen(secret, &text, &World::default(), &text);
        }
    }
}

#[test]
fn the_value_behind_a_reference_is_never_shown() {
    for value in [
        "Canary123",
        "hf_Canary123",
        "Canary123 with spaces",
        "Canary123\nX: y",
        "Canary123é",
        &"Canary123".repeat(600),
    ] {
        for text in [
            "[[huggingface.keys]]\nname = \"a\"\nvalue = \"env:V\"",
            "[[huggingface.keys]]\nname = \"a\"\nvalue = \"file:/v\"\nbackend = \"groq\"",
            "[servers.x]\nurl = \"http://h\"\nkey = \"file:/v\"",
            "[listener.tls]\ncert = \"/v\"\nkey = \"/v\"",
            "",
        ] {
            let world = World::default().env("V", value).env("HF_TOKEN", value).file("/v", value);
            assert_unseen("Canary123", text, &world, text);
            let world = World::default().env("HF_TOKEN_PATH", "/v").file("/v", value);
            assert_unseen("Canary123", text, &world, text);
        }
    }
}

#[test]
fn a_missing_secret_is_named_by_its_reference() {
    let problems = World::default().compile("[[huggingface.keys]]\nname = \"a\"\nvalue = \"env:MY_KEY\"").unwrap_err();
    assert_eq!(problems[0].path, "huggingface.keys[0].value");
    assert!(problems[0].message.contains("MY_KEY"), "{problems:?}");
    let empty = World::default()
        .env("MY_KEY", " \n")
        .compile("[[huggingface.keys]]\nname = \"a\"\nvalue = \"env:MY_KEY\"")
        .unwrap_err();
    assert!(empty[0].message.contains("is empty"), "{empty:?}");
}

#[test]
fn a_token_pasted_as_a_models_name_is_masked() {
    let names = super::table::names();
    for text in [
        "hf_CanaryCanary123",
        "huggingface/x/hf_CanaryCanary123/y",
        "a/b:hf_CanaryCanary123",
        "huggingface/groq/hf_CanaryCanary123:fastest",
        "sk-proj-CanaryCanary123",
    ] {
        let fault = policy::parse(text, &names).unwrap_err();
        assert!(!fault.message.contains("Canary"), "{fault}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(text in any::<String>(), value in any::<String>()) {
        let _ = World::default().env("IRONBOW_ALIASES", &value).env("HF_TOKEN", &value).env("IRONBOW_LISTEN", &value).compile(&text);
    }

    #[test]
    fn nor_does_a_text_of_configurations_own_words(text in "(\\[listener\\]\n|\\[\\[huggingface.keys\\]\\]\n|name = |value = |\"env:X\"\n|\"a\"\n|\\[servers.x\\]\n|url = |aliases = |\\{\\}\n|\\[\\]\n|1\n|-1\n|address = |\\[aliases\\]\n|a = |1979-05-27\n|inf\n|nan\n|0xFFFFFFFFFFFFFFFFFF\n|x\\.y = ){0,14}") {
        let _ = World::default().compile(&text);
    }
}
