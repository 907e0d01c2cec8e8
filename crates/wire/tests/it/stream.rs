//! Streams: what passes untouched, what is mended, how usage and the end are kept.

use bytes::Bytes;
use serde_json::{Value, json};
use types::{Kind, Usage};
use wire::openai::chat::{Finish, Stream};

use crate::support::{Run, context, data_lines, run, run_at_every_split};

const DONE: &str = "data: [DONE]\n\n";

/// A chunk as OpenAI writes it, with this choice.
fn chunk(choice: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{choice}]}}\n\n"
    )
}

fn text(content: &str) -> String {
    chunk(&format!("{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}},\"finish_reason\":null}}"))
}

fn finish(reason: &str) -> String {
    chunk(&format!("{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}"))
}

/// A chunk with more members at its end.
fn with(chunk: &str, more: &str) -> String {
    chunk.replace("}\n\n", &format!(",{more}}}\n\n"))
}

fn usage(prompt: u64, completion: u64) -> String {
    format!(
        "\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{}}}",
        prompt + completion
    )
}

fn whole(stream: &str, show_usage: bool) -> Run {
    run_at_every_split(&context(show_usage), stream.as_bytes())
}

fn good(stream: &str, show_usage: bool) -> Run {
    let run = whole(stream, show_usage);
    assert!(run.fault.is_none(), "{:?}", run.fault);
    assert!(run.text().ends_with(DONE), "{}", run.text());
    assert_eq!(data_lines(&run.out).iter().filter(|data| *data == "[DONE]").count(), 1);
    assert!(run.stream.is_closed());
    run
}

#[test]
fn a_good_stream_passes_as_the_very_bytes() {
    let stream = format!(
        ": hello\n\n{}{}{}{}{DONE}",
        chunk("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}"),
        text("He"),
        text("llo \\\"you\\\" é\\n"),
        finish("stop")
    );
    let run = good(&stream, false);
    assert_eq!(run.text(), stream);
    assert_eq!((run.stream.finish(), run.stream.usage(), run.stream.events()), (Some(Finish::Stop), None, 4));
    assert!(run.stream.seen_content());
}

#[test]
fn a_chunk_of_bytes_that_needs_no_change_goes_out_as_one_piece_without_a_copy() {
    let stream = format!("{}{}{}", text("a"), text("b"), text("c"));
    let mut state = Stream::new(context(false));
    for bytes in [Bytes::from(stream.clone()), Bytes::from(stream)] {
        let mut pieces = Vec::new();
        let at = bytes.as_ptr();
        state.push(bytes.clone(), &mut |piece| pieces.push(piece)).unwrap();
        assert_eq!(pieces.len(), 1);
        assert_eq!((pieces[0].as_ptr(), pieces[0].len()), (at, bytes.len()));
    }
}

#[test]
fn nothing_is_held_back_that_could_go() {
    let mut state = Stream::new(context(false));
    let mut out = Vec::new();
    state
        .push(Bytes::from(format!("{}data: {{\"id\"", text("a"))), &mut |piece| out.extend_from_slice(&piece))
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), text("a"));
}

#[test]
fn unknown_members_survive_where_other_things_change() {
    let stream = "data: {\"id\":\"\",\"object\":\"text_completion\",\"x\":[1e5,\"\\u00e9\"],\"choices\":[{\"index\":0,\"seed\":14687020407684524000,\"delta\":{\"content\":\"a\",\"token_id\":7},\"finish_reason\":\"eos\"}],\"created\":5,\"model\":\"m\",\"time_info\":{\"t\":1.50}}\n\n";
    let run = good(stream, false);
    let mended = stream
        .replace("\"id\":\"\"", "\"id\":\"chatcmpl-ours\"")
        .replace("text_completion", "chat.completion.chunk")
        .replace("\"eos\"", "\"stop\"");
    assert_eq!(run.text(), format!("{mended}{DONE}"));
}

#[test]
fn finish_reasons_of_others_become_openais() {
    for (theirs, ours, kind) in [
        ("eos_token", "stop", Finish::Stop),
        ("eos", "stop", Finish::Stop),
        ("stop", "stop", Finish::Stop),
        ("length", "length", Finish::Length),
        ("content_filter", "content_filter", Finish::ContentFilter),
        ("function_call", "function_call", Finish::FunctionCall),
        ("stop_sequence", "stop_sequence", Finish::Other),
    ] {
        let run = good(&format!("{}{}{DONE}", text("a"), finish(theirs)), false);
        assert_eq!(run.events()[1]["choices"][0]["finish_reason"], ours);
        assert_eq!(run.stream.finish(), Some(kind));
    }
}

#[test]
fn what_is_missing_is_filled_in_once_and_stays_the_same() {
    let run = good(
        "data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata:{\"id\":null,\"created\":null,\"model\":null,\"object\":null,\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        false,
    );
    for event in run.events() {
        assert_eq!(
            (&event["id"], &event["object"], &event["created"], &event["model"], &event["choices"][0]["index"]),
            (
                &json!("chatcmpl-ours"),
                &json!("chat.completion.chunk"),
                &json!(1_700_000_000),
                &json!("asked-model"),
                &json!(0)
            )
        );
    }
}

#[test]
fn no_space_after_data_and_no_done_are_a_good_stream_that_gets_both() {
    let stream = format!("{}{}", text("a"), finish("stop"));
    for squeezed in [stream.clone(), format!("{stream}{DONE}")] {
        assert_eq!(good(&squeezed.replace("data: ", "data:"), false).text(), format!("{stream}{DONE}"));
    }
}

#[test]
fn a_last_frame_without_its_blank_line_counts() {
    for cut in [1, 2] {
        let stream = format!("{}{}", text("a"), finish("stop"));
        let run = good(&stream[..stream.len() - cut], false);
        assert_eq!(run.events().len(), 2);
        assert!(run.text().contains("\n\ndata: [DONE]"));
    }
}

#[test]
fn a_stray_quote_behind_the_last_chunk_is_overlooked() {
    let run = good(&format!("{}{}\"", text("a"), finish("stop").trim_end()), false);
    assert_eq!(run.events()[1]["choices"][0]["finish_reason"], "stop");
    assert!(!run.text().contains("}\""));
    let run = good(&format!("{}{}\"", text("a"), finish("stop")), false);
    assert_eq!(run.events().len(), 2);
}

#[test]
fn what_follows_done_is_not_passed_on() {
    let stream = format!("{}{}{DONE}{}garbage", text("a"), finish("stop"), text("late"));
    assert_eq!(good(&stream, false).text(), format!("{}{}{DONE}", text("a"), finish("stop")));
}

#[test]
fn done_without_a_finish_reason_is_believed() {
    assert_eq!(good(&format!("{}{DONE}", text("a")), false).stream.finish(), None);
}

#[test]
fn line_ends_comments_names_and_a_byte_order_mark_do_no_harm() {
    let plain = format!(": ping\n\nevent: message\nid: 7\n{}{}{DONE}", text("a"), finish("stop"));
    for stream in [plain.clone(), plain.replace('\n', "\r\n"), plain.replace('\n', "\r"), format!("\u{feff}{plain}")] {
        let run = whole(&stream, false);
        assert!(run.fault.is_none());
        assert_eq!(run.text(), stream.trim_start_matches('\u{feff}'));
    }
}

#[test]
fn empty_events_are_left_out() {
    let stream = format!("data:\n\nevent: ping\n\nevent: ping\ndata: {{}}\n\n{}{}{DONE}", text("a"), finish("stop"));
    assert_eq!(good(&stream, false).text(), format!("{}{}{DONE}", text("a"), finish("stop")));
}

#[test]
fn data_of_several_lines_are_read_and_mended() {
    let stream = "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"a\"},\ndata:\"finish_reason\":\"eos\"}]}\n\n";
    let run = good(stream, false);
    assert_eq!(run.events()[0]["choices"][0]["finish_reason"], "stop");
    assert_eq!(run.events()[0]["choices"][0]["delta"]["content"], "a");
}

/// Many readers take a stream line by line.
#[test]
fn data_of_several_lines_go_out_in_one_also_where_nothing_else_changes() {
    let (a, end) = (text("a"), finish("stop"));
    let lines = a.replacen(",\"", ",\ndata: \"", 1);
    assert_ne!(lines, a);
    let one = a.replacen(",\"", ", \"", 1);
    assert_eq!(good(&format!("{lines}{end}{DONE}"), false).text(), format!("{one}{end}{DONE}"));
    for done in ["data:\ndata: [DONE]\n\n", "data:  [DONE] \n\n", "data: [DONE]\ndata: {}\n\n", "data:[DONE]\r\n\r\n"] {
        assert_eq!(good(&format!("{a}{end}{done}"), false).text(), format!("{a}{end}{DONE}"), "{done:?}");
    }
}

/// The ways in which backends give usage: on the last chunk, in its own, in every chunk, in its own and every chunk.
fn ways_of_usage() -> Vec<(&'static str, String)> {
    let own = with(&chunk(""), &usage(3, 5));
    vec![
        ("with the finish", format!("{}{}{DONE}", text("a"), with(&finish("stop"), &usage(3, 5)))),
        ("with the finish, no done", format!("{}{}", text("a"), with(&finish("stop"), &usage(3, 5)))),
        ("in its own", format!("{}{}{own}{DONE}", text("a"), finish("stop"))),
        ("in its own, no done", format!("{}{}{own}", text("a"), finish("stop"))),
        ("everywhere", format!("{}{}{DONE}", with(&text("a"), &usage(3, 1)), with(&finish("stop"), &usage(3, 5)))),
        (
            "everywhere and in its own",
            format!("{}{}{own}{DONE}", with(&text("a"), &usage(3, 1)), with(&finish("stop"), &usage(3, 5))),
        ),
        ("in its own before the finish", format!("{}{own}{}{DONE}", text("a"), finish("stop"))),
        (
            "first too",
            format!("{}{}{}{DONE}", with(&chunk(""), &usage(3, 0)), text("a"), with(&finish("stop"), &usage(3, 5))),
        ),
        (
            "first in the chunk",
            format!("{}{DONE}", finish("stop").replace("{\"id\"", &format!("{{{},\"id\"", usage(3, 5)))),
        ),
    ]
}

#[test]
fn usage_that_was_not_asked_for_is_taken_out_wherever_it_stands() {
    for (way, stream) in ways_of_usage() {
        let run = good(&stream, false);
        assert!(!run.text().contains("usage"), "{way}: {}", run.text());
        assert_eq!(run.stream.usage(), Some(Usage { input: 3, output: 5, ..Usage::default() }), "{way}");
        assert!(run.events().iter().all(|event| event["choices"] != json!([])), "{way}");
    }
}

#[test]
fn usage_that_was_asked_for_comes_once_in_a_last_chunk_without_choices() {
    for (way, stream) in ways_of_usage() {
        let run = good(&stream, true);
        let events = run.events();
        let (last, before) = events.split_last().unwrap();
        assert_eq!(last["choices"], json!([]), "{way}");
        assert_eq!(last["usage"], json!({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}), "{way}");
        assert_eq!((&last["id"], &last["model"], &last["created"]), (&json!("c-1"), &json!("m"), &json!(1)), "{way}");
        assert_eq!(last["object"], "chat.completion.chunk");
        for event in before {
            assert!(event["choices"] != json!([]) && event.get("usage").is_none_or(Value::is_null), "{way}: {event}");
        }
    }
}

#[test]
fn a_backends_own_chunk_of_usage_passes_as_it_is() {
    let stream = format!("{}{}{}{DONE}", text("a"), finish("stop"), with(&chunk(""), &usage(3, 5)));
    assert_eq!(good(&stream, true).text(), stream);
}

#[test]
fn a_null_for_usage_is_no_usage() {
    let stream = format!("{}{}{DONE}", with(&text("a"), "\"usage\":null"), with(&finish("stop"), "\"usage\":null"));
    for show in [true, false] {
        let run = good(&stream, show);
        assert_eq!((run.text(), run.stream.usage()), (stream.clone(), None));
    }
}

#[test]
fn odd_numbers_in_usage_do_no_harm() {
    for (written, input, output) in [
        ("\"usage\":{\"prompt_tokens\":null,\"completion_tokens\":-4}", 0, 0),
        ("\"usage\":{\"prompt_tokens\":1e3,\"completion_tokens\":2.0}", 1000, 2),
        ("\"usage\":{\"prompt_tokens\":99999999999999999999999,\"completion_tokens\":\"7\"}", u64::MAX, 0),
        ("\"usage\":{}", 0, 0),
    ] {
        let run = good(&format!("{}{DONE}", with(&finish("stop"), written)), false);
        assert_eq!(run.stream.usage(), Some(Usage { input, output, ..Usage::default() }), "{written}");
    }
    let details = "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"x\":1,\"reasoning_tokens\":15}}";
    let run = good(&format!("{}{DONE}", with(&finish("stop"), details)), false);
    assert_eq!(run.stream.usage(), Some(Usage { input: 10, output: 20, cached_input: 4, reasoning: 15 }));
}

#[test]
fn an_error_in_the_stream_ends_it_in_the_backends_words() {
    for (event, kind, words) in [
        (
            "data: {\"error\":\"out of memory\",\"error_type\":\"generation\"}\n\n",
            Kind::UpstreamFailed,
            "out of memory",
        ),
        (
            "data: {\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\",\"code\":429}}\n\n",
            Kind::UpstreamRateLimited,
            "slow down",
        ),
        (
            "data: {\"object\":\"error\",\"message\":\"bad\",\"type\":\"BadRequestError\",\"code\":400}\n\n",
            Kind::UpstreamRejected,
            "bad",
        ),
        ("event: error\ndata: plain words\n\n", Kind::UpstreamFailed, "plain words"),
        ("data: {\"detail\":\"nope\"}\n\n", Kind::UpstreamFailed, "nope"),
        ("data: {\"error\":{\"message\":\"late\"}}", Kind::UpstreamFailed, "late"),
        (
            "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{}}],\"error\":{\"message\":\"both\",\"code\":502}}\n\n",
            Kind::UpstreamFailed,
            "both",
        ),
    ] {
        let run = whole(&format!("{}{event}", text("a")), true);
        let fault = run.fault.expect(event);
        assert_eq!((fault.kind, fault.message.as_str()), (kind, words), "{event}");
        assert_eq!(String::from_utf8_lossy(&run.out), text("a"), "what came before stands, and no [DONE]");
    }
}

#[test]
fn a_stream_that_breaks_off_ends_with_an_error_and_no_done() {
    let begun = format!("{}{}", text("a"), text("b"));
    for (stream, out) in [
        (String::new(), String::new()),
        (": waiting\n\n".into(), ": waiting\n\n".into()),
        (begun.clone(), begun.clone()),
        (format!("{begun}data: {{\"id\":\"c-1\",\"choi"), begun.clone()),
        (
            format!("{begun}data: {{\"id\":\"c-1\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"st"),
            begun,
        ),
    ] {
        let run = whole(&stream, true);
        assert_eq!(run.fault.as_ref().map(|fault| fault.kind), Some(Kind::UpstreamTruncated), "{stream}");
        assert_eq!(run.text(), out);
    }
}

#[test]
fn a_stream_that_is_no_stream_of_chunks_is_a_bad_reply() {
    for stream in ["data: hello\n\n", "data: [1]\n\n", "data: {\"choices\":\n\n", "data: {} {}\n\n"] {
        let run = whole(&format!("{}{stream}", text("a")), false);
        assert_eq!(run.fault.expect(stream).kind, Kind::UpstreamBadReply, "{stream}");
    }
    let mut small = context(false);
    small.max_frame = 400;
    let fault = run(small, [format!("data: {}", "x".repeat(500)).as_bytes()]).fault.unwrap();
    assert_eq!(fault.kind, Kind::UpstreamBadReply);
}

/// Puts the pieces of tool calls together as a client does.
fn calls(run: &Run) -> Vec<(String, String, String)> {
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for event in run.events() {
        for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().expect("every piece has an index") as usize;
            if index == calls.len() {
                assert_eq!(call["type"], "function");
                calls.push((
                    call["id"].as_str().expect("the first piece has an id").into(),
                    String::new(),
                    String::new(),
                ));
            }
            calls[index].1 += call["function"]["name"].as_str().unwrap_or("");
            calls[index].2 += call["function"]["arguments"].as_str().unwrap_or("");
        }
    }
    calls
}

fn call_piece(call: &str) -> String {
    chunk(&format!("{{\"index\":0,\"delta\":{{\"tool_calls\":{call}}},\"finish_reason\":null}}"))
}

#[test]
fn tool_calls_come_with_string_ids_text_arguments_and_their_finish() {
    let of = |id: &str, name: &str, arguments: &str| (id.to_owned(), name.to_owned(), arguments.to_owned());
    for (pieces, wanted) in [
        // As OpenAI has it.
        (
            vec![
                r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]"#,
                r#"[{"index":0,"function":{"arguments":"{\"x\":"}}]"#,
                r#"[{"index":0,"function":{"arguments":"1}"}}]"#,
                r#"[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]"#,
            ],
            vec![of("a", "f", "{\"x\":1}"), of("b", "g", "{}")],
        ),
        // A number for an id, an object for the arguments.
        (
            vec![
                r#"[{"index":0,"id":0,"type":"function","function":{"name":"f","arguments":{"x": 1}}},{"index":1,"id":0,"type":"function","function":{"name":"g","arguments":{}}}]"#,
            ],
            vec![of("call_ours_0_0", "f", "{\"x\": 1}"), of("call_ours_0_1", "g", "{}")],
        ),
        // A number in every piece.
        (
            vec![
                r#"[{"index":0,"id":7,"type":"function","function":{"name":"f","arguments":"{"}}]"#,
                r#"[{"index":0,"id":7,"type":"function","function":{"arguments":"}"}}]"#,
            ],
            vec![of("call_ours_0_0", "f", "{}")],
        ),
        // One call without a list, and an empty id.
        (
            vec![
                r#"{"index":0,"id":"","type":"function","function":{"name":"f","arguments":"{"}}"#,
                r#"{"index":0,"id":"","type":"function","function":{"name":null,"arguments":"}"}}"#,
            ],
            vec![of("call_ours_0_0", "f", "{}")],
        ),
        // No index, no type.
        (
            vec![
                r#"[{"id":"a","function":{"name":"f","arguments":"{}"}}]"#,
                r#"[{"id":"b","function":{"name":"g","arguments":"{"}}]"#,
                r#"[{"id":"b","function":{"arguments":"1"}}]"#,
                r#"[{"function":{"arguments":"}"}}]"#,
            ],
            vec![of("a", "f", "{}"), of("b", "g", "{1}")],
        ),
        // Nothing at all but the function.
        (vec![r#"[{"function":{"name":"f","arguments":null}}]"#], vec![of("call_ours_0_0", "f", "{}")]),
    ] {
        let stream =
            format!("{}{}{DONE}", pieces.iter().map(|piece| call_piece(piece)).collect::<String>(), finish("stop"));
        let run = good(&stream, false);
        assert_eq!(calls(&run), wanted);
        assert_eq!(run.stream.finish(), Some(Finish::ToolCalls));
        assert_eq!(run.events().last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
        assert!(run.stream.seen_content());
    }
}

#[test]
fn who_speaks_is_said_once_for_each_choice_however_often_the_backend_says_it() {
    let said = |index: u32, delta: &str| chunk(&format!("{{\"index\":{index},\"delta\":{{{delta}}}}}"));
    let role = "\"role\":\"assistant\"";
    let stream = [
        said(0, &format!("{role},\"content\":\"a\"")),
        said(0, &format!("{role},\"content\":\"b\"")),
        said(1, &format!("{role} , \"content\":\"c\"")),
        said(0, &format!("\"content\":\"d\" , {role}")),
        said(0, role),
        said(1, "\"content\":\"e\""),
        finish("stop"),
        DONE.to_owned(),
    ];
    let wanted = [
        stream[0].clone(),
        said(0, "\"content\":\"b\""),
        stream[2].clone(),
        said(0, "\"content\":\"d\" "),
        said(0, ""),
        stream[5].clone(),
        stream[6].clone(),
        stream[7].clone(),
    ];
    assert_eq!(good(&stream.concat(), false).text(), wanted.concat());
}

#[test]
fn a_calls_id_and_name_are_said_once_however_often_the_backend_says_them() {
    let piece = |id: &str, function: &str| call_piece(&format!("[{{\"index\":0,{id}\"function\":{{{function}}}}}]"));
    let id = "\"id\":\"a\",";
    let stream = [
        piece(id, "\"name\":\"f\",\"arguments\":\"\""),
        piece(id, "\"name\":\"f\",\"arguments\":\"{\""),
        piece("", "\"arguments\":\"}\",\"name\":\"f\""),
        piece("\"id\":\"other\",", "\"name\":\"\",\"arguments\":\" \""),
        finish("tool_calls"),
        DONE.to_owned(),
    ];
    let run = good(&stream.concat(), false);
    let pieces: Vec<_> =
        run.events()[1..4].iter().map(|event| event["choices"][0]["delta"]["tool_calls"][0].clone()).collect();
    let arguments = |name: Option<&str>, text: &str| match name {
        Some(name) => json!({"index": 0, "function": {"name": name, "arguments": text}}),
        None => json!({"index": 0, "function": {"arguments": text}}),
    };
    assert_eq!(pieces, [arguments(None, "{"), arguments(None, "}"), arguments(Some(""), " ")]);
    assert_eq!(run.events()[0]["choices"][0]["delta"]["tool_calls"][0]["id"], "a");
}

#[test]
fn calls_that_never_got_arguments_have_an_empty_object_when_they_are_complete() {
    let begin = |index: u32, arguments: &str| {
        call_piece(&format!(
            "[{{\"index\":{index},\"id\":\"c{index}\",\"type\":\"function\",\"function\":{{\"name\":\"f\",\"arguments\":\"{arguments}\"}}}}]"
        ))
    };
    let missing = |finish: &str| -> Vec<Value> {
        let first = chunk("{\"index\":0,\"delta\":{\"role\":\"assistant\"}}");
        let run = good(&format!("{first}{}{}{}{finish}{DONE}", begin(0, ""), begin(1, "{}"), begin(2, "")), false);
        let calls = run.events().last().unwrap()["choices"][0]["delta"]["tool_calls"].clone();
        calls.as_array().cloned().unwrap_or_default()
    };
    let empty = |index: u32| json!({"index": index, "function": {"arguments": "{}"}});
    let more = chunk("{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}");
    let end = |delta: &str| chunk(&format!("{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":\"stop\"}}"));
    let null = end("\"role\":\"assistant\",\"tool_calls\":null");
    let role = end("\"role\":\"assistant\"");
    let none = end("\"tool_calls\": [ ] ,\"content\":null");
    for end in [finish("tool_calls"), finish("stop"), more, null, role, none] {
        assert_eq!(missing(&end), [empty(0), empty(2)], "{end}");
    }
    // One that was cut off has none.
    assert!(missing(&finish("length")).is_empty());
}

#[test]
fn an_empty_list_of_tool_calls_is_no_call() {
    let stream = format!("{}{}{}{DONE}", call_piece("[]"), call_piece("null"), finish("stop"));
    let run = good(&stream, false);
    assert_eq!((run.text(), run.stream.finish()), (stream, Some(Finish::Stop)));
    assert!(!run.stream.seen_content());
}

#[test]
fn calls_of_one_choice_do_not_touch_the_finish_of_another() {
    let stream = format!(
        "{}{}{}{DONE}",
        chunk(
            r#"{"index":1,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}}"#
        ),
        chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#),
        chunk(r#"{"index":1,"delta":{},"finish_reason":"stop"}"#),
    );
    let run = good(&stream, false);
    let reasons: Vec<_> = run.events()[1..].iter().map(|event| event["choices"][0]["finish_reason"].clone()).collect();
    assert_eq!(reasons, ["stop", "tool_calls"]);
}

#[test]
fn reasoning_is_kept_under_the_name_that_it_came_with() {
    for name in ["reasoning", "reasoning_content"] {
        let stream =
            format!("{}{}{DONE}", chunk(&format!("{{\"index\":0,\"delta\":{{\"{name}\":\"hm\"}}}}")), finish("stop"));
        let run = good(&stream, false);
        assert_eq!(run.text(), stream);
        assert!(run.stream.seen_content());
    }
}

#[test]
fn chunks_without_choices_that_say_other_things_pass() {
    let first = with(&chunk(""), "\"prompt_filter_results\":[1]");
    let stream = format!("{first}{}{}{DONE}", text("a"), finish("stop"));
    assert_eq!(good(&stream, false).text(), stream);
}

#[test]
fn frames_alike_but_for_their_text_are_still_judged() {
    // The same bytes around the text, but the text breaks the frame.
    for bad in ["\u{1}", "\\q", "\\u12"] {
        let run = whole(&format!("{}{}{}", text("a"), text("b"), text(bad)), false);
        assert_eq!(run.fault.map(|fault| fault.kind), Some(Kind::UpstreamBadReply), "{bad:?}");
    }
    // A text that ends the string and says more.
    let sly = "x\"},\"finish_reason\":\"length\"},{\"index\":1,\"delta\":{\"content\":\"y";
    let run = whole(&format!("{}{}{}", text("a"), text("b"), text(sly)), false);
    assert_eq!(run.stream.finish(), Some(Finish::Length));
    let bytes = [text("a").as_bytes(), &text("XX").replace("XX", "\u{80}").into_bytes()[..]].concat();
    let mut broken = bytes.clone();
    let at = broken.iter().rposition(|b| *b == 0xc2).unwrap();
    broken[at] = b'x';
    assert_eq!(
        run_at_every_split(&context(false), &broken).fault.map(|fault| fault.kind),
        Some(Kind::UpstreamBadReply)
    );
}
