//! Native passage: bytes pass, and what must be known of them is read beside.

use bytes::Bytes;
use types::{Kind, Usage};
use wire::{
    json::Limits,
    native::{Call, Dialect, Kept, Stream, answer},
    openai::chat::Finish,
};

const MESSAGES: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":2,\"output_tokens\":1}}   }\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    ": a comment\n\n",
    "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\u{e9}\"}}\r\n\r\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7,\"output_tokens_details\":{\"thinking_tokens\":3}}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"       }\n\n",
);

const RESPONSES: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"status\":\"in_progress\"}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"hi\"}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"status\":\"completed\",\"output\":[{\"type\":\"function_call\"}],\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":2}}}}\n\n",
);

fn pieces(text: &str, cuts: &[usize]) -> Vec<Bytes> {
    let mut ends: Vec<usize> = cuts.to_vec();
    ends.push(text.len());
    let mut at = 0;
    let mut all = Vec::new();
    for end in ends {
        all.push(Bytes::copy_from_slice(&text.as_bytes()[at..end]));
        at = end;
    }
    all
}

#[test]
fn a_stream_passes_byte_for_byte_at_every_split_and_its_usage_is_read() {
    let usage = |input, cached_input, output, reasoning| Usage { input, output, cached_input, reasoning };
    for (dialect, text, used) in
        [(Dialect::Messages, MESSAGES, usage(16, 4, 7, 3)), (Dialect::Responses, RESPONSES, usage(9, 4, 5, 2))]
    {
        for cut in 0..=text.len() {
            let (mut stream, mut out) = (Stream::new(dialect), Vec::new());
            for piece in pieces(text, &[cut]) {
                stream.push(&piece, &mut |bytes| out.extend_from_slice(&bytes)).unwrap();
            }
            stream.end(&mut |bytes| out.extend_from_slice(&bytes)).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text, "cut at {cut}");
            assert_eq!((stream.usage(), stream.finish()), (Some(used), Some(Finish::ToolCalls)), "cut at {cut}");
        }
    }
}

#[test]
fn what_the_vendor_keeps_and_what_a_call_continues_is_read_beside() {
    let said = |more: &str| {
        let body = format!(r#"{{"id":"resp_1","object":"response","status":"queued"{more}}}"#);
        answer(Dialect::Responses, body.as_bytes()).unwrap().kept
    };
    let kept = |open| Some(Kept { id: "resp_1".into(), open });
    assert_eq!(said(""), kept(true));
    assert_eq!(said(r#","store":true,"status":"completed""#), kept(false));
    assert_eq!(said(r#","store":false"#), None);
    for (begun, id) in [(r#""id":"resp_2","store":true"#, Some("resp_2")), (r#""id":"resp_2","store":false"#, None)] {
        let event =
            format!("event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{{begun}}}}}\n\n");
        let mut stream = Stream::new(Dialect::Responses);
        stream.push(&Bytes::from(event), &mut |_| {}).unwrap();
        assert_eq!(stream.kept(), id);
    }
    let continues = |body: &str| {
        let call = Call::read(Dialect::Responses, &Bytes::copy_from_slice(body.as_bytes()), None, &Limits::default());
        call.unwrap().continues().map(|(member, id)| (member, id.to_owned()))
    };
    let wanted = Some(("previous_response_id", "resp_\u{e9}".to_owned()));
    assert_eq!(continues(r#"{"model":"m","previous_response_id":"resp_\u00e9"}"#), wanted);
    assert_eq!(continues(r#"{"model":"m","previous_response_id":null}"#), None);
}

#[test]
fn a_stream_that_ends_early_or_tells_of_an_error_is_a_fault_after_what_was_good() {
    let early = &MESSAGES[..MESSAGES.find("event: message_stop").unwrap()];
    let (mut stream, mut out) = (Stream::new(Dialect::Messages), 0);
    stream.push(&Bytes::from_static(early.as_bytes()), &mut |bytes| out += bytes.len()).unwrap();
    assert_eq!(stream.end(&mut |_| {}).unwrap_err().kind, Kind::UpstreamTruncated);
    assert_eq!(out, early.len());

    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let (mut stream, mut told) = (Stream::new(Dialect::Messages), Vec::new());
    let text = format!("{early}{error}");
    let fault = stream.push(&text.into(), &mut |bytes| told.extend_from_slice(&bytes)).unwrap_err();
    assert_eq!((fault.status, fault.message.as_str()), (Some(529), "Overloaded"));
    assert_eq!(told, early.as_bytes());
    let event = String::from_utf8(stream.fault(&fault, "req_1").to_vec()).unwrap();
    assert!(
        event.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""),
        "{event}"
    );

    let mut stream = Stream::new(Dialect::Responses);
    let begun = &RESPONSES[..RESPONSES.find("event: response.completed").unwrap()];
    stream.push(&Bytes::from_static(begun.as_bytes()), &mut |_| {}).unwrap();
    let fault = stream.end(&mut |_| {}).unwrap_err();
    let event = String::from_utf8(stream.fault(&fault, "req_1").to_vec()).unwrap();
    assert!(event.starts_with("event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,"), "{event}");
}

#[test]
fn a_piece_of_an_event_is_not_passed_on_and_the_last_event_needs_no_blank_line() {
    for (dialect, text) in [(Dialect::Messages, MESSAGES), (Dialect::Responses, RESPONSES)] {
        let last = text.trim_end().rfind("event: ").unwrap();
        for cut in 1..text.len() {
            let (mut stream, mut out) = (Stream::new(dialect), Vec::new());
            let mut pushed = |bytes: Bytes| out.extend_from_slice(&bytes);
            stream.push(&Bytes::copy_from_slice(&text.as_bytes()[..cut]), &mut pushed).unwrap();
            let ended = stream.end(&mut pushed);
            let out = String::from_utf8(out).unwrap();
            let whole = out.is_empty() || out.ends_with("\n\n") || out.ends_with("\r\n\r\n");
            assert!(whole && text.starts_with(out.trim_end()), "cut at {cut}: {out}");
            assert_eq!(ended.is_ok(), out.len() > last, "cut at {cut}");
        }
    }
}

#[test]
fn only_the_value_of_model_is_replaced() {
    let limits = Limits::default();
    let read =
        |body: &'static str| Call::read(Dialect::Messages, &Bytes::from_static(body.as_bytes()), Some("p"), &limits);
    for (body, model, sent) in [
        ("{ \"a\" : 1,\n\"model\":\"x/y\" , \"b\":[ ]}", "y", "{ \"a\" : 1,\n\"model\":\"y\" , \"b\":[ ]}"),
        ("{\"model\":\"y\",\"z\":1e2}", "y", "{\"model\":\"y\",\"z\":1e2}"),
        ("{\"mod\\u0065l\":\"x\"}", "y\"", "{\"mod\\u0065l\":\"y\\\"\"}"),
        ("{\"a\":1}", "y", "{\"model\":\"y\",\"a\":1}"),
        ("{}", "y", "{\"model\":\"y\"}"),
    ] {
        let call = read(body).unwrap();
        assert_eq!(call.encode(model).to_bytes(), sent, "{body}");
    }
    assert!(read("{\"model\":\"x\",\"stream\":true}").unwrap().stream());
    for bad in [
        "",
        "[]",
        "{\"model\":1}",
        "{\"model\":\"a\",\"model\":\"b\"}",
        "{\"a\":1,\"a\":2}",
        "{\"model\":\"a\"",
        "{} x",
    ] {
        assert_eq!(read(bad).unwrap_err().kind, Kind::BadRequest, "{bad}");
    }
}

#[test]
fn what_was_used_is_read_from_a_whole_answer() {
    let message =
        br#"{"type":"message","content":[],"stop_reason":"max_tokens","usage":{"input_tokens":3,"output_tokens":2}}"#;
    let read = answer(Dialect::Messages, message).unwrap();
    assert_eq!((read.usage.unwrap().input, read.finish), (3, Some(Finish::Length)));
    let cut = br#"{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"error":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;
    let read = answer(Dialect::Responses, cut).unwrap();
    assert_eq!((read.usage.unwrap().output, read.finish), (2, Some(Finish::Length)));
    let error = br#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#;
    assert_eq!(answer(Dialect::Messages, error).unwrap_err().kind, Kind::UpstreamRateLimited);
    for (dialect, bad) in [(Dialect::Messages, "<html>"), (Dialect::Responses, "{}"), (Dialect::Responses, "3")] {
        assert_eq!(answer(dialect, bad.as_bytes()).unwrap_err().kind, Kind::UpstreamBadReply, "{bad}");
    }
}
