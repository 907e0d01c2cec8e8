//! Bodies: JSON with media spliced in, encoded while they are written, never before; and what is left out of a call.

use bytes::Bytes;
use serde_json::{Map, Value};
use types::{Blob, Fault, Kind, Result, SendBody};
use wire::openai::chat::Ask;

use super::{Dropped, Model};

/// What every backend is spared: members that say who asks, not what.
pub(super) const WHO: &[&str] =
    &["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "store", "user"];

/// What is left out of a call, and how strict to be about it.
pub(super) struct Leave<'a> {
    ask: Ask<'a>,
    pub(super) dropped: Vec<Dropped>,
}

impl<'a> Leave<'a> {
    pub(super) const fn new(ask: Ask<'a>) -> Self {
        Self { ask, dropped: Vec::new() }
    }

    /// Leaves out something advisory, by name.
    pub(super) fn out(&mut self, member: &str) {
        let visible = |c: &char| c.is_ascii_graphic() && *c != ',';
        let member: String = member.chars().filter(visible).take(100).collect();
        let dropped = Dropped { member: member.into() };
        if !self.dropped.contains(&dropped) {
            self.dropped.push(dropped);
        }
    }

    /// Refuses something that changes the answer; leaves it out by name if the caller is lenient.
    pub(super) fn refuse(&mut self, member: &str, why: &str) -> Result<()> {
        if self.ask.lenient {
            self.out(member);
            return Ok(());
        }
        Err(Fault::new(
            Kind::UnsupportedParameter,
            format!(
                "`{member}` is not supported by {}{why}. Leave it out, choose another backend, or send the header \
                 `x-ironbow-lenient: true` to have it left out for you.",
                self.ask.backend
            ),
        )
        .param(member))
    }

    /// Passes on what no field stands for, except what is to be dropped.
    pub(super) fn extra(&mut self, extra: &Map<String, Value>, drop: &[&str], into: &mut Map<String, Value>) {
        for (name, value) in extra {
            if WHO.contains(&name.as_str()) || drop.contains(&name.as_str()) {
                self.out(name);
            } else if let Some(ours) = into.get_mut(name) {
                // Two lists (of adapters, of pictures) are one; anything else was said by a field already.
                match (ours, value) {
                    (Value::Array(ours), Value::Array(more)) => ours.extend(more.iter().cloned()),
                    _ => self.out(name),
                }
            } else if !value.is_null() {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Media that stand in a JSON text, each under its number.
#[derive(Default)]
pub(super) struct Media {
    parts: Vec<Medium>,
}

/// A text that ends in a blob's base64.
struct Medium {
    head: String,
    blob: Blob,
}

/// What stands for a medium until the text is written; a JSON text has this escape for a character that nobody types.
const MARK: &str = "\u{1}medium ";
const WRITTEN: &str = "\"\\u0001medium ";

impl Media {
    /// A data URI of these bytes under this label.
    pub(super) fn data_uri(&mut self, label: &str, blob: &Blob) -> Value {
        self.put(format!("data:{label};base64,"), blob)
    }

    /// The bytes in base64.
    pub(super) fn base64(&mut self, blob: &Blob) -> Value {
        self.put(String::new(), blob)
    }

    fn put(&mut self, head: String, blob: &Blob) -> Value {
        self.parts.push(Medium { head, blob: blob.clone() });
        Value::String(format!("{MARK}{}", self.parts.len() - 1))
    }

    /// Writes the text with the media in their places.
    pub(super) fn write(&self, value: &Value) -> SendBody {
        let text = Bytes::from(value.to_string());
        let mut body = SendBody::with_capacity(3 * self.parts.len() + 1);
        let mut done = 0;
        for at in memchr_all(&text) {
            let digits = text[at + WRITTEN.len()..].iter().take_while(|b| b.is_ascii_digit()).count();
            let end = at + WRITTEN.len() + digits;
            let number = std::str::from_utf8(&text[at + WRITTEN.len()..end]).ok().and_then(|n| n.parse::<usize>().ok());
            let Some(part) = number.and_then(|n| self.parts.get(n)) else { continue };
            if text.get(end) != Some(&b'"') || at < done {
                continue;
            }
            body.push(text.slice(done..=at));
            body.push(Bytes::copy_from_slice(part.head.as_bytes()));
            body.push_base64(part.blob.clone());
            done = end;
        }
        body.push(text.slice(done..));
        body
    }
}

/// Where marks begin.
fn memchr_all(text: &Bytes) -> Vec<usize> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.match_indices(WRITTEN).map(|(at, _)| at).collect()
}

/// A body under way: what stands at the root, and what stands where the backend wants its parameters.
pub(super) struct Draft {
    pub(super) root: Map<String, Value>,
    pub(super) inner: Map<String, Value>,
    pub(super) media: Media,
    within: Option<&'static str>,
}

impl Draft {
    /// A body whose parameters stand under this member, or at the root.
    pub(super) fn new(within: Option<&'static str>) -> Self {
        Self { root: Map::new(), inner: Map::new(), media: Media::default(), within }
    }

    /// Says one parameter.
    pub(super) fn say(&mut self, name: &str, value: impl Into<Value>) {
        self.inner.insert(name.to_owned(), value.into());
    }

    /// Names the version of a model whose name holds one.
    pub(super) fn version_of(&mut self, model: &Model<'_>) {
        if let Some((_, version)) = model.id.split_once(':') {
            self.root.insert("version".to_owned(), version.into());
        }
    }

    /// Writes it.
    pub(super) fn write(mut self) -> SendBody {
        match self.within {
            None => self.root.extend(self.inner),
            Some(_) if self.inner.is_empty() => {}
            Some(name) => {
                self.root.insert(name.to_owned(), Value::Object(self.inner));
            }
        }
        self.media.write(&Value::Object(self.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn media_stand_where_they_were_put_as_often_as_they_are_named() {
        let mut media = Media::default();
        let picture = media.data_uri("image/png", &b"abc".to_vec().into());
        let body = media.write(&json!({"a": picture, "b": [picture], "c": "\u{1}medium 7", "d": "x\"\u{1}medium 0"}));
        let read: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        let uri = "data:image/png;base64,YWJj";
        assert_eq!(read["a"], uri);
        assert_eq!(read["b"], json!([uri]));
        assert_eq!(read["c"], "\u{1}medium 7");
    }
}
