//! Making pictures: what each backend calls the members of a call, as data, and one writer for all of them.

use serde_json::{Map, Value, json};
use types::{
    Result,
    ask::{Delivery, ImageAsk},
};

use super::{
    Flow, Model, Written,
    body::{Draft, Leave},
};

/// What only OpenAI's own models know.
const OPENAIS: &[&str] = &["background", "input_fidelity", "moderation", "output_compression", "quality", "style"];

/// What a backend calls the members of a call for pictures. `None`: it has no such thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    /// The prompt.
    pub(crate) prompt: &'static str,
    /// Whether the prompt stands at the root, apart from the parameters.
    pub(crate) prompt_at_root: bool,
    /// The model's name, where the path does not hold it.
    pub(crate) model: Option<&'static str>,
    /// Where the parameters stand; none: at the root.
    pub(crate) within: Option<&'static str>,
    pub(crate) n: Option<&'static str>,
    pub(crate) size: Size,
    pub(crate) steps: Option<&'static str>,
    pub(crate) guidance: Option<&'static str>,
    negative: Option<&'static str>,
    seed: Option<&'static str>,
    /// The member for the format of the pictures, and what it calls JPEG.
    pub(crate) format: Option<(&'static str, &'static str)>,
    pub(crate) delivery: Hand,
    moderation: Moderation,
    lora: Adapter,
    /// Members that are advisory for it.
    drop: &'static [&'static str],
}

/// How a size is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// `WxH` as `size`.
    Text,
    /// `width` and `height`.
    Sides,
    /// `width` and `height`, and these when nothing was said.
    SidesAlways((u32, u32)),
    /// `size` and both sides: the member's maps and its clients differ, and it ignores what it does not know.
    TextAndSides,
    /// Both sides in an object of this name.
    Object(&'static str),
}

/// How to say whether bytes or an address are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// It cannot be said; the gateway converts.
    Unspoken,
    /// `response_format` with this word for base64; with whether it gives addresses at all.
    Word(&'static str, bool),
    /// `sync_mode: true` for base64.
    SyncMode,
}

/// What becomes of `moderation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moderation {
    /// It is advisory: left out, by name.
    Unknown,
    /// `low` switches a safety checker off.
    Checker,
    /// It goes as it came.
    Known,
}

/// How an adapter from the Hub is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adapter {
    None,
    /// `loras: [{path: <address of the weights>, scale: 1}]`
    PathOfWeights,
    /// `lora_weights: <address of the repository>`
    Weights,
    /// `loras: [{path: <Hub id>, scale: 1}]`
    PathOfRepository,
    /// `loras: [{url: <address of the weights>, scale: 1}]`
    Url,
}

/// What most have: Hugging Face's own names.
const COMMON: Names = Names {
    prompt: "prompt",
    prompt_at_root: false,
    model: None,
    within: None,
    n: None,
    size: Size::Sides,
    steps: Some("num_inference_steps"),
    guidance: Some("guidance_scale"),
    negative: Some("negative_prompt"),
    seed: Some("seed"),
    format: Some(("output_format", "jpeg")),
    delivery: Hand::Unspoken,
    moderation: Moderation::Unknown,
    lora: Adapter::None,
    drop: OPENAIS,
};

const HF_INFERENCE: Names =
    Names { prompt: "inputs", prompt_at_root: true, within: Some("parameters"), format: None, ..COMMON };

const FAL: Names = Names {
    n: Some("num_images"),
    size: Size::Object("image_size"),
    delivery: Hand::SyncMode,
    moderation: Moderation::Checker,
    lora: Adapter::PathOfWeights,
    // Some of its models have members of these names of their own.
    drop: &["moderation"],
    ..COMMON
};

const REPLICATE: Names = Names {
    within: Some("input"),
    n: Some("num_outputs"),
    format: Some(("output_format", "jpg")),
    lora: Adapter::Weights,
    drop: &["moderation"],
    ..COMMON
};

const TOGETHER: Names = Names {
    model: Some("model"),
    n: Some("n"),
    size: Size::TextAndSides,
    steps: Some("steps"),
    delivery: Hand::Word("base64", true),
    ..COMMON
};

const NEBIUS: Names = Names {
    model: Some("model"),
    format: Some(("response_extension", "jpg")),
    delivery: Hand::Word("b64_json", true),
    lora: Adapter::Url,
    ..COMMON
};

const NSCALE: Names = Names {
    model: Some("model"),
    n: Some("n"),
    size: Size::Text,
    steps: None,
    guidance: None,
    format: None,
    delivery: Hand::Word("b64_json", false),
    ..COMMON
};

const HYPERBOLIC: Names = Names {
    model: Some("model_name"),
    size: Size::SidesAlways((512, 512)),
    steps: Some("steps"),
    guidance: Some("cfg_scale"),
    format: None,
    ..COMMON
};

const WAVESPEED: Names = Names { lora: Adapter::PathOfRepository, ..COMMON };

/// A server of one's own: OpenAI's names, and what OpenAI has no word for under those of diffusers.
const OPENAI: Names = Names {
    model: Some("model"),
    n: Some("n"),
    size: Size::Text,
    delivery: Hand::Word("b64_json", true),
    moderation: Moderation::Known,
    drop: &[],
    ..COMMON
};

const ZAI: Names =
    Names { model: Some("model"), size: Size::Text, steps: None, guidance: None, format: None, ..COMMON };

/// What a flow calls the members; `None` when it makes no pictures.
pub(crate) const fn names(flow: Flow) -> Option<&'static Names> {
    Some(match flow {
        Flow::HfInference => &HF_INFERENCE,
        Flow::Fal | Flow::FalQueue | Flow::FalStream => &FAL,
        Flow::Replicate => &REPLICATE,
        Flow::Together => &TOGETHER,
        Flow::Nebius => &NEBIUS,
        Flow::Nscale => &NSCALE,
        Flow::Hyperbolic => &HYPERBOLIC,
        Flow::Wavespeed => &WAVESPEED,
        Flow::Zai => &ZAI,
        Flow::Openai => &OPENAI,
        Flow::Deepinfra => return None,
    })
}

/// Writes a call for pictures.
pub(super) fn write(flow: Flow, ask: &ImageAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Written> {
    let Some(names) = names(flow) else { return Err(super::no_codec(flow)) };
    Ok(Written::json(draft(names, ask, model, leave)?.write()))
}

/// The body of a call for pictures, to which an edit adds its own.
pub(super) fn draft(names: &Names, ask: &ImageAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Draft> {
    let mut draft = Draft::new(names.within);
    if let Some(member) = names.model {
        draft.root.insert(member.to_owned(), model.id.into());
    }
    if names.prompt_at_root {
        draft.root.insert(names.prompt.to_owned(), ask.prompt.clone().into());
    } else {
        draft.say(names.prompt, ask.prompt.clone());
    }
    if names.within == Some("input") {
        draft.version_of(model);
    }
    parameters(names, ask, &mut draft, leave)?;
    adapter(names.lora, model, &mut draft.inner);
    leave.extra(&ask.extra, names.drop, &mut draft.inner);
    Ok(draft)
}

fn parameters(names: &Names, ask: &ImageAsk, draft: &mut Draft, leave: &mut Leave<'_>) -> Result<()> {
    match (ask.n, names.n) {
        (Some(n), Some(name)) => draft.say(name, n),
        (Some(n), None) if n != 1 => leave.refuse("n", ", which makes one picture at a time")?,
        _ => {}
    }
    size(names.size, ask.size, draft);
    let numbers = [
        ("num_inference_steps", names.steps, ask.num_inference_steps.clone().map(Value::Number)),
        ("guidance_scale", names.guidance, ask.guidance_scale.clone().map(Value::Number)),
        ("negative_prompt", names.negative, ask.negative_prompt.clone().map(Value::String)),
        ("seed", names.seed, ask.seed.clone().map(Value::Number)),
    ];
    for (member, name, value) in numbers {
        match (name, value) {
            (Some(name), Some(value)) => draft.say(name, value),
            (None, Some(_)) => leave.refuse(member, "")?,
            (_, None) => {}
        }
    }
    match (&ask.output_format, names.format) {
        (Some(format), Some((name, jpeg))) => {
            let format = if matches!(format.as_str(), "jpg" | "jpeg") { jpeg } else { format };
            draft.say(name, format);
        }
        (Some(_), None) => leave.refuse("output_format", ", which chooses the format itself")?,
        (None, _) => {}
    }
    match (ask.moderation.as_deref(), names.moderation) {
        (Some(level), Moderation::Known) => draft.say("moderation", level),
        (Some("low"), Moderation::Checker) => draft.say("enable_safety_checker", false),
        (Some("auto") | None, _) => {}
        (Some(_), _) => leave.out("moderation"),
    }
    delivery(names.delivery, ask.delivery, draft);
    Ok(())
}

pub(super) fn size(how: Size, size: Option<(u32, u32)>, draft: &mut Draft) {
    let (width, height) = match (size, how) {
        (Some(size), _) | (None, Size::SidesAlways(size)) => size,
        (None, _) => return,
    };
    match how {
        Size::Text => draft.say("size", format!("{width}x{height}")),
        Size::Object(name) => draft.say(name, json!({"width": width, "height": height})),
        Size::Sides | Size::SidesAlways(..) => {
            draft.say("width", width);
            draft.say("height", height);
        }
        Size::TextAndSides => {
            draft.say("size", format!("{width}x{height}"));
            draft.say("width", width);
            draft.say("height", height);
        }
    }
}

fn delivery(how: Hand, wanted: Option<Delivery>, draft: &mut Draft) {
    match (how, wanted) {
        (Hand::Word(word, _), Some(Delivery::B64Json)) | (Hand::Word(word, false), _) => {
            draft.say("response_format", word);
        }
        (Hand::Word(_, true), Some(Delivery::Url)) => draft.say("response_format", "url"),
        (Hand::SyncMode, Some(Delivery::B64Json)) => draft.say("sync_mode", true),
        _ => {}
    }
}

/// Names the adapter that the Hub's mapping stands for.
fn adapter(how: Adapter, model: &Model<'_>, inner: &mut Map<String, Value>) {
    let Some(lora) = model.lora else { return };
    let id = model.hub_id.unwrap_or(model.id);
    let repository = format!("https://huggingface.co/{id}");
    let weights = lora.weights.map_or_else(|| repository.clone(), |path| format!("{repository}/resolve/main/{path}"));
    match how {
        // The backend knows the adapter by its own name for the model.
        Adapter::None => {}
        Adapter::PathOfWeights => {
            inner.insert("loras".to_owned(), json!([{"path": weights, "scale": 1}]));
            if model.id == "fal-ai/lora" {
                inner.insert("model_name".to_owned(), "stabilityai/stable-diffusion-xl-base-1.0".into());
            }
        }
        Adapter::Weights => {
            inner.insert("lora_weights".to_owned(), repository.into());
        }
        Adapter::PathOfRepository => {
            inner.insert("loras".to_owned(), json!([{"path": id, "scale": 1}]));
        }
        Adapter::Url => {
            inner.insert("loras".to_owned(), json!([{"url": weights, "scale": 1}]));
        }
    }
}
