//! The capability table of the documentation, rendered from the data.

use std::fmt::Write as _;

use wire::openai::chat::{Dialect, JsonSchema, MaxTokens, Messages, StreamOptions, Tools, dialect::ADVISORY};

use crate::{Backend, Promise, Routing, Scheme, TABLE, dialects};

/// What stands above the tables.
const HEAD: &str = "\
<!-- Rendered from the data in crates/providers. Do not edit: change the data, then run
     UPDATE_DOCS=1 cargo test -p providers -->

# Backends

Every backend is reached in one of two ways: **routed** through Hugging Face with an `hf_…` token, or **directly** at its own
address with its own key. A model is named `huggingface/{backend}/{model}`; each name in the second column is accepted, and the
first one, Hugging Face's own id, is what goes on the wire.

| mark | meaning |
|---|---|
| P | promised from the first release |
| U | the backend does it, so we do it too |
| R | Hugging Face no longer routes to it (since July 2026): works with the backend's own key only, unless the Hub lists the backend again |
| – | the backend cannot; the call is refused before anything is sent, naming the backends that can |

A routed body may have at most 2,097,152 bytes.

";

/// The page `docs/backends.md`.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    page.push_str(
        "## Capabilities\n\n| backend | also accepted | chat | path of chat | routed | own address | key on it |\n",
    );
    page.push_str("|---|---|---|---|---|---|---|\n");
    for backend in TABLE {
        capability(backend, &mut page);
    }
    page.push_str(
        "\n`auto` and the suffixes `:fastest`, `:cheapest` and `:preferred` go to the router's own `v1/chat/completions`, \
         which chooses.\n\n## How backends differ from OpenAI's chat\n\n",
    );
    page.push_str(
        "Members that are not named here are passed on as they came.\n\n| backend | differences |\n|---|---|\n",
    );
    for backend in TABLE {
        if let Some(chat) = &backend.chat {
            let headers = backend.headers.iter().map(|(name, value)| format!("sends the header `{name}: {value}`"));
            row(backend.id, headers.chain(differences(&chat.dialect)), &mut page);
        }
    }
    page.push_str(
        "\n## Declared servers\n\nA server of your own is declared in the configuration with one of these kinds.\n\n",
    );
    page.push_str("| kind | differences |\n|---|---|\n");
    for kind in dialects::DECLARED {
        match dialects::declared(*kind) {
            Some(dialect) => row(kind.name(), differences(&dialect).into_iter(), &mut page),
            None => row(kind.name(), std::iter::once("no chat".to_owned()), &mut page),
        }
    }
    page.push_str(
        "\nAn address that ends in `/chat/completions` is taken as it is; one that ends in `/v1` gets `/chat/completions`; any \
         other gets `/v1/chat/completions`.\n",
    );
    page
}

fn capability(backend: &Backend, page: &mut String) {
    let also = code_list(backend.aliases);
    let (mark, path) = match (&backend.chat, backend.routing) {
        (None, _) => ("–", "–".to_owned()),
        (Some(chat), Routing::Removed) => ("R", format!("`{}`", chat.path)),
        (Some(chat), _) if chat.promise == Promise::First => ("P", format!("`{}`", chat.path)),
        (Some(chat), _) => ("U", format!("`{}`", chat.path)),
    };
    let routed = match backend.routing {
        Routing::Live => "yes",
        Routing::Removed => "no longer",
        Routing::Never => "never",
    };
    let direct = backend.direct.map_or("–".to_owned(), |base| format!("<{base}>"));
    let key = match (backend.direct, backend.scheme) {
        (None, _) => "–".to_owned(),
        (Some(_), Scheme::Bearer) => "`Bearer`".to_owned(),
        (Some(_), Scheme::Key) => "`Key`".to_owned(),
    };
    let _ = writeln!(page, "| {} | {also} | {mark} | {path} | {routed} | {direct} | {key} |", backend.id);
}

fn row(name: &str, differences: impl Iterator<Item = String>, page: &mut String) {
    let all: Vec<_> = differences.collect();
    let text = if all.is_empty() { "none: every byte goes as it came".to_owned() } else { all.join("; ") };
    let _ = writeln!(page, "| {name} | {text} |");
}

/// What a dialect changes, one phrase each.
fn differences(dialect: &Dialect) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |text: &str| all.push(text.to_owned());
    match dialect.json_schema {
        JsonSchema::AsIs => {}
        JsonSchema::SchemaBesideType => say("JSON schema as `{type: \"json_schema\", schema}`"),
        JsonSchema::ObjectWithSchema => say("JSON schema as `{type: \"json_object\", schema}`"),
        JsonSchema::ObjectWithValue => say("JSON schema as `{type: \"json_object\", value: schema}`"),
        JsonSchema::NotStrict => say("JSON schema with `strict: false`"),
        JsonSchema::WithGuidedJson => say("JSON schema once more as `guided_json`"),
    }
    match dialect.max_tokens {
        MaxTokens::Both => {}
        MaxTokens::MaxTokens => say("`max_completion_tokens` → `max_tokens`"),
        MaxTokens::MaxCompletionTokens => say("`max_tokens` → `max_completion_tokens`"),
    }
    match dialect.messages {
        Messages::AsIs => {}
        Messages::Plain => {
            say("role `developer` → `system`, null members and an assistant's `refusal` and `annotations` go")
        }
        Messages::PlainWithDeveloper => say("null members and an assistant's `refusal` and `annotations` go"),
    }
    match dialect.tools {
        Tools::AsIs => {}
        Tools::Functions => say("`custom` tools → functions, hosted tools dropped"),
    }
    match dialect.stream_options {
        StreamOptions::Ask => {}
        StreamOptions::Never => say("no `stream_options`: it gives usage unasked"),
    }
    if dialect.drop == ADVISORY {
        say("advisory members dropped");
    } else if !dialect.drop.is_empty() {
        say(&format!("dropped: {}", code_list(dialect.drop)));
    }
    if !dialect.refuse.is_empty() {
        say(&format!("refused: {}", code_list(dialect.refuse)));
    }
    all
}

fn code_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
