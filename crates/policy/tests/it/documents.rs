//! What is written about the configuration, held against the configuration itself: neither can change alone.

use std::{fmt::Write as _, fs, path::PathBuf};

use policy::{Setting, settings};
use serde_json::Value;

use super::table::{World, good};

const TABLES: (&str, &str) = ("<!-- settings: begin -->\n", "<!-- settings: end -->");

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The example with every setting switched on.
fn all_on() -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    read("ironbow.example.toml").lines().map(on).collect::<Vec<_>>().join("\n")
}

fn world() -> World {
    World::default()
        .env("HF_TOKEN", "hf_token")
        .env("MY_VLLM_KEY", "vllm")
        .env("ANTHROPIC_API_KEY", "sk-ant-1")
        .file("/run/secrets/groq_key", "gsk\n")
        .file("/etc/ironbow/cert.pem", "-----BEGIN CERTIFICATE-----\n")
        .file("/etc/ironbow/key.pem", "-----BEGIN PRIVATE KEY-----\n")
}

#[test]
fn the_example_is_good_as_it_stands_and_changes_nothing() {
    let said = |text: &str| {
        let c = good(text);
        let names: Vec<_> = c.names.aliases().collect();
        let limits = (&c.listener, &c.limits, &c.timeouts, &c.catalog);
        let routes = (&c.hub, &c.router, &c.keys, names, &c.overrides, &c.servers, &c.routing);
        format!("{:?}", (limits, routes, &c.log, &c.data, &c.notes))
    };
    assert_eq!(said(&read("ironbow.example.toml")), said(""));
}

#[test]
fn the_example_is_good_with_every_setting_switched_on() {
    let compiled = world().compile(&all_on()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(compiled.servers.len(), 1);
    assert_eq!(compiled.names.aliases().count(), 3);
}

#[test]
fn the_example_has_every_setting_with_its_default() {
    let example: Value = toml::from_str::<toml::Value>(&all_on()).map(|v| serde_json::to_value(v).unwrap()).unwrap();
    for setting in settings() {
        let found = find(&example, &setting.path);
        assert!(!found.is_empty(), "{} is not in ironbow.example.toml", setting.path);
        let in_map = setting.path.contains(['<', '[']);
        if let (Some(default), false) = (&setting.default, in_map) {
            assert_eq!(found, [&serde_json::from_str::<Value>(default).unwrap()], "{}", setting.path);
        }
    }
}

/// Every value at a path with `<name>` and `[]` in it.
fn find<'a>(tree: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut here = vec![tree];
    for step in path.split('.') {
        let (key, list) = step.strip_suffix("[]").map_or((step, false), |key| (key, true));
        here = here
            .into_iter()
            .flat_map(|node| match (key, node.as_object()) {
                ("<name>", Some(map)) => map.values().collect::<Vec<_>>(),
                (key, Some(map)) => map.get(key).into_iter().collect(),
                _ => Vec::new(),
            })
            .flat_map(|node| {
                if list { node.as_array().map(|list| list.iter().collect()).unwrap_or_default() } else { vec![node] }
            })
            .collect();
    }
    here
}

#[test]
fn the_page_has_the_table_of_all_settings() {
    let page = read("docs/configuration.md");
    let start = page.find(TABLES.0).expect("the mark before the tables") + TABLES.0.len();
    let end = page.find(TABLES.1).expect("the mark behind the tables");
    let tables = tables(&settings());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path("docs/configuration.md"), format!("{}{tables}{}", &page[..start], &page[end..])).unwrap();
        return;
    }
    assert!(page[start..end] == tables, "docs/configuration.md is behind: run UPDATE_DOCS=1 cargo test -p policy");
}

fn tables(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in settings {
        let head = setting.path.split('.').next().unwrap().trim_end_matches("[]");
        if head != section {
            section = head;
            write!(text, "\n### `[{head}]`\n\n| setting | default | what it is |\n|---|---|---|\n").unwrap();
        }
        let default = setting.default.as_ref().map_or("–".to_owned(), |default| format!("`{default}`"));
        writeln!(
            text,
            "| `{}` | {default} | {} |",
            setting.path,
            setting.description.replace('\n', " ").replace('|', "\\|")
        )
        .unwrap();
    }
    text.push('\n');
    text
}

#[test]
fn the_page_on_names_has_examples_that_mean_what_it_says() {
    let page = read("docs/model-names.md");
    let compiled = good(
        "[servers.my-vllm]\nurl = \"http://127.0.0.1:8000\"\n[aliases]\n\"claude-sonnet-4-5\" = \"huggingface/together/Qwen/Qwen3-32B\"",
    );
    let mut rows = 0;
    for row in page.lines().skip_while(|line| *line != "## Examples").filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect();
        let [name, meaning, ..] = cells.as_slice() else { panic!("{row}") };
        let said = match policy::parse(name, &compiled.names) {
            Ok(types::Asked::Pinned { backend, model }) => format!("{backend}: {model}"),
            Ok(types::Asked::Auto { model, policy }) => format!("any{}: {model}", policy.suffix()),
            Err(_) => "refused".to_owned(),
        };
        assert_eq!(said, *meaning, "{row}");
        rows += 1;
    }
    assert!(rows > 20, "{rows}");
}

#[test]
fn examples_of_configuration_on_the_pages_compile() {
    for page in ["docs/configuration.md", "docs/model-names.md", "docs/routing.md"] {
        for block in read(page).split("```toml\n").skip(1) {
            let text = block.split("```").next().unwrap();
            world().compile(text).map(drop).unwrap_or_else(|problems| panic!("{page}:\n{text}\n{problems:#?}"));
        }
    }
}
