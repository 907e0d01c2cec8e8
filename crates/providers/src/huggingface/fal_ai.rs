//! fal: pictures through its queue, sound at once, no chat.

use types::Operation;

use crate::{Backend, Flow, Op, Queue, Scheme};

const QUEUE: Queue = Queue { direct: "https://queue.fal.run", query: "_subdomain=queue" };

pub(crate) const BACKEND: Backend = Backend {
    id: "fal-ai",
    aliases: &["fal"],
    hub_org: "fal",
    direct: Some("https://fal.run"),
    scheme: Scheme::Key,
    ops: &[
        Op::exchange(Operation::Speech, "{model}", Flow::Fal),
        Op::exchange(Operation::Transcription, "{model}", Flow::Fal),
        Op::exchange(Operation::Image, "{model}", Flow::FalQueue).queued(QUEUE),
        Op::exchange(Operation::ImageStream, "{model}/stream", Flow::FalStream),
        Op::exchange(Operation::ImageEdit, "{model}", Flow::FalQueue).queued(QUEUE),
        Op::exchange(Operation::ImageEditStream, "{model}/stream", Flow::FalStream),
    ],
    ..Backend::ROUTED
};
