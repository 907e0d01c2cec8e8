//! The capability table of the documentation, rendered from the data.

mod operations;

use std::fmt::Write as _;

use types::Operation;
use wire::openai::chat::{Dialect, JsonSchema, MaxTokens, Messages, Prefill, StreamOptions, Tools, dialect::ADVISORY};

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
    page_of(TABLE)
}

/// The page for this table.
pub fn page_of(table: &[Backend]) -> String {
    let mut page = String::from(HEAD);
    page.push_str("## Capabilities\n\n| backend | also accepted |");
    for operation in Operation::ALL {
        let _ = write!(page, " {} |", operation.name());
    }
    page.push_str(" routed | own address | key on it |\n|---|---|");
    page.push_str(&"---|".repeat(Operation::ALL.len()));
    page.push_str("---|---|---|\n");
    for backend in table {
        capability(backend, &mut page);
    }
    for kind in dialects::DECLARED {
        let marks = Operation::ALL.iter().map(|op| if dialects::declared(*kind, *op).is_some() { "U" } else { "–" });
        let marks = marks.collect::<Vec<_>>().join(" | ");
        let _ = writeln!(page, "| a server of your own: {} |  | {marks} | – | its own | `Bearer` |", kind.name());
    }
    page.push_str(
        "\n`auto` and the suffixes `:fastest`, `:cheapest` and `:preferred` choose among the backends of the model's mapping \
         ([routing.md](routing.md)). The router's own `v1/chat/completions`, which chooses by itself, is asked when the Hub cannot be.\n\n",
    );
    page.push_str(&operations::paths(table));
    page.push_str("## How backends differ from OpenAI's chat\n\n");
    page.push_str(&common());
    page.push_str("| backend | differences from these rules |\n|---|---|\n");
    for backend in table {
        if let Some(dialect) = backend.chat() {
            let headers = backend.headers.iter().map(|(name, value)| format!("sends the header `{name}: {value}`"));
            row(backend.id, headers.chain(differences(dialect)), &mut page);
        }
    }
    page.push_str(
        "\n## Declared servers\n\nA server of your own is declared in the configuration with one of these kinds. The same rules hold.\n\n",
    );
    page.push_str("| kind | differences |\n|---|---|\n");
    for kind in dialects::DECLARED {
        match dialects::chat_of(*kind) {
            Some(dialect) => row(kind.name(), differences(&dialect).into_iter(), &mut page),
            None => row(kind.name(), std::iter::once("no chat".to_owned()), &mut page),
        }
    }
    page.push_str(
        "\nAn address that ends in `/chat/completions` is taken as it is; one that ends in `/v1` gets `/chat/completions`; any \
         other gets `/v1/chat/completions`. The other operations of OpenAI's API stand beside that. `tei` is asked at \
         `/embed`; an `inference-endpoint` gets what is not chat at its address itself, as hf-inference gets it.\n\n",
    );
    page.push_str(&operations::rules());
    page
}

fn capability(backend: &Backend, page: &mut String) {
    let also = code_list(backend.aliases);
    let mark = |operation: &Operation| match (backend.op(*operation), backend.routing) {
        (None, _) => "–",
        (Some(_), Routing::Removed) => "R",
        (Some(op), _) if op.promise == Promise::First => "P",
        (Some(_), _) => "U",
    };
    let marks = Operation::ALL.iter().map(mark).collect::<Vec<_>>().join(" | ");
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
        (Some(_), Scheme::ApiKey) => "`x-api-key`".to_owned(),
    };
    let _ = writeln!(page, "| {} | {also} | {marks} | {routed} | {direct} | {key} |", backend.id);
}

fn row(name: &str, differences: impl Iterator<Item = String>, page: &mut String) {
    let all: Vec<_> = differences.collect();
    let text = if all.is_empty() { "–".to_owned() } else { all.join("; ") };
    let _ = writeln!(page, "| {name} | {text} |");
}

/// What holds for nearly every backend.
fn common() -> String {
    format!(
        "Every body begins with `model`. A call is changed only where a rule says so; members that no rule names are passed on as \
         they came.\n\n\
         - {}.\n- {}.\n- {}.\n\
         - Usage is asked for in every stream, and shown only to callers who asked.\n\
         - Advisory members are taken out and named in the header `x-ironbow-dropped`: {}.\n\
         - Refused by name, or taken out and named with `x-ironbow-lenient: true`: {}.\n\n",
        token_limit(Dialect::COMPATIBLE.max_tokens),
        messages(Dialect::COMPATIBLE.messages),
        tools(Dialect::COMPATIBLE.tools),
        code_list(Dialect::COMPATIBLE.drop),
        code_list(Dialect::COMPATIBLE.refuse),
    )
}

/// How a dialect differs from the common rules, one phrase each.
fn differences(dialect: &Dialect) -> Vec<String> {
    let rules = Dialect::COMPATIBLE;
    let mut all = Vec::new();
    if dialect.json_schema != rules.json_schema {
        all.push(json_schema(dialect.json_schema).to_owned());
    }
    if dialect.max_tokens != rules.max_tokens {
        all.push(token_limit(dialect.max_tokens).to_owned());
    }
    if dialect.messages != rules.messages {
        all.push(messages(dialect.messages).to_owned());
    }
    if dialect.tools != rules.tools {
        all.push(tools(dialect.tools).to_owned());
    }
    if dialect.stream_options == StreamOptions::Never {
        all.push("`stream_options` is taken out: it gives usage unasked".to_owned());
    }
    match dialect.prefill {
        Prefill::Unsupported => {}
        Prefill::LastMessage => all.push(GOES_ON.to_owned()),
        Prefill::Flags => all.push(format!("{GOES_ON}, told by `continue_final_message` and `add_generation_prompt`")),
    }
    let keeps: Vec<_> = ADVISORY.iter().copied().filter(|name| !dialect.drop.contains(name)).collect();
    if keeps.len() == ADVISORY.len() {
        all.push("advisory members are passed on".to_owned());
    } else if !keeps.is_empty() {
        all.push(format!("takes {}", code_list(&keeps)));
    }
    let more: Vec<_> = dialect.refuse.iter().copied().filter(|name| !rules.refuse.contains(name)).collect();
    if !more.is_empty() {
        all.push(format!("also refused: {}", code_list(&more)));
    }
    if rules.refuse.iter().any(|name| !dialect.refuse.contains(name)) {
        all.push("nothing is refused here".to_owned());
    }
    all
}

/// It goes on with an answer that another backend began.
const GOES_ON: &str = "[goes on](routing.md#when-a-stream-breaks) with a broken stream";

const fn json_schema(spelling: JsonSchema) -> &'static str {
    match spelling {
        JsonSchema::AsIs => "a JSON schema goes as OpenAI has it",
        JsonSchema::SchemaBesideType => "a JSON schema becomes `{type: \"json_schema\", schema}`",
        JsonSchema::ObjectWithSchema => "a JSON schema becomes `{type: \"json_object\", schema}`",
        JsonSchema::ObjectWithValue => "a JSON schema becomes `{type: \"json_object\", value: schema}`",
        JsonSchema::NotStrict => "a JSON schema gets `strict: false`",
        JsonSchema::WithGuidedJson => "a JSON schema is sent once more as `guided_json`",
    }
}

const fn token_limit(names: MaxTokens) -> &'static str {
    match names {
        MaxTokens::Both => "`max_tokens` and `max_completion_tokens` go as they came",
        MaxTokens::MaxTokens => "`max_completion_tokens` becomes `max_tokens`",
        MaxTokens::MaxCompletionTokens => "`max_tokens` becomes `max_completion_tokens`",
    }
}

const fn messages(kind: Messages) -> &'static str {
    match kind {
        Messages::AsIs => "messages and null members go as they came",
        Messages::Plain => {
            "The role `developer` becomes `system`; null members go, and so do `refusal`, `annotations`, \
             `provider_specific_fields`, `thinking_blocks` and an empty `tool_calls` of a played-back answer"
        }
        Messages::PlainWithDeveloper => "the role `developer` stays",
        Messages::PlainWithReasoning => "`reasoning_content` of a played-back answer becomes `reasoning`",
    }
}

const fn tools(kind: Tools) -> &'static str {
    match kind {
        Tools::AsIs => "tools of every type go as they came",
        Tools::Functions => "A `custom` tool becomes a function with one string; hosted tools are taken out and named",
    }
}

pub(crate) fn code_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
