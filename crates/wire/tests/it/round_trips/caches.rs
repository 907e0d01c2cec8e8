//! Prompts are kept in backends' caches by their bytes: at every door equal calls are equal bytes for every backend, and
//! what is said later changes nothing that was said before.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use types::SendBody;
use wire::{
    anthropic::backend,
    json::Limits,
    openai::chat::{self, Ask, Call, Dialect},
};

use super::{
    calls::{DOORS, Door},
    talk::{Exchange, Talk, exchange, talk},
};
use crate::support::cases;

/// What each kind of backend gets.
fn sent(door: &Door, talk: &Talk) -> Result<[Bytes; 3], TestCaseError> {
    let failed = |fault: Box<types::Fault>| TestCaseError::fail(format!("{fault}"));
    let body = Bytes::from((door.write)(talk).to_string());
    let (chat, _) = (door.read)(&body).map_err(failed)?;
    let call = Call::read(chat, &Limits::default()).map_err(failed)?;
    let ask = Ask { lenient: true, backend: "somewhere" };
    let body = |body: SendBody| body.to_bytes();
    Ok([
        body(chat::encode(&call, &Dialect::OPENAI, "m", ask).map_err(failed)?.body),
        body(chat::encode(&call, &Dialect::COMPATIBLE, "m", ask).map_err(failed)?.body),
        body(backend::encode(&call, "claude-opus-4-6", ask).map_err(failed)?.body),
    ])
}

/// The list of this name, its items as they are written.
fn items(body: &Bytes, name: &str) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    body[name].as_array().into_iter().flatten().map(Value::to_string).collect()
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn equal_calls_are_equal_bytes_and_what_comes_later_changes_nothing_before(talk in talk(), more in exchange()) {
        let mut talk = talk;
        talk.settings.stop.clear();
        let mut longer = talk.clone();
        let Exchange { user, mut model, results } = more;
        model.calls.iter_mut().for_each(|call| call.id += "_later");
        longer.exchanges.push(Exchange { user: talk.ask.clone(), model, results });
        longer.ask = user;
        for door in DOORS {
            let (bodies, longer) = (sent(door, &talk)?, sent(door, &longer)?);
            prop_assert_eq!(&bodies, &sent(door, &talk)?);
            for (body, longer) in bodies.iter().zip(&longer) {
                prop_assert_eq!(items(body, "tools"), items(longer, "tools"));
                prop_assert_eq!(items(body, "system"), items(longer, "system"));
                let before = items(body, "messages");
                prop_assert_eq!(&before[..], &items(longer, "messages")[..before.len()]);
            }
        }
    }
}
