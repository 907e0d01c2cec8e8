//! `/v1/images/edits`: the call, from a form or from JSON.
//!
//! In a form the pictures are files under `image` or `image[]`. In JSON they are data URLs or public addresses, under any
//! of the names that clients use: `image`, `images`, `image_url`, `image_urls`; each a text, an object with an
//! `image_url` or `url`, or a list of those.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use serde_json::Value;
use types::{
    Fault, Kind, Result,
    ask::{EditAsk, Picture, Upload},
};

use super::call::Shared;
use crate::{
    json::Limits,
    multipart::{Content, Form},
    openai::{
        envelope::{duplicate, missing},
        members::{Members, unsupported, wrong},
    },
};

/// Most pictures that one edit takes.
pub const MOST_INPUTS: usize = 16;

/// Names under which pictures come.
const PICTURES: &[&str] = &["image", "images", "image_url", "image_urls"];

/// The padding is what clients forget.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A call that edits pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct EditCall {
    /// The model as the caller named it.
    pub model: String,
    /// Whether a stream of events is asked for.
    pub stream: bool,
    /// How many unfinished pictures a stream is to show, if the caller says.
    pub partial_images: Option<u8>,
    /// What is asked.
    pub ask: EditAsk,
}

impl EditCall {
    /// Reads a form whose fields may stand in any order.
    ///
    /// # Errors
    /// `BadRequest`, naming the field where there is one.
    pub fn of_form(form: Form) -> Result<Self> {
        let members = Members::of_form(&form.fields, PICTURES)?;
        let (mut images, mut mask) = (Vec::new(), None);
        for field in form.fields {
            let Content::File(upload) = field.content else { continue };
            let name = field.name.split_once('[').map_or(&*field.name, |(name, _)| name);
            if upload.bytes.is_empty() {
                return Err(wrong(name, "a picture; the file is empty"));
            }
            match name {
                "image" | "images" => images.push(Picture::Bytes(upload)),
                "mask" if mask.is_some() => return Err(duplicate("mask")),
                "mask" => mask = Some(Picture::Bytes(upload)),
                other => return Err(wrong(other, "a text, not a file")),
            }
        }
        Self::read(members, images, mask)
    }

    /// Reads a JSON body.
    ///
    /// # Errors
    /// `BadRequest`, naming the member where there is one.
    pub fn of_json(body: &Bytes, limits: &Limits) -> Result<Self> {
        Self::read(Members::of_json(body, limits)?, Vec::new(), None)
    }

    fn read(mut members: Members, mut images: Vec<Picture>, mut mask: Option<Picture>) -> Result<Self> {
        for name in PICTURES {
            if let Some(value) = members.value(name) {
                pictures(name, value, &mut images)?;
            }
        }
        if let Some(value) = members.value("mask") {
            let given = picture("mask", value)?;
            if mask.replace(given).is_some() {
                return Err(duplicate("mask"));
            }
        }
        if images.is_empty() {
            return Err(missing("image", "send at least one picture to edit"));
        }
        if images.len() > MOST_INPUTS {
            return Err(wrong("image", &format!("at most {MOST_INPUTS} pictures")));
        }
        let use_image_urls = members.flag("use_image_urls")?;
        let Shared { model, stream, partial_images, ask } = Shared::read(members)?;
        let ask = EditAsk { image: ask, images, mask, use_image_urls };
        Ok(Self { model, stream, partial_images, ask })
    }
}

/// Adds the picture or the pictures that stand here.
fn pictures(name: &str, value: Value, images: &mut Vec<Picture>) -> Result<()> {
    let Value::Array(list) = value else {
        images.push(picture(name, value)?);
        return Ok(());
    };
    for (index, value) in list.into_iter().enumerate() {
        images.push(picture(&format!("{name}[{index}]"), value)?);
    }
    Ok(())
}

fn picture(name: &str, value: Value) -> Result<Picture> {
    let address = match value {
        Value::String(address) => address,
        Value::Object(mut object) => {
            if object.contains_key("file_id") {
                return Err(unsupported(name, "files are not kept here; send the picture or its address"));
            }
            let inner = object.remove("image_url").or_else(|| object.remove("url"));
            match inner {
                Some(Value::String(address)) => address,
                Some(Value::Object(mut object)) => match object.remove("url") {
                    Some(Value::String(address)) => address,
                    _ => return Err(no_picture(name)),
                },
                _ => return Err(no_picture(name)),
            }
        }
        _ => return Err(no_picture(name)),
    };
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("data") => data_url(name, &address),
        Some("http" | "https") => Ok(Picture::Url(address)),
        _ => Err(no_picture(name)),
    }
}

fn no_picture(name: &str) -> Box<Fault> {
    wrong(name, "a picture: a data URL, an http(s) address, or in a form a file with a file name")
}

/// `data:image/png;base64,…`
fn data_url(name: &str, address: &str) -> Result<Picture> {
    let bad = || {
        let message = format!("`{name}` is no good data URL; it must read `data:image/png;base64,…`.");
        Fault::new(Kind::BadRequest, message).param(name)
    };
    let (head, data) = address.get(5..).and_then(|rest| rest.split_once(',')).ok_or_else(bad)?;
    let mut parameters = head.split(';');
    let claimed = parameters.next().filter(|kind| !kind.is_empty()).map(str::to_owned);
    if !parameters.any(|parameter| parameter.trim().eq_ignore_ascii_case("base64")) {
        return Err(bad());
    }
    let bytes = BASE64.decode(data.trim()).map_err(|_| bad())?;
    if bytes.is_empty() {
        return Err(bad());
    }
    Ok(Picture::Bytes(Upload { bytes: bytes.into(), file_name: None, claimed_type: claimed }))
}
