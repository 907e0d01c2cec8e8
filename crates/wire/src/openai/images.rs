//! Pictures: reading calls for generations and edits, writing answers and the events of a stream.

mod answer;
mod call;
mod edit;
mod events;

pub use answer::answer;
pub use call::{GenerationCall, LONGEST_PROMPT, MOST_PICTURES};
pub use edit::{EditCall, MOST_INPUTS};
pub use events::{Events, Settings, What};
