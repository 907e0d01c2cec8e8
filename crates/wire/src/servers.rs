//! What servers of an operator's own say of the models that they have.

use serde_json::Value;

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
