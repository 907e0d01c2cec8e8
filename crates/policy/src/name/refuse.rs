//! Why a name is refused: what was understood, and what would be right. Off the hot path.

use types::{Fault, Kind, secret::MASK};

use super::{AUTO, BYTES, Byte, MAX_LENGTH, Names, PREFIX, names::Route};
use crate::{nearest, shown};

const FORMS: &str = "write huggingface/{backend}/{model}, huggingface/auto/{org}/{name} or {org}/{name}";

fn bad(message: String) -> Box<Fault> {
    Fault::new(Kind::BadRequest, sentence(message)).param("model").code("invalid_model_name")
}

fn unknown(message: String) -> Box<Fault> {
    Fault::new(Kind::UnknownModel, sentence(message)).param("model")
}

fn sentence(mut message: String) -> String {
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !message.ends_with(['.', '?']) {
        message.push('.');
    }
    message
}

/// The fault without what looks like a token in the name: people paste keys into the wrong field.
#[cold]
pub(super) fn masked(text: &str, mut fault: Box<Fault>) -> Box<Fault> {
    for piece in text.split(['/', ':']).filter(|piece| shown::name(piece) == MASK) {
        fault.message = fault.message.replace(piece, MASK);
    }
    fault
}

#[cold]
pub(super) fn too_long(text: &str) -> Box<Fault> {
    bad(format!("the model name has {} bytes; at most {MAX_LENGTH} are read", text.len()))
}

/// Says which rule of `is_plain` the name breaks first.
#[cold]
pub(super) fn malformed(text: &str) -> Box<Fault> {
    if text.is_empty() {
        return bad(format!("the model name is empty; {FORMS}"));
    }
    let name = shown::name(text);
    if text == PREFIX {
        return bad(format!("the model name {name} ends after its prefix; {FORMS}"));
    }
    if text.contains("://") {
        return bad(format!(
            "the model name {name} is an address, and a caller cannot choose where a call goes; the operator can declare a server under [servers.{{name}}], and its models are huggingface/{{name}}/{{model}}"
        ));
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii() || BYTES[*c as usize & 127] == Byte::Bad) {
        let what = match c {
            ' ' => "a space".to_owned(),
            c if c.is_whitespace() || c.is_control() => format!("the character U+{:04X}", u32::from(c)),
            c => format!("'{c}'"),
        };
        return bad(format!("the model name {name} contains {what}; letters, digits and - _ . + ~ / : are allowed"));
    }
    let rule = if text.contains("..") {
        "two dots in a row"
    } else if text.contains("//") || text.starts_with('/') || text.ends_with('/') {
        "a part between slashes that is empty"
    } else if text.starts_with('.') || text.contains("/.") {
        "a part that begins with a dot"
    } else {
        "a colon with nothing before or behind it"
    };
    bad(format!("the model name {name} has {rule}; {FORMS}"))
}

/// `huggingface/` and then no slash.
#[cold]
pub(super) fn no_model(rest: &str, names: &Names) -> Box<Fault> {
    let plain = rest.split(':').next().unwrap_or(rest);
    let message = match names.route(plain) {
        Some(route) => {
            format!("\"{PREFIX}{rest}\" names the backend {} but no model; write {PREFIX}{plain}/{{model}}", route.name)
        }
        None if rest == AUTO => format!("\"{PREFIX}{AUTO}\" names no model; write {PREFIX}{AUTO}/{{org}}/{{name}}"),
        None => format!(
            "{} names neither a backend nor an organisation; write {PREFIX}{{backend}}/{plain} to pin a backend, {PREFIX}{AUTO}/{{org}}/{plain} for any backend, or {PREFIX}{AUTO}/{PREFIX}{plain} for a model of the organisation huggingface",
            shown::name(&format!("{PREFIX}{rest}")),
        ),
    };
    unknown(message)
}

#[cold]
pub(super) fn unknown_backend(text: &str, first: &str, model: &str, names: &Names) -> Box<Fault> {
    let name = shown::name(text);
    if first == "huggingface" {
        return unknown(format!("the model name {name} has the prefix {PREFIX} twice; write {PREFIX}{model}"));
    }
    let guess = match nearest::nearest(first, names.known()) {
        Some(near) => format!("did you mean {PREFIX}{near}/{model}?"),
        None => format!("known are {}", names.listed().join(", ")),
    };
    unknown(format!(
        "the model name {name} asks for a backend {}, which does not exist here; {guess}",
        shown::name(first)
    ))
}

/// No slash and no prefix: the model of some other vendor, most of the time.
#[cold]
pub(super) fn bare_name(text: &str, names: &Names) -> Box<Fault> {
    let name = shown::name(text);
    let plain = text.split(':').next().unwrap_or(text);
    if let Some(route) = names.route(plain) {
        return unknown(format!(
            "{name} names the backend {} but no model; write {PREFIX}{plain}/{{model}}",
            route.name
        ));
    }
    let near = nearest::hint(text, names.aliases().map(|(alias, _)| alias));
    unknown(format!(
        "the model name {name} says neither backend nor organisation{near}. To let clients use this name, the operator adds one line under [aliases] in the configuration: {name} = \"huggingface/{{backend}}/{{org}}/{{name}}\""
    ))
}

#[cold]
pub(super) fn too_many_slashes(text: &str, names: &Names) -> Box<Fault> {
    let name = shown::name(text);
    let first = text.split('/').next().unwrap_or(text);
    if first.eq_ignore_ascii_case("huggingface") {
        let rest = &text[first.len() + 1..];
        return unknown(format!("the prefix of {name} is written in lower case: {PREFIX}{rest}"));
    }
    match names.route(first).map(|_| first).or_else(|| nearest::nearest(first, names.known())) {
        Some(near) => unknown(format!(
            "the model name {name} has too many slashes for a Hub id ({{org}}/{{name}}); to pin a backend write {PREFIX}{near}/{}",
            &text[first.len() + 1..],
        )),
        None => unknown(format!("the model name {name} has too many slashes for a Hub id ({{org}}/{{name}}); {FORMS}")),
    }
}

#[cold]
pub(super) fn not_a_hub_id(text: &str, id: &str) -> Box<Fault> {
    unknown(format!(
        "in the model name {} the part {} was understood as a Hub id with an optional suffix, which is {{org}}/{{name}} or {{org}}/{{name}}:{{suffix}}",
        shown::name(text),
        shown::name(id),
    ))
}

#[cold]
pub(super) fn unknown_suffix(text: &str, model: &str, suffix: &str, names: &Names) -> Box<Fault> {
    let known = names.known().chain(["fastest", "cheapest", "preferred"]);
    let near = nearest::hint(suffix, known);
    unknown(format!(
        "the model name {} was understood as the Hub model {} with the suffix {}, which is unknown{near}; a suffix is fastest, cheapest, preferred or a backend: {}",
        shown::name(text),
        shown::name(model),
        shown::name(suffix),
        names.listed().join(", "),
    ))
}

#[cold]
pub(super) fn policy_on_a_pinned_backend(text: &str, route: &Route, base: &str, suffix: &str) -> Box<Fault> {
    bad(format!(
        "the model name {} pins the backend {} and asks to choose by \"{suffix}\" as well; write {PREFIX}{}/{base} or {PREFIX}{AUTO}/{base}:{suffix}",
        shown::name(text),
        route.name,
        route.name,
    ))
}

#[cold]
pub(super) fn two_backends(text: &str, first: &Route, second: &Route, base: &str) -> Box<Fault> {
    bad(format!(
        "the model name {} names two backends, {} in front and {} behind the colon; write {PREFIX}{}/{base} or {PREFIX}{}/{base}",
        shown::name(text),
        first.name,
        second.name,
        first.name,
        second.name,
    ))
}

#[cold]
pub(super) fn switched_off(route: &Route) -> Box<Fault> {
    let id = route.name.as_str();
    unknown(format!("the backend {id} is switched off in this gateway's configuration (backends.{id}.enabled)"))
        .backend(id)
}
