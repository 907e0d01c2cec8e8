//! Changing pictures: how each backend wants to be given the ones to change.

use serde_json::Value;
use types::{
    Fault, Kind, Result,
    ask::{EditAsk, ImageAsk, Picture, Upload},
};
use wire::multipart::{self, Attachment};

use super::{
    Flow, Model, Written,
    body::{Draft, Leave},
    image,
};

/// Models of fal that take a list of pictures, even of one.
const MANY: &[&str] = &["fal-ai/flux-2/edit", "fal-ai/flux-2-pro/edit"];

/// Models of fal that take one picture only.
const ONE: &[&str] = &["fal-ai/flux-pro/kontext", "fal-ai/flux/dev/image-to-image"];

/// The most pictures that fal is asked for at once.
const MOST: u32 = 10;

/// Writes a call for edits.
pub(super) fn write(flow: Flow, ask: &EditAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Written> {
    if ask.images.is_empty() {
        return Err(Fault::new(Kind::BadRequest, "`image` is missing: send the picture to edit.").param("image"));
    }
    if let Some(written) = bare(flow, ask) {
        return Ok(written);
    }
    let Some(names) = image::names(flow) else { return Err(super::no_codec(flow)) };
    let mut draft = image::draft(names, &ask.image, model, leave)?;
    // Models that want no prompt are not told an empty one, except where the prompt must be there.
    if flow != Flow::Together && draft.inner.get(names.prompt).is_some_and(|prompt| prompt == "") {
        draft.inner.shift_remove(names.prompt);
    }
    match flow {
        Flow::Openai => return form(ask, draft),
        Flow::Fal | Flow::FalQueue | Flow::FalStream => fal(ask, model, &mut draft, leave)?,
        Flow::Replicate => replicate(ask, model, &mut draft, leave)?,
        Flow::Together => together(ask, model, &mut draft, leave)?,
        Flow::Wavespeed => wavespeed(ask, &mut draft, leave)?,
        Flow::HfInference => hf_inference(ask, &mut draft, leave)?,
        _ => return Err(super::no_codec(flow)),
    }
    Ok(Written::json(draft.write()))
}

/// The picture alone, when nothing else is said and the backend takes it so.
fn bare(flow: Flow, ask: &EditAsk) -> Option<Written> {
    let (Flow::HfInference, [Picture::Bytes(file)], None) = (flow, ask.images.as_slice(), &ask.mask) else {
        return None;
    };
    let silent = ImageAsk { delivery: ask.image.delivery, n: ask.image.n, ..ImageAsk::default() };
    let nothing_said = ask.image == silent && ask.image.n.is_none_or(|n| n == 1);
    nothing_said.then(|| Written::typed(media_type(file), file.bytes.clone().into()))
}

fn fal(ask: &EditAsk, model: &Model<'_>, draft: &mut Draft, leave: &mut Leave<'_>) -> Result<()> {
    if let Some(n) = ask.image.n.filter(|n| !(1..=MOST).contains(n)) {
        let message = format!("`n` is {n}; between 1 and {MOST} edited pictures can be asked for.");
        return Err(Fault::new(Kind::BadRequest, message).param("n"));
    }
    let pictures = all(ask, draft);
    let one_only = ask.use_image_urls == Some(false) || ask.use_image_urls.is_none() && ONE.contains(&model.id);
    let many_only = ask.use_image_urls == Some(true) || ask.use_image_urls.is_none() && MANY.contains(&model.id);
    if one_only && pictures.len() > 1 {
        let message = format!(
            "`{}` edits one picture at a time, and {} were sent. Send one, or say `use_image_urls: true` if the model \
             takes several.",
            model.id,
            pictures.len()
        );
        return Err(Fault::new(Kind::BadRequest, message).param("image"));
    }
    if let ([one], false) = (pictures.as_slice(), many_only) {
        draft.say("image_url", one.clone());
    }
    // Of an unknown model nobody knows which name it has: one picture goes under both, as from Hugging Face's clients.
    if !one_only {
        draft.say("image_urls", pictures);
    }
    mask("mask_url", ask, model, draft, leave)
}

fn replicate(ask: &EditAsk, model: &Model<'_>, draft: &mut Draft, leave: &mut Leave<'_>) -> Result<()> {
    // Its models call it by four names.
    let pictures = all(ask, draft);
    if let Some(first) = pictures.first().cloned() {
        draft.say("image", first.clone());
        draft.say("input_image", first);
    }
    draft.say("images", pictures.clone());
    draft.say("input_images", pictures);
    mask("mask", ask, model, draft, leave)
}

fn together(ask: &EditAsk, model: &Model<'_>, draft: &mut Draft, leave: &mut Leave<'_>) -> Result<()> {
    let pictures = all(ask, draft);
    let name = model.id.to_ascii_lowercase();
    if name.contains("kontext") && name.contains("flux.1") {
        if pictures.len() > 1 {
            let message = format!("`{}` edits one picture at a time, and {} were sent.", model.id, pictures.len());
            return Err(Fault::new(Kind::BadRequest, message).param("image"));
        }
        draft.inner.extend(pictures.into_iter().next().map(|one| ("image_url".to_owned(), one)));
    } else {
        draft.say("reference_images", pictures);
    }
    refuse_mask(ask, leave)
}

fn wavespeed(ask: &EditAsk, draft: &mut Draft, leave: &mut Leave<'_>) -> Result<()> {
    let pictures = all(ask, draft);
    draft.inner.extend(pictures.first().cloned().map(|one| ("image".to_owned(), one)));
    draft.say("images", pictures);
    refuse_mask(ask, leave)
}

fn hf_inference(ask: &EditAsk, draft: &mut Draft, leave: &mut Leave<'_>) -> Result<()> {
    if ask.images.len() > 1 {
        leave.refuse("image", " more than once: it edits one picture at a time")?;
    }
    let Some(Picture::Bytes(file)) = ask.images.first() else {
        let message = "hf-inference takes a picture's bytes, not its address: send the picture itself.";
        return Err(Fault::new(Kind::UnsupportedParameter, message).param("image"));
    };
    // Here the picture is the input, and the prompt a parameter.
    let prompt = draft.root.insert("inputs".to_owned(), draft.media.base64(&file.bytes));
    if let Some(prompt) = prompt.filter(|prompt| prompt != "") {
        draft.say("prompt", prompt);
    }
    if let (Some(width), Some(height)) = (draft.inner.shift_remove("width"), draft.inner.shift_remove("height")) {
        draft.say("target_size", serde_json::json!({"width": width, "height": height}));
    }
    refuse_mask(ask, leave)
}

/// OpenAI's form: the pictures are files, and all else is text.
fn form(ask: &EditAsk, draft: Draft) -> Result<Written> {
    let name = if ask.images.len() == 1 { "image" } else { "image[]" };
    let mut files = Vec::with_capacity(ask.images.len() + 1);
    for picture in &ask.images {
        files.push((name, bytes_of(picture, "image")?));
    }
    if let Some(mask) = &ask.mask {
        files.push(("mask", bytes_of(mask, "mask")?));
    }
    let fields: Vec<(String, String)> =
        draft.root.into_iter().chain(draft.inner).map(|(name, value)| (name, text(value))).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let named: Vec<_> = files.iter().map(|(_, file)| format!("picture.{}", extension(media_type(file)))).collect();
    let files: Vec<_> = files
        .iter()
        .zip(&named)
        .map(|((name, file), file_name)| Attachment {
            name,
            file_name,
            content_type: media_type(file),
            bytes: &file.bytes,
        })
        .collect();
    let (content_type, body) = multipart::write(&fields, &files)?;
    Ok(Written::typed(&content_type, body))
}

fn bytes_of<'a>(picture: &'a Picture, member: &str) -> Result<&'a Upload> {
    match picture {
        Picture::Bytes(file) => Ok(file),
        Picture::Url(_) => {
            let message = "This server takes a picture's bytes, not its address: send the picture itself.";
            Err(Fault::new(Kind::UnsupportedParameter, message).param(member))
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn extension(media_type: &str) -> &str {
    match media_type {
        "image/jpeg" => "jpg",
        other => other.strip_prefix("image/").unwrap_or("bin"),
    }
}

/// The pictures as data URIs or addresses.
fn all(ask: &EditAsk, draft: &mut Draft) -> Vec<Value> {
    ask.images.iter().map(|picture| value(picture, draft)).collect()
}

fn value(picture: &Picture, draft: &mut Draft) -> Value {
    match picture {
        Picture::Bytes(file) => draft.media.data_uri(media_type(file), &file.bytes),
        Picture::Url(url) => url.clone().into(),
    }
}

/// A mask, for models that are made for one; elsewhere it would be ignored without a word.
fn mask(name: &str, ask: &EditAsk, model: &Model<'_>, draft: &mut Draft, leave: &mut Leave<'_>) -> Result<()> {
    let Some(mask) = &ask.mask else { return Ok(()) };
    let model = model.id.to_ascii_lowercase();
    if ["inpaint", "fill", "eras"].iter().any(|word| model.contains(word)) {
        let mask = value(mask, draft);
        draft.say(name, mask);
        return Ok(());
    }
    leave.refuse("mask", " for this model; models for inpainting or filling take one")
}

fn refuse_mask(ask: &EditAsk, leave: &mut Leave<'_>) -> Result<()> {
    if ask.mask.is_some() { leave.refuse("mask", "") } else { Ok(()) }
}

/// What a picture is: by its first bytes; what was said of it only where they say nothing.
fn media_type(file: &Upload) -> &str {
    // What cannot be read here is met again when it is sent.
    let head = file.bytes.read_at(0, 12).unwrap_or_default();
    match head.get(..12) {
        Some([0x89, b'P', b'N', b'G', ..]) => "image/png",
        Some([0xff, 0xd8, 0xff, ..]) => "image/jpeg",
        Some([b'G', b'I', b'F', b'8', ..]) => "image/gif",
        Some([b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P']) => "image/webp",
        _ => file.claimed_type.as_deref().filter(|kind| is_media_type(kind)).unwrap_or("image/png"),
    }
}

/// Whether a text can stand as a media type in a header and in a data URI.
pub(super) fn is_media_type(kind: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+'))
    };
    kind.len() < 100 && kind.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub))
}
