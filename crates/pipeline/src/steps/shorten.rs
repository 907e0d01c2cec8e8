//! Leaves out the oldest items of a call that is too long for the model, where its caller wants that.

use catalog::Market;
use types::Result;
use wire::openai::chat;

use super::{
    admit::Ticket,
    resolve::{Candidate, Candidates, Place},
};
use crate::{Gateway, call::Call, doors::Wants};

/// Shortens a call that may be shortened, so that it fits whoever takes the longest. Where nobody says how much they take,
/// the call stays as it is and its caller is told.
///
/// # Errors
/// What is wrong with the call, naming the member.
pub(crate) fn shorten(
    gateway: &Gateway,
    ticket: &Ticket,
    found: &Candidates,
    call: &mut Call,
    wants: &mut Wants,
) -> Result<()> {
    let Wants::Translated { shorten: Some(whole), dropped, .. } = wants else { return Ok(()) };
    let market = gateway.0.catalog.market();
    let known = |candidate: &Candidate| context(gateway, candidate, market.as_deref());
    let Some(context) = found.iter().filter_map(known).max() else {
        dropped.push("truncation".to_owned());
        return Ok(());
    };
    if let Some(chat) = whole.request.shortened(&whole.told, context)? {
        let shorter = Call::Translated(Box::new(chat::Call::read(chat, &ticket.snapshot.json_limits)?));
        match call {
            // Whoever speaks its dialect shortens it himself.
            Call::Native(native) => native.otherwise = Ok(shorter),
            call => *call = shorter,
        }
    }
    Ok(())
}

/// How many tokens call and answer may have together there.
fn context(gateway: &Gateway, candidate: &Candidate, market: Option<&Market>) -> Option<u64> {
    match &candidate.place {
        Place::Backend { id, mapped: true } => {
            market?.find(candidate.hub_id.as_deref()?)?.offer(id.as_str())?.context_length
        }
        Place::Backend { id, mapped: false } => gateway.0.wares.context(id, &candidate.model),
        Place::Router => None,
    }
}
