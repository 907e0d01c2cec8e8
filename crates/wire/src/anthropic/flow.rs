//! From events to blocks: one block is open at a time, and each is whole before the next begins.
//!
//! Backends may write several tool calls at once. The call that is open goes on until its arguments are whole; what
//! belongs to later blocks waits.

use std::collections::VecDeque;

use serde_json::{Value, json};

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Thinking,
    Text,
    Tool { call: u32, id: String, name: String },
}

/// One step of the answer. `index` counts blocks.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Open {
        index: usize,
        what: &'a What,
    },
    /// Some of its text (of its arguments, as JSON).
    Delta {
        index: usize,
        what: &'a What,
        text: &'a str,
    },
    /// It is whole; of thinking, the whole text, and the blocks that its vendor signed.
    Close {
        index: usize,
        what: &'a What,
        thought: &'a str,
        signed: &'a [Value],
    },
}

/// What receives the steps.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Step<'_>);

/// Which block a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Thinking,
    Text,
    Tool(u32),
}

/// Thinking of this length is closed and goes on in a block of its own: what must be held for its signature is bounded.
const LONGEST_THOUGHT: usize = 1 << 20;

#[derive(Debug)]
struct Block {
    what: What,
    /// What waits; of an open block of thinking, all that was said.
    held: String,
    arguments: Arguments,
    /// Of thinking: what it is as its vendor signed it.
    signed: Vec<Value>,
}

impl Block {
    const fn new(what: What, held: String) -> Self {
        Self { what, held, arguments: Arguments::new(), signed: Vec::new() }
    }

    fn is(&self, part: Part) -> bool {
        match (&self.what, part) {
            (What::Thinking, Part::Thinking) | (What::Text, Part::Text) => true,
            (What::Tool { call, .. }, Part::Tool(wanted)) => *call == wanted,
            _ => false,
        }
    }

    fn may_close(&self) -> bool {
        !matches!(self.what, What::Tool { .. }) || self.arguments.is_whole()
    }
}

/// Puts pieces into blocks.
#[derive(Debug, Default)]
pub(super) struct Flow {
    blocks: usize,
    open: Option<Block>,
    waiting: VecDeque<Block>,
}

impl Flow {
    /// A tool call begins.
    pub(super) fn begin(&mut self, call: u32, id: &str, name: &str, sink: Sink<'_>) {
        let what = What::Tool { call, id: id.to_owned(), name: name.to_owned() };
        self.waiting.push_back(Block::new(what, String::new()));
        self.advance(sink);
    }

    /// Takes a piece of a block.
    pub(super) fn say(&mut self, part: Part, text: &str, sink: Sink<'_>) {
        let index = self.blocks.saturating_sub(1);
        let goes_on = |block: &Block| block.is(part) && (self.waiting.is_empty() || matches!(part, Part::Tool(_)));
        if let Some(open) = self.open.as_mut().filter(|open| goes_on(open)) {
            deliver(open, index, text, sink);
            if open.what == What::Thinking && open.held.len() >= LONGEST_THOUGHT {
                self.close(sink);
            }
        } else {
            let mut last_first = self.waiting.iter_mut().rev();
            let place = match part {
                Part::Tool(_) => last_first.find(|block| block.is(part)),
                _ => last_first.next().filter(|block| block.is(part)),
            };
            match (place, part) {
                (Some(block), _) => block.held.push_str(text),
                // A call that nobody began, or that is over.
                (None, Part::Tool(_)) => return,
                (None, _) => {
                    let what = if part == Part::Text { What::Text } else { What::Thinking };
                    self.waiting.push_back(Block::new(what, text.to_owned()));
                }
            }
        }
        self.advance(sink);
    }

    /// What was just thought is this block, as its vendor signed it.
    pub(super) fn sign(&mut self, block: &Value, sink: Sink<'_>) {
        let last = self.waiting.back_mut().or(self.open.as_mut());
        match last.filter(|last| last.is(Part::Thinking)) {
            Some(last) => last.signed.push(block.clone()),
            None => {
                let mut thought = Block::new(What::Thinking, String::new());
                thought.signed.push(block.clone());
                self.waiting.push_back(thought);
            }
        }
        self.advance(sink);
    }

    /// The answer is over: writes what waits and closes what is open.
    pub(super) fn end(&mut self, sink: Sink<'_>) {
        self.close(sink);
        while let Some(block) = self.waiting.pop_front() {
            self.open(block, sink);
            self.close(sink);
        }
    }

    fn advance(&mut self, sink: Sink<'_>) {
        while !self.waiting.is_empty() && self.open.as_ref().is_none_or(Block::may_close) {
            self.close(sink);
            if let Some(block) = self.waiting.pop_front() {
                self.open(block, sink);
            }
        }
    }

    fn open(&mut self, mut block: Block, sink: Sink<'_>) {
        let index = self.blocks;
        self.blocks += 1;
        sink(Step::Open { index, what: &block.what });
        let held = std::mem::take(&mut block.held);
        deliver(&mut block, index, &held, sink);
        self.open = Some(block);
    }

    fn close(&mut self, sink: Sink<'_>) {
        let Some(block) = self.open.take() else { return };
        let index = self.blocks.saturating_sub(1);
        if let (What::Tool { .. }, Some(text)) = (&block.what, block.arguments.rest()) {
            sink(Step::Delta { index, what: &block.what, text: &text });
        }
        sink(Step::Close { index, what: &block.what, thought: &block.held, signed: &block.signed });
    }
}

fn deliver(block: &mut Block, index: usize, text: &str, sink: Sink<'_>) {
    if text.is_empty() {
        return;
    }
    match block.what {
        What::Tool { .. } if !block.arguments.take(text) => return,
        What::Thinking => block.held.push_str(text),
        _ => {}
    }
    sink(Step::Delta { index, what: &block.what, text });
}

/// The arguments of a call as they come in: whether they are an object, and whether it is whole.
#[derive(Debug)]
struct Arguments {
    begun: bool,
    depth: usize,
    quoted: bool,
    escaped: bool,
    /// What is no object: held until all of it is there.
    odd: String,
}

impl Arguments {
    const fn new() -> Self {
        Self { begun: false, depth: 0, quoted: false, escaped: false, odd: String::new() }
    }

    /// Takes a piece; says whether it may be passed on as it is.
    fn take(&mut self, text: &str) -> bool {
        if !self.begun {
            let starts = text.trim_ascii_start().starts_with('{');
            if !self.odd.is_empty() || !(starts || text.trim_ascii().is_empty()) {
                self.odd.push_str(text);
                return false;
            }
            if !starts {
                return false;
            }
            self.begun = true;
        }
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                b'{' | b'[' if !self.quoted => self.depth += 1,
                b'}' | b']' if !self.quoted => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        true
    }

    const fn is_whole(&self) -> bool {
        self.begun && self.depth == 0
    }

    /// What stands for arguments that are no object.
    fn rest(&self) -> Option<String> {
        (!self.begun).then(|| input(&self.odd).to_string())
    }
}

/// Arguments as the object that they must be: none are an empty one, and what is no object is kept as a text in it.
pub(super) fn input(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(object @ Value::Object(_)) => object,
        Ok(Value::Null) => json!({}),
        _ if arguments.trim_ascii().is_empty() => json!({}),
        _ => json!({ "INVALID_JSON": arguments }),
    }
}
