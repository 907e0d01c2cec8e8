//! Changing any one part of any backend's data is noticed: each part is changed in memory, and the check against the
//! expectations must then fail.

use providers::{Backend, Chat, Promise, Routing, Scheme, TABLE};
use wire::openai::chat::{Dialect, JsonSchema, MaxTokens, Messages, StreamOptions, Tools};

use crate::{
    expected::{check, facts, golden},
    probe::{calls, members, others},
};

/// A changed backend, and what was changed.
type Mutant = (String, Backend);

#[test]
fn a_change_of_any_one_part_of_any_backend_is_noticed() {
    let facts = facts();
    let mut tried = 0;
    for backend in TABLE {
        let golden = golden(backend.id);
        check(backend, &facts[backend.id], &golden).unwrap();
        for (what, mutant) in mutants(backend) {
            tried += 1;
            assert!(check(&mutant, &facts[backend.id], &golden).is_err(), "{}: nobody notices {what}", backend.id);
        }
    }
    assert!(tried > 1300, "only {tried} changes were tried");
}

#[test]
fn a_change_of_any_one_part_of_another_dialect_is_noticed() {
    for (name, endpoint) in others() {
        let golden = golden(&name);
        assert!(calls(&endpoint) == golden, "{name}");
        for (what, dialect) in dialects(&endpoint.dialect) {
            let mutant = {
                let mut mutant = endpoint.clone();
                mutant.dialect = dialect;
                mutant
            };
            assert!(calls(&mutant) != golden, "{name}: nobody notices {what}");
        }
    }
}

fn mutants(backend: &Backend) -> Vec<Mutant> {
    // A new part does not compile here until it is changed below, too.
    let Backend { id: _, aliases: _, hub_org: _, routing: _, direct: _, scheme: _, headers: _, chat: _ } = backend;
    let mut all = Vec::new();
    names(backend, &mut all);
    ways(backend, &mut all);
    headers(backend, &mut all);
    match backend.chat {
        Some(chat) => chats(backend, chat, &mut all),
        None => {
            let chat = TABLE.iter().find_map(|other| other.chat);
            all.push(("gaining chat".into(), Backend { chat, ..*backend }));
        }
    }
    all
}

fn names(backend: &Backend, all: &mut Vec<Mutant>) {
    all.push(("another id".into(), Backend { id: leak(format!("{}x", backend.id)), ..*backend }));
    for aliases in one_less(backend.aliases) {
        all.push((format!("the aliases {aliases:?}"), Backend { aliases, ..*backend }));
    }
    all.push(("one more alias".into(), Backend { aliases: with(backend.aliases, "more"), ..*backend }));
    all.push(("another organisation".into(), Backend { hub_org: "somebody", ..*backend }));
}

fn ways(backend: &Backend, all: &mut Vec<Mutant>) {
    for routing in [Routing::Live, Routing::Removed, Routing::Never] {
        if routing != backend.routing {
            all.push((format!("{routing:?}"), Backend { routing, ..*backend }));
        }
    }
    let direct = backend.direct.map_or_else(|| "https://other.example".to_owned(), |base| format!("{base}/x"));
    all.push(("another address".into(), Backend { direct: Some(leak(direct)), ..*backend }));
    if backend.direct.is_some() {
        all.push(("no address".into(), Backend { direct: None, ..*backend }));
        let scheme = if backend.scheme == Scheme::Bearer { Scheme::Key } else { Scheme::Bearer };
        all.push(("another scheme".into(), Backend { scheme, ..*backend }));
    }
}

fn headers(backend: &Backend, all: &mut Vec<Mutant>) {
    if backend.chat.is_none() {
        return;
    }
    for headers in one_less(backend.headers) {
        all.push((format!("the headers {headers:?}"), Backend { headers, ..*backend }));
    }
    for (at, (name, value)) in backend.headers.iter().enumerate() {
        let mut headers = backend.headers.to_vec();
        headers[at] = (name, leak(format!("{value}x")));
        all.push((format!("the value of {name}"), Backend { headers: Vec::leak(headers), ..*backend }));
    }
    all.push(("one more header".into(), Backend { headers: with(backend.headers, ("x-more", "1")), ..*backend }));
}

fn chats(backend: &Backend, chat: Chat, all: &mut Vec<Mutant>) {
    let Chat { path: _, dialect: _, promise: _ } = chat;
    let mut push = |what: String, chat: Option<Chat>| all.push((what, Backend { chat, ..*backend }));
    push("no chat".into(), None);
    push("another path".into(), Some(Chat { path: leak(format!("{}x", chat.path)), ..chat }));
    push("a path one segment shorter".into(), Some(Chat { path: chat.path.split_once('/').unwrap().1, ..chat }));
    push("the model in the path or not".into(), {
        let path =
            if chat.path_has_model() { chat.path.replace("{model}", "m") } else { format!("{{model}}/{}", chat.path) };
        Some(Chat { path: leak(path), ..chat })
    });
    // A backend that is no longer routed is marked so, whatever was promised.
    if backend.routing != Routing::Removed {
        let promise = if chat.promise == Promise::First { Promise::Upstream } else { Promise::First };
        push("another promise".into(), Some(Chat { promise, ..chat }));
    }
    for (what, dialect) in dialects(&chat.dialect) {
        push(what, Some(Chat { dialect, ..chat }));
    }
}

fn dialects(of: &Dialect) -> Vec<(String, Dialect)> {
    let Dialect { json_schema: _, max_tokens: _, messages: _, tools: _, stream_options: _, drop: _, refuse: _ } = of;
    let mut all = Vec::new();
    for json_schema in [
        JsonSchema::AsIs,
        JsonSchema::SchemaBesideType,
        JsonSchema::ObjectWithSchema,
        JsonSchema::ObjectWithValue,
        JsonSchema::NotStrict,
        JsonSchema::WithGuidedJson,
    ] {
        all.push((format!("{json_schema:?}"), Dialect { json_schema, ..*of }));
    }
    for max_tokens in [MaxTokens::Both, MaxTokens::MaxTokens, MaxTokens::MaxCompletionTokens] {
        all.push((format!("{max_tokens:?}"), Dialect { max_tokens, ..*of }));
    }
    for messages in [Messages::AsIs, Messages::Plain, Messages::PlainWithDeveloper] {
        all.push((format!("{messages:?}"), Dialect { messages, ..*of }));
    }
    for tools in [Tools::AsIs, Tools::Functions] {
        all.push((format!("{tools:?}"), Dialect { tools, ..*of }));
    }
    for stream_options in [StreamOptions::Ask, StreamOptions::Never] {
        all.push((format!("{stream_options:?}"), Dialect { stream_options, ..*of }));
    }
    for drop in one_less(of.drop) {
        all.push((format!("dropping {drop:?}"), Dialect { drop, ..*of }));
    }
    for refuse in one_less(of.refuse) {
        all.push((format!("refusing {refuse:?}"), Dialect { refuse, ..*of }));
    }
    for (member, _) in members() {
        if !of.drop.contains(&member) {
            all.push((format!("dropping {member} too"), Dialect { drop: with(of.drop, member), ..*of }));
        }
        if !of.refuse.contains(&member) && !of.drop.contains(&member) {
            all.push((format!("refusing {member} too"), Dialect { refuse: with(of.refuse, member), ..*of }));
        }
    }
    all.retain(|(_, dialect)| dialect != of);
    all
}

/// The list without each of its elements in turn.
fn one_less<T: Copy>(list: &'static [T]) -> impl Iterator<Item = &'static [T]> {
    (0..list.len()).map(|at| {
        let mut less = list.to_vec();
        less.remove(at);
        &*Vec::leak(less)
    })
}

/// The list with one more element.
fn with<T: Copy>(list: &[T], more: T) -> &'static [T] {
    let mut list = list.to_vec();
    list.push(more);
    Vec::leak(list)
}

fn leak(text: String) -> &'static str {
    String::leak(text)
}
