//! Writing an embeddings call for a backend, by splicing.

use types::{Fault, Kind as FaultKind, Result};

use super::{
    call::{Call, Input},
    dialect::{Dialect, Formats, Shape},
};
use crate::{
    json::{Edits, Kind, Span, TakeOut, text},
    openai::{
        chat::{Ask, Dropped, Encoded},
        detours,
    },
};

/// Writes `call` for a server that speaks `dialect` and calls the model `model`.
///
/// `model` comes first where the body names it; the order of the rest is kept. Members that are null go.
///
/// # Errors
/// `UnsupportedParameter` when the call asks for what the dialect refuses, or sends tokens that it does not take;
/// `BadRequest` when there are more inputs than it takes ([`super::split`] comes first).
pub fn encode(call: &Call, dialect: &Dialect, model: &str, ask: Ask<'_>) -> Result<Encoded> {
    check(call, dialect, ask)?;
    let body = call.body();
    let (mut edits, mut dropped) = (Edits::new(), Vec::new());
    let mut gone = vec![false; call.members().len()];
    let mut named = false;
    for (index, member) in call.members().iter().enumerate() {
        let name = member.name.raw(body);
        let listed = |list: &'static [&'static str]| list.iter().find(|known| known.as_bytes() == &*name).copied();
        gone[index] = match &*name {
            b"model" => true,
            other if detours::is_one(other) => true,
            _ if member.kind == Kind::Null => true,
            b"input" | b"inputs" => {
                // The same under both names goes once.
                let again = std::mem::replace(&mut named, true);
                let (right, written): (&[u8], _) = match dialect.shape {
                    Shape::Openai => (b"input", "\"input\""),
                    Shape::Inputs => (b"inputs", "\"inputs\""),
                };
                if !again && &*name != right {
                    edits.replace(member.name.outer(), written);
                }
                again
            }
            b"encoding_format" => dialect.formats == Formats::Unspoken,
            _ => {
                if let Some(advice) = listed(dialect.drop) {
                    dropped.push(Dropped { member: advice.into() });
                    true
                } else if let Some(refused) = listed(dialect.refuse) {
                    dropped.push(ask.leave_out(refused, refused, "")?);
                    true
                } else {
                    false
                }
            }
        };
    }
    head(call, dialect, model, &gone, &mut edits);
    Ok(Encoded { body: edits.apply(body), dropped })
}

fn check(call: &Call, dialect: &Dialect, ask: Ask<'_>) -> Result<()> {
    if call.input().is_tokens() && !dialect.tokens {
        // Leaving the input out would leave nothing: leniency does not help.
        let why = match call.input() {
            Input::Tokens => " as an array of tokens",
            _ => " as arrays of tokens",
        };
        let backend = if ask.backend.is_empty() { "this backend" } else { ask.backend };
        let message = format!(
            "`input`{why} is not supported by {backend}. Send texts (with LangChain: `check_embedding_ctx_length=False`)."
        );
        let mut fault = Fault::new(FaultKind::UnsupportedParameter, message).param("input");
        fault.backend = (!ask.backend.is_empty()).then(|| ask.backend.to_owned());
        return Err(fault);
    }
    match dialect.max_inputs {
        Some(most) if call.inputs() > most => {
            let message = format!("`input` holds {} inputs; at most {most} go into one call.", call.inputs());
            Err(Fault::new(FaultKind::BadRequest, message).param("input"))
        }
        _ => Ok(()),
    }
}

/// Takes out what goes, and puts `model` first.
fn head(call: &Call, dialect: &Dialect, model: &str, gone: &[bool], edits: &mut Edits) {
    let Some(first) = call.members().first() else { return };
    let mut opening = b"{".to_vec();
    if dialect.shape == Shape::Openai {
        opening.extend_from_slice(b"\"model\":");
        text::encode(model, &mut opening);
        // The input always stays, so a member always follows.
        opening.push(b',');
    }
    edits.replace(Span::new(0, first.name.outer().start), opening);
    let mut take_out = TakeOut::default();
    for index in (0..gone.len()).filter(|index| gone[*index]) {
        edits.remove(take_out.span(&call.slot(index)));
    }
}
