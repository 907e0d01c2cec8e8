//! What routing costs a call, one step at a time and a chosen number of times, to be counted under valgrind:
//! `scripts/test --only "instruction counts"` runs it twice for each and divides the difference.
//!
//! `count_plan list` names the steps; `count_plan NAME TIMES` does one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measuring tool may fail loudly and prints its names"
)]

#[path = "../benches/choose/steps.rs"]
mod steps;

use std::hint::black_box;

use policy::order::Strategy;

/// What is done again and again.
type Step = Box<dyn FnMut()>;

/// Makes a step.
type Made = fn() -> Step;

/// Names, and what makes the step.
const STEPS: [(&str, Made); 4] = [
    ("admission, a name and its keys", admission),
    ("plan, 1 candidate", || plan(1)),
    ("plan, 20 candidates", || plan(20)),
    ("attempt, begun and ended", attempt),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [list] if list == "list" => STEPS.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] => {
            let mut step = STEPS.iter().find(|(known, _)| known == name).unwrap().1();
            for _ in 0..times.parse::<usize>().unwrap() {
                step();
            }
        }
        _ => println!("count_plan list | count_plan NAME TIMES"),
    }
}

fn admission() -> Step {
    let door = steps::Door::new();
    Box::new(move || drop(black_box(door.admit(black_box("huggingface/groq/org/some-model-70b")))))
}

fn plan(count: usize) -> Step {
    let choice = steps::Choice::new(count);
    // The same fifty calls again and again: what is counted must not depend on chance.
    let mut seed = 0;
    Box::new(move || {
        seed += 1;
        drop(black_box(choice.plan(black_box(seed % 50), Strategy::Auto)));
    })
}

fn attempt() -> Step {
    let choice = steps::Choice::new(1);
    Box::new(move || choice.attempt())
}
