//! Native passage: a call goes to its vendor in the dialect that the caller speaks, as the bytes that came, and the
//! answer comes back as the bytes that the vendor sent. Only the model's name is replaced.
//!
//! What must be known of an answer (usage, why it ended, errors) is read beside it.

mod answer;
mod stream;

use std::collections::HashSet;

use bytes::Bytes;
use types::{Fault, Kind as FaultKind, Result, SendBody};

pub use answer::{Answer, Kept, answer};
pub use stream::Stream;

use crate::json::{self, Edits, Kind, Limits, Reader, Span, text};

/// A dialect that is passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic's `/v1/messages`.
    Messages,
    /// OpenAI's `/v1/responses`.
    Responses,
}

/// A call, with what the walk must know of it.
#[derive(Clone, Debug)]
pub struct Call {
    dialect: Dialect,
    body: Bytes,
    model: String,
    /// Where the model's name stands, quotes included.
    name: Option<Span>,
    /// Just behind the brace, and whether nothing follows it.
    inside: (usize, bool),
    stream: bool,
    /// What it continues: the member and the id in it.
    continues: Option<(&'static str, String)>,
}

impl Call {
    /// Reads a call. The model is the body's, else `path_model`. Everything else is the vendor's to judge.
    ///
    /// # Errors
    /// `BadRequest` when it is no JSON object within the limits, gives a member twice, or names no model.
    pub fn read(dialect: Dialect, body: &Bytes, path_model: Option<&str>, limits: &Limits) -> Result<Self> {
        let mut call = Self {
            dialect,
            body: body.clone(),
            model: String::new(),
            name: None,
            inside: (0, true),
            stream: false,
            continues: None,
        };
        call.scan(body, *limits).map_err(|error| wrong(&format!("The body is not valid JSON: {error}.")))??;
        if call.model.is_empty() {
            path_model.unwrap_or_default().clone_into(&mut call.model);
        }
        if call.model.is_empty() {
            return Err(wrong("`model` is missing: name a model.").param("model"));
        }
        Ok(call)
    }

    fn scan(&mut self, body: &[u8], limits: Limits) -> std::result::Result<Result<()>, json::Error> {
        let mut reader = Reader::new(body, limits)?;
        if reader.peek()? != Kind::Object {
            return Ok(Err(wrong("The body must be a JSON object.")));
        }
        reader.open_object()?;
        self.inside.0 = reader.at();
        let (mut seen, mut fault) = (HashSet::new(), None);
        while let Some(key) = reader.next_key()? {
            self.inside.1 = false;
            let name = key.decode(body).into_owned();
            let kind = reader.peek()?;
            match (name.as_str(), kind) {
                ("model", Kind::String) => {
                    let value = reader.string()?;
                    self.name = Some(value.outer());
                    self.model = value.decode(body).into_owned();
                }
                ("model", _) => {
                    fault = Some(wrong("`model` must be a string.").param("model"));
                    reader.skip()?;
                }
                ("previous_response_id", Kind::String) => {
                    let id = reader.string()?.decode(body).into_owned();
                    self.continues = Some(("previous_response_id", id));
                }
                (known, _) => {
                    self.stream |= known == "stream" && kind == Kind::True;
                    reader.skip()?;
                }
            }
            if seen.contains(&name) {
                let shown: String = name.chars().take(100).collect();
                fault = Some(wrong(&format!("`{shown}` is given twice; give it once.")).param(shown));
            }
            seen.insert(name);
        }
        reader.finish()?;
        Ok(fault.map_or(Ok(()), Err))
    }

    /// The dialect that the call is in.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The model as the caller named it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The response that it continues: the member that says so, and the id.
    pub fn continues(&self) -> Option<(&'static str, &str)> {
        self.continues.as_ref().map(|(member, id)| (*member, id.as_str()))
    }

    /// How many bytes the body has.
    #[expect(clippy::len_without_is_empty, reason = "a call is never empty")]
    pub const fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether a stream is asked for.
    pub const fn stream(&self) -> bool {
        self.stream
    }

    /// The body for a vendor that calls the model `model`: nothing but its name is changed.
    pub fn encode(&self, model: &str) -> SendBody {
        let mut edits = Edits::new();
        match self.name {
            Some(_) if self.model == model => {}
            Some(name) => edits.replace(name, text::encoded(model)),
            None => {
                let comma = if self.inside.1 { "" } else { "," };
                edits
                    .insert(self.inside.0, [b"\"model\":", text::encoded(model).as_slice(), comma.as_bytes()].concat());
            }
        }
        edits.apply(&self.body)
    }
}

fn wrong(why: &str) -> Box<Fault> {
    Fault::new(FaultKind::BadRequest, why)
}
