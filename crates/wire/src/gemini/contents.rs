//! Google's contents as OpenAI's messages.

use serde_json::{Map, Value, json};
use types::Result;

use super::thought;
use crate::heard::{Fields, Notes, bad, content, part_of, standard_base64};

/// The messages: what the system is told, and the turns.
pub(super) fn messages(system: Option<Value>, contents: Option<Value>, notes: &mut Notes) -> Result<Value> {
    let mut turns = Turns { messages: Vec::new(), open: Vec::new(), made: 0, notes };
    if let Some(system) = system {
        turns.system(system)?;
    }
    let contents = match contents {
        Some(Value::Array(contents)) if !contents.is_empty() => contents,
        Some(one @ (Value::Object(_) | Value::String(_))) => vec![one],
        Some(Value::Array(_)) => return Err(bad("contents", "is empty; send at least one turn")),
        Some(_) => return Err(bad("contents", "must be an array")),
        None => return Err(bad("contents", "is missing; send an array of turns")),
    };
    for (index, turn) in contents.into_iter().enumerate() {
        turns.turn(&format!("contents[{index}]"), turn)?;
    }
    Ok(Value::Array(turns.messages))
}

/// The turns read so far.
struct Turns<'a> {
    messages: Vec<Value>,
    /// Calls of functions that have no answer yet: name and id.
    open: Vec<(String, String)>,
    /// How many ids were made here.
    made: usize,
    notes: &'a mut Notes,
}

/// What one turn holds.
#[derive(Default)]
struct Turn {
    parts: Vec<Value>,
    thoughts: String,
    /// Blocks of thought as another vendor signed them.
    signed: Vec<Value>,
    calls: Vec<Value>,
    answers: Vec<Value>,
}

impl Turns<'_> {
    fn system(&mut self, said: Value) -> Result<()> {
        let mut turn = Turn::default();
        self.parts("systemInstruction", said, &mut turn)?;
        if turn.parts.iter().any(|part| part["type"] != "text") || !turn.calls.is_empty() || !turn.answers.is_empty() {
            return Err(bad("systemInstruction", "may hold text only"));
        }
        if !turn.parts.is_empty() {
            self.messages.push(json!({"role": "system", "content": content(turn.parts)}));
        }
        Ok(())
    }

    fn turn(&mut self, path: &str, said: Value) -> Result<()> {
        let role = match said.get("role") {
            None | Some(Value::Null) => "user",
            Some(Value::String(role)) => match role.as_str() {
                "user" | "" => "user",
                "model" | "assistant" => "assistant",
                "function" | "tool" => "function",
                "system" => "system",
                _ => return Err(bad(format!("{path}.role"), "must be `user` or `model`")),
            },
            Some(_) => return Err(bad(format!("{path}.role"), "must be a string")),
        };
        let mut turn = Turn::default();
        self.parts(path, said, &mut turn)?;
        match role {
            "assistant" => self.of_the_model(path, turn),
            "system" => {
                self.messages.push(json!({"role": "system", "content": content(turn.parts)}));
                Ok(())
            }
            _ => self.of_the_user(path, turn),
        }
    }

    fn of_the_model(&mut self, path: &str, turn: Turn) -> Result<()> {
        if !turn.answers.is_empty() {
            return Err(bad(path, "holds a functionResponse in a turn of the model; it belongs to the user's"));
        }
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        message.insert("content".into(), content(turn.parts));
        if !turn.thoughts.is_empty() {
            message.insert("reasoning_content".into(), turn.thoughts.into());
        }
        if !turn.signed.is_empty() {
            message.insert("thinking_blocks".into(), turn.signed.into());
        }
        if !turn.calls.is_empty() {
            message.insert("tool_calls".into(), Value::Array(turn.calls));
        } else if message["content"].is_null() {
            message["content"] = "".into();
        }
        self.messages.push(Value::Object(message));
        Ok(())
    }

    fn of_the_user(&mut self, path: &str, turn: Turn) -> Result<()> {
        if !turn.calls.is_empty() {
            return Err(bad(path, "holds a functionCall in a turn of the user; its role must be `model`"));
        }
        let answered = !turn.answers.is_empty();
        self.messages.extend(turn.answers);
        if !turn.parts.is_empty() || !answered {
            let said = content(turn.parts);
            let said = if said.is_null() { "".into() } else { said };
            self.messages.push(json!({"role": "user", "content": said}));
        }
        Ok(())
    }

    fn parts(&mut self, path: &str, said: Value, turn: &mut Turn) -> Result<()> {
        if let Value::String(text) = said {
            turn.parts.push(json!({"type": "text", "text": text}));
            return Ok(());
        }
        let mut fields = Fields::of(path, said)?;
        fields.take("role");
        let parts = match fields.take("parts") {
            Some(Value::Array(parts)) => parts,
            Some(one @ Value::Object(_)) => vec![one],
            None => Vec::new(),
            Some(_) => return Err(bad(fields.at("parts"), "must be an array")),
        };
        let base = fields.at("parts");
        self.notes.refuse_rest(fields)?;
        for (index, part) in parts.into_iter().enumerate() {
            self.part(format!("{base}[{index}]"), part, turn)?;
        }
        Ok(())
    }

    fn part(&mut self, path: String, said: Value, turn: &mut Turn) -> Result<()> {
        let mut part = Fields::of(path, said)?;
        let thought = part.flag("thought")?.unwrap_or(false);
        if let Some(signature) = part.take("thoughtSignature") {
            match thought::block(&signature) {
                Some(block) => turn.signed.push(block),
                None => self.notes.took_out("thoughtSignature"),
            }
        }
        for advisory in ["partMetadata", "mediaResolution"] {
            if part.take(advisory).is_some() {
                self.notes.took_out(advisory);
            }
        }
        if let Some(text) = part.text("text")? {
            if thought {
                turn.thoughts.push_str(&text);
            } else if !text.is_empty() {
                turn.parts.push(json!({"type": "text", "text": text}));
            }
        }
        if let Some(data) = part.object("inlineData")? {
            turn.parts.extend(self.inline(data)?);
        }
        if let Some(file) = part.object("fileData")? {
            turn.parts.extend(self.file(file)?);
        }
        if let Some(call) = part.object("functionCall")? {
            let call = self.call(call)?;
            turn.calls.push(call);
        }
        if let Some(answer) = part.object("functionResponse")? {
            self.answer(answer, turn)?;
        }
        self.notes.refuse_rest(part)
    }

    fn inline(&mut self, mut data: Fields) -> Result<Option<Value>> {
        let (mime, member) = (data.text("mimeType")?.unwrap_or_default(), data.at("data"));
        let name = data.text("displayName")?.unwrap_or_else(|| "file".into());
        let Some(base64) = data.text("data")? else { return Err(bad(member, "is missing")) };
        if standard_base64(&base64).is_none() {
            return Err(bad(member, "must be base64"));
        }
        self.notes.refuse_rest(data)?;
        let part = part_of(&mime, &base64, &name);
        if part.is_none() {
            self.notes.refuse(member, "data of this media type cannot be sent in a chat")?;
        }
        Ok(part)
    }

    fn file(&mut self, mut file: Fields) -> Result<Option<Value>> {
        let (mime, member) = (file.text("mimeType")?.unwrap_or_default(), file.at("fileUri"));
        file.take("displayName");
        let uri = file.text("fileUri")?.ok_or_else(|| bad(member.clone(), "is missing"))?;
        self.notes.refuse_rest(file)?;
        let fetched = uri.starts_with("https://") || uri.starts_with("http://") || uri.starts_with("data:");
        if fetched && (mime.is_empty() || mime.starts_with("image/")) && !uri.contains("/v1beta/files/") {
            return Ok(Some(json!({"type": "image_url", "image_url": {"url": uri}})));
        }
        self.notes.refuse(member, "only images at web addresses can be named; send other files as inlineData")?;
        Ok(None)
    }

    fn call(&mut self, mut call: Fields) -> Result<Value> {
        let name = call.text("name")?.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| bad(call.at("name"), "is missing"))?;
        let id = match call.text("id")?.filter(|id| !id.is_empty()) {
            Some(id) => id,
            None => {
                self.made += 1;
                format!("call_{}", self.made)
            }
        };
        let arguments = match call.take("args") {
            None => "{}".to_owned(),
            Some(args @ Value::Object(_)) => args.to_string(),
            Some(_) => return Err(bad(call.at("args"), "must be an object")),
        };
        self.notes.refuse_rest(call)?;
        self.open.push((name.clone(), id.clone()));
        Ok(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
    }

    fn answer(&mut self, mut answer: Fields, turn: &mut Turn) -> Result<()> {
        let name = answer.text("name")?.unwrap_or_default();
        let id = match answer.text("id")?.filter(|id| !id.is_empty()) {
            Some(id) => {
                self.open.retain(|(_, open)| *open != id);
                id
            }
            None => match self.open.iter().position(|(open, _)| *open == name) {
                Some(at) => self.open.remove(at).1,
                None => return Err(bad(answer.at("name"), "answers no functionCall of this name in the turns before")),
            },
        };
        let said = answer.take("response").unwrap_or_else(|| json!({}));
        for advisory in ["willContinue", "scheduling"] {
            if answer.take(advisory).is_some() {
                self.notes.took_out(answer.at(advisory));
            }
        }
        for (index, part) in answer.list("parts")?.into_iter().enumerate() {
            let mut part = Fields::of(format!("{}[{index}]", answer.at("parts")), part)?;
            if let Some(data) = part.object("inlineData")? {
                turn.parts.extend(self.inline(data)?);
            }
            if let Some(file) = part.object("fileData")? {
                turn.parts.extend(self.file(file)?);
            }
            self.notes.refuse_rest(part)?;
        }
        self.notes.refuse_rest(answer)?;
        turn.answers.push(json!({"role": "tool", "tool_call_id": id, "content": said.to_string()}));
        Ok(())
    }
}
