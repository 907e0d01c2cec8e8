//! Models by the thousand, for those who read long lists: `sandbox/extra-00000` and on, as many as a setting says.

use std::sync::OnceLock;

use super::{Model, Route, chat, live, other, task};

/// At most so many.
pub(crate) const MOST: usize = 20_000;

const BACKENDS: &[&str] = &["groq", "together", "novita", "fireworks-ai", "hf-inference", "deepinfra"];
const DRAWING: &[&str] = &["fal-ai", "together", "replicate"];

/// Made once and kept: a world does not forget.
static ALL: OnceLock<Vec<Model>> = OnceLock::new();

fn kept(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Every tenth draws, the others talk.
fn make(number: usize) -> Model {
    let id = kept(format!("sandbox/extra-{number:05}"));
    let hex = kept(format!("6b{number:022x}"));
    let draws = number % 10 == 9;
    let all = if draws { DRAWING } else { BACKENDS };
    let backend = all[number % all.len()];
    let own = if backend == "hf-inference" { id } else { kept(format!("sandbox-extra/{backend}-{number:05}")) };
    let route = if draws { task(live(backend, own), "text-to-image") } else { live(backend, own) };
    let routes: &'static [Route] = Box::leak(Box::new([route]));
    if draws { other(id, hex, "text-to-image", routes) } else { chat(id, hex, routes) }
}

fn all() -> &'static [Model] {
    ALL.get_or_init(|| (0..MOST).map(make).collect())
}

pub(super) fn models(count: usize) -> &'static [Model] {
    if count == 0 { &[] } else { &all()[..count.min(MOST)] }
}

/// One of them, whether listed or not.
pub(super) fn model(id: &str) -> Option<&'static Model> {
    all().get(id.strip_prefix("sandbox/extra-")?.parse::<usize>().ok()?).filter(|model| model.id == id)
}

/// The route with this name of a backend's own.
pub(super) fn route(provider_id: &str) -> Option<&'static Route> {
    let number = provider_id.strip_prefix("sandbox/extra-").or_else(|| {
        provider_id.strip_prefix("sandbox-extra/").and_then(|rest| rest.rsplit_once('-')).map(|(_, number)| number)
    })?;
    all().get(number.parse::<usize>().ok()?)?.routes.first()
}
