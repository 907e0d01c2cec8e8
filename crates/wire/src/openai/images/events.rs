//! The events of a stream of pictures, as OpenAI's SDKs read them.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{SendBody, Usage, ask::ImageAsk};

use super::answer::is_plain;

/// What is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `image_generation.partial_image` and `image_generation.completed`
    Generation,
    /// `image_edit.partial_image` and `image_edit.completed`
    Edit,
}

/// The settings that every event repeats, each as the caller gave it or `auto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `1024x1024`
    pub size: String,
    /// `low`, `medium`, `high`
    pub quality: String,
    /// `transparent` or `opaque`
    pub background: String,
    /// `png`, `jpeg`, `webp`; `png` if nothing else is known.
    pub output_format: String,
}

impl Settings {
    /// What `ask` says.
    pub fn of(ask: &ImageAsk) -> Self {
        let said = |name: &str| ask.extra.get(name).and_then(Value::as_str).unwrap_or("auto").to_owned();
        Self {
            size: ask.size.map_or_else(|| "auto".to_owned(), |(width, height)| format!("{width}x{height}")),
            quality: said("quality"),
            background: said("background"),
            output_format: ask.output_format.clone().unwrap_or_else(|| "png".to_owned()),
        }
    }
}

/// Writes the events of one stream.
#[derive(Clone, Debug)]
pub struct Events {
    what: What,
    settings: Settings,
}

impl Events {
    /// For a stream of this kind.
    pub const fn new(what: What, settings: Settings) -> Self {
        Self { what, settings }
    }

    /// An unfinished picture in base64, the first being number 0; `now` is seconds since 1970.
    pub fn partial(&self, index: u64, picture: impl Into<Bytes>, now: u64) -> SendBody {
        let kind = match self.what {
            What::Generation => "image_generation.partial_image",
            What::Edit => "image_edit.partial_image",
        };
        self.event(kind, now, picture.into(), &[("partial_image_index", index.into())])
    }

    /// A finished picture in base64. The SDKs expect `usage`: where a backend counts no tokens it holds zeros and says
    /// `"estimated": true`.
    pub fn completed(&self, picture: impl Into<Bytes>, usage: Option<&Usage>, now: u64) -> SendBody {
        let kind = match self.what {
            What::Generation => "image_generation.completed",
            What::Edit => "image_edit.completed",
        };
        let known = usage.copied().unwrap_or_default();
        let mut counted = json!({
            "input_tokens": known.input,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": known.input},
            "output_tokens": known.output,
            "total_tokens": known.total(),
        });
        if usage.is_none() {
            counted["estimated"] = true.into();
        }
        self.event(kind, now, picture.into(), &[("usage", counted)])
    }

    fn event(&self, kind: &str, now: u64, picture: Bytes, more: &[(&str, Value)]) -> SendBody {
        let mut members = Map::new();
        members.insert("type".into(), kind.into());
        members.insert("created_at".into(), now.into());
        let Settings { size, quality, background, output_format } = &self.settings;
        for (name, value) in
            [("size", size), ("quality", quality), ("background", background), ("output_format", output_format)]
        {
            members.insert(name.into(), value.as_str().into());
        }
        members.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        if !is_plain(&picture) {
            // No base64 at all: it must not break out of its string.
            members.insert("b64_json".into(), String::from_utf8_lossy(&picture).into_owned().into());
            let event = Value::Object(members);
            return format!("event: {kind}\ndata: {event}\n\n").into();
        }
        let mut event = format!("event: {kind}\ndata: {}", Value::Object(members));
        event.truncate(event.len() - 1);
        event += ",\"b64_json\":\"";
        let mut body = SendBody::with_capacity(3);
        body.push(event.into());
        body.push(picture);
        body.push(Bytes::from_static(b"\"}\n\n"));
        body
    }
}
