//! `/v1/images/generations`: the call, and what an edit says in the same words.

use bytes::Bytes;
use serde_json::{Number, Value};
use types::{
    Fault, Kind, Result,
    ask::{Delivery, ImageAsk},
};

use crate::{
    json::Limits,
    openai::{
        envelope::missing,
        members::{Members, wrong},
    },
};

/// The longest prompt, in characters.
pub const LONGEST_PROMPT: usize = 32_000;

/// Most pictures of one call.
pub const MOST_PICTURES: u64 = 10;

/// The longest side of a picture, in pixels.
const LONGEST_SIDE: u32 = 16_384;

/// A call for pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationCall {
    /// The model as the caller named it.
    pub model: String,
    /// Whether a stream of events is asked for.
    pub stream: bool,
    /// How many unfinished pictures a stream is to show, if the caller says.
    pub partial_images: Option<u8>,
    /// What is asked.
    pub ask: ImageAsk,
}

impl GenerationCall {
    /// Reads a body.
    ///
    /// # Errors
    /// `BadRequest`, naming the member where there is one.
    pub fn read(body: &Bytes, limits: &Limits) -> Result<Self> {
        let shared = Shared::read(Members::of_json(body, limits)?)?;
        if shared.ask.prompt.trim().is_empty() {
            return Err(missing("prompt", "say what the picture is to show"));
        }
        let Shared { model, stream, partial_images, ask } = shared;
        Ok(Self { model, stream, partial_images, ask })
    }
}

/// What generations and edits have in common.
pub(super) struct Shared {
    pub model: String,
    pub stream: bool,
    pub partial_images: Option<u8>,
    pub ask: ImageAsk,
}

impl Shared {
    pub(super) fn read(mut members: Members) -> Result<Self> {
        let model = members.model()?;
        let stream = members.flag("stream")?.unwrap_or(false);
        let partial_images = members.whole("partial_images", 0, 3)?.and_then(|n| u8::try_from(n).ok());
        let prompt = members.text("prompt")?.unwrap_or_default();
        if prompt.chars().nth(LONGEST_PROMPT).is_some() {
            return Err(wrong("prompt", &format!("at most {LONGEST_PROMPT} characters long")));
        }
        let mut ask = ImageAsk {
            prompt,
            n: members.whole("n", 1, MOST_PICTURES)?.and_then(|n| u32::try_from(n).ok()),
            size: size(&mut members)?,
            delivery: delivery(&mut members)?,
            output_format: output_format(&mut members)?,
            seed: seed(&mut members)?,
            negative_prompt: members.text("negative_prompt")?,
            num_inference_steps: members.number("num_inference_steps")?,
            guidance_scale: members.number("guidance_scale")?,
            moderation: members.one_of("moderation", &["low", "auto"])?,
            extra: serde_json::Map::new(),
        };
        let compression = members.whole("output_compression", 0, 100)?;
        let mut settings = Vec::new();
        for (name, known) in [
            ("background", Some(&["transparent", "opaque", "auto"][..])),
            ("quality", None),
            ("style", None),
            ("user", None),
        ] {
            let given = match known {
                Some(known) => members.one_of(name, known)?,
                None => members.text(name)?,
            };
            // `auto` asks for nothing.
            settings.extend(given.filter(|text| !matches!(&**text, "auto" | "")).map(|text| (name, text)));
        }
        ask.extra = members.rest(&[]);
        ask.extra.extend(compression.map(|percent| ("output_compression".to_owned(), Value::from(percent))));
        ask.extra.extend(settings.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))));
        Ok(Self { model, stream, partial_images, ask })
    }
}

/// `1024x768`; nothing for `auto`.
fn size(members: &mut Members) -> Result<Option<(u32, u32)>> {
    let Some(text) = members.text("size")? else { return Ok(None) };
    if matches!(&*text, "auto" | "") {
        return Ok(None);
    }
    let side = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|side| digits && (1..=LONGEST_SIDE).contains(side))
    };
    let size = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    let form = format!("\"auto\", or width and height like \"1024x1024\", each at most {LONGEST_SIDE}");
    size.map(Some).ok_or_else(|| wrong("size", &form))
}

fn delivery(members: &mut Members) -> Result<Option<Delivery>> {
    Ok(match members.one_of("response_format", &["url", "b64_json"])?.as_deref() {
        Some("url") => Some(Delivery::Url),
        Some(_) => Some(Delivery::B64Json),
        None => None,
    })
}

fn output_format(members: &mut Members) -> Result<Option<String>> {
    let format = members.one_of("output_format", &["png", "jpeg", "webp", "jpg"])?;
    Ok(format.map(|format| if format == "jpg" { "jpeg".to_owned() } else { format }))
}

/// A seed is kept exactly, or refused: a rounded one would make another picture.
fn seed(members: &mut Members) -> Result<Option<Number>> {
    match members.number("seed")? {
        Some(seed) if seed.is_f64() => {
            let message = "`seed` must be a whole number from -2^63 to 2^64 - 1.";
            Err(Fault::new(Kind::BadRequest, message).param("seed"))
        }
        seed => Ok(seed),
    }
}
