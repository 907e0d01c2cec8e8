//! Google's door: `generateContent` and its relatives, in OpenAI's chat and embeddings and back.
//!
//! | Google | OpenAI |
//! |---|---|
//! | `contents` of role `user`, `model` | messages of role `user`, `assistant` |
//! | `functionResponse` | a message of role `tool`; its images in a message of the user behind it |
//! | a part with `thought: true` | `reasoning_content` |
//! | `generationConfig.responseSchema` | `response_format` with the schema in JSON Schema's words |
//! | `toolConfig` with mode `ANY` | `tool_choice: "required"`; `allowedFunctionNames` leave only these tools |
//! | `thinkingConfig` | `reasoning_effort`; thoughts are shown unless `includeThoughts` is false |
//!
//! Member names are taken in camel case and in snake case. A thought that another vendor signed travels whole in its
//! `thoughtSignature`; other signatures and safety settings are taken out and named; what cannot be said in OpenAI's chat is refused by name. Members at the top that are not Google's go on to the
//! backend.

mod config;
mod contents;
mod count;
mod embed;
mod fault;
mod models;
mod schema;
mod target;
mod thought;
mod tools;
mod write;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::Result;

use crate::{
    heard::{Fields, Notes, pass_on, tree},
    json::Limits,
};

pub use crate::heard::Heard;
pub use count::count_tokens;
pub use embed::{HeardEmbeddings, embeddings};
pub use fault::fault;
pub use models::{List, model};
pub use target::{Ask, Target, Way};

/// Reads the body of `generateContent` or `streamGenerateContent`.
///
/// # Errors
/// `BadRequest` or `UnsupportedParameter`, naming the member.
pub fn read(
    body: &Bytes,
    model: &str,
    way: Way,
    headers: &dyn Fn(&str) -> Option<&str>,
    limits: &Limits,
) -> Result<Heard> {
    let mut notes = Notes::of(headers);
    let mut call = Fields::top(tree(body, limits)?);
    let streams = way != Way::Whole;

    let mut chat = Map::new();
    chat.insert("model".into(), model.into());
    let system = call.take("systemInstruction");
    let contents = call.take("contents");
    chat.insert("messages".into(), contents::messages(system, contents, &mut notes)?);
    chat.insert("stream".into(), streams.into());
    if streams {
        chat.insert("stream_options".into(), json!({"include_usage": true}));
    }
    let shown = match call.object("generationConfig")? {
        Some(config) => config::read(config, &mut chat, &mut notes)?,
        None => config::Thoughts::Shown,
    };
    let wanted = call.object("toolConfig")?;
    tools::read(call.list("tools")?, wanted, &mut chat, &mut notes)?;
    leftovers(call, &mut chat, &mut notes)?;

    let chat = Value::Object(chat).to_string().into();
    let writer = Box::new(write::Writer::new(way, shown));
    Ok(Heard { chat, model: model.to_owned(), writer, dropped: notes.dropped() })
}

/// What stands at the top besides.
fn leftovers(mut call: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    for advisory in ["safetySettings", "labels", "store", "serviceTier"] {
        if call.take(advisory).is_some() {
            notes.took_out(advisory);
        }
    }
    if call.take("cachedContent").is_some() {
        notes.refuse("cachedContent", "nothing is cached here by name; send the contents themselves")?;
    }
    call.take("model");
    pass_on(call, chat, notes)
}
