//! What the query of `GET /v1/models` asks for.

use catalog::Task;
use types::{BackendName, Fault, Kind, Operation, Result};

use super::Shape;

/// How many models one answer has at most, and when nothing is asked.
pub(super) const MOST: usize = 10_000;

/// A part of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// At these backends or declared servers; everywhere if empty.
    pub(super) backends: Vec<BackendName>,
    /// For any of these; for all if empty.
    pub(super) wanted: Vec<Wanted>,
    /// No more than this many.
    pub(super) limit: usize,
    /// Only what comes after this place.
    pub(super) after: Option<After>,
    /// Only what comes right before the model of this id, which must be there.
    pub(super) before: Option<String>,
}

/// What a model is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// For an operation of ours.
    Operation(Operation),
    /// For a task of the Hub.
    Task(Task),
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// After the model of this id, which must be there.
    Id(String),
    /// After this place: whether it is among the adapters, and a name that may be gone meanwhile.
    Place(bool, String),
}

impl After {
    /// The cursor that leads here.
    pub(super) fn cursor(adapter: bool, id: &str) -> String {
        format!("{}{id}", if adapter { "a:" } else { "m:" })
    }

    fn of_cursor(name: &str, cursor: &str) -> Result<Self> {
        let place = |adapter, id: &str| Self::Place(adapter, id.to_owned());
        let model = cursor.strip_prefix("m:").map(|id| place(false, id));
        model.or_else(|| cursor.strip_prefix("a:").map(|id| place(true, id))).ok_or_else(|| {
            let field = if name == "pageToken" { "nextPageToken" } else { "next_cursor" };
            bad(name, &format!("`{name}` must be the `{field}` of an earlier answer. Leave it out to begin anew."))
        })
    }
}

impl Query {
    /// Reads a query; `servers` are the declared ones. Names that mean nothing here are passed over, as OpenAI does.
    ///
    /// # Errors
    /// `BadRequest` naming the parameter whose value cannot be read.
    pub(super) fn read(query: &str, servers: &[&BackendName], shape: Shape) -> Result<Self> {
        // Other vendors' pages are short unless more is asked for, and list what their SDKs can call.
        let (limit_when_silent, usable) = match shape {
            Shape::OpenAi => (MOST, &[][..]),
            Shape::Anthropic => (20, &[Operation::Chat][..]),
            Shape::Gemini => (50, &[Operation::Chat, Operation::Embeddings][..]),
        };
        let mut read =
            Self { backends: Vec::new(), wanted: Vec::new(), limit: limit_when_silent, after: None, before: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(&value.replace('+', " ")).ok_or_else(|| bad(name, "The query is not UTF-8 text."))?;
            match name {
                "backend" => {
                    for one in value.split(',') {
                        read.backends.push(backend(one.trim(), servers)?);
                    }
                }
                "task" => {
                    for one in value.split(',') {
                        read.wanted.push(wanted(one.trim())?);
                    }
                }
                "limit" if shape != Shape::Gemini => read.limit = limit(name, &value)?,
                "pageSize" if shape == Shape::Gemini => read.limit = limit(name, &value)?,
                "pageToken" if shape == Shape::Gemini && value.is_empty() => {}
                "pageToken" if shape == Shape::Gemini => read.after = Some(After::of_cursor(name, &value)?),
                "before_id" | "after_id"
                    if shape == Shape::Anthropic && (read.before.is_some() || read.after.is_some()) =>
                {
                    return Err(bad(
                        name,
                        "A page lies before or after one model: send `before_id` or `after_id`, once.",
                    ));
                }
                "before_id" if shape == Shape::Anthropic => read.before = Some(value),
                "after_id" if shape == Shape::Anthropic => read.after = Some(After::Id(value)),
                "cursor" | "after" if read.after.is_some() => {
                    return Err(bad(name, "`cursor` and `after` say the same: send one of them, once."));
                }
                "cursor" => read.after = Some(After::of_cursor(name, &value)?),
                "after" => read.after = Some(After::Id(value)),
                _ => {}
            }
        }
        if read.wanted.is_empty() {
            read.wanted.extend(usable.iter().copied().map(Wanted::Operation));
        }
        Ok(read)
    }

    /// Whether models of this backend or server are wanted.
    pub(super) fn has_backend(&self, id: &str) -> bool {
        self.backends.is_empty() || self.backends.iter().any(|backend| backend.as_str() == id)
    }

    /// Whether something that can be asked for these operations is wanted, by its task where one is known.
    pub(super) fn has_work(&self, operations: &[Operation], task: Option<Task>) -> bool {
        let fits = |wanted: &Wanted| match (wanted, task) {
            (Wanted::Operation(operation), _) => operations.contains(operation),
            (Wanted::Task(wanted), Some(task)) => *wanted == task,
            (Wanted::Task(wanted), None) => operations.iter().any(|operation| wanted.is_for(*operation)),
        };
        !operations.is_empty() && (self.wanted.is_empty() || self.wanted.iter().any(fits))
    }
}

fn backend(name: &str, servers: &[&BackendName]) -> Result<BackendName> {
    if let Some(backend) = providers::find(name) {
        return Ok(BackendName::new(backend.id));
    }
    if let Some(server) = servers.iter().find(|server| server.as_str() == name) {
        return Ok(BackendName::clone(server));
    }
    let ids = providers::TABLE.iter().map(|backend| backend.id).chain(servers.iter().map(|server| server.as_str()));
    let known: Vec<_> = ids.map(|id| format!("`{id}`")).collect();
    Err(bad("backend", &format!("There is no backend `{}`. There are: {}.", short(name), known.join(", "))))
}

fn wanted(name: &str) -> Result<Wanted> {
    if let Some(task) = Task::named(name) {
        return Ok(Wanted::Task(task));
    }
    let spelled: String = name.chars().map(|c| if matches!(c, '_' | '-') { ' ' } else { c }).collect();
    let is_called = |operation: &Operation| operation.name() == spelled || parameter_name(*operation) == name;
    if let Some(operation) = Operation::ALL.iter().copied().find(is_called) {
        return Ok(Wanted::Operation(operation));
    }
    let names = Operation::ALL.iter().map(|operation| parameter_name(*operation));
    let known: Vec<_> = names.chain(Task::all().map(|task| task.name().to_owned())).map(|n| format!("`{n}`")).collect();
    Err(bad("task", &format!("No model is listed for the task `{}`. There are: {}.", short(name), known.join(", "))))
}

/// An operation as the list itself spells it.
fn parameter_name(operation: Operation) -> String {
    serde_json::to_value(operation).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn limit(name: &str, value: &str) -> Result<usize> {
    match value.parse() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(bad(name, &format!("`{name}` must be a whole number from 1 to {MOST}, not `{}`.", short(value)))),
    }
}

pub(super) fn bad(name: &str, text: &str) -> Box<Fault> {
    Fault::new(Kind::BadRequest, text).param(short(name))
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Takes percent signs apart; nothing when they stand for no text.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Query, String> {
        Query::read(query, &[&BackendName::new("mine")], Shape::OpenAi)
            .map_err(|fault| format!("{:?}: {}", fault.param, fault.message))
    }

    #[test]
    fn a_query_says_which_part_is_wanted() {
        let all = read("").unwrap();
        assert_eq!((all.limit, &all.after, all.backends.len(), all.wanted.len()), (MOST, &None, 0, 0));
        assert_eq!(read("_=17&api-version=1&&").unwrap(), all, "what means nothing here is passed over");
        let part =
            read("backend=groq,mine&task=chat&task=text-to-image&limit=5&after=huggingface%2Fgroq%2Fo%2Fm").unwrap();
        assert_eq!(part.backends, [BackendName::new("groq"), BackendName::new("mine")]);
        assert_eq!((part.wanted.len(), part.limit), (2, 5));
        assert_eq!(part.after, Some(After::Id("huggingface/groq/o/m".into())));
        for (query, name, word) in [
            ("backend=nobody", "backend", "`groq`"),
            ("backend=", "backend", "`mine`"),
            ("task=paint", "task", "`chat`"),
            ("limit=all", "limit", "10000"),
            ("cursor=x", "cursor", "next_cursor"),
            ("cursor=m:a&after=b", "after", "one of them"),
            ("task=%ff", "task", "UTF-8"),
        ] {
            let fault = read(query).unwrap_err();
            assert!(fault.contains(name) && fault.contains(word), "{query}: {fault}");
        }
    }

    #[test]
    fn an_alias_of_a_backend_means_the_backend() {
        for backend in providers::TABLE {
            for name in backend.names() {
                let read = read(&format!("backend={name}")).unwrap();
                assert_eq!(read.backends, [BackendName::new(backend.id)], "{name}");
            }
        }
    }

    #[test]
    fn a_task_picks_models_and_an_operation_also_what_backends_can_do_with_them() {
        let text_to_image = Task::named("text-to-image");
        let (whole, both) = (&[Operation::Image][..], &[Operation::Image, Operation::ImageStream][..]);
        assert!(read("").unwrap().has_work(whole, text_to_image));
        assert!(!read("").unwrap().has_work(&[], text_to_image), "nobody could ask for it");
        assert!(read("task=text-to-image").unwrap().has_work(whole, text_to_image));
        assert!(read("task=image").unwrap().has_work(whole, text_to_image));
        assert!(!read("task=image_stream").unwrap().has_work(whole, text_to_image));
        assert!(read("task=image_stream").unwrap().has_work(both, text_to_image));
        assert!(!read("task=image-to-image").unwrap().has_work(both, text_to_image));
        assert!(read("task=conversational").unwrap().has_work(&[Operation::Chat], None));
        assert!(!read("task=image-to-image").unwrap().has_work(&[Operation::Chat], None));
    }

    #[test]
    fn tasks_are_called_as_the_hub_and_as_openais_endpoints_call_them() {
        let task = |name| Ok(Wanted::Task(Task::named(name).unwrap()));
        let operation = |operation| Ok(Wanted::Operation(operation));
        let read = |name| wanted(name).map_err(|fault| fault.message);
        assert_eq!(read("conversational"), task("conversational"));
        assert_eq!(read("feature-extraction"), task("feature-extraction"));
        assert_eq!(read("chat"), operation(Operation::Chat));
        for name in ["image_edit", "image-edit", "image edit"] {
            assert_eq!(read(name), operation(Operation::ImageEdit), "{name}");
        }
        assert_eq!(read("image_edit_stream"), operation(Operation::ImageEditStream));
        for unknown in ["", "fill-mask", "Chat", "chat;"] {
            assert!(read(unknown).unwrap_err().contains("`text-to-speech`"), "{unknown}");
        }
    }

    #[test]
    fn a_limit_is_a_number_within_its_bounds() {
        assert_eq!(limit("limit", "1").unwrap(), 1);
        assert_eq!(limit("limit", "10000").unwrap(), MOST);
        for bad in ["", "0", "-1", "10001", "1e3", "99999999999999999999999"] {
            assert_eq!(limit("limit", bad).unwrap_err().param.as_deref(), Some("limit"), "{bad}");
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        for (adapter, id) in [(false, "huggingface/b/o/m"), (true, "huggingface/b/o/m")] {
            assert_eq!(
                After::of_cursor("cursor", &After::cursor(adapter, id)).unwrap(),
                After::Place(adapter, id.to_owned())
            );
        }
        for bad in ["", "huggingface/b/o/m", "x:y", "M:x"] {
            assert_eq!(After::of_cursor("cursor", bad).unwrap_err().param.as_deref(), Some("cursor"), "{bad}");
        }
    }

    #[test]
    fn percent_signs_are_taken_apart() {
        assert_eq!(decoded("a%2Fb%2fc d%3A").as_deref(), Some("a/b/c d:"));
        for bad in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
