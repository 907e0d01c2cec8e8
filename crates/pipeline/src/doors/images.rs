//! OpenAI's endpoints of pictures: generations and edits.

use bytes::Bytes;
use providers::exchange::Work;
use types::{
    Result,
    ask::{Delivery, ImageAsk},
};
use wire::{
    json::Limits,
    multipart::Form,
    openai::images::{EditCall, Events, GenerationCall, Settings, What},
};

use super::Wants;
use crate::{call::Call, steps::dispatch::Shown};

/// Reads `/v1/images/generations`.
pub(super) fn generation(body: &Bytes, limits: &Limits, base: String) -> Result<(Call, String, Wants)> {
    let GenerationCall { model, stream, partial_images, mut ask } = GenerationCall::read(body, limits)?;
    unless_said(stream, &mut ask);
    let wants = Wants::Pictures { delivery: ask.delivery, base };
    let shown = stream.then(|| shown(What::Generation, &ask, partial_images));
    Ok((call(Work::Image(ask), shown), model, wants))
}

/// Reads `/v1/images/edits` in JSON.
pub(super) fn edit(body: &Bytes, limits: &Limits, base: String) -> Result<(Call, String, Wants)> {
    Ok(edited(EditCall::of_json(body, limits)?, base))
}

/// Reads `/v1/images/edits` in a form.
pub(super) fn edit_form(form: Form, base: String) -> Result<(Call, String, Wants)> {
    Ok(edited(EditCall::of_form(form)?, base))
}

fn edited(read: EditCall, base: String) -> (Call, String, Wants) {
    let EditCall { model, stream, partial_images, mut ask } = read;
    unless_said(stream, &mut ask.image);
    let wants = Wants::Pictures { delivery: ask.image.delivery, base };
    let shown = stream.then(|| shown(What::Edit, &ask.image, partial_images));
    (call(Work::Edit(ask), shown), model, wants)
}

/// Events carry their pictures, as OpenAI's SDKs expect, unless the caller wants addresses.
fn unless_said(stream: bool, ask: &mut ImageAsk) {
    if stream {
        ask.delivery.get_or_insert(Delivery::B64Json);
    }
}

fn shown(what: What, ask: &ImageAsk, partial_images: Option<u8>) -> Shown {
    Shown { events: Events::new(what, Settings::of(ask)), partial_images }
}

fn call(work: Work, shown: Option<Shown>) -> Call {
    match shown {
        Some(shown) => Call::Pictures(work, shown),
        None => Call::Work(work),
    }
}
