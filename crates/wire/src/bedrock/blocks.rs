//! Bedrock's blocks of content as parts, calls and results.

use serde_json::{Value, json};
use types::Result;

use crate::heard::{Fields, Notes, bad, part_of, standard_base64, text_in_base64};

/// What one message holds.
#[derive(Default)]
pub(super) struct Turn {
    pub parts: Vec<Value>,
    pub thoughts: String,
    /// Blocks of thought as their vendor signed them.
    pub signed: Vec<Value>,
    pub calls: Vec<Value>,
    pub results: Vec<Value>,
}

/// Reads the blocks at `path`.
pub(super) fn turn(path: &str, blocks: Vec<Value>, notes: &mut Notes) -> Result<Turn> {
    let mut turn = Turn::default();
    for (index, block) in blocks.into_iter().enumerate() {
        let mut block = Fields::of(format!("{path}[{index}]"), block)?;
        if let Some(text) = block.text("text")? {
            turn.parts.push(json!({"type": "text", "text": text}));
        }
        turn.parts.extend(media(&mut block, notes)?);
        if let Some(call) = block.object("toolUse")? {
            turn.calls.push(tool_use(call, notes)?);
        }
        if let Some(result) = block.object("toolResult")? {
            tool_result(result, &mut turn, notes)?;
        }
        if let Some(thought) = block.object("reasoningContent")? {
            reasoning(thought, &mut turn, notes)?;
        }
        if let Some(guarded) = block.object("guardContent")? {
            turn.parts.extend(guard(guarded, notes)?);
        }
        if let Some(cited) = block.object("citationsContent")? {
            citations(cited, &mut turn, notes)?;
        }
        if block.take("cachePoint").is_some() {
            notes.took_out("cachePoint");
        }
        notes.refuse_rest(block)?;
    }
    Ok(turn)
}

/// Images, documents, sound: what comes as bytes.
fn media(block: &mut Fields, notes: &mut Notes) -> Result<Vec<Value>> {
    let mut parts = Vec::new();
    for (kind, family) in [("image", "image"), ("document", ""), ("audio", "audio"), ("video", "video")] {
        let Some(mut given) = block.object(kind)? else { continue };
        let format = given.text("format")?.unwrap_or_default();
        let name = given.text("name")?.unwrap_or_else(|| "file".into());
        for advisory in ["context", "citations"] {
            if given.take(advisory).is_some() {
                notes.took_out(given.at(advisory));
            }
        }
        let member = given.at("source");
        let mut source = given.object("source")?.ok_or_else(|| bad(member.clone(), "is missing"))?;
        let text = source.text("text")?;
        let part = if let Some(text) = text.filter(|_| kind == "document") {
            Some(json!({"type": "text", "text": text}))
        } else if let Some(base64) = source.text("bytes")? {
            if standard_base64(&base64).is_none() {
                return Err(bad(source.at("bytes"), "must be base64"));
            }
            part_of(&mime(family, &format), &base64, &file_name(&name, &format))
        } else {
            // What it is instead is part of the reason.
            source.take("s3Location");
            source.take("content");
            None
        };
        notes.refuse_rest(source)?;
        notes.refuse_rest(given)?;
        match part {
            Some(part) => parts.push(part),
            None => notes.refuse(member, "it must hold the bytes of a kind of file that chats take")?,
        }
    }
    Ok(parts)
}

fn mime(family: &str, format: &str) -> String {
    match (family, format) {
        ("", "pdf") => "application/pdf".into(),
        ("", "txt" | "md" | "csv" | "html") => format!("text/{format}"),
        ("", format) => format!("application/x-{format}"),
        (family, "jpg") => format!("{family}/jpeg"),
        (family, format) => format!("{family}/{format}"),
    }
}

fn file_name(name: &str, format: &str) -> String {
    if name.contains('.') { name.to_owned() } else { format!("{name}.{format}") }
}

fn tool_use(mut call: Fields, notes: &mut Notes) -> Result<Value> {
    let id = call.text("toolUseId")?.ok_or_else(|| bad(call.at("toolUseId"), "is missing"))?;
    let name = call.text("name")?.ok_or_else(|| bad(call.at("name"), "is missing"))?;
    let input = call.take("input").unwrap_or_else(|| json!({}));
    call.take("type");
    notes.refuse_rest(call)?;
    Ok(json!({"id": id, "type": "function", "function": {"name": name, "arguments": input.to_string()}}))
}

/// A tool's answer. One that failed says so in its text, since OpenAI's chat has no member for it.
fn tool_result(mut result: Fields, turn: &mut Turn, notes: &mut Notes) -> Result<()> {
    let id = result.text("toolUseId")?.ok_or_else(|| bad(result.at("toolUseId"), "is missing"))?;
    let failed = result.text("status")?.as_deref() == Some("error");
    result.take("type");
    let mut texts = Vec::new();
    for (index, block) in result.list("content")?.into_iter().enumerate() {
        let mut block = Fields::of(format!("{}[{index}]", result.at("content")), block)?;
        if let Some(text) = block.text("text")? {
            texts.push(text);
        }
        if let Some(value) = block.take("json") {
            texts.push(value.to_string());
        }
        for part in media(&mut block, notes)? {
            match part["text"].as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => turn.parts.push(part),
            }
        }
        notes.refuse_rest(block)?;
    }
    notes.refuse_rest(result)?;
    let said = texts.join("\n");
    let said = if failed { format!("Error: {said}") } else { said };
    turn.results.push(json!({"role": "tool", "tool_call_id": id, "content": said}));
    Ok(())
}

fn reasoning(mut thought: Fields, turn: &mut Turn, notes: &mut Notes) -> Result<()> {
    if let Some(mut text) = thought.object("reasoningText")? {
        let said = text.text("text")?.unwrap_or_default();
        turn.thoughts.push_str(&said);
        if let Some(signature) = text.text("signature")? {
            turn.signed.push(json!({"type": "thinking", "thinking": said, "signature": signature}));
        }
        notes.refuse_rest(text)?;
    }
    if let Some(redacted) = thought.text("redactedContent")? {
        let data = text_in_base64(&redacted).ok_or_else(|| bad(thought.at("redactedContent"), "must be as it came"))?;
        turn.signed.push(json!({"type": "redacted_thinking", "data": data}));
    }
    notes.refuse_rest(thought)
}

/// Text that a guardrail would look at: here it is text.
fn guard(mut guarded: Fields, notes: &mut Notes) -> Result<Option<Value>> {
    let text = match guarded.object("text")? {
        Some(mut text) => text.text("text")?,
        None => None,
    };
    notes.took_out("guardContent");
    notes.refuse_rest(guarded)?;
    Ok(text.map(|text| json!({"type": "text", "text": text})))
}

/// An answer of before with its citations: the text stays.
fn citations(mut cited: Fields, turn: &mut Turn, notes: &mut Notes) -> Result<()> {
    for (index, block) in cited.list("content")?.into_iter().enumerate() {
        let mut block = Fields::of(format!("{}[{index}]", cited.at("content")), block)?;
        if let Some(text) = block.text("text")? {
            turn.parts.push(json!({"type": "text", "text": text}));
        }
        notes.refuse_rest(block)?;
    }
    if !cited.list("citations")?.is_empty() {
        notes.took_out("citations");
    }
    notes.refuse_rest(cited)
}
