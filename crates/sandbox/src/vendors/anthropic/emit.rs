//! Anthropic's bytes: one JSON text, or the frames of a stream. The service pads some of its frames with spaces.

use bytes::Bytes;

use crate::chat::script::{Call, Finish, Script};
use crate::fill::{fill, fingerprint, quoted};

/// What a signature of thinking looks like here.
pub(super) fn signature(thought: &str) -> String {
    format!("EqSandbox{}==", fingerprint(thought))
}

pub(super) struct Answer<'a> {
    pub(super) script: &'a Script,
    pub(super) model: &'a str,
    pub(super) seed: &'a [u8],
}

const WHOLE: &str = r#"{"model":$M,"id":"$ID","type":"message","role":"assistant","content":[$C],"stop_reason":"$F","stop_sequence":$S,"usage":{"input_tokens":$I,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":$O,"service_tier":"standard"}}"#;

const START: &str = r#"{"type":"message_start","message":{"model":$M,"id":"$ID","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":$I,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}   }"#;

const DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"$F","stop_sequence":$S},"usage":{"input_tokens":$I,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":$O}           }"#;

impl Answer<'_> {
    fn id(&self) -> String {
        format!("msg_01{}", fingerprint(&String::from_utf8_lossy(self.seed)))
    }

    fn fill(&self, template: &str, content: &str) -> String {
        let script = self.script;
        let finish = match script.finish {
            Finish::ToolCalls => "tool_use",
            Finish::Length => "max_tokens",
            Finish::Stop if script.stopped.is_some() => "stop_sequence",
            Finish::Stop => "end_turn",
        };
        let stopped = script.stopped.as_deref().map_or("null".to_owned(), quoted);
        fill(
            template,
            &[
                ("M", &quoted(self.model)),
                ("ID", &self.id()),
                ("C", content),
                ("F", finish),
                ("S", &stopped),
                ("I", &script.prompt_tokens.to_string()),
                ("O", &script.completion_tokens().to_string()),
            ],
        )
    }

    pub(super) fn whole(&self) -> String {
        let script = self.script;
        let mut blocks = Vec::new();
        if !script.reasoning.is_empty() {
            let thought = script.reasoning.concat();
            let (thought, signed) = (quoted(&thought), signature(&thought));
            blocks.push(format!(r#"{{"type":"thinking","thinking":{thought},"signature":"{signed}"}}"#));
        }
        if !script.words.is_empty() {
            blocks.push(format!(r#"{{"type":"text","text":{}}}"#, quoted(&script.text())));
        }
        for call in &script.calls {
            let (id, name) = (quoted(&id_of(call)), quoted(&call.name));
            blocks.push(format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{}}}"#, call.arguments));
        }
        self.fill(WHOLE, &blocks.join(","))
    }

    pub(super) fn frames(&self) -> Vec<Bytes> {
        let script = self.script;
        let mut frames = vec![frame("message_start", &self.fill(START, ""))];
        let mut index = 0;
        if !script.reasoning.is_empty() {
            let begin = r#"{"type":"thinking","thinking":"","signature":""}"#;
            let deltas = script.reasoning.iter().map(|word| delta("thinking_delta", "thinking", word));
            let sign = delta("signature_delta", "signature", &signature(&script.reasoning.concat()));
            block(&mut frames, &mut index, begin, deltas.chain([sign]));
        }
        if !script.words.is_empty() {
            let deltas = script.words.iter().map(|word| delta("text_delta", "text", word));
            block(&mut frames, &mut index, r#"{"type":"text","text":""}"#, deltas);
        }
        for call in &script.calls {
            let (id, name) = (quoted(&id_of(call)), quoted(&call.name));
            let begin = format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{{}}}}"#);
            let arguments = call.arguments.to_string();
            let middle = arguments.char_indices().map(|(at, _)| at).find(|at| *at >= arguments.len() / 2).unwrap_or(0);
            let pieces = ["", &arguments[..middle], &arguments[middle..]];
            block(
                &mut frames,
                &mut index,
                &begin,
                pieces.into_iter().map(|piece| delta("input_json_delta", "partial_json", piece)),
            );
        }
        frames.push(frame("message_delta", &self.fill(DELTA, "")));
        frames.push(frame("message_stop", r#"{"type":"message_stop"    }"#));
        frames
    }
}

fn id_of(call: &Call) -> String {
    format!("toolu_01{}", call.id.trim_start_matches("call_"))
}

fn delta(kind: &str, member: &str, text: &str) -> String {
    format!(r#"{{"type":"{kind}","{member}":{}}}"#, quoted(text))
}

/// One block: its start, the first of all followed by a ping, its deltas, its stop.
fn block(frames: &mut Vec<Bytes>, index: &mut usize, begin: &str, deltas: impl Iterator<Item = String>) {
    let at = *index;
    *index += 1;
    let start = format!(r#"{{"type":"content_block_start","index":{at},"content_block":{begin}      }}"#);
    frames.push(frame("content_block_start", &start));
    if at == 0 {
        frames.push(frame("ping", r#"{"type": "ping"}"#));
    }
    for delta in deltas {
        let data = format!(r#"{{"type":"content_block_delta","index":{at},"delta":{delta}  }}"#);
        frames.push(frame("content_block_delta", &data));
    }
    frames.push(frame("content_block_stop", &format!(r#"{{"type":"content_block_stop","index":{at}     }}"#)));
}

fn frame(event: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {event}\ndata: {data}\n\n"))
}
