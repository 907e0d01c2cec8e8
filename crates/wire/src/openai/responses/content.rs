//! The parts of a message, as chat writes them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use types::Result;

use super::notes::{Notes, bad, shown};

/// What somebody says to the model: text alone becomes a string.
pub(super) fn of_user(content: &Value, param: &str, notes: &mut Notes) -> Result<Value> {
    let Some(parts) = parts(content, param)? else { return Ok(content.clone()) };
    let mut said = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        said.extend(self::part(part, &format!("{param}[{index}]"), notes)?);
    }
    Ok(match said.as_slice() {
        [] => "".into(),
        [only] if only["type"] == "text" => only["text"].clone(),
        _ => said.into(),
    })
}

/// What the model itself said: text only.
pub(super) fn of_assistant(content: &Value, param: &str, notes: &mut Notes) -> Result<String> {
    let Some(parts) = parts(content, param)? else {
        return Ok(content.as_str().unwrap_or_default().to_owned());
    };
    let mut said = String::new();
    for (index, part) in parts.iter().enumerate() {
        let param = format!("{param}[{index}]");
        name_unread(part, notes);
        match part["type"].as_str() {
            Some("output_text" | "input_text" | "text") => said.push_str(text(part, "text", &param)?),
            // What it would not do stays part of what was said.
            Some("refusal") => said.push_str(text(part, "refusal", &param)?),
            kind => unknown(kind, &param, notes)?,
        }
    }
    Ok(said)
}

/// What a tool gave back: its text, and its pictures as parts of a message.
pub(super) fn of_tool(output: &Value, param: &str, notes: &mut Notes) -> Result<(String, Vec<Value>)> {
    let (mut words, mut others) = (Vec::new(), Vec::new());
    let Some(parts) = parts(output, param)? else {
        return Ok((output.as_str().unwrap_or_default().to_owned(), others));
    };
    for (index, part) in parts.iter().enumerate() {
        match self::part(part, &format!("{param}[{index}]"), notes)? {
            Some(said) if said["type"] == "text" => words.push(said["text"].as_str().unwrap_or_default().to_owned()),
            Some(said) => others.push(said),
            None => {}
        }
    }
    if words.is_empty() && !others.is_empty() {
        words.push("The result is in the next message.".to_owned());
    }
    Ok((words.join("\n"), others))
}

/// The parts of a content that is a list; nothing for one that is a string.
fn parts<'a>(content: &'a Value, param: &str) -> Result<Option<&'a Vec<Value>>> {
    match content {
        Value::String(_) => Ok(None),
        Value::Array(parts) => Ok(Some(parts)),
        Value::Null => Err(bad(param, "is missing: send a string or a list of parts")),
        _ => Err(bad(param, "must be a string or a list of parts")),
    }
}

/// Names what a part has besides what is read.
fn name_unread(part: &Value, notes: &mut Notes) {
    let known: &[&str] = match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => &["type", "text", "annotations", "logprobs"],
        Some("refusal") => &["type", "refusal"],
        Some("input_image") => &["type", "image_url", "file_id", "detail"],
        Some("input_file") => &["type", "filename", "file_data", "file_id", "file_url"],
        Some("input_audio") => &["type", "input_audio"],
        // Refused as a whole.
        _ => return,
    };
    notes.unread("input.content", part, known);
}

fn part(part: &Value, param: &str, notes: &mut Notes) -> Result<Option<Value>> {
    name_unread(part, notes);
    Ok(match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => {
            Some(json!({"type": "text", "text": text(part, "text", param)?}))
        }
        Some("refusal") => Some(json!({"type": "text", "text": text(part, "refusal", param)?})),
        Some("input_image") => image(part, param, notes)?,
        Some("input_file") => file(part, param, notes)?,
        Some("input_audio") => Some(json!({"type": "input_audio", "input_audio": part["input_audio"]})),
        kind => {
            unknown(kind, param, notes)?;
            None
        }
    })
}

fn image(part: &Value, param: &str, notes: &mut Notes) -> Result<Option<Value>> {
    let Some(url) = part["image_url"].as_str() else {
        if part["file_id"].is_string() {
            notes.refuse(&format!("{param}.file_id"), "there are no uploaded files here; send `image_url`")?;
            return Ok(None);
        }
        return Err(bad(&format!("{param}.image_url"), "is missing: send an address or a data URI as a string"));
    };
    let mut image = json!({"url": url});
    match part["detail"].as_str() {
        None => {}
        // Chat's finest.
        Some("original") => image["detail"] = "high".into(),
        Some(detail) => image["detail"] = detail.into(),
    }
    Ok(Some(json!({"type": "image_url", "image_url": image})))
}

/// A file of text is said as text, which every backend takes; a PDF goes as it is, to be judged by the backend.
fn file(part: &Value, param: &str, notes: &mut Notes) -> Result<Option<Value>> {
    for member in ["file_id", "file_url"] {
        if part[member].is_string() {
            notes.refuse(&format!("{param}.{member}"), "files are taken as `file_data` only")?;
            return Ok(None);
        }
    }
    let data = text(part, "file_data", param)?;
    let encoded = match data.strip_prefix("data:") {
        Some(uri) => uri.split_once(";base64,").map(|(_, encoded)| encoded),
        None => Some(data),
    };
    let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded.trim()).ok());
    let Some(bytes) = bytes else {
        return Err(bad(&format!("{param}.file_data"), "must be base64, alone or as a data URI"));
    };
    let name = part["filename"].as_str().unwrap_or("file");
    if bytes.starts_with(b"%PDF-") {
        let data = format!("data:application/pdf;base64,{}", STANDARD.encode(&bytes));
        return Ok(Some(json!({"type": "file", "file": {"filename": name, "file_data": data}})));
    }
    match String::from_utf8(bytes) {
        Ok(words) if !words.contains('\0') => Ok(Some(json!({"type": "text", "text": format!("{name}:\n\n{words}")}))),
        _ => {
            notes.refuse(&format!("{param}.file_data"), "only text and PDF can be read, and this is neither")?;
            Ok(None)
        }
    }
}

fn text<'a>(part: &'a Value, member: &str, param: &str) -> Result<&'a str> {
    part[member].as_str().ok_or_else(|| bad(&format!("{param}.{member}"), "must be a string"))
}

fn unknown(kind: Option<&str>, param: &str, notes: &mut Notes) -> Result<()> {
    match kind {
        Some(kind) => notes.refuse(param, &format!("parts of type `{}` cannot be said in chat", shown(kind))),
        None => Err(bad(&format!("{param}.type"), "is missing: name the part's type")),
    }
}
