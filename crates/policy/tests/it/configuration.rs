//! What a configuration becomes, and what is said about a bad one.

use std::time::Duration;

use policy::{Place, credentials::Way};
use types::{
    BackendName,
    config::{Dialect, LogLevel},
};

use super::table::{World, good, problems};

#[test]
fn no_configuration_is_a_safe_one() {
    let compiled = World::default().compile_sources(None).unwrap();
    assert_eq!(compiled.listener.address.to_string(), "127.0.0.1:8080");
    assert!(!compiled.listener.allow_remote && compiled.listener.tls.is_none());
    assert_eq!(compiled.hub.as_str(), "https://huggingface.co");
    assert_eq!(compiled.router.as_str(), "https://router.huggingface.co");
    assert_eq!((compiled.limits.body, compiled.limits.hugging_face_body), (32 << 20, 2_097_152));
    assert_eq!(compiled.timeouts.first_event, Duration::from_secs(600));
    assert_eq!(compiled.timeouts.between_events, Duration::from_secs(120));
    assert_eq!(compiled.timeouts.stream, Duration::from_secs(3600));
    assert_eq!(compiled.timeouts.answer, Duration::from_secs(600));
    assert!(compiled.keys.allow_callers() && !compiled.keys.has_routed());
    assert_eq!(compiled.data, None, "there is no home in this environment");
    assert!(compiled.notes.is_empty());
}

#[test]
fn limits_and_times_follow_backend_and_way() {
    let compiled = good(
        "limits.hugging_face_body = \"1MiB\"\ntimeouts.answer = \"9s\"\n[backends.fireworks]\nbody_limit = 77\nbase_url = \"http://localhost:9/x/\"\ntimeouts.first_event = \"5s\"\n[servers.mine]\nurl = \"http://10.0.0.1\"",
    );
    let id = BackendName::new;
    assert_eq!(compiled.body_limit(&id("groq"), Way::Routed), 1 << 20);
    assert_eq!(compiled.body_limit(&id("groq"), Way::Direct), 32 << 20);
    assert_eq!(compiled.body_limit(&id("fireworks-ai"), Way::Routed), 77);
    assert_eq!(compiled.body_limit(&id("mine"), Way::Direct), 32 << 20);
    assert_eq!(compiled.times(&id("fireworks-ai")).first_event, Duration::from_secs(5));
    assert_eq!(compiled.times(&id("fireworks-ai")).answer, Duration::from_secs(9));
    assert_eq!(compiled.times(&id("groq")).first_event, Duration::from_secs(600));
    assert_eq!(compiled.direct_base(&id("fireworks-ai")).unwrap().as_str(), "http://localhost:9/x");
    assert!(compiled.direct_base(&id("groq")).is_none());
}

#[test]
fn a_server_is_ready_with_its_key() {
    let compiled = World::default()
        .env("K", "secret")
        .compile("[servers.ep]\nurl = \"https://x.endpoints.huggingface.cloud/v1/\"\ndialect = \"inference-endpoint\"\nkey = \"env:K\"\nmodels = [\"a/b\"]\nadvertised = false")
        .unwrap();
    let server = &compiled.servers[0];
    assert_eq!((server.name.as_str(), server.url.as_str()), ("ep", "https://x.endpoints.huggingface.cloud/v1"));
    assert_eq!((server.dialect, server.advertised), (Dialect::InferenceEndpoint, false));
    assert_eq!(&*server.models[0], "a/b");
    assert!(compiled.notes.is_empty());
}

#[test]
fn a_relative_path_counts_from_the_folder_of_the_file() {
    let compiled = World::default()
        .file("/etc/ironbow/token", "hf_x\n")
        .compile("data.folder = \"kept\"\n[[huggingface.keys]]\nname = \"a\"\nvalue = \"file:token\"")
        .unwrap();
    assert_eq!(compiled.data.unwrap().to_str(), Some("/etc/ironbow/kept"));
    assert!(compiled.keys.has_routed());
    let from_env = World::default().env("IRONBOW_DATA__FOLDER", "kept").compile("").unwrap();
    assert_eq!(from_env.data.unwrap().to_str(), Some("kept"));
}

#[test]
fn the_cache_folder_of_the_user_is_the_default() {
    let data = |world: World| world.compile("").unwrap().data;
    #[cfg(target_os = "linux")]
    {
        assert_eq!(data(World::default().env("HOME", "/home/me")).unwrap().to_str(), Some("/home/me/.cache/ironbow"));
        assert_eq!(
            data(World::default().env("HOME", "/h").env("XDG_CACHE_HOME", "/c")).unwrap().to_str(),
            Some("/c/ironbow")
        );
    }
    assert_eq!(data(World::default().env("HOME", "/h").env("IRONBOW_DATA__FOLDER", "none")), None);
}

#[test]
fn plain_http_to_another_machine_is_noted() {
    let compiled = World::default()
        .env("K", "k")
        .compile("huggingface.router = \"http://10.1.1.1\"\n[servers.x]\nurl = \"http://10.1.1.2\"\nkey = \"env:K\"")
        .unwrap();
    assert_eq!(compiled.notes.len(), 2, "{:?}", compiled.notes);
}

#[test]
fn all_problems_are_reported_together_with_their_places() {
    let text = r#"
[listner]
address = "x"

[listener]
adress = "127.0.0.1:1"
address = "0.0.0.0:80"
workers = -1
max_head = "1GiB"
idle_time = 75

[listener.tls]
cert = "cert.pem"

[limits]
body = "32 megabytes"
held_bodies = "1KiB"
depth = 5.5

[timeouts]
answer = "0s"
stream = "2d"
body = 1979-05-27

[huggingface]
hub = "https://user:pw@hub"
router = "router.huggingface.co"
caller_keys = "allways"
bill_to = "our org"

[[huggingface.keys]]
name = "one"
value = "env:NOWHERE"

[[huggingface.keys]]
nme = "two"
value = "hf_literal_secret"

[[huggingface.keys]]
name = "one"
value = "file:nowhere"
backend = "gorq"

[[huggingface.keys]]
name = "inference"
value = "env:DIRECT"
backend = "hf-inference"

[backends.fireworks]
enabled = "yes"

[backends.fireworks-ai]

[backends.together-ai]

[servers.groq]
url = "http://127.0.0.1"

[servers.auto]
url = "http://127.0.0.1"

[servers."My Server"]
url = "http://127.0.0.1"

[servers.nothing]
models = ["a", 5, "b//c"]

[aliases]
a = "b"
b = "huggingface/groq/x"
c = "c"
d = "huggingface/gorq/x/y"
e = 5
f = ["x"]

[log]
level = "loud"
"#;
    let world = World::default().env("DIRECT", "key").env("IRONBOW_LOGG", "x").env("IRONBOW_CATALOG__KEEP", "1s");
    let problems = world.compile(text).unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_file_that_is_not_toml_is_refused_by_line_without_repeating_it() {
    let problems =
        World::default().compile("[listener]\naddress = \"127.0.0.1:1\"\nkey = hf_secretsecret\n[log\n").unwrap_err();
    assert!(!problems.is_empty());
    for problem in &problems {
        assert!(matches!(problem.place, Some(Place::File { line: 3.., .. })), "{problem}");
        assert!(!problem.to_string().contains("secretsecret"), "{problem}");
    }
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let lines = problems("[log]\nlevel = \"info\"\nlevel = \"warn\"");
    assert!(lines.len() == 1 && lines[0].starts_with("/etc/ironbow/gateway.toml:3:1: "), "{lines:?}");
}

#[test]
fn another_machine_may_reach_the_listener_only_by_an_explicit_flag() {
    for address in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[fe80::1]:80"] {
        let lines = problems(&format!("listener.address = \"{address}\""));
        assert!(
            lines.len() == 1 && lines[0].contains("allow_remote") && lines[0].contains("--allow-remote"),
            "{lines:?}"
        );
        good(&format!("listener.address = \"{address}\"\nlistener.allow_remote = true"));
    }
    for address in ["127.0.0.1:0", "127.3.2.1:80", "[::1]:80", "localhost:80"] {
        good(&format!("listener.address = \"{address}\""));
    }
}

#[test]
fn tls_needs_two_readable_pem_files() {
    let text = "[listener.tls]\ncert = \"c.pem\"\nkey = \"k.pem\"";
    let world = World::default().file("/etc/ironbow/c.pem", "-----BEGIN CERTIFICATE-----");
    let missing = world.compile(text).unwrap_err();
    assert_eq!((missing.len(), missing[0].path.as_str()), (1, "listener.tls.key"));
    let swapped = world.file("/etc/ironbow/k.pem", "-----BEGIN CERTIFICATE-----");
    assert_eq!(swapped.compile(text).unwrap_err()[0].path, "listener.tls.key");
    let whole = swapped.file("/etc/ironbow/k.pem", "-----BEGIN EC PRIVATE KEY-----").compile(text).unwrap();
    assert_eq!(whole.listener.tls.unwrap().cert.to_str(), Some("/etc/ironbow/c.pem"));
}

#[test]
fn the_level_of_the_log_is_a_word() {
    assert_eq!(good("log.level = \"debug\"").log.level, LogLevel::Debug);
    assert_eq!(good("").log.level, LogLevel::Info);
}
