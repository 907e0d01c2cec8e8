//! What each fault does to an answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::framing::framed;
use super::{Active, AfterComments, End, ErrorEvent, Fault, KeyPlace};
use crate::ask::Ask;
use crate::chat::errors::{Refusal, Shape};
use crate::conn::Control;
use crate::fill::quoted;
use crate::place::Place;
use crate::reply::{Content, Reply, Step, paced};

/// Long enough for hyper and the kernel to send what was written.
const FLUSH: Duration = Duration::from_millis(5);

fn shape(place: &Place) -> Shape {
    match place {
        Place::Backend { backend, .. } => backend.refusal,
        Place::Custom { server, .. } => server.refusal,
        Place::Hub(_) | Place::Router(_) | Place::Asset(_) | Place::Nowhere => Shape::Router,
    }
}

impl Active {
    /// The answer as the fault leaves it; `play` makes the good one, if the fault needs it.
    pub(crate) fn apply(&self, ask: &Ask, place: &Place, play: impl FnOnce() -> Reply, control: &Control) -> Reply {
        match &self.fault {
            Fault::Close {} => Reply::raw(Vec::new()),
            Fault::Reset { before_head: true, .. } => {
                control.reset();
                Reply::raw(Vec::new())
            }
            Fault::Raw { text, base64 } => Reply::raw(raw(text, base64)),
            Fault::Frames { frames, content_type, gap_ms, end } => {
                literal(frames, content_type.as_deref(), Duration::from_millis(*gap_ms), *end)
            }
            Fault::Status { .. }
            | Fault::Loading { .. }
            | Fault::RateLimited { .. }
            | Fault::Html { .. }
            | Fault::Redirect { .. }
            | Fault::Huge { .. } => self.refused(ask, place),
            Fault::EchoKey { place: KeyPlace::Error, status } => {
                let mut refusal = Refusal::of_status(*status);
                refusal.message = format!("The key {} may not do this", ask.secret());
                refusal.reply(shape(place))
            }
            _ => self.changed(play(), ask),
        }
    }

    /// Faults that stand in for the answer.
    fn refused(&self, ask: &Ask, place: &Place) -> Reply {
        match &self.fault {
            Fault::Status { status, body, content_type, headers } => {
                let reply = match body {
                    Some(body) => {
                        Reply::whole(*status, content_type.as_deref().unwrap_or("application/json"), body.clone())
                    }
                    None => Refusal::of_status(*status).reply(shape(place)),
                };
                // The status is the point of this fault, whatever the shape would make of it.
                headers.iter().fold(Reply { status: *status, ..reply }, |reply, (name, value)| reply.with(name, value))
            }
            Fault::Loading { estimated_time } => {
                let body: serde_json::Value = serde_json::from_slice(&ask.body).unwrap_or_default();
                let in_path =
                    ask.path.split_once("/models/").map(|(_, rest)| rest.split("/pipeline/").next().unwrap_or(rest));
                let model = crate::ask::text(&body, "model").or(in_path).unwrap_or("sandbox");
                let message = quoted(&format!("Model {model} is currently loading"));
                Reply::json(503, format!(r#"{{"error":{message},"estimated_time":{estimated_time:?}}}"#))
            }
            Fault::Redirect { to, status } => Reply::text(*status, "").with("location", to),
            Fault::RateLimited { retry_after } => {
                let reply = Refusal::of_status(429).reply(shape(place));
                retry_after.iter().fold(reply, |reply, wait| reply.with("retry-after", wait))
            }
            Fault::Html { status } => {
                let page = format!(
                    "<html>\r\n<head><title>{status} Error</title></head>\r\n<body>\r\n<center><h1>{status} Error</h1></center>\r\n</body>\r\n</html>\r\n"
                );
                Reply::whole(*status, "text/html", page)
            }
            Fault::Huge { status, bytes } => {
                let mut body = br#"{"error":""#.to_vec();
                body.resize(bytes.saturating_sub(2).max(body.len()), b'x');
                body.extend_from_slice(br#""}"#);
                Reply::json(*status, body)
            }
            _ => Reply::json(500, r#"{"error":"not a refusal"}"#),
        }
    }

    /// Faults that change the good answer.
    fn changed(&self, reply: Reply, ask: &Ask) -> Reply {
        match &self.fault {
            Fault::Stall { after, .. } => broken(reply, *after, Step::Stall),
            Fault::Reset { after, .. } => broken(reply, *after, Step::Reset),
            Fault::Cut { after } => broken(reply, *after, Step::Cut),
            Fault::Truncate { bytes: Some(bytes), .. } => {
                let all = reply.frames().concat();
                let kept = Bytes::copy_from_slice(&all[..(*bytes).min(all.len())]);
                Reply { content: Content::Steps(vec![Step::Send(kept)]), ..reply }
            }
            Fault::Truncate { after, mid_frame, .. } => truncated(reply, *after, *mid_frame),
            Fault::Framing { how } => {
                let steps = framed(&reply.frames(), *how);
                Reply { content: Content::Steps(steps), ..reply }
            }
            Fault::Comments { count, gap_ms, then } => comments(reply, *count, Duration::from_millis(*gap_ms), *then),
            Fault::StreamError { after, shape, message, done } => failing(reply, *after, *shape, message, *done),
            Fault::EchoKey { place: KeyPlace::StreamError, .. } => {
                let message = format!("The key {} may not do this", ask.secret());
                failing(reply, 1, ErrorEvent::Object, &message, false)
            }
            Fault::EchoKey { place: KeyPlace::Header, .. } => {
                let leaked = format!("Bearer {}", ask.secret());
                reply
                    .with("x-debug-authorization", &leaked)
                    .with("location", &format!("https://sandbox.invalid/?key={}", ask.secret()))
                    .with("set-cookie", &format!("key={}", ask.secret()))
            }
            Fault::EchoKey { .. } => leaking(reply, ask.secret()),
            Fault::ContentType { value } => reply.with("content-type", value),
            Fault::ContentLength { delta } => wrong_length(&reply, *delta),
            Fault::Slow { bytes, gap_ms } => slow(reply, (*bytes).max(1), Duration::from_millis(*gap_ms)),
            Fault::Endless { gap_ms } => endless(reply, Duration::from_millis(*gap_ms)),
            Fault::ClockSkew { seconds } => reply.with("date", &http_date(*seconds)),
            Fault::Headers { headers } => headers.iter().fold(reply, |reply, (name, value)| reply.with(name, value)),
            _ => reply,
        }
    }
}

/// A text, then bytes that are no text.
fn raw(text: &str, base64: &str) -> Vec<u8> {
    use base64::Engine as _;
    let mut bytes = text.as_bytes().to_vec();
    // What is not base64 was meant for the eyes of a test: it sees that nothing came.
    bytes.extend(base64::engine::general_purpose::STANDARD.decode(base64).unwrap_or_default());
    bytes
}

fn literal(frames: &[String], media: Option<&str>, gap: Duration, end: End) -> Reply {
    let frames = frames.iter().map(|frame| Bytes::from(frame.clone()));
    let mut steps = paced(frames, gap);
    if !matches!(end, End::Clean) {
        steps.push(Step::Wait(FLUSH));
    }
    match end {
        End::Clean => {}
        End::Cut => steps.push(Step::Cut),
        End::Reset => steps.push(Step::Reset),
        End::Stall => steps.push(Step::Stall),
    }
    let reply = Reply::events(media.unwrap_or("text/event-stream"), Vec::new(), Duration::ZERO);
    Reply { content: Content::Steps(steps), ..reply }
}

/// Some frames, then the break. A whole answer says its length and breaks after half of it.
fn broken(reply: Reply, after: usize, how: Step) -> Reply {
    let gap = reply.gap();
    let (reply, kept) = match &reply.content {
        Content::Whole(body) => {
            let (length, half) = (body.len().to_string(), body.slice(..body.len() / 2));
            (reply.with("content-length", &length), vec![half])
        }
        _ => {
            let kept = reply.frames().into_iter().take(after).collect();
            (reply, kept)
        }
    };
    let mut steps = paced(kept, gap);
    steps.push(Step::Wait(FLUSH));
    steps.push(how);
    Reply { content: Content::Steps(steps), ..reply }
}

/// Some frames, then the proper end of the message: what is missing is only the rest of the meaning.
fn truncated(reply: Reply, after: usize, mid_frame: bool) -> Reply {
    let gap = reply.gap();
    let after = if matches!(reply.content, Content::Whole(_)) { 0 } else { after };
    let mut frames = reply.frames();
    let rest = frames.split_off(after.min(frames.len()));
    let half = rest.first().map(|frame| frame.slice(..frame.len() / 2));
    if mid_frame || matches!(reply.content, Content::Whole(_)) {
        frames.extend(half);
    }
    Reply { content: Content::Steps(paced(frames, gap)), ..reply }
}

fn comments(reply: Reply, count: usize, gap: Duration, then: AfterComments) -> Reply {
    let comment = Bytes::from_static(b": keep-alive\n\n");
    let mut steps = paced(std::iter::repeat_n(comment.clone(), count), gap);
    match then {
        AfterComments::Stall => steps.push(Step::Stall),
        AfterComments::Endless => steps.push(Step::Repeat(vec![comment], gap)),
        AfterComments::Answer => steps.extend(paced(reply.frames(), reply.gap())),
    }
    Reply { content: Content::Steps(steps), ..reply }
}

fn failing(reply: Reply, after: usize, shape: ErrorEvent, message: &str, done: bool) -> Reply {
    let gap = reply.gap();
    let message = quoted(message);
    let mut frames: Vec<Bytes> = reply.frames().into_iter().take(after).collect();
    frames.push(Bytes::from(match shape {
        ErrorEvent::Object => {
            format!("data: {{\"error\":{{\"message\":{message},\"type\":\"server_error\",\"code\":503}}}}\n\n")
        }
        ErrorEvent::Text => format!("data: {{\"error\":{message},\"error_type\":\"overloaded\"}}\n\n"),
        ErrorEvent::Anthropic => format!(
            "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":{message}}}}}\n\n"
        ),
        ErrorEvent::Named => format!("event: error\ndata: {{\"message\":{message},\"type\":\"server_error\"}}\n\n"),
    }));
    if done {
        frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    }
    Reply { content: Content::Steps(paced(frames, gap)), ..reply }
}

/// The answer with a member of its JSON that holds the secret.
fn leaking(reply: Reply, secret: &str) -> Reply {
    let leak = format!("{{\"debug\":{},", quoted(&format!("Bearer {secret}")));
    let marked = |frame: Bytes| Bytes::from(String::from_utf8_lossy(&frame).replacen('{', &leak, 1));
    let content = match reply.content {
        Content::Whole(body) => Content::Whole(marked(body)),
        Content::Events { frames, gap } => Content::Events { frames: frames.into_iter().map(marked).collect(), gap },
        other => other,
    };
    Reply { content, ..reply }
}

/// The answer under a head that lies about its length, written by hand: hyper would mend it.
fn wrong_length(reply: &Reply, delta: i64) -> Reply {
    let body = reply.frames().concat();
    let length = i64::try_from(body.len()).unwrap_or(i64::MAX).saturating_add(delta).max(0);
    let headers: Vec<String> = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {} OK\r\n{}content-length: {length}\r\n\r\n", reply.status, headers.concat());
    let mut raw = head.into_bytes();
    raw.extend_from_slice(&body);
    Reply::raw(raw)
}

fn slow(reply: Reply, bytes: usize, gap: Duration) -> Reply {
    let all = reply.frames().concat();
    let length = all.len().to_string();
    let pieces: Vec<Bytes> = all.chunks(bytes).map(Bytes::copy_from_slice).collect();
    let whole = matches!(reply.content, Content::Whole(_));
    let reply = if whole { reply.with("content-length", &length) } else { reply };
    Reply { content: Content::Steps(paced(pieces, gap)), ..reply }
}

/// The first frames, then the last of them again and again.
fn endless(reply: Reply, gap: Duration) -> Reply {
    let mut first: Vec<Bytes> = reply.frames().into_iter().take(2).collect();
    let again = first.pop().into_iter().collect::<Vec<_>>();
    let mut steps = paced(first, gap);
    steps.push(Step::Repeat(again, gap.max(Duration::from_micros(1))));
    Reply { content: Content::Steps(steps), ..reply }
}

/// Now and some seconds, as HTTP writes a date.
fn http_date(skew: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let at = i64::try_from(now).unwrap_or(i64::MAX).saturating_add(skew).max(0);
    let (days, seconds) = (at / 86_400, at % 86_400);
    let (year, month, day) = civil(days);
    let week = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name =
        |all: &[&'static str], at: i64| usize::try_from(at).ok().and_then(|at| all.get(at)).copied().unwrap_or("");
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        name(&week, days % 7),
        name(&months, month - 1),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Days since 1970 as year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(20_088), (2024, 12, 31));
        assert_eq!(civil(19_782), (2024, 2, 29));
    }
}
