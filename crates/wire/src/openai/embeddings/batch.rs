//! Batches that are larger than a backend takes: cut into calls that it takes, their answers joined in order.

use types::{Result, SendBody, Usage};

use super::{
    answer::{ALL, Answer, Said, usage_text},
    bad_reply,
    call::{Call, Encoding, Input},
};
use crate::json::{Edits, Limits, Reader, Span};

/// Cuts a call into calls of at most `most` inputs each, in order. One call comes back when that is enough.
///
/// # Errors
/// None that a call which was read can cause.
pub fn split(call: &Call, most: usize) -> Result<Vec<Call>> {
    let most = most.max(1);
    if call.inputs() <= most || !matches!(call.input(), Input::Texts | Input::TokenLists) {
        return Ok(vec![call.clone()]);
    }
    let items = items(call);
    let body = call.body();
    let mut calls = Vec::with_capacity(items.len().div_ceil(most));
    for piece in items.chunks(most) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
        let mut edits = Edits::new();
        let list = call.given_span();
        edits.replace(Span::new(list.start + 1, first.start), "");
        edits.replace(Span::new(last.end, list.end - 1), "");
        // The same inputs under the other name would be all of them.
        for (index, member) in call.members().iter().enumerate() {
            if member.value.start != list.start && matches!(&*member.name.raw(body), b"input" | b"inputs") {
                edits.remove(crate::json::TakeOut::default().span(&call.slot(index)));
            }
        }
        let mut cut = Vec::with_capacity(body.len());
        edits.write(body, &mut cut);
        calls.push(Call::read(cut.into(), &Limits { max_members: usize::MAX, ..Limits::default() })?);
    }
    Ok(calls)
}

/// Where each item of the input stands.
fn items(call: &Call) -> Vec<Span> {
    let mut items = Vec::with_capacity(call.inputs());
    let mut reader = Reader::within(call.body(), call.given_span(), ALL);
    let mut read = || -> std::result::Result<(), crate::json::Error> {
        reader.open_array()?;
        while reader.next_item()? {
            items.push(reader.skip()?);
        }
        Ok(())
    };
    // It was read before: nothing can fail.
    let _ = read();
    items
}

/// Joins the answers to the calls of one split, in the calls' order: one list, indices counted through, usage summed.
///
/// What else the first answer says stands in the joint one too.
///
/// # Errors
/// `UpstreamBadReply` when there is nothing to join.
pub fn join(answers: Vec<Answer>) -> Result<Answer> {
    let estimated = answers.iter().any(|answer| answer.estimated);
    let usage = Usage { input: answers.iter().map(|answer| answer.usage.input).sum(), ..Usage::default() };
    let mut answers = answers.into_iter();
    let first = answers.next().ok_or_else(|| bad_reply("There is no answer."))?;
    let Some(rest) = std::num::NonZero::new(answers.len()) else { return Ok(first) };
    let body = first.body.to_bytes();
    let said = read(&body)?;
    let (Some(items), Some(counted)) = (&said.items, said.usage) else {
        return Err(bad_reply("The backend's answer cannot be joined."));
    };
    let Some(last) = items.last() else { return Err(bad_reply("The backend's answer is empty.")) };
    // What stands behind the last vector goes behind the last one of all; the usage may stand on either side.
    let mut head = Edits::new();
    let mut tail = Edits::new();
    let cut = last.whole.end;
    let side = if counted.span.start < cut { &mut head } else { &mut tail };
    side.replace(counted.span, usage_text(&usage, estimated).into_bytes());
    head.remove(Span::new(cut, body.len()));
    tail.remove(Span::new(0, cut));

    let mut joint = SendBody::with_capacity(2 + 2 * rest.get());
    joint.append(&head.apply(&body));
    let mut index = items.len();
    for answer in answers {
        index += append(&mut joint, &answer, index)?;
    }
    joint.append(&tail.apply(&body));
    Ok(Answer { body: joint, usage, estimated })
}

/// Adds an answer's vectors, the first of them as number `index`; gives how many there are.
fn append(joint: &mut SendBody, answer: &Answer, index: usize) -> Result<usize> {
    let body = answer.body.to_bytes();
    let items = read(&body)?.items.unwrap_or_default();
    let (Some(first), Some(last)) = (items.first(), items.last()) else { return Ok(0) };
    let mut edits = Edits::new();
    edits.replace(Span::new(0, first.whole.start), ",");
    for (at, item) in items.iter().enumerate() {
        if let Some(span) = item.index_span {
            edits.replace(span, (index + at).to_string().into_bytes());
        }
    }
    edits.remove(Span::new(last.whole.end, body.len()));
    joint.append(&edits.apply(&body));
    Ok(items.len())
}

fn read(body: &[u8]) -> Result<Said> {
    // The vectors are as the caller wants them already.
    Reader::new(body, ALL)
        .and_then(|reader| Said::read(reader, Encoding::Float))
        .map_err(|error| bad_reply("The backend's answer is not JSON.").detail(error.to_string()))
}
