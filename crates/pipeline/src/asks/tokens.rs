//! How many tokens a call is likely to have, in the dialects that ask for it beforehand. A model of a vendor that counts
//! itself is counted there; for all others nothing is sent to a backend.

use net::Request;
use policy::order::Need;
use types::{Fault, Kind, Operation, Result, SendBody};
use wire::{
    anthropic, gemini,
    native::{self, Dialect},
};

use crate::{
    Gateway,
    call::{Call, Native},
    doors::{Answer, Ask, body_fault, dress, foreign::asked},
    steps::{
        admit::{Asking, admit},
        authenticate::authenticate,
        dispatch,
        plan::plan,
        resolve::resolve,
    },
    trail::Trail,
    vendors,
};

const JSON: &str = "application/json";

/// `POST /anthropic/v1/messages/count_tokens`.
///
/// # Errors
/// What is wrong with the call, or what the vendor says is.
pub(crate) async fn anthropic(gateway: &Gateway, request: Request, trail: &mut Trail) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    let (caller, ask) = (authenticate(&request.headers)?, Ask::of(&request)?);
    let until = request.received + snapshot.config.timeouts.body;
    let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await.map_err(body_fault)?;
    if snapshot.has_vendors(&caller) {
        let call = native::Call::read(Dialect::Messages, &held.bytes, None, &snapshot.json_limits)?;
        if let Some(meant) = vendors::perhaps(&snapshot, &caller, call.model()) {
            trail.record.model = Some(call.model().to_owned());
            let carried = vendors::carried(meant.vendor, &request.headers.to_map());
            let (model, need) = (call.model().to_owned(), Need::default);
            let asking = Asking { operation: Operation::Chat, stream: false, instead: Vec::new(), need };
            let ticket = admit(gateway, snapshot.clone(), caller, ask, &model, &asking)?.carrying(Some(carried));
            let found = resolve(gateway, &ticket).await?;
            let call = Call::Native(Box::new(Native { call, otherwise: Err(nothing()), owner: None }));
            let attempt = plan(gateway, ticket, found, &call)?.first()?;
            if let (Some(target), Call::Native(native)) = (attempt.endpoint.native(Dialect::Messages), call) {
                let call = native.call;
                let target = format!("{target}/count_tokens");
                let counted = dispatch::counted(gateway, &attempt, &call, target, trail).await?;
                return Ok(Answer::dressed(dress(counted.0, &[], trail), JSON, counted.1));
            }
        }
    }
    let tokens = anthropic::count_tokens(&held.bytes, None, &snapshot.json_limits, &*gateway.0.sealer)?;
    Ok(Answer::whole(JSON, SendBody::from(anthropic::counted(tokens))))
}

fn nothing() -> Box<Fault> {
    Fault::new(Kind::UnsupportedOperation, "Tokens are counted here or by the vendor itself.")
}

/// `POST /genai/v1beta/models/{model}:countTokens`.
///
/// # Errors
/// What is wrong with the call.
pub(crate) async fn gemini(gateway: &Gateway, request: Request) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    authenticate(&request.headers)?;
    let lenient = Ask::of(&request)?.lenient;
    let until = request.received + snapshot.config.timeouts.body;
    let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await.map_err(body_fault)?;
    let counted = gemini::count_tokens(&held.bytes, &asked(lenient), &snapshot.json_limits)?;
    Ok(Answer::whole(JSON, SendBody::from(counted)))
}
