//! What servers of an operator's own say of the models that they have.

use serde_json::Value;

use crate::calendar;

/// In which form a server says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// OpenAI's list: `{data: [{id}]}`.
    List,
    /// `{model_id}`: TGI's and TEI's `/info`.
    Info,
    /// `{model_alias, model_path}`: llama.cpp's `/props`.
    Props,
}

/// A model as OpenAI or Anthropic lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// When it was made, in seconds since 1970; 0 where that is not said.
    pub created: u64,
    /// Most tokens of a prompt, where that is said.
    pub context_length: Option<u64>,
}

/// The models of a vendor's list; none when it cannot be read.
pub fn models(body: &[u8]) -> Option<Vec<Listed>> {
    let said: Value = serde_json::from_slice(body).ok()?;
    let listed = said.get("data")?.as_array()?.iter().filter_map(|item| {
        let id = item["id"].as_str().filter(|id| is_name(id) && !id.contains('/'))?;
        let created = item["created"].as_u64().or_else(|| calendar::read(item["created_at"].as_str()?));
        Some(Listed {
            id: id.to_owned(),
            created: created.unwrap_or(0),
            context_length: item["max_input_tokens"].as_u64().filter(|most| *most > 0),
        })
    });
    Some(listed.take(MOST).collect())
}

/// The most names that are read of one server.
const MOST: usize = 1000;

/// The names in an answer; none when it cannot be read.
pub fn names(told: Told, body: &[u8]) -> Option<Vec<String>> {
    let said: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().filter(|text| is_name(text)).map(str::to_owned);
    let names: Vec<String> = match told {
        Told::List => said.get("data")?.as_array()?.iter().filter_map(|item| text(&item["id"])).take(MOST).collect(),
        Told::Info => text(said.get("model_id")?).into_iter().collect(),
        Told::Props => {
            let file = said.get("model_path").and_then(Value::as_str).and_then(|path| path.rsplit(['/', '\\']).next());
            let named = said.get("model_alias").and_then(&text).or_else(|| text(&Value::from(file?)));
            named.into_iter().collect()
        }
    };
    Some(names)
}

/// Whether it can stand behind a server's name in a route.
fn is_name(text: &str) -> bool {
    (1..=176).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+~/:".contains(&b))
        && !text.starts_with(['/', '.'])
        && !text.contains("//")
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_vendors_are_read_and_nonsense_is_left_out() {
        let list = br#"{"data":[{"id":"gpt-4o","created":1715367049},{"id":"claude-x","created_at":"2025-02-19T00:00:01Z","max_input_tokens":200000},
            {"id":"../x"},{"id":"ft:gpt/x"},{"id":7},5,{"id":"odd","created":-1,"created_at":"yesterday","max_input_tokens":0}]}"#;
        let listed = |id: &str, created, context_length| Listed { id: id.to_owned(), created, context_length };
        let wanted = [
            listed("gpt-4o", 1_715_367_049, None),
            listed("claude-x", 1_739_923_201, Some(200_000)),
            listed("odd", 0, None),
        ];
        assert_eq!(models(list).unwrap(), wanted);
        for bad in [&b""[..], b"[]", b"{\"data\":5}"] {
            assert!(models(bad).is_none());
        }
        let many = format!("{{\"data\":[{}{{\"id\":\"z\"}}]}}", "{\"id\":\"a\"},".repeat(MOST));
        assert_eq!(models(many.as_bytes()).unwrap().len(), MOST);
    }

    #[test]
    fn each_form_is_read() {
        let list = br#"{"object":"list","data":[{"id":"a/b"},{"id":"c"},{"id":"../x"},{"id":5}]}"#;
        assert_eq!(names(Told::List, list).unwrap(), ["a/b", "c"]);
        assert_eq!(names(Told::Info, br#"{"model_id":"a/b","sha":null}"#).unwrap(), ["a/b"]);
        assert_eq!(names(Told::Props, br#"{"model_path":"/m/q.gguf"}"#).unwrap(), ["q.gguf"]);
        assert_eq!(names(Told::Props, br#"{"model_path":"/m/q.gguf","model_alias":"mine"}"#).unwrap(), ["mine"]);
        assert!(names(Told::Props, br#"{"n_ctx":1}"#).unwrap().is_empty());
        for bad in [&b"nothing"[..], b"[]", b"{}"] {
            assert!(names(Told::List, bad).is_none());
        }
    }
}
