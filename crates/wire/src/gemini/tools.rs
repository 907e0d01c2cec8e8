//! Tools and what is demanded of them.

use serde_json::{Map, Value, json};
use types::Result;

use super::schema;
use crate::heard::{Fields, Notes, bad};

/// Writes `tools` and `tool_choice`.
pub(super) fn read(
    tools: Vec<Value>,
    config: Option<Fields>,
    chat: &mut Map<String, Value>,
    notes: &mut Notes,
) -> Result<()> {
    let mut functions = Vec::new();
    for (index, tool) in tools.into_iter().enumerate() {
        let mut tool = Fields::of(format!("tools[{index}]"), tool)?;
        let base = tool.at("functionDeclarations");
        for (number, declared) in tool.list("functionDeclarations")?.into_iter().enumerate() {
            functions.push(function(Fields::of(format!("{base}[{number}]"), declared)?, notes)?);
        }
        // What is left are tools that run at Google.
        for (path, _) in tool.rest() {
            notes.took_out(path);
        }
    }
    let chosen = match config {
        Some(config) => choice(config, &mut functions, notes)?,
        None => None,
    };
    if !functions.is_empty() {
        chat.insert("tools".into(), Value::Array(functions));
        if let Some(choice) = chosen {
            chat.insert("tool_choice".into(), choice.into());
        }
    }
    Ok(())
}

fn function(mut declared: Fields, notes: &mut Notes) -> Result<Value> {
    let name = declared.text("name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| bad(declared.at("name"), "is missing"))?;
    let mut function = Map::new();
    function.insert("name".into(), name.into());
    if let Some(description) = declared.text("description")? {
        function.insert("description".into(), description.into());
    }
    let google = declared.take("parameters");
    let plain = declared.take("parametersJsonSchema");
    match (google, plain) {
        (Some(_), Some(_)) => {
            return Err(bad(declared.at("parametersJsonSchema"), "and `parameters` are given both; send one of them"));
        }
        (Some(schema), None) => {
            let schema = schema::of_google(&declared.at("parameters"), schema)?;
            function.insert("parameters".into(), schema);
        }
        (None, Some(schema)) => {
            function.insert("parameters".into(), schema);
        }
        (None, None) => {}
    }
    for advisory in ["response", "responseJsonSchema", "behavior"] {
        if declared.take(advisory).is_some() {
            notes.took_out(declared.at(advisory));
        }
    }
    notes.refuse_rest(declared)?;
    Ok(json!({"type": "function", "function": function}))
}

fn choice(mut config: Fields, functions: &mut Vec<Value>, notes: &mut Notes) -> Result<Option<&'static str>> {
    for advisory in ["retrievalConfig", "includeServerSideToolInvocations"] {
        if config.take(advisory).is_some() {
            notes.took_out(config.at(advisory));
        }
    }
    let Some(mut calling) = config.object("functionCallingConfig")? else {
        notes.refuse_rest(config)?;
        return Ok(None);
    };
    notes.refuse_rest(config)?;
    let mode = calling.text("mode")?.unwrap_or_default().to_ascii_uppercase();
    let allowed = calling.list("allowedFunctionNames")?;
    if !allowed.is_empty() {
        for name in &allowed {
            if !functions.iter().any(|function| function["function"]["name"] == *name) {
                return Err(bad(calling.at("allowedFunctionNames"), "names a function that is not declared"));
            }
        }
        functions.retain(|function| allowed.contains(&function["function"]["name"]));
    }
    let choice = match mode.as_str() {
        "" | "MODE_UNSPECIFIED" => None,
        "AUTO" | "VALIDATED" => Some("auto"),
        "NONE" => Some("none"),
        "ANY" => {
            if functions.is_empty() {
                notes.refuse(calling.at("mode"), "no function is declared that could be called")?;
            }
            Some("required")
        }
        _ => return Err(bad(calling.at("mode"), "must be AUTO, ANY, NONE or VALIDATED")),
    };
    if calling.flag("streamFunctionCallArguments")?.is_some() {
        notes.took_out(calling.at("streamFunctionCallArguments"));
    }
    notes.refuse_rest(calling)?;
    Ok(choice)
}
