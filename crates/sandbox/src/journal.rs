//! What was asked: a bounded list of every request, with what became of it, and a bell for those who wait for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::http::request::Parts;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::ask::{Ask, members};
use crate::knobs::Knobs;
use crate::media::{hex, sniff};
use crate::multipart;
use crate::tokens::{credential, masked};

/// How many bytes of bodies are kept at most; older requests fall out before that.
const BODIES: usize = 128 << 20;

#[derive(Debug)]
pub(crate) struct Journal {
    started: Instant,
    keep: usize,
    inner: Mutex<Inner>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    bodies: usize,
    entries: VecDeque<Arc<Mutex<Entry>>>,
}

#[derive(Debug, Default)]
struct Entry {
    seen: Map<String, Value>,
    status: Option<u16>,
    body: usize,
    bytes: u64,
    frames: u64,
    finished: bool,
    aborted_ms: Option<u64>,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    fn json(&self) -> Value {
        let mut all = self.seen.clone();
        all.insert("status".into(), json!(self.status));
        all.insert("bytes_sent".into(), json!(self.bytes));
        all.insert("frames_sent".into(), json!(self.frames));
        all.insert("finished".into(), json!(self.finished));
        all.insert("aborted".into(), json!(self.aborted_ms.is_some()));
        let aborted = self.aborted_ms.map(|ms| json!({"ms": ms, "bytes": self.bytes, "frames": self.frames}));
        all.insert("aborted_at".into(), aborted.unwrap_or(Value::Null));
        Value::Object(all)
    }
}

impl Inner {
    fn forget_one(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bodies = self.bodies.saturating_sub(open(&oldest).body);
        }
    }
}

impl Journal {
    pub(crate) fn new(keep: usize) -> Self {
        Self { started: Instant::now(), keep: keep.max(1), inner: Mutex::default(), bell: Notify::new() }
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes the head of a request down; what the answer does is written through the `Exchange`.
    pub(crate) fn begin(self: &Arc<Self>, parts: &Parts, knobs: &Knobs) -> Exchange {
        let entry = Arc::new(Mutex::new(Entry::default()));
        let mut inner = open(&self.inner);
        inner.next += 1;
        let number = inner.next;
        open(&entry).seen = seen(parts, knobs, number, self.ms());
        inner.entries.push_back(Arc::clone(&entry));
        if inner.entries.len() > self.keep {
            inner.forget_one();
        }
        drop(inner);
        self.bell.notify_waiters();
        Exchange { journal: Arc::clone(self), entry }
    }

    pub(crate) fn list(&self) -> Vec<Value> {
        open(&self.inner).entries.iter().map(|entry| open(entry).json()).collect()
    }

    pub(crate) fn clear(&self) {
        let mut inner = open(&self.inner);
        inner.entries.clear();
        inner.bodies = 0;
    }

    /// Makes room for the body of a request.
    fn holds(&self, entry: &Arc<Mutex<Entry>>, body: usize) {
        let mut inner = open(&self.inner);
        // A request that the journal was cleared of meanwhile counts for nothing.
        if !inner.entries.iter().any(|kept| Arc::ptr_eq(kept, entry)) {
            return;
        }
        open(entry).body = body;
        inner.bodies += body;
        while inner.bodies > BODIES && inner.entries.len() > 1 {
            inner.forget_one();
        }
    }

    pub(crate) async fn until(&self, limit: Duration, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let end = tokio::time::Instant::now() + limit;
        loop {
            let rung = self.bell.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            let list = self.list();
            if enough(&list) || tokio::time::timeout_at(end, rung).await.is_err() {
                return if enough(&list) { list } else { self.list() };
            }
        }
    }
}

/// What the parts of a form are: the values of fields, and of files their names, media types, sizes and hashes.
fn multipart(ask: &Ask) -> Option<Value> {
    let media = ask.header("content-type")?;
    multipart::boundary(media)?;
    let shown = |part: &multipart::Part<'_>| {
        let mut shown = json!({"name": part.name, "bytes": part.body.len(), "content_type": part.media});
        match &part.file {
            Some(file) => {
                shown["file_name"] = json!(file);
                shown["hash"] = json!(hex(part.body));
                shown["kind"] = json!(sniff::kind(part.body).map(|(kind, _)| kind));
            }
            None => shown["value"] = json!(String::from_utf8_lossy(part.body)),
        }
        shown
    };
    Some(match multipart::read(media, &ask.body) {
        Ok(parts) => parts.iter().map(shown).collect(),
        Err(why) => json!({ "error": why }),
    })
}

fn seen(parts: &Parts, knobs: &Knobs, number: u64, ms: u64) -> Map<String, Value> {
    let credential = credential(&parts.headers, knobs);
    let headers: Vec<Value> = parts
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            "authorization" | "x-api-key" => json!([name.as_str(), masked(&parts.headers, &credential)]),
            _ => json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]),
        })
        .collect();
    let mut seen = Map::new();
    seen.insert("n".into(), json!(number));
    seen.insert("ms".into(), json!(ms));
    seen.insert("method".into(), json!(parts.method.as_str()));
    seen.insert("target".into(), json!(parts.uri.path_and_query().map_or("", |target| target.as_str())));
    seen.insert("path".into(), json!(parts.uri.path()));
    seen.insert("http".into(), json!(format!("{:?}", parts.version)));
    seen.insert("headers".into(), Value::Array(headers));
    seen.insert("authorization".into(), json!(credential.class.word()));
    seen.insert("authorization_is".into(), json!(credential.name));
    seen
}

/// One request in the journal while it is answered. Dropped before the end, it says that the client left.
#[derive(Debug)]
pub(crate) struct Exchange {
    journal: Arc<Journal>,
    entry: Arc<Mutex<Entry>>,
}

impl Exchange {
    /// Writes down the body and what it is for.
    pub(crate) fn body(&self, ask: &Ask, place: &crate::place::Place) {
        self.journal.holds(&self.entry, ask.body.len());
        let names = members(&ask.body);
        let doubles = names.as_ref().is_some_and(|names| (1..names.len()).any(|at| names[..at].contains(&names[at])));
        let seen = &mut open(&self.entry).seen;
        seen.insert("body".into(), json!(String::from_utf8_lossy(&ask.body)));
        seen.insert("body_bytes".into(), json!(ask.body.len()));
        seen.insert("body_hash".into(), json!(hex(&ask.body)));
        seen.insert("body_kind".into(), json!(sniff::kind(&ask.body).map(|(kind, _)| kind)));
        seen.insert("area".into(), json!(place.area()));
        seen.insert("backend".into(), json!(place.backend()));
        seen.insert("operation".into(), json!(place.operation(ask)));
        if let Some(parts) = multipart(ask) {
            seen.insert("parts".into(), parts);
        }
        if let Some(names) = names {
            seen.insert("model_first".into(), json!(names.first().is_some_and(|name| name == "model")));
            seen.insert("double_members".into(), json!(doubles));
            seen.insert("members".into(), json!(names));
        }
    }

    pub(crate) fn note(&self, name: &str, value: Value) {
        open(&self.entry).seen.insert(name.into(), value);
        self.journal.bell.notify_waiters();
    }

    pub(crate) fn status(&self, status: u16) {
        open(&self.entry).status = Some(status);
        self.journal.bell.notify_waiters();
    }

    pub(crate) fn sent(&self, bytes: usize) {
        let mut entry = open(&self.entry);
        entry.bytes += bytes as u64;
        entry.frames += 1;
        drop(entry);
        self.journal.bell.notify_waiters();
    }

    pub(crate) fn finish(&self) {
        open(&self.entry).finished = true;
        self.journal.bell.notify_waiters();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut entry = open(&self.entry);
        if !entry.finished {
            entry.aborted_ms = Some(self.journal.ms());
        }
        drop(entry);
        self.journal.bell.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::{BODIES, Journal};
    use crate::ask::Ask;
    use crate::knobs::Knobs;
    use crate::place;
    use bytes::Bytes;
    use std::sync::Arc;

    #[test]
    fn large_bodies_push_old_requests_out() {
        let journal = Arc::new(Journal::new(100));
        let (parts, ()) = hyper::Request::new(()).into_parts();
        let large = Bytes::from(vec![b'x'; BODIES / 2]);
        for _ in 0..3 {
            let exchange = journal.begin(&parts, &Knobs::default());
            let ask = Ask::new(&parts, large.clone(), Knobs::default());
            exchange.body(&ask, &place::find("/"));
        }
        assert_eq!(journal.list().len(), 2);
    }
}
