//! Calls of tools one after the other: some backends send the arguments of several calls in turns, and most dialects
//! can only write one call at a time.

use serde::de::IgnoredAny;

use crate::events::Event;

/// Passes events on so that no call begins before the one before it is complete.
#[derive(Debug, Default)]
pub(crate) struct Order {
    choices: Vec<(u32, Choice)>,
}

#[derive(Debug, Default)]
struct Choice {
    /// The call that is being passed on, with its arguments so far.
    open: Option<(u32, String)>,
    /// What waits for it.
    waiting: Vec<Held>,
}

#[derive(Debug)]
enum Held {
    Call { start: Event, index: u32, arguments: String },
    Said(Event),
}

impl Order {
    /// Takes one event, and passes on what is due.
    pub(crate) fn push(&mut self, event: &Event, out: &mut impl FnMut(&Event)) {
        match event {
            Event::Text { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Thought { choice, .. }
            | Event::Logprobs { choice, .. } => self.choice(*choice).take(Held::Said(event.clone()), *choice, out),
            Event::ToolStart { choice, index, .. } => {
                let held = Held::Call { start: event.clone(), index: *index, arguments: String::new() };
                self.choice(*choice).take(held, *choice, out);
            }
            Event::ToolArguments { choice, index, json } => self.choice(*choice).argue(*choice, *index, json, out),
            Event::Finish { choice, .. } => {
                self.choice(*choice).flush(*choice, out);
                out(event);
            }
            Event::Start { .. } | Event::Usage(_) | Event::Done => out(event),
        }
    }

    fn choice(&mut self, number: u32) -> &mut Choice {
        let at = self.choices.iter().position(|(known, _)| *known == number).unwrap_or(self.choices.len());
        if at == self.choices.len() {
            self.choices.push((number, Choice::default()));
        }
        &mut self.choices[at].1
    }
}

impl Choice {
    fn take(&mut self, held: Held, choice: u32, out: &mut impl FnMut(&Event)) {
        self.waiting.push(held);
        self.drain(choice, out);
    }

    fn argue(&mut self, choice: u32, call: u32, json: &str, out: &mut impl FnMut(&Event)) {
        if let Some((index, arguments)) = &mut self.open
            && *index == call
        {
            arguments.push_str(json);
            out(&Event::ToolArguments { choice, index: call, json: json.to_owned() });
            if !self.waiting.is_empty() {
                self.drain(choice, out);
            }
            return;
        }
        for held in &mut self.waiting {
            if let Held::Call { index, arguments, .. } = held
                && *index == call
            {
                arguments.push_str(json);
            }
        }
    }

    /// Passes on what waits, up to a call that is not complete.
    fn drain(&mut self, choice: u32, out: &mut impl FnMut(&Event)) {
        while !self.waiting.is_empty() && self.open.as_ref().is_none_or(|(_, arguments)| is_complete(arguments)) {
            self.next(choice, out);
        }
    }

    fn flush(&mut self, choice: u32, out: &mut impl FnMut(&Event)) {
        while !self.waiting.is_empty() {
            self.next(choice, out);
        }
        self.open = None;
    }

    fn next(&mut self, choice: u32, out: &mut impl FnMut(&Event)) {
        match self.waiting.remove(0) {
            Held::Said(event) => out(&event),
            Held::Call { start, index, arguments } => {
                out(&start);
                if !arguments.is_empty() {
                    out(&Event::ToolArguments { choice, index, json: arguments.clone() });
                }
                self.open = Some((index, arguments));
            }
        }
    }
}

fn is_complete(arguments: &str) -> bool {
    arguments.trim_end().ends_with('}') && serde_json::from_str::<IgnoredAny>(arguments).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(index: u32) -> Event {
        Event::ToolStart { choice: 0, index, id: format!("c{index}"), name: "f".into() }
    }

    fn arguments(index: u32, json: &str) -> Event {
        Event::ToolArguments { choice: 0, index, json: json.into() }
    }

    fn ordered(events: &[Event]) -> Vec<Event> {
        let (mut order, mut out) = (Order::default(), Vec::new());
        for event in events {
            order.push(event, &mut |event| out.push(event.clone()));
        }
        out
    }

    #[test]
    fn calls_whose_arguments_come_in_turns_come_one_after_the_other() {
        let finish = Event::Finish { choice: 0, reason: crate::openai::chat::Finish::ToolCalls };
        let mixed = [
            start(0),
            start(1),
            arguments(0, "{\"a\""),
            arguments(1, "{"),
            arguments(0, ":1}"),
            arguments(1, "}"),
            finish.clone(),
        ];
        let wanted = [
            start(0),
            arguments(0, "{\"a\""),
            arguments(0, ":1}"),
            start(1),
            arguments(1, "{"),
            arguments(1, "}"),
            finish,
        ];
        assert_eq!(ordered(&mixed), wanted);
    }

    #[test]
    fn calls_in_order_are_passed_on_at_once() {
        let plain = [start(0), arguments(0, "{}"), start(1), arguments(1, "{\"b\""), arguments(1, ":2}")];
        assert_eq!(ordered(&plain), plain);
    }

    #[test]
    fn a_call_cut_off_does_not_keep_others_back_for_ever() {
        let finish = Event::Finish { choice: 0, reason: crate::openai::chat::Finish::Length };
        let cut = [start(0), arguments(0, "{\"a"), start(1), finish.clone()];
        assert_eq!(ordered(&cut), [start(0), arguments(0, "{\"a"), start(1), finish]);
    }
}
