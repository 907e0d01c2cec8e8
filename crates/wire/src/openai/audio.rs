//! Speech and transcription: reading calls, writing what was heard, the events of both as streams.

mod captions;
mod speech;
mod transcript;
mod transcription;

pub use speech::{LONGEST_INPUT, SpeechCall, sound_delta, sound_done};
pub use transcript::{Written, text_delta, text_done, transcript};
pub use transcription::{TranscriptionCall, Translate};
