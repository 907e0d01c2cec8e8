//! Blocks that hold content: text, pictures, documents, search results.

use serde_json::{Map, Value, json};
use types::{Fault, Result};

use super::{
    members::{object, text, wrong},
    messages::At,
};
use crate::heard::Notes;

/// One part of a message's content.
pub(super) enum Part {
    /// Text.
    Text(String),
    /// A part of OpenAI's content that is not text.
    Rich(Value),
}

/// Content as OpenAI's chat has it: one string when there is only text, since every server takes that.
pub(super) fn joined(parts: Vec<Part>) -> Value {
    if parts.iter().all(|part| matches!(part, Part::Text(_))) {
        let texts =
            parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
        return texts.collect::<Vec<_>>().join("\n\n").into();
    }
    let part = |part| match part {
        Part::Text(text) => json!({ "type": "text", "text": text }),
        Part::Rich(value) => value,
    };
    Value::Array(parts.into_iter().map(part).collect())
}

/// Reads one block of this kind and adds what it comes to.
pub(super) fn part(
    kind: &str,
    mut block: Map<String, Value>,
    at: At,
    notes: &mut Notes,
    out: &mut Vec<Part>,
) -> Result<()> {
    match kind {
        "text" => out.push(Part::Text(text(&mut block, "text", at)?)),
        "image" => {
            if block.get("transformations").is_some_and(|said| !said.is_null()) {
                notes.took_out(format!("{at}.transformations"));
            }
            out.extend(image(block, at, notes)?);
        }
        "document" => document(block, at, notes, out)?,
        "search_result" => {
            cites(&block, at, notes)?;
            let (source, title) = (text(&mut block, "source", at)?, text(&mut block, "title", at)?);
            let mut inner = Vec::new();
            blocks(block.shift_remove("content"), at, notes, &mut inner)?;
            let head = format!("<search_result source=\"{}\" title=\"{}\">", quoted(&source), quoted(&title));
            wrapped(&head, inner, "</search_result>", out);
        }
        "container_upload" => notes.refuse(at.to_string(), "code is not run here")?,
        "tool_reference" => notes.refuse(at.to_string(), "tools are not searched here")?,
        "browser_state" => notes.refuse(at.to_string(), "browsers are not run here")?,
        _ => return Err(unknown(kind, at)),
    }
    Ok(())
}

/// Names what a block of a known kind has besides what is read. Marks for caches are nobody's affair here.
pub(super) fn name_unread(kind: &str, block: &Map<String, Value>, notes: &mut Notes) {
    let known: &[&str] = match kind {
        "text" => &["text", "cache_control"],
        "image" => &["source", "cache_control", "transformations"],
        "document" => &["source", "title", "context", "citations", "cache_control"],
        "search_result" => &["source", "title", "content", "citations", "cache_control"],
        "tool_result" => &["tool_use_id", "content", "is_error", "cache_control"],
        "tool_use" => &["id", "name", "input", "caller", "cache_control"],
        "thinking" => &["thinking", "signature"],
        "redacted_thinking" => &["data"],
        // Refused as a whole.
        _ => return,
    };
    notes.unread("messages.content", block, known);
    if let Some(Value::Object(source)) = block.get("source") {
        notes.unread("messages.content.source", source, &["type", "media_type", "data", "url", "file_id", "content"]);
    }
}

/// A kind of block that cannot stand where it stands.
pub(super) fn unknown(kind: &str, at: At) -> Box<Fault> {
    let shown: String = kind.chars().take(60).collect();
    wrong(format_args!("{at}.type"), &format!("is \"{shown}\", which is not known here"))
}

fn image(mut block: Map<String, Value>, at: At, notes: &mut Notes) -> Result<Option<Part>> {
    let (kind, mut source) = source(&mut block, at)?;
    let url = match kind.as_str() {
        "base64" => {
            let media = text(&mut source, "media_type", format_args!("{at}.source"))?;
            let data = text(&mut source, "data", format_args!("{at}.source"))?;
            format!("data:{media};base64,{data}")
        }
        "url" => text(&mut source, "url", format_args!("{at}.source"))?,
        "file" => {
            notes.refuse(format!("{at}.source"), "files are not kept for this API; send the picture itself")?;
            return Ok(None);
        }
        _ => return Err(wrong(format_args!("{at}.source.type"), "must be \"base64\", \"url\" or \"file\"")),
    };
    Ok(Some(Part::Rich(json!({ "type": "image_url", "image_url": { "url": url } }))))
}

fn document(mut block: Map<String, Value>, at: At, notes: &mut Notes, out: &mut Vec<Part>) -> Result<()> {
    cites(&block, at, notes)?;
    let mut head = String::from("<document");
    for name in ["title", "context"] {
        if block.get(name).is_some_and(|said| !said.is_null()) {
            let said = text(&mut block, name, at)?;
            head.push_str(&format!(" {name}=\"{}\"", quoted(&said)));
        }
    }
    head.push('>');
    let title = head.len() > "<document>".len();
    let (kind, mut source) = source(&mut block, at)?;
    let mut inner = Vec::new();
    match kind.as_str() {
        "text" => inner.push(Part::Text(text(&mut source, "data", format_args!("{at}.source"))?)),
        "content" => blocks(source.shift_remove("content"), at, notes, &mut inner)?,
        "base64" => {
            let media = text(&mut source, "media_type", format_args!("{at}.source"))?;
            let data = text(&mut source, "data", format_args!("{at}.source"))?;
            let file = json!({ "filename": "document.pdf", "file_data": format!("data:{media};base64,{data}") });
            let part = Part::Rich(json!({ "type": "file", "file": file }));
            if !title {
                out.push(part);
                return Ok(());
            }
            inner.push(part);
        }
        "url" => {
            return notes.refuse(
                format!("{at}.source.url"),
                "addresses of documents are not fetched; send the document itself",
            );
        }
        "file" => {
            return notes.refuse(format!("{at}.source"), "files are not kept for this API; send the document itself");
        }
        _ => {
            return Err(wrong(
                format_args!("{at}.source.type"),
                "must be \"text\", \"content\", \"base64\", \"url\" or \"file\"",
            ));
        }
    }
    wrapped(&head, inner, "</document>", out);
    Ok(())
}

/// Puts a frame around parts; into one text when that is all they are.
fn wrapped(head: &str, inner: Vec<Part>, foot: &str, out: &mut Vec<Part>) {
    match joined(inner) {
        Value::String(text) => out.push(Part::Text(format!("{head}\n{text}\n{foot}"))),
        Value::Array(parts) => {
            out.push(Part::Text(head.to_owned()));
            out.extend(parts.into_iter().map(|part| match part["text"].as_str() {
                Some(text) => Part::Text(text.to_owned()),
                None => Part::Rich(part),
            }));
            out.push(Part::Text(foot.to_owned()));
        }
        _ => {}
    }
}

/// The text blocks and pictures inside a document or search result.
fn blocks(content: Option<Value>, at: At, notes: &mut Notes, out: &mut Vec<Part>) -> Result<()> {
    match content {
        Some(Value::String(said)) => out.push(Part::Text(said)),
        Some(Value::Array(items)) => {
            for (index, item) in items.into_iter().enumerate() {
                let at = at.inside(index);
                let mut item = object(item, at)?;
                let kind = text(&mut item, "type", at)?;
                name_unread(&kind, &item, notes);
                match kind.as_str() {
                    "text" => out.push(Part::Text(text(&mut item, "text", at)?)),
                    "image" => out.extend(image(item, at, notes)?),
                    kind => return Err(unknown(kind, at)),
                }
            }
        }
        _ => return Err(wrong(format_args!("{at}.content"), "must be a string or an array of blocks")),
    }
    Ok(())
}

fn source(block: &mut Map<String, Value>, at: At) -> Result<(String, Map<String, Value>)> {
    let at = format!("{at}.source");
    let mut source = object(block.shift_remove("source").unwrap_or_default(), &at)?;
    Ok((text(&mut source, "type", &at)?, source))
}

/// Refuses a wish for citations.
fn cites(block: &Map<String, Value>, at: At, notes: &mut Notes) -> Result<()> {
    match block.get("citations") {
        Some(Value::Object(said)) if said.get("enabled") == Some(&Value::Bool(true)) => {
            notes.refuse(format!("{at}.citations"), "no backend cites")
        }
        _ => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('\n', " ")
}
