//! What a model's name means: the grammar of `docs/model-names.md`.
//!
//! [`parse`] is on the path of every request. The good path looks at each byte once and allocates nothing but the
//! model's name; everything that explains a refusal is in `refuse`, off that path.

mod names;
mod refuse;

use types::{Asked, Result, RoutePolicy};

pub use names::Names;
use names::Route;

/// The longest name that is read.
pub const MAX_LENGTH: usize = 256;

const PREFIX: &str = "huggingface/";
const AUTO: &str = "auto";

/// Reads a model's name as a caller wrote it.
///
/// # Errors
/// A malformed name is [`types::Kind::BadRequest`], a readable one that means nothing here is
/// [`types::Kind::UnknownModel`]. Either says what was understood and what would be right.
pub fn parse(text: &str, names: &Names) -> Result<Asked> {
    if text.len() > MAX_LENGTH {
        return Err(refuse::too_long(text));
    }
    if let Some(asked) = names.alias(text) {
        return Ok(asked.clone());
    }
    parse_route(text, names).map_err(|fault| refuse::masked(text, fault))
}

/// Reads a name without looking at the configured aliases.
pub(crate) fn parse_route(text: &str, names: &Names) -> Result<Asked> {
    if !is_plain(text.as_bytes()) {
        return Err(refuse::malformed(text));
    }
    match text.strip_prefix(PREFIX) {
        Some(rest) => routed(text, rest, names),
        None => bare(text, names),
    }
}

/// What a name that was understood one way would have to be to mean the other thing, if there is another thing.
///
/// For the fault of a miss: `huggingface/{backend}/{x}` may have been meant as the Hub model `{backend}/{x}`, and a Hub
/// id whose organisation has a backend's name as that backend.
pub fn other_meaning(text: &str, names: &Names) -> Option<String> {
    let (first, model) = text.strip_prefix(PREFIX).unwrap_or(text).split_once('/')?;
    let route = names.route(first)?;
    if model.contains('/') || route.is_server() {
        return None;
    }
    match parse(text, names).ok()? {
        Asked::Pinned { backend, .. } if backend == route.name => {
            Some(format!("for the Hub model {first}/{model} write {PREFIX}{AUTO}/{first}/{model}"))
        }
        _ => {
            let model = model.split(':').next().unwrap_or(model);
            Some(format!("for the model {model} of the backend {} write {PREFIX}{AUTO}/{model}:{first}", route.name))
        }
    }
}

/// After `huggingface/`.
fn routed(text: &str, rest: &str, names: &Names) -> Result<Asked> {
    let Some((first, model)) = rest.split_once('/') else {
        return Err(refuse::no_model(rest, names));
    };
    if first == AUTO {
        return hub(text, model, HubId::OneSlashAtMost, names);
    }
    let one_slash = !model.contains('/');
    match names.route(first) {
        // Hugging Face never routes there, so with one slash it is the organisation of that name.
        Some(route) if one_slash && route.is_never_routed() => hub(text, rest, HubId::OneSlash, names),
        Some(route) => pinned(text, route, model, names),
        None if one_slash => hub(text, rest, HubId::OneSlash, names),
        None => Err(refuse::unknown_backend(text, first, model, names)),
    }
}

/// Without `huggingface/`: as Hugging Face's own router takes names.
fn bare(text: &str, names: &Names) -> Result<Asked> {
    match text.bytes().filter(|b| *b == b'/').count() {
        0 => Err(refuse::bare_name(text, names)),
        1 => hub(text, text, HubId::OneSlash, names),
        _ => Err(refuse::too_many_slashes(text, names)),
    }
}

/// How many slashes the id of a Hub model may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HubId {
    OneSlash,
    /// A few old models have no organisation (`gpt2`).
    OneSlashAtMost,
}

/// A Hub id with or without suffix.
fn hub(text: &str, id: &str, shape: HubId, names: &Names) -> Result<Asked> {
    let (model, suffix) = match id.split_once(':') {
        Some((model, suffix)) => (model, Some(suffix)),
        None => (id, None),
    };
    let slashes = id.bytes().filter(|b| *b == b'/').count();
    let in_model = model.bytes().filter(|b| *b == b'/').count();
    if slashes != in_model || slashes > 1 || (slashes == 0 && shape == HubId::OneSlash) {
        return Err(refuse::not_a_hub_id(text, id));
    }
    let Some(suffix) = suffix else {
        return Ok(Asked::Auto { model: model.into(), policy: RoutePolicy::Default });
    };
    if let Some(policy) = policy(suffix) {
        return Ok(Asked::Auto { model: model.into(), policy });
    }
    match names.route(suffix) {
        Some(route) => to(route, model),
        None => Err(refuse::unknown_suffix(text, model, suffix, names)),
    }
}

/// A backend or server is named in front.
fn pinned(text: &str, route: &Route, model: &str, names: &Names) -> Result<Asked> {
    // What an operator's own server calls its models is the operator's business.
    if route.is_server() {
        return to(route, model);
    }
    let Some((base, suffix)) = model.rsplit_once(':') else {
        return to(route, model);
    };
    if policy(suffix).is_some() {
        return Err(refuse::policy_on_a_pinned_backend(text, route, base, suffix));
    }
    match names.route(suffix) {
        Some(other) if other.name == route.name => to(route, base),
        Some(other) => Err(refuse::two_backends(text, route, other, base)),
        // A version or variant in the backend's own name for the model.
        None => to(route, model),
    }
}

fn to(route: &Route, model: &str) -> Result<Asked> {
    if !route.enabled {
        return Err(refuse::switched_off(route));
    }
    Ok(Asked::Pinned { backend: route.name.clone(), model: model.into() })
}

/// A suffix by which the router chooses. `auto` is what some clients write for its default.
fn policy(suffix: &str) -> Option<RoutePolicy> {
    match suffix {
        "fastest" => Some(RoutePolicy::Fastest),
        "cheapest" => Some(RoutePolicy::Cheapest),
        "preferred" => Some(RoutePolicy::Preferred),
        AUTO => Some(RoutePolicy::Default),
        _ => None,
    }
}

/// Kinds of bytes in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Byte {
    Plain,
    Slash,
    Dot,
    Colon,
    Bad,
}

const BYTES: [Byte; 256] = {
    let mut table = [Byte::Bad; 256];
    let mut i = 0;
    while i < 128 {
        table[i] = match i as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'~' => Byte::Plain,
            b'/' => Byte::Slash,
            b'.' => Byte::Dot,
            b':' => Byte::Colon,
            _ => Byte::Bad,
        };
        i += 1;
    }
    table
};

/// Whether the name can stand in a URL path and a header as it is: letters, digits and `-_.+~/:`, no empty part, no
/// part that begins with a dot, no two dots in a row, and a colon only between other characters.
fn is_plain(text: &[u8]) -> bool {
    let mut before = Byte::Slash;
    for byte in text {
        let kind = BYTES[usize::from(*byte)];
        let good = match kind {
            Byte::Plain => true,
            Byte::Slash => matches!(before, Byte::Plain | Byte::Dot),
            Byte::Dot => before == Byte::Plain,
            Byte::Colon => matches!(before, Byte::Plain | Byte::Dot),
            Byte::Bad => false,
        };
        if !good {
            return false;
        }
        before = kind;
    }
    matches!(before, Byte::Plain | Byte::Dot) && !text.is_empty()
}

/// Whether this can be a model's name behind a route.
pub(crate) fn is_model_name(text: &str) -> bool {
    is_plain(text.as_bytes())
}
