//! Changing any one part of any backend's data is noticed: each part is changed in memory, and the check against the
//! expectations must then fail.

use providers::{Backend, Codec, Endpoint, Flow, Op, Promise, Queue, Routing, Scheme, TABLE, Vendor};
use types::Operation;
use wire::openai::{
    chat::{Dialect, JsonSchema, MaxTokens, Messages, Prefill, StreamOptions, Tools},
    embeddings,
};

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
    for (name, endpoints) in others() {
        let golden = golden(&name);
        assert!(calls(&endpoints) == golden, "{name}");
        for at in 0..endpoints.len() {
            for (what, codec) in codecs(&endpoints[at].codec) {
                let mut mutant: Vec<Endpoint> = endpoints.clone();
                mutant[at].codec = codec;
                assert!(calls(&mutant) != golden, "{name}, {}: nobody notices {what}", endpoints[at].operation.name());
            }
        }
    }
}

fn mutants(backend: &Backend) -> Vec<Mutant> {
    // A new part does not compile here until it is changed below, too.
    let Backend { id: _, aliases: _, hub_org: _, routing: _, direct: _, scheme: _, headers: _, ops: _, vendor: _ } =
        backend;
    let mut all = Vec::new();
    names(backend, &mut all);
    ways(backend, &mut all);
    headers(backend, &mut all);
    ops(backend, &mut all);
    vendors(backend, &mut all);
    all
}

fn vendors(backend: &Backend, all: &mut Vec<Mutant>) {
    let Some(vendor) = backend.vendor else {
        let other = TABLE.iter().find_map(|other| other.vendor);
        all.push(("being a vendor".into(), Backend { vendor: other, ..*backend }));
        return;
    };
    let Vendor { natives, families, carried, is_key: _, variable: _, models: _, other_work } = *vendor;
    let mut push = |what: &str, vendor: Vendor| {
        all.push((what.to_owned(), Backend { vendor: Some(Box::leak(Box::new(vendor))), ..*backend }));
    };
    push("no native dialect", Vendor { natives: &[], ..*vendor });
    let moved = natives.iter().map(|(dialect, path)| (*dialect, leak(format!("{path}x")))).collect::<Vec<_>>();
    push("another native path", Vendor { natives: Vec::leak(moved), ..*vendor });
    for families in one_less(families).chain([with(families, "more-")]) {
        push("other families", Vendor { families, ..*vendor });
    }
    for carried in one_less(carried).chain([with(carried, "x-more")]) {
        push("other headers that go on", Vendor { carried, ..*vendor });
    }
    push("other keys", Vendor { is_key: |_| true, ..*vendor });
    push("another variable", Vendor { variable: "OTHER", ..*vendor });
    push("another list of models", Vendor { models: "v1/more", ..*vendor });
    for other_work in one_less(other_work).chain([with(other_work, "-more")]) {
        push("other work of models", Vendor { other_work, ..*vendor });
    }
    all.push(("being no vendor".into(), Backend { vendor: None, ..*backend }));
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

fn ops(backend: &Backend, all: &mut Vec<Mutant>) {
    for ops in one_less(backend.ops) {
        all.push(("one operation less".into(), Backend { ops, ..*backend }));
    }
    for operation in Operation::ALL.iter().filter(|op| !backend.can(**op)) {
        let found = TABLE.iter().find_map(|other| other.op(*operation)).unwrap();
        all.push((format!("gaining {}", operation.name()), Backend { ops: with(backend.ops, *found), ..*backend }));
    }
    for (at, op) in backend.ops.iter().enumerate() {
        for (what, mutant) in mutated(backend, op) {
            let mut ops = backend.ops.to_vec();
            ops[at] = mutant;
            let what = format!("{} of {}", what, op.operation.name());
            all.push((what, Backend { ops: Vec::leak(ops), ..*backend }));
        }
    }
}

fn mutated(backend: &Backend, op: &Op) -> Vec<(String, Op)> {
    // A new part does not compile here until it is changed below, too.
    let Op { operation: _, path, versioned: _, queue, codec: _, promise } = op;
    let mut all = vec![
        ("another path".to_owned(), Op { path: leak(format!("{path}x")), ..*op }),
        ("another path for versions".to_owned(), Op { versioned: Some("v9"), ..*op }),
    ];
    if let Some((_, shorter)) = path.split_once('/') {
        all.push(("a path one segment shorter".to_owned(), Op { path: shorter, ..*op }));
    }
    let moved = if op.path_has_model() { path.replace("{model}", "m") } else { format!("{{model}}/{path}") };
    all.push(("the model in the path or not".to_owned(), Op { path: leak(moved), ..*op }));
    if op.versioned.is_some() {
        all.push(("no path for versions".to_owned(), Op { versioned: None, ..*op }));
    }
    match *queue {
        None => {
            let queue = Some(Queue { direct: "https://queue.example", query: "queue=1" });
            all.push(("a queue".to_owned(), Op { queue, ..*op }));
        }
        Some(queue) => {
            all.push(("no queue".to_owned(), Op { queue: None, ..*op }));
            let other = Queue { direct: "https://queue.example", ..queue };
            all.push(("another queue".to_owned(), Op { queue: Some(other), ..*op }));
            let other = Queue { query: "queue=1", ..queue };
            all.push(("another query of the queue".to_owned(), Op { queue: Some(other), ..*op }));
        }
    }
    // A backend that is no longer routed is marked so, whatever was promised.
    if backend.routing != Routing::Removed {
        let promise = if *promise == Promise::First { Promise::Upstream } else { Promise::First };
        all.push(("another promise".to_owned(), Op { promise, ..*op }));
    }
    all.extend(codecs(&op.codec).into_iter().map(|(what, codec)| (what, Op { codec, ..*op })));
    all
}

fn codecs(of: &Codec) -> Vec<(String, Codec)> {
    match of {
        Codec::Chat(dialect) => dialects(dialect).into_iter().map(|(what, d)| (what, Codec::Chat(d))).collect(),
        Codec::Embeddings(dialect) => {
            vectors(dialect).into_iter().map(|(what, d)| (what, Codec::Embeddings(d))).collect()
        }
        Codec::Messages => vec![("OpenAI's chat".to_owned(), Codec::Chat(Dialect::OPENAI))],
        Codec::Exchange(flow) => {
            let others = FLOWS.iter().filter(|other| *other != flow);
            others.map(|other| (format!("{other:?}"), Codec::Exchange(*other))).collect()
        }
    }
}

const FLOWS: &[Flow] = &[
    Flow::HfInference,
    Flow::Fal,
    Flow::FalQueue,
    Flow::FalStream,
    Flow::Replicate,
    Flow::Together,
    Flow::Nebius,
    Flow::Nscale,
    Flow::Hyperbolic,
    Flow::Wavespeed,
    Flow::Zai,
    Flow::Deepinfra,
    Flow::Openai,
];

fn vectors(of: &embeddings::Dialect) -> Vec<(String, embeddings::Dialect)> {
    use embeddings::{Dialect, Formats, Shape};
    let Dialect { shape: _, formats: _, tokens, drop: _, refuse: _, max_inputs: _ } = *of;
    let mut all = vec![("taking tokens or not".to_owned(), Dialect { tokens: !tokens, ..*of })];
    for shape in [Shape::Openai, Shape::Inputs] {
        all.push((format!("{shape:?}"), Dialect { shape, ..*of }));
    }
    for formats in [Formats::FloatAndBase64, Formats::Unspoken] {
        all.push((format!("{formats:?}"), Dialect { formats, ..*of }));
    }
    for max_inputs in [None, Some(32), Some(2048)] {
        all.push((format!("at most {max_inputs:?}"), Dialect { max_inputs, ..*of }));
    }
    all.push(("dropping less".to_owned(), Dialect { drop: if of.drop.is_empty() { &["user"] } else { &[] }, ..*of }));
    let refuse: &[&str] = if of.refuse.is_empty() { &["dimensions"] } else { &[] };
    all.push(("refusing otherwise".to_owned(), Dialect { refuse, ..*of }));
    all.retain(|(_, dialect)| dialect != of);
    all
}

fn dialects(of: &Dialect) -> Vec<(String, Dialect)> {
    let Dialect {
        json_schema: _,
        max_tokens: _,
        messages: _,
        tools: _,
        stream_options: _,
        prefill: _,
        drop: _,
        refuse: _,
    } = of;
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
    for messages in [Messages::AsIs, Messages::Plain, Messages::PlainWithDeveloper, Messages::PlainWithReasoning] {
        all.push((format!("{messages:?}"), Dialect { messages, ..*of }));
    }
    for tools in [Tools::AsIs, Tools::Functions] {
        all.push((format!("{tools:?}"), Dialect { tools, ..*of }));
    }
    for stream_options in [StreamOptions::Ask, StreamOptions::Never] {
        all.push((format!("{stream_options:?}"), Dialect { stream_options, ..*of }));
    }
    for prefill in [Prefill::Unsupported, Prefill::LastMessage, Prefill::Flags] {
        all.push((format!("prefill {prefill:?}"), Dialect { prefill, ..*of }));
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
