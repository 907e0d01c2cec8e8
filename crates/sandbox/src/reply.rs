//! An answer before it is sent: status, headers, and its bytes, whole or in steps.

use std::time::Duration;

use bytes::Bytes;

/// An answer that a fault may still change.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Sent at once, with its length.
    Whole(Bytes),
    /// Sent frame by frame, each in a write of its own, with a pause between two.
    Events { frames: Vec<Bytes>, gap: Duration },
    /// What a fault made of it.
    Steps(Vec<Step>),
    /// Instead of all that HTTP would say: these bytes, then the connection closes.
    Raw(Vec<u8>),
}

/// What the body of an answer does next. After the last step it ends properly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Bytes),
    Wait(Duration),
    /// What is written so far leaves before anything else is written.
    Flush,
    /// Nothing more, until the client leaves.
    Stall,
    /// These frames again and again, until the client leaves.
    Repeat(Vec<Bytes>, Duration),
    /// The connection closes without the end of the message.
    Cut,
    /// The connection is reset.
    Reset,
}

impl Reply {
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::whole(status, "application/json", body)
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::whole(status, "text/plain; charset=utf-8", body.to_owned())
    }

    pub(crate) fn whole(status: u16, media: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type".into(), media.into())], content: Content::Whole(body.into()) }
    }

    pub(crate) fn events(media: &str, frames: Vec<Bytes>, gap: Duration) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".into(), media.into()), ("cache-control".into(), "no-cache".into())],
            content: Content::Events { frames, gap },
        }
    }

    pub(crate) fn raw(bytes: Vec<u8>) -> Self {
        Self { status: 0, headers: Vec::new(), content: Content::Raw(bytes) }
    }

    /// Sets a header, in place of one with the same name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(have, _)| have != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    #[cfg(test)]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The frames of a stream, or the whole body as one.
    pub(crate) fn frames(&self) -> Vec<Bytes> {
        match &self.content {
            Content::Whole(body) => vec![body.clone()],
            Content::Events { frames, .. } => frames.clone(),
            Content::Steps(steps) => steps
                .iter()
                .filter_map(|step| if let Step::Send(bytes) = step { Some(bytes.clone()) } else { None })
                .collect(),
            Content::Raw(_) => Vec::new(),
        }
    }

    pub(crate) fn gap(&self) -> Duration {
        if let Content::Events { gap, .. } = self.content { gap } else { Duration::ZERO }
    }
}

/// Frames as steps, with a pause between two.
pub(crate) fn paced(frames: impl IntoIterator<Item = Bytes>, gap: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    for frame in frames {
        if !steps.is_empty() && !gap.is_zero() {
            steps.push(Step::Wait(gap));
        }
        steps.push(Step::Send(frame));
    }
    steps
}
