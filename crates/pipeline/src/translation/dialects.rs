//! Which dialects backends speak, from the tables themselves, and what a backend answers in each.

use std::{collections::BTreeMap, fs};

use bytes::Bytes;
use providers::{Codec, TABLE, dialects};
use serde_json::Value;
use types::Operation;
use wire::native;

use super::folder;

/// A dialect of backends.
pub(super) struct Dialect {
    /// The first that speaks it.
    pub name: String,
    /// Everybody who speaks it.
    pub speakers: Vec<String>,
    pub spoken: Spoken,
}

/// How a dialect is spoken.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Spoken {
    /// By a codec.
    Codec(Codec),
    /// By passing on what came.
    Native(native::Dialect),
}

impl Dialect {
    /// Whether it is the common part of OpenAI's chat.
    pub(super) fn is_common(&self) -> bool {
        self.spoken == Spoken::Codec(Codec::Chat(dialects::COMPATIBLE))
    }

    /// Whether it is OpenAI's chat in some form.
    pub(super) const fn is_chat(&self) -> bool {
        matches!(self.spoken, Spoken::Codec(Codec::Chat(_)))
    }

    /// How a backend that speaks it calls the model.
    pub(super) const fn model(&self) -> &'static str {
        match self.spoken {
            Spoken::Codec(Codec::Messages) | Spoken::Native(native::Dialect::Messages) => "claude-sonnet-4-5",
            Spoken::Native(native::Dialect::Responses) => "gpt-5-mini",
            Spoken::Codec(_) => "their/model",
        }
    }

    /// The folders in which its answers are, the most particular first.
    fn places(&self) -> Vec<&str> {
        match self.spoken {
            Spoken::Codec(Codec::Messages) | Spoken::Native(native::Dialect::Messages) => vec!["anthropic"],
            Spoken::Native(native::Dialect::Responses) => vec!["openai-responses", "chat"],
            Spoken::Codec(_) => vec![&self.name, "chat"],
        }
    }
}

/// Every dialect in which a backend or a declared server takes chats.
pub(super) fn all() -> Vec<Dialect> {
    let mut all: Vec<Dialect> = Vec::new();
    let mut add = |name: &str, who: String, spoken: Spoken| match all.iter_mut().find(|one| one.spoken == spoken) {
        Some(known) => known.speakers.push(who),
        None => all.push(Dialect { name: name.to_owned(), speakers: vec![who], spoken }),
    };
    for backend in TABLE {
        if let Some(op) = backend.op(Operation::Chat) {
            add(backend.id, backend.id.to_owned(), Spoken::Codec(op.codec));
        }
        for (native, place) in backend.vendor.into_iter().flat_map(|vendor| vendor.natives) {
            add(&format!("{}-native", backend.id), format!("{} at {place}", backend.id), Spoken::Native(*native));
        }
    }
    for kind in dialects::DECLARED {
        if let Some((_, codec)) = dialects::declared(*kind, Operation::Chat) {
            let name = format!("{kind:?}").to_lowercase();
            add(&name, format!("a declared server of kind {name}"), Spoken::Codec(codec));
        }
    }
    let router = providers::Endpoint::router("https://router.example").unwrap();
    add("router", "Hugging Face's router".to_owned(), Spoken::Codec(router.codec));
    all
}

/// What a backend answers.
pub(super) struct Said {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Where it comes from.
    pub source: String,
}

impl Said {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The file of a case's answer, whole or streamed.
fn file(case: &str, stream: bool) -> String {
    match case {
        "error_before" => "error_before.http".to_owned(),
        "abort" => file("text", stream),
        _ if stream => format!("{case}.sse"),
        _ => format!("{case}.json"),
    }
}

/// Where the answer is: the id of a recording, or the path of a file.
enum Place {
    Recorded(String),
    Written(String),
}

fn place(dialect: &Dialect, case: &str, stream: bool) -> Place {
    let file = file(case, stream);
    let recorded: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_slice(&fs::read(folder().join("backends/recorded.json")).unwrap()).unwrap();
    let found = recorded.get(&dialect.name).and_then(|of| of.get(&file)).filter(|_| dialect.is_chat());
    if let Some(id) = found {
        return Place::Recorded(id.clone());
    }
    let paths = dialect.places().into_iter().map(|place| format!("{place}/{file}"));
    let written = paths.clone().find(|path| folder().join("backends").join(path).is_file());
    Place::Written(written.unwrap_or_else(|| panic!("none of these is there: {:?}", paths.collect::<Vec<_>>())))
}

/// The files that a case needs.
pub(super) fn files(dialect: &Dialect, case: &str) -> Vec<String> {
    let place = |stream| match place(dialect, case, stream) {
        Place::Written(path) => Some(path),
        Place::Recorded(_) => None,
    };
    [place(false), place(true)].into_iter().flatten().collect()
}

/// What a backend says in a case.
pub(super) fn said(dialect: &Dialect, case: &str, stream: bool) -> Said {
    let mut said = match place(dialect, case, stream) {
        Place::Recorded(id) => recorded(&id),
        Place::Written(path) => written(&path),
    };
    if case == "abort" {
        said.body.truncate(said.body.len() * 6 / 10);
        said.source += ", cut";
    }
    said
}

/// Exchanges with real servers; `README.md` beside them says whose they are, and under which licence.
fn recorded(id: &str) -> Said {
    let path = folder().join("../../../wire/tests/recordings").join(format!("{id}.json"));
    let exchange: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let response = &exchange["response"];
    let headers = response["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    Said {
        status: response["status"].as_u64().unwrap().try_into().unwrap(),
        headers: headers.collect(),
        body: response["body"].as_str().unwrap().to_owned().into(),
        source: format!("recorded: {id}"),
    }
}

fn written(path: &str) -> Said {
    let text = fs::read_to_string(folder().join("backends").join(path)).unwrap();
    let source = path.to_owned();
    if !path.ends_with(".http") {
        return Said { status: 200, headers: Vec::new(), body: text.into(), source };
    }
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').next().unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into()));
    Said { status, headers: headers.collect(), body: body.to_owned().into(), source }
}
