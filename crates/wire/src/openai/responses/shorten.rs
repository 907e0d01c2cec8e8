//! Leaving out the oldest items of a call that is too long, where its caller says `truncation: "auto"`.
//!
//! Instructions stay, wherever they stand. What is left out is left out whole: a question with everything that followed
//! it; behind the last question, a call of a function with its result and what was thought before it. The last question
//! and the last turn stay, whatever their size.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::Value;
use types::Result;

use super::{Request, Told, input};
use crate::anthropic::tokens;

impl Request {
    /// Whether the oldest items may be left out where all of them are too much.
    pub fn may_be_shortened(&self) -> bool {
        self.member("truncation") == "auto"
    }

    /// The chat without the oldest items, so that it and its answer are likely to fit into `context` tokens; none where
    /// all of it does. Where what must stay is too much, it stays: the backend says so.
    ///
    /// # Errors
    /// As [`Request::heard`].
    pub fn shortened(&self, told: &Told, context: u64) -> Result<Option<Bytes>> {
        let room = context.saturating_sub(self.member("max_output_tokens").as_u64().unwrap_or(1));
        let mut chat = self.heard(told)?;
        let mut over = likely(chat.tokens()).saturating_sub(room);
        if over == 0 {
            return Ok(None);
        }
        let all: Vec<&Value> = self.history.iter().chain(&self.input).collect();
        let mut stays = vec![true; all.len()];
        let mut blocks = blocks(&all).into_iter().peekable();
        while over > 0 && blocks.peek().is_some() {
            let mut gained = 0;
            while gained < over
                && let Some(block) = blocks.next()
            {
                for at in block {
                    stays[at] = false;
                    gained += likely(of_item(all[at]));
                }
            }
            chat = self.with_only(&stays).heard(told)?;
            over = likely(chat.tokens()).saturating_sub(room);
        }
        Ok(Some(chat.chat))
    }

    fn with_only(&self, stays: &[bool]) -> Self {
        let some = |items: &[Value], stays: &[bool]| {
            items.iter().zip(stays).filter(|(_, stays)| **stays).map(|(item, _)| item.clone()).collect()
        };
        let (before, new) = stays.split_at(self.history.len());
        self.about(some(&self.history, before), some(&self.input, new))
    }
}

/// So many tokens a prompt has at most, if the estimate is as wrong as it may be.
const fn likely(estimate: u64) -> u64 {
    estimate.saturating_mul(6) / 5
}

/// What an item is in a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It stays.
    Fixed,
    /// What a user said.
    Question,
    /// What a model said, thought or called.
    Answer,
    /// What a call came to.
    Result,
}

fn part(item: &Value) -> Part {
    match (input::kind(item), item["role"].as_str()) {
        (Some("message"), Some("system" | "developer")) | (Some("additional_tools"), _) => Part::Fixed,
        (Some("message"), Some("user")) => Part::Question,
        (Some("function_call_output" | "custom_tool_call_output"), _) => Part::Result,
        _ => Part::Answer,
    }
}

/// What may be left out, oldest first: the places of items that go together.
fn blocks(items: &[&Value]) -> Vec<Vec<usize>> {
    let last_question = items.iter().rposition(|item| part(item) == Part::Question);
    let (mut blocks, mut of_call): (Vec<Vec<usize>>, HashMap<&str, usize>) = (Vec::new(), HashMap::new());
    let (mut question, mut last, mut before) = (None, None, Part::Fixed);
    for (at, item) in items.iter().enumerate() {
        let part = part(item);
        if part == Part::Fixed {
            continue;
        }
        let call = item["call_id"].as_str();
        // Before the last question, what follows a question goes with it.
        let asked = question.is_some() && last_question.is_some_and(|last| at < last);
        let opens = match part {
            Part::Question => true,
            Part::Answer => !asked && before != Part::Answer,
            _ => blocks.is_empty(),
        };
        if opens {
            blocks.push(Vec::new());
        }
        let newest = blocks.len() - 1;
        let block = call.filter(|_| part == Part::Result).and_then(|call| of_call.get(call)).copied().unwrap_or(newest);
        blocks[block].push(at);
        if part == Part::Question {
            question = Some(block);
        }
        if let Some(call) = call.filter(|_| part == Part::Answer) {
            of_call.insert(call, block);
        }
        (last, before) = (Some(block), part);
    }
    let stays = [question, last];
    let free = blocks.into_iter().enumerate().filter(|(number, _)| !stays.contains(&Some(*number)));
    free.map(|(_, block)| block).collect()
}

/// About how many tokens an item takes.
fn of_item(item: &Value) -> u64 {
    let members = ["content", "arguments", "input", "output", "summary"];
    members.iter().map(|member| of_content(&item[*member])).sum()
}

fn of_content(content: &Value) -> u64 {
    match content {
        Value::String(text) => tokens::of_text(text),
        Value::Array(parts) => parts.iter().map(of_part).sum(),
        _ => 0,
    }
}

fn of_part(part: &Value) -> u64 {
    match part["type"].as_str() {
        Some("input_image") => tokens::PER_IMAGE,
        Some("input_file") => part["file_data"].as_str().map_or(0, tokens::of_file),
        _ => part["text"].as_str().or(part["refusal"].as_str()).map_or(0, tokens::of_text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(role: &str) -> Value {
        json!({"role": role, "content": "x"})
    }

    fn call(id: &str) -> Value {
        json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"})
    }

    fn result(id: &str) -> Value {
        json!({"type": "function_call_output", "call_id": id, "output": "x"})
    }

    fn thought() -> Value {
        json!({"type": "reasoning", "summary": []})
    }

    fn free(items: &[Value]) -> Vec<Vec<usize>> {
        blocks(&items.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_question_goes_with_its_answers_and_the_last_one_stays() {
        let items = [said("system"), said("user"), thought(), call("a"), result("a"), said("assistant"), said("user")];
        assert_eq!(free(&items), [vec![1, 2, 3, 4, 5]]);
        let two = [said("assistant"), said("user"), said("user"), said("developer"), said("assistant"), said("user")];
        assert_eq!(free(&two), [vec![0], vec![1], vec![2, 4]]);
    }

    #[test]
    fn behind_the_last_question_calls_go_with_their_results_and_the_last_ones_stay() {
        let items = [
            said("user"),
            thought(),
            call("a"),
            call("b"),
            result("b"),
            result("a"),
            thought(),
            call("c"),
            result("c"),
            call("d"),
            result("d"),
        ];
        assert_eq!(free(&items), [vec![1, 2, 3, 4, 5], vec![6, 7, 8]]);
    }

    #[test]
    fn a_result_far_from_its_call_goes_with_it() {
        let items = [said("user"), call("a"), said("user"), result("a"), said("assistant"), said("user")];
        assert_eq!(free(&items), [vec![0, 1, 3], vec![2, 4]]);
        assert_eq!(free(&[result("x"), said("user")]), [vec![0]]);
        assert!(free(&[said("user")]).is_empty() && free(&[]).is_empty());
    }
}
