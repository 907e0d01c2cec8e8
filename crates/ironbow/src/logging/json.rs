//! Log lines as JSON: one object a line, the members of the event beside its time, level and target.
//!
//! Every call leaves a line. The subscriber library's own formatter takes as long for one as all else that a call costs, most of it in
//! writers behind writers; this one writes each member once, to where it stays.

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write as _},
    io::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};
use wire::{calendar, json::text};

use super::Lines;

thread_local! {
    /// Where this thread writes its lines, one after the other.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The text of a value that is only known as one that can be printed.
    static PRINTED: Cell<String> = const { Cell::new(String::new()) };
    /// The last second that was written, and how.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// A room for a line that is larger than this is let go.
const USUAL: usize = 16 * 1024;

/// Writes events as lines of JSON.
pub(super) struct Json(pub(super) Lines);

impl<S: Subscriber> Layer<S> for Json {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Taken out: a value that logs while it is printed gets a line of its own.
        let mut line = LINE.take();
        line.clear();
        write(event, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), &mut line);
        self.0.queue.push(&line, self.0.room);
        if line.capacity() <= USUAL {
            LINE.set(line);
        }
    }
}

fn write(event: &Event<'_>, since_1970: Duration, out: &mut Vec<u8>) {
    let about = event.metadata();
    out.extend_from_slice(b"{\"timestamp\":\"");
    SECOND.with_borrow_mut(|(second, written)| {
        if *second != since_1970.as_secs() {
            *second = since_1970.as_secs();
            *written = calendar::written(*second);
        }
        out.extend_from_slice(written.trim_end_matches('Z').as_bytes());
    });
    out.extend_from_slice(&fraction(since_1970.subsec_micros()));
    out.extend_from_slice(b"Z\",\"level\":\"");
    out.extend_from_slice(about.level().as_str().as_bytes());
    out.push(b'"');
    event.record(&mut Members(out));
    out.extend_from_slice(b",\"target\":");
    text::encode(about.target(), out);
    out.extend_from_slice(b"}\n");
}

/// Millionths of a second as digits behind the point.
fn fraction(mut micros: u32) -> [u8; 7] {
    let mut digits = *b".000000";
    for digit in digits[1..].iter_mut().rev() {
        *digit += (micros % 10) as u8;
        micros /= 10;
    }
    digits
}

/// Writes members, each behind a comma.
struct Members<'a>(&'a mut Vec<u8>);

impl Members<'_> {
    fn name(&mut self, field: &Field) {
        self.0.push(b',');
        text::encode(field.name(), self.0);
        self.0.push(b':');
    }

    fn number(&mut self, field: &Field, number: impl itoa::Integer) {
        self.plain(field, itoa::Buffer::new().format(number));
    }

    /// A value that stands without quotes.
    fn plain(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.0.extend_from_slice(value.as_bytes());
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        text::encode(value, self.0);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, if value { "true" } else { "false" });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        if value.is_finite() {
            // Writing to a Vec cannot fail.
            let _ = write!(self.0, "{value}");
        } else {
            self.0.extend_from_slice(b"null");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut printed = PRINTED.take();
        printed.clear();
        let _ = write!(printed, "{value:?}");
        self.name(field);
        text::encode(&printed, self.0);
        if printed.capacity() <= USUAL {
            PRINTED.set(printed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    /// Keeps the lines that are written at a fixed time.
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut line = Vec::new();
            write(event, Duration::from_micros(1_706_691_600_000_042), &mut line);
            self.0.lock().unwrap().extend_from_slice(&line);
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<String> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Kept(kept.clone())), log);
        let text = String::from_utf8(kept.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_holds_the_time_the_level_every_member_and_the_target_in_this_order() {
        let nothing: Option<&str> = None;
        let seen = lines(|| {
            tracing::info!(target: "a::b", route = "chat", n = 7_u64, less = -7_i64, nothing, yes = true, half = 0.5, "it {}", 1);
        });
        assert_eq!(
            seen,
            [
                r#"{"timestamp":"2024-01-31T09:00:00.000042Z","level":"INFO","message":"it 1","route":"chat","n":7,"less":-7,"yes":true,"half":0.5,"target":"a::b"}"#
            ]
        );
    }

    #[test]
    fn whatever_a_value_holds_a_line_is_one_object_on_one_line() {
        let odd = "\"quoted\"\\\n\u{0}\u{1f}\u{7f} ä 🦀";
        let seen = lines(|| {
            tracing::warn!(odd, shown = %odd, debugged = ?odd, no_number = f64::NAN, large = u128::MAX, "{odd}");
        });
        assert_eq!(seen.len(), 1);
        let line: Value = serde_json::from_str(&seen[0].replace(&u128::MAX.to_string(), "1")).unwrap();
        assert_eq!((&line["odd"], &line["shown"], &line["message"]), (&json!(odd), &json!(odd), &json!(odd)));
        assert_eq!((&line["debugged"], &line["no_number"]), (&json!(format!("{odd:?}")), &Value::Null));
    }
}
