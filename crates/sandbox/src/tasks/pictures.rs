//! Pictures as all backends need them: what is asked, put into one description, and drawn.

use serde_json::Value;

use super::{bad, data_uri, maybe};
use crate::chat::errors::Refusal;
use crate::media::png::{self, Card};
use crate::media::{hex, mixed, sniff};

const SIDE: u32 = 512;
const LONGEST: u32 = 2048;

/// What is to be drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawing {
    description: String,
    pub(super) seed: Option<u64>,
    pub(super) count: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    sized: bool,
}

impl Drawing {
    pub(super) fn of(prompt: &str) -> Self {
        Self { description: prompt.to_owned(), count: 1, width: SIDE, height: SIDE, ..Self::default() }
    }

    /// The usual members that shape a picture: `negative_prompt`, `seed`, `loras`, `lora_weights`.
    pub(super) fn with(mut self, body: &Value) -> Result<Self, Refusal> {
        if let Some(negative) = maybe(body, "negative_prompt")?.filter(|text| !text.is_empty()) {
            self.line("negative", negative);
        }
        self.seed = match body.get("seed").filter(|seed| !seed.is_null()) {
            None => None,
            Some(seed) => match seed.as_u64() {
                Some(seed) => Some(seed),
                None => return bad("seed", "seed: an integer that is not negative is expected"),
            },
        };
        for lora in body.get("loras").and_then(Value::as_array).into_iter().flatten() {
            let path = lora.get("path").or_else(|| lora.get("url")).unwrap_or(lora);
            let Some(path) = path.as_str() else { return bad("loras", "loras: str type expected") };
            self.line("lora", path);
        }
        if let Some(weights) = maybe(body, "lora_weights")? {
            self.line("lora", weights);
        }
        Ok(self)
    }

    /// Its `width` and `height`, if there are.
    pub(super) fn sides(self, body: &Value) -> Result<Self, Refusal> {
        let side = |name: &str| match body.get(name).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => match value.as_u64().and_then(|side| u32::try_from(side).ok()) {
                Some(side) => Ok(Some(side)),
                None => bad(name, format!("{name}: an integer is expected")),
            },
        };
        match (side("width")?, side("height")?) {
            (None, None) => Ok(self),
            (width, height) => self.sized(width.unwrap_or(SIDE), height.unwrap_or(SIDE)),
        }
    }

    fn line(&mut self, what: &str, text: &str) {
        self.description.push('\n');
        self.description.push_str(what);
        self.description.push_str(": ");
        self.description.push_str(text);
    }

    pub(super) fn sized(mut self, width: u32, height: u32) -> Result<Self, Refusal> {
        if !(1..=LONGEST).contains(&width) || !(1..=LONGEST).contains(&height) {
            return bad("size", format!("width and height must be between 1 and {LONGEST}, got {width}x{height}"));
        }
        (self.width, self.height, self.sized) = (width, height, true);
        Ok(self)
    }

    /// A size as `512x768` or `512*768`.
    pub(super) fn size_text(self, name: &str, text: &str, between: char) -> Result<Self, Refusal> {
        let both = text.split_once(between).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        match both {
            Some((width, height)) => self.sized(width, height),
            None => bad(name, format!("{name} must be like 512{between}768, got {text:?}")),
        }
    }

    /// How many, from a member, within a limit.
    pub(super) fn counted(mut self, body: &Value, name: &str, most: u32) -> Result<Self, Refusal> {
        self.count = match body.get(name).filter(|value| !value.is_null()) {
            None => 1,
            Some(value) => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count) if (1..=most).contains(&count) => count,
                _ => return bad(name, format!("{name} must be between 1 and {most}")),
            },
        };
        Ok(self)
    }

    /// A picture that came in: bytes.
    pub(super) fn input(mut self, what: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        if !sniff::kind(bytes).is_some_and(|(media, _)| media.starts_with("image/")) {
            return bad(what, format!("{what}: cannot identify image file"));
        }
        if let Some((width, height)) = png::size(bytes).filter(|_| !self.sized) {
            self = self.sized(width.min(LONGEST), height.min(LONGEST))?;
        }
        self.line(what, &hex(bytes));
        Ok(self)
    }

    /// A picture that came in as a data URI, whose label must be true, or as the address of one, which is not fetched.
    pub(super) fn input_uri(mut self, what: &str, member: &str, text: &str) -> Result<Self, Refusal> {
        if text.starts_with("http://") || text.starts_with("https://") {
            self.line(what, text);
            return Ok(self);
        }
        match data_uri(text) {
            Some((label, bytes)) if label.starts_with("image/") => self.input(what, &bytes),
            _ => bad(member, "Unsupported data URL"),
        }
    }

    /// The seed that was asked for, or one that is beyond 2^63 and depends on the description.
    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| mixed(crate::media::hash(self.description.as_bytes())) | 1 << 63)
    }

    /// Number `index` of the pictures; a sketch of it if `step` is not zero.
    pub(super) fn draw(&self, index: u32, step: u32) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        Card { description: &self.description, seed: self.seed(), index, width, height, step }.draw()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.count).map(|index| self.draw(index, 0))
    }
}
