//! The short way: what most chunks and answers are, text of one choice and nothing odd, is read without making a tree of it.
//!
//! Whatever is read here, the tree reads as well, and the same: tests hold the two against each other.

use types::Usage;

use super::super::Event;
use crate::{json, openai::chat::Finish};

/// The text of a chunk that says nothing but some text of one choice (or nothing at all), read without making a tree of it:
/// that is what nearly all chunks are. Anything else, and anything odd, is for the tree.
#[expect(clippy::option_option, reason = "not such a chunk, or one without text")]
pub(super) fn only_text(json: &[u8]) -> Option<Option<(u32, String)>> {
    let mut reader = json::Reader::new(json, json::Limits { max_depth: 127, max_members: usize::MAX }).ok()?;
    let mut said = None;
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        let kind = reader.peek().ok()?;
        match (plain(&name, json)?, kind) {
            (b"choices", json::Kind::Array) if said.is_none() => said = Some(one_choice(&mut reader, json)?),
            (b"choices", _) => return None,
            (b"usage", kind) if kind != json::Kind::Null => return None,
            _ => {
                reader.skip().ok()?;
            }
        }
    }
    reader.finish().ok()?;
    said
}

/// The members of a whole answer that say nothing but some text of one choice, and what was used.
#[derive(Default)]
struct PlainAnswer {
    id: Option<String>,
    model: Option<String>,
    created: Option<u64>,
    choice: Option<PlainChoice>,
    usage: Option<Usage>,
}

#[derive(Default)]
struct PlainChoice {
    index: Option<u32>,
    /// What is said, if anything is.
    text: Option<Option<String>>,
    finish: Option<Finish>,
}

/// The events of such an answer, read without making a tree of it. Anything else, and anything odd, is for the tree.
pub(super) fn plain_answer(json: &[u8]) -> Option<Vec<Event>> {
    let mut reader = json::Reader::new(json, json::Limits { max_depth: 127, max_members: usize::MAX }).ok()?;
    let mut answer = PlainAnswer::default();
    let mut met = Met::default();
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        let kind = reader.peek().ok()?;
        match (plain(&name, json)?, kind) {
            (b"id", json::Kind::String) if met.first(0) => answer.id = Some(plain_text(&mut reader, json)?),
            (b"model", json::Kind::String) if met.first(1) => answer.model = Some(plain_text(&mut reader, json)?),
            (b"created", json::Kind::Number) if met.first(2) => answer.created = Some(reader.plain_number()?),
            (b"choices", json::Kind::Array) if met.first(3) => answer.choice = Some(plain_choice(&mut reader, json)?),
            (b"usage", json::Kind::Object) if met.first(4) => answer.usage = Some(plain_usage(&mut reader, json)?),
            (b"id" | b"model" | b"created" | b"choices" | b"usage", _) => return None,
            _ => {
                reader.skip().ok()?;
            }
        }
    }
    reader.finish().ok()?;
    let PlainAnswer { id, model, created, choice, usage } = answer;
    let (id, model, created) = (id.unwrap_or_default(), model.unwrap_or_default(), created.unwrap_or_default());
    let mut events = vec![Event::Start { id, model, created }];
    if let Some(PlainChoice { index, text, finish }) = choice {
        let choice = index.unwrap_or_default();
        events.extend(text.flatten().map(|text| Event::Text { choice, text }));
        events.extend(finish.map(|reason| Event::Finish { choice, reason }));
    }
    events.extend(usage.map(Event::Usage));
    events.push(Event::Done);
    Some(events)
}

fn plain_choice(reader: &mut json::Reader<'_>, bytes: &[u8]) -> Option<PlainChoice> {
    let (mut choice, mut met) = (PlainChoice::default(), Met::default());
    reader.open_array().ok()?;
    if !reader.next_item().ok()? {
        return None;
    }
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        let kind = reader.peek().ok()?;
        match (plain(&name, bytes)?, kind) {
            (b"index", json::Kind::Number) if met.first(0) => {
                choice.index = Some(u32::try_from(reader.plain_number()?).ok()?);
            }
            (b"message", json::Kind::Object) if met.first(1) => choice.text = Some(plain_message(reader, bytes)?),
            (b"finish_reason", json::Kind::String) if met.first(2) => {
                choice.finish = Some(Finish::named(&plain_text(reader, bytes)?));
            }
            (b"finish_reason", json::Kind::Null) if met.first(2) => {
                reader.skip().ok()?;
            }
            (b"index" | b"message" | b"finish_reason", _) => return None,
            (b"logprobs", kind) if kind != json::Kind::Null => return None,
            _ => {
                reader.skip().ok()?;
            }
        }
    }
    (!reader.next_item().ok()?).then_some(choice)
}

fn plain_message(reader: &mut json::Reader<'_>, bytes: &[u8]) -> Option<Option<String>> {
    let (mut text, mut met) = (None, Met::default());
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        let kind = reader.peek().ok()?;
        match (plain(&name, bytes)?, kind) {
            (b"content", json::Kind::String) if met.first(0) => text = Some(plain_text(reader, bytes)?),
            (b"content", json::Kind::Null) if met.first(0) => {
                reader.skip().ok()?;
            }
            (b"content", _) => return None,
            (b"reasoning_content" | b"reasoning" | b"refusal" | b"tool_calls" | b"thinking_blocks", kind)
                if kind != json::Kind::Null =>
            {
                return None;
            }
            _ => {
                reader.skip().ok()?;
            }
        }
    }
    Some(text.filter(|text| !text.is_empty()))
}

fn plain_usage(reader: &mut json::Reader<'_>, bytes: &[u8]) -> Option<Usage> {
    let (mut usage, mut met) = (Usage::default(), Met::default());
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        let kind = reader.peek().ok()?;
        match (plain(&name, bytes)?, kind) {
            (b"prompt_tokens", json::Kind::Number) if met.first(0) => usage.input = reader.plain_number()?,
            (b"completion_tokens", json::Kind::Number) if met.first(1) => usage.output = reader.plain_number()?,
            (b"prompt_tokens_details", json::Kind::Object) if met.first(2) => {
                usage.cached_input = plain_detail(reader, bytes, b"cached_tokens")?;
            }
            (b"completion_tokens_details", json::Kind::Object) if met.first(3) => {
                usage.reasoning = plain_detail(reader, bytes, b"reasoning_tokens")?;
            }
            (b"prompt_tokens" | b"completion_tokens" | b"prompt_tokens_details" | b"completion_tokens_details", _) => {
                return None;
            }
            _ => {
                reader.skip().ok()?;
            }
        }
    }
    Some(usage)
}

fn plain_detail(reader: &mut json::Reader<'_>, bytes: &[u8], wanted: &[u8]) -> Option<u64> {
    let mut found = None;
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        if plain(&name, bytes)? == wanted {
            if found.is_some() || reader.peek().ok()? != json::Kind::Number {
                return None;
            }
            found = Some(reader.plain_number()?);
        } else {
            reader.skip().ok()?;
        }
    }
    Some(found.unwrap_or_default())
}

/// A string without halves of characters: those are judged elsewhere.
fn plain_text(reader: &mut json::Reader<'_>, bytes: &[u8]) -> Option<String> {
    let text = reader.string().ok()?;
    let odd = text.escaped && memchr::memmem::find(text.inner.of(bytes), b"\\u").is_some();
    (!odd).then(|| text.decode(bytes).into_owned())
}

/// Members that were met. Of two with the same name the last one counts, which is for the tree.
#[derive(Default)]
struct Met(u8);

impl Met {
    fn first(&mut self, member: u8) -> bool {
        let bit = 1 << member;
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }
}

/// The name, if it is written without escapes.
fn plain<'a>(name: &json::Str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    (!name.escaped).then(|| name.inner.of(bytes))
}

fn one_choice(reader: &mut json::Reader<'_>, bytes: &[u8]) -> Option<Option<(u32, String)>> {
    let (mut index, mut said) = (0, None);
    reader.open_array().ok()?;
    if !reader.next_item().ok()? {
        return Some(None);
    }
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        let kind = reader.peek().ok()?;
        match (plain(&name, bytes)?, kind) {
            (b"index", json::Kind::Number) => {
                let digits = reader.skip().ok()?.of(bytes);
                index = std::str::from_utf8(digits).ok()?.parse().ok()?;
            }
            (b"delta", json::Kind::Object) if said.is_none() => said = Some(one_delta(reader, bytes)?),
            (b"index" | b"delta", _) => return None,
            (b"logprobs" | b"finish_reason", kind) if kind != json::Kind::Null => return None,
            _ => {
                reader.skip().ok()?;
            }
        }
    }
    if reader.next_item().ok()? {
        return None;
    }
    Some(said.flatten().map(|text| (index, text)))
}

fn one_delta(reader: &mut json::Reader<'_>, bytes: &[u8]) -> Option<Option<String>> {
    let mut said: Option<String> = None;
    reader.open_object().ok()?;
    while let Some(name) = reader.next_key().ok()? {
        let kind = reader.peek().ok()?;
        match (plain(&name, bytes)?, kind) {
            (b"content", json::Kind::String) if said.is_none() => {
                said = Some(plain_text(reader, bytes)?);
            }
            (b"content", json::Kind::Null) if said.is_none() => {
                reader.skip().ok()?;
            }
            (b"content", _) => return None,
            (b"reasoning_content" | b"reasoning" | b"refusal" | b"tool_calls", kind) if kind != json::Kind::Null => {
                return None;
            }
            _ => {
                reader.skip().ok()?;
            }
        }
    }
    Some(said.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Reading, by_tree},
        *,
    };
    use proptest::prelude::*;

    fn by_the_tree(json: &[u8]) -> Option<Vec<Event>> {
        let mut events = Vec::new();
        let mut reading = Reading { begun: true, ..Reading::default() };
        reading.take(&serde_json::from_slice(json).ok()?, "delta", &mut |event| events.push(event));
        Some(events)
    }

    #[test]
    fn what_nearly_all_chunks_are_is_read_without_a_tree() {
        for (chunk, text) in [
            (
                r#"{"id":"x","choices":[{"index":0,"delta":{"content":" quick"},"logprobs":null,"finish_reason":null}]}"#,
                Some(" quick"),
            ),
            (r#"{"choices":[{"delta":{"role":"assistant","content":"a\n\"b\""}}],"usage":null}"#, Some("a\n\"b\"")),
            (r#"{"choices":[{"index":0,"delta":{"content":""}}]}"#, None),
            (r#"{"choices":[]}"#, None),
        ] {
            let read = only_text(chunk.as_bytes()).expect(chunk).map(|(_, text)| text);
            assert_eq!(read.as_deref(), text, "{chunk}");
        }
    }

    #[test]
    fn what_most_answers_are_is_read_without_a_tree() {
        let answer = br#"{"id":"x","object":"chat.completion","created":17,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Two\nlines","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1}}}"#;
        let events = plain_answer(answer).unwrap();
        assert_eq!(events.len(), 5);
        assert_eq!(events, by_tree(answer).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        /// The same of whole answers.
        #[test]
        fn the_short_way_through_an_answer_says_what_the_tree_says(
            top in prop::collection::vec(prop::sample::select(vec![
                "\"id\":\"x\"", "\"id\":null", "\"model\":\"m\\n\"", "\"created\":17", "\"created\":1.5", "\"choices\":[C]", "\"choices\":[C]", "\"choices\":[C]", "\"choices\":[C,C]", "\"choices\":[]", "\"choices\":null", "\"usage\":null", "\"usage\":{U}", "\"usage\":{U}", "\"x\":[{}]",
            ]), 0..5),
            choice in prop::collection::vec(prop::sample::select(vec![
                "\"index\":0", "\"index\":2", "\"index\":-1", "\"index\":5000000000", "\"message\":{M}", "\"message\":{M}", "\"message\":null", "\"logprobs\":null", "\"logprobs\":{\"content\":[{}]}", "\"finish_reason\":null", "\"finish_reason\":\"stop\"", "\"finish_reason\":1",
            ]), 0..5),
            message in prop::collection::vec(prop::sample::select(vec![
                "\"content\":\"text\"", "\"content\":\"\"", "\"content\":null", "\"content\":[{\"text\":\"t\"}]", "\"content\":\"\\u00e9\\n\"", "\"role\":\"assistant\"", "\"reasoning\":\"r\"", "\"reasoning\":null", "\"refusal\":\"no\"", "\"thinking_blocks\":[{\"thinking\":\"t\"}]", "\"tool_calls\":[]", "\"tool_calls\":[{\"index\":0}]",
            ]), 0..4),
            usage in prop::collection::vec(prop::sample::select(vec![
                "\"prompt_tokens\":3", "\"prompt_tokens\":null", "\"prompt_tokens\":1.0", "\"completion_tokens\":4", "\"completion_tokens\":-1", "\"prompt_tokens_details\":{\"cached_tokens\":2}", "\"prompt_tokens_details\":{\"cached_tokens\":null}", "\"prompt_tokens_details\":null", "\"completion_tokens_details\":{\"reasoning_tokens\":7,\"x\":1}", "\"completion_tokens_details\":[]",
            ]), 0..5),
        ) {
            let choice = format!("{{{}}}", choice.join(",").replace('M', &message.join(",")));
            let answer = format!("{{{}}}", top.join(",").replace('C', &choice).replace('U', &usage.join(",")));
            if let Some(events) = plain_answer(answer.as_bytes()) {
                prop_assert_eq!(Some(events), by_tree(answer.as_bytes()).ok(), "{}", answer);
            }
        }

        /// Whatever the short way reads, the tree reads as well, and the same.
        #[test]
        fn the_short_way_says_what_the_tree_says(
            top in prop::collection::vec(prop::sample::select(vec![
                "\"id\":\"x\"", "\"choices\":[C]", "\"choices\":[C,C]", "\"choices\":[]", "\"choices\":null", "\"choices\":[1]", "\"usage\":null", "\"usage\":{\"prompt_tokens\":1}", "\"\\u0063hoices\":[C]",
            ]), 0..4),
            choice in prop::collection::vec(prop::sample::select(vec![
                "\"index\":0", "\"index\":2", "\"index\":-1", "\"index\":1.5", "\"index\":null", "\"delta\":{D}", "\"delta\":{D}", "\"delta\":null", "\"logprobs\":null", "\"logprobs\":{\"content\":[{}]}", "\"finish_reason\":null", "\"finish_reason\":\"stop\"",
            ]), 0..5),
            delta in prop::collection::vec(prop::sample::select(vec![
                "\"content\":\"text\"", "\"content\":\"\"", "\"content\":null", "\"content\":[{\"text\":\"t\"}]", "\"content\":\"\\u00e9\\n\"", "\"content\":\"\\ud800\"", "\"role\":\"assistant\"", "\"reasoning\":\"r\"", "\"reasoning\":\"\"", "\"refusal\":null", "\"tool_calls\":[]", "\"tool_calls\":[{\"index\":0}]",
            ]), 0..4),
        ) {
            let choice = format!("{{{}}}", choice.join(",").replace('D', &delta.join(",")));
            let chunk = format!("{{{}}}", top.join(",").replace('C', &choice));
            if let Some(said) = only_text(chunk.as_bytes()) {
                let events: Vec<_> = said.into_iter().map(|(choice, text)| Event::Text { choice, text }).collect();
                prop_assert_eq!(Some(events), by_the_tree(chunk.as_bytes()), "{}", chunk);
            }
        }
    }
}
