//! Writing a call for a backend: every rewrite, and that nothing else changes.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use types::{Fault, Kind};
use wire::{
    json::Limits,
    openai::chat::{Ask, Call, Dialect, Encoded, JsonSchema, MaxTokens, Messages, StreamOptions, encode},
};

const STRICT: Dialect = Dialect { refuse: &["logprobs", "n", "tools", "logit_bias"], ..Dialect::COMPATIBLE };
const ASK: Ask<'_> = Ask { lenient: false, backend: "somewhere" };
const LENIENT: Ask<'_> = Ask { lenient: true, backend: "somewhere" };

fn try_write(text: &str, dialect: &Dialect, ask: Ask<'_>) -> Result<Encoded, Box<Fault>> {
    let call = Call::read(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
        .unwrap_or_else(|f| panic!("{text}: {f}"));
    encode(&call, dialect, "their/name", ask)
}

/// What is sent, as text, and the names of what was dropped.
fn write(text: &str, dialect: &Dialect, ask: Ask<'_>) -> (String, Vec<String>) {
    let encoded = try_write(text, dialect, ask).unwrap_or_else(|f| panic!("{text}: {f}"));
    let sent = String::from_utf8(encoded.body.to_bytes().to_vec()).unwrap();
    assert_eq!(encoded.body.len(), sent.len());
    serde_json::from_str::<Value>(&sent).unwrap_or_else(|e| panic!("{e}: {sent}"));
    (sent, encoded.dropped.into_iter().map(|d| d.member.into_owned()).collect())
}

fn sent(text: &str, dialect: &Dialect) -> String {
    write(text, dialect, ASK).0
}

#[test]
fn the_model_comes_first_under_the_backends_name() {
    for (text, wanted) in [
        (r#"{"model":"m","messages":[]}"#, r#"{"model":"their/name","messages":[]}"#),
        (r#"{"messages":[],"model":"m"}"#, r#"{"model":"their/name","messages":[]}"#),
        (r#"{"messages":[],"model":"m","top_k":3}"#, r#"{"model":"their/name","messages":[],"top_k":3}"#),
        (
            "{ \"messages\" : [ ] ,\n \"model\" : \"m\" , \"top_k\" : 3 }",
            "{\"model\":\"their/name\",\"messages\" : [ ] , \"top_k\" : 3 }",
        ),
    ] {
        assert_eq!(sent(text, &Dialect::OPENAI), wanted);
    }
    let call = Call::read(Bytes::from_static(b"{\"model\":\"m\",\"messages\":[]}"), &Limits::default()).unwrap();
    let odd = encode(&call, &Dialect::OPENAI, "a\"b\n", ASK).unwrap();
    assert_eq!(odd.body.to_bytes(), "{\"model\":\"a\\\"b\\n\",\"messages\":[]}");
}

#[test]
fn everything_else_goes_to_openai_as_it_came() {
    let rest = r#""messages":[{"role":"developer","content":"x","name":null},{"role":"assistant","refusal":null,"annotations":[]}], "store" : true,"max_tokens":1,"max_completion_tokens":2,"user":null,"tools":[{"type":"web_search"},{"type":"custom","custom":{"name":"c"}}],"what":{"is":[1e5,"\u00e9\/"]}}"#;
    let (sent, dropped) = write(&format!("{{\"model\":\"m\",{rest}"), &Dialect::OPENAI, ASK);
    assert_eq!(sent, format!("{{\"model\":\"their/name\",{rest}"));
    assert!(dropped.is_empty());
}

#[test]
fn a_refusal_that_is_played_back_stays_what_was_said() {
    let replay = |message: &str| format!(r#"{{"model":"m","messages":[{{"role":"assistant",{message}}}]}}"#);
    for (message, wanted) in [
        (r#""content":null,"refusal":"I \"won't\".","annotations":[]"#, r#""content":"I \"won't\".""#),
        (r#""refusal":"No.","content":null"#, r#""content":"No.""#),
        (r#""content":"Well.","refusal":"No.""#, r#""content":"Well.""#),
        (r#""content":null,"refusal":null"#, r#""content":null"#),
        (r#""content":null,"refusal":"""#, r#""content":null"#),
    ] {
        let wanted = format!(r#"{{"model":"their/name","messages":[{{"role":"assistant",{wanted}}}]}}"#);
        assert_eq!(sent(&replay(message), &Dialect::COMPATIBLE), wanted, "{message}");
        assert!(sent(&replay(message), &Dialect::OPENAI).ends_with(&replay(message)[14..]), "{message}");
    }
}

#[test]
fn each_dialect_spells_a_json_schema_its_own_way() {
    let text = r#"{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object", "x":1}}},"z":0}"#;
    let format = |dialect| {
        let value: Value =
            serde_json::from_str(&sent(text, &Dialect { json_schema: dialect, ..Dialect::COMPATIBLE })).unwrap();
        (value["response_format"].clone(), value.get("guided_json").cloned(), value["z"].clone())
    };
    let schema = json!({"type": "object", "x": 1});
    let openai = json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    let not_strict = json!({"type": "json_schema", "json_schema": {"name": "n", "strict": false, "schema": schema}});
    for (dialect, wanted, guided) in [
        (JsonSchema::AsIs, openai.clone(), None),
        (JsonSchema::SchemaBesideType, json!({"type": "json_schema", "schema": schema}), None),
        (JsonSchema::ObjectWithSchema, json!({"type": "json_object", "schema": schema}), None),
        (JsonSchema::ObjectWithValue, json!({"type": "json_object", "value": schema}), None),
        (JsonSchema::NotStrict, not_strict, None),
        (JsonSchema::WithGuidedJson, openai, Some(schema.clone())),
    ] {
        assert_eq!(format(dialect), (wanted, guided, json!(0)), "{dialect:?}");
    }
}

#[test]
fn strict_is_added_as_false_where_it_was_not_said() {
    let text = r#"{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}}"#;
    let sent = sent(text, &Dialect { json_schema: JsonSchema::NotStrict, ..Dialect::COMPATIBLE });
    assert!(sent.ends_with(r#""json_schema":{"strict":false,"name":"n","schema":{}}}}"#), "{sent}");
}

#[test]
fn other_formats_of_an_answer_are_left_alone() {
    for format in [
        r#"{"type":"json_object"}"#,
        r#"{"type":"text"}"#,
        r#"{"type":"grammar","value":"x"}"#,
        r#"{"type":"json_schema","schema":{}}"#,
    ] {
        let text = format!("{{\"model\":\"m\",\"messages\":[],\"response_format\":{format}}}");
        let sent = sent(&text, &Dialect { json_schema: JsonSchema::ObjectWithValue, ..Dialect::COMPATIBLE });
        assert!(sent.contains(format), "{sent}");
    }
}

#[test]
fn the_token_limit_goes_by_the_name_that_the_server_knows() {
    let old = Dialect { max_tokens: MaxTokens::MaxTokens, ..Dialect::COMPATIBLE };
    let new = Dialect { max_tokens: MaxTokens::MaxCompletionTokens, ..Dialect::COMPATIBLE };
    let call = |members: &str| format!("{{\"model\":\"m\",\"messages\":[]{members}}}");
    for (dialect, members, wanted, gone) in [
        (old, r#","max_tokens":5"#, r#","max_tokens":5"#, None),
        (old, r#","max_completion_tokens":5,"x":1"#, r#","max_tokens":5,"x":1"#, None),
        (old, r#","max_completion_tokens":5,"max_tokens":6"#, r#","max_tokens":6"#, Some("max_completion_tokens")),
        (old, r#","max_tokens":null,"max_completion_tokens":5"#, r#","max_tokens":5"#, None),
        (old, r#","max_tokens":6,"max_completion_tokens":null"#, r#","max_tokens":6"#, None),
        (new, r#","max_tokens":5"#, r#","max_completion_tokens":5"#, None),
        (new, r#","max_tokens":5,"max_completion_tokens":6"#, r#","max_completion_tokens":6"#, Some("max_tokens")),
    ] {
        let (sent, dropped) = write(&call(members), &dialect, ASK);
        assert_eq!(sent, format!("{{\"model\":\"their/name\",\"messages\":[]{wanted}}}"));
        assert_eq!(dropped.first().map(String::as_str), gone);
    }
    assert_eq!(
        sent(r#"{"max_completion_tokens":5,"model":"m","messages":[]}"#, &old),
        r#"{"model":"their/name","max_tokens":5,"messages":[]}"#
    );
}

#[test]
fn a_developer_becomes_a_system_where_the_role_is_not_known() {
    let text = r#"{"model":"m","messages":[{"content":"developer","role":"dev\u0065loper"},{"role" : "developer","content":null},{"role":"user","content":"developer"}]}"#;
    assert_eq!(
        sent(text, &Dialect::COMPATIBLE),
        r#"{"model":"their/name","messages":[{"content":"developer","role":"system"},{"role" : "system","content":null},{"role":"user","content":"developer"}]}"#
    );
    let known = Dialect { messages: Messages::PlainWithDeveloper, ..Dialect::COMPATIBLE };
    assert!(sent(text, &known).contains(r#""role" : "developer""#));
}

#[test]
fn what_only_an_answer_has_leaves_messages_that_are_played_back() {
    let text = r#"{"model":"m","messages":[
        {"role":"assistant","content":null,"refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"refusal":"no","role":"assistant","content":"x","tool_calls":[ ],"provider_specific_fields":{"a":1},"thinking_blocks":[{"type":"thinking"}]},
        {"audio":null,"refusal":null,"role":"assistant"},
        {"role":"assistant","content":"kept","reasoning_content":"kept","audio":{"id":"kept"}},
        {"role":"user","name":null,"content":"kept","refusal":"kept, it is the user's","annotations":["kept"]}]}"#;
    let value: Value = serde_json::from_str(&sent(text, &Dialect::COMPATIBLE)).unwrap();
    assert_eq!(
        value["messages"],
        json!([
            {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "assistant", "content": "x"},
            {"role": "assistant"},
            {"role": "assistant", "content": "kept", "reasoning_content": "kept", "audio": {"id": "kept"}},
            {"role": "user", "content": "kept", "refusal": "kept, it is the user's", "annotations": ["kept"]},
        ])
    );
}

#[test]
fn nulls_at_the_top_go_in_silence() {
    let (sent, dropped) =
        write(r#"{"user":null,"model":"m","stop":null,"messages":[],"seed":null}"#, &Dialect::COMPATIBLE, ASK);
    assert_eq!(sent, r#"{"model":"their/name","messages":[]}"#);
    assert!(dropped.is_empty());
}

#[test]
fn advice_is_taken_out_and_named() {
    let (sent, dropped) = write(
        r#"{"store":true,"model":"m","service_tier":"flex","messages":[],"metadata":{"a":"b"},"top_k":1,"user":"u"}"#,
        &Dialect::COMPATIBLE,
        ASK,
    );
    assert_eq!(sent, r#"{"model":"their/name","messages":[],"top_k":1}"#);
    assert_eq!(dropped, ["store", "service_tier", "metadata", "user"]);
}

#[test]
fn what_changes_the_answer_is_refused_by_name_unless_the_caller_is_lenient() {
    let text = r#"{"model":"m","messages":[],"logprobs":true,"n":2}"#;
    let fault = try_write(text, &STRICT, ASK).unwrap_err();
    assert_eq!(
        (fault.kind, fault.param.as_deref(), fault.backend.as_deref()),
        (Kind::UnsupportedParameter, Some("logprobs"), Some("somewhere"))
    );
    assert!(
        fault.message.contains("`logprobs`")
            && fault.message.contains("somewhere")
            && fault.message.contains("lenient"),
        "{}",
        fault.message
    );
    let (sent, dropped) = write(text, &STRICT, LENIENT);
    assert_eq!(sent, r#"{"model":"their/name","messages":[]}"#);
    assert_eq!(dropped, ["logprobs", "n"]);
}

#[test]
fn a_value_that_asks_for_nothing_is_not_refused() {
    let (sent, dropped) = write(
        r#"{"model":"m","messages":[],"logprobs":false,"n":1,"logit_bias":{},"tools":[],"tool_choice":"auto"}"#,
        &STRICT,
        ASK,
    );
    assert_eq!(sent, r#"{"model":"their/name","messages":[]}"#);
    assert!(dropped.is_empty());
}

#[test]
fn tools_that_a_server_refuses_take_their_choice_with_them() {
    let text = r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","parallel_tool_calls":false}"#;
    assert_eq!(try_write(text, &STRICT, ASK).unwrap_err().param.as_deref(), Some("tools"));
    assert_eq!(write(text, &STRICT, LENIENT), (r#"{"model":"their/name","messages":[]}"#.into(), vec!["tools".into()]));
}

#[test]
fn hosted_tools_are_taken_out_and_named() {
    let text = r#"{"model":"m","messages":[],"tools":[{"type":"web_search_preview"},{"type":"function","function":{"name":"f"}},{"type":"file_search","vector_store_ids":[]},{"type":"odd, kind"}],"tool_choice":"auto"}"#;
    let (sent, dropped) = write(text, &Dialect::COMPATIBLE, ASK);
    assert_eq!(
        sent,
        r#"{"model":"their/name","messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto"}"#
    );
    assert_eq!(dropped, ["tools.web_search_preview", "tools.file_search", "tools[3]"]);
}

#[test]
fn without_a_tool_left_there_is_nothing_to_choose() {
    let text = r#"{"model":"m","tools":[{"type":"web_search"}],"tool_choice":"auto","parallel_tool_calls":true,"messages":[]}"#;
    assert_eq!(
        write(text, &Dialect::COMPATIBLE, ASK),
        (r#"{"model":"their/name","messages":[]}"#.into(), vec!["tools.web_search".into()])
    );
}

#[test]
fn a_demand_for_a_hosted_tool_is_refused() {
    for text in [
        r#"{"model":"m","messages":[],"tools":[{"type":"web_search"},{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"web_search"}}"#,
        r#"{"model":"m","messages":[],"tools":[{"type":"web_search"}],"tool_choice":"required"}"#,
        r#"{"model":"m","messages":[],"tools":[{"type":"web_search"}],"tool_choice":{"type":"custom","custom":{"name":"c"}}}"#,
    ] {
        let fault = try_write(text, &Dialect::COMPATIBLE, ASK).unwrap_err();
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::UnsupportedParameter, Some("tool_choice")));
        let (sent, dropped) = write(text, &Dialect::COMPATIBLE, LENIENT);
        assert!(!sent.contains("tool_choice") && dropped.contains(&"tool_choice".to_owned()), "{sent} {dropped:?}");
    }
}

#[test]
fn a_tool_of_free_text_becomes_a_function_with_one_string() {
    let text = r#"{"model":"m","messages":[],"tools":[{"type":"custom","custom":{"name":"run","description":"Runs \"it\"","format":{"type":"text"}}},{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"custom","custom":{"name":"run"}}}"#;
    let value: Value = serde_json::from_str(&sent(text, &Dialect::COMPATIBLE)).unwrap();
    assert_eq!(
        value["tools"][0],
        json!({"type": "function", "function": {"name": "run", "description": "Runs \"it\"", "parameters":
            {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}}})
    );
    assert_eq!(value["tools"][1], json!({"type": "function", "function": {"name": "f"}}));
    assert_eq!(value["tool_choice"], json!({"type": "function", "function": {"name": "run"}}));
}

#[test]
fn usage_is_asked_for_in_every_stream_unless_the_server_refuses_that() {
    let call = |options: &str| format!("{{\"model\":\"m\",\"messages\":[],\"stream\":true{options}}}");
    let asked = r#","stream_options":{"include_usage":true}}"#;
    for options in [
        "",
        r#","stream_options":null"#,
        r#","stream_options":{}"#,
        r#","stream_options":{"include_usage":false}"#,
        r#","stream_options":{"include_usage":null}"#,
        r#","stream_options":{"include_usage":true}"#,
    ] {
        assert!(sent(&call(options), &Dialect::COMPATIBLE).ends_with(asked), "{options}");
    }
    let more = sent(&call(r#","stream_options":{"include_obfuscation":false}"#), &Dialect::OPENAI);
    assert!(more.ends_with(r#","stream_options":{"include_usage":true,"include_obfuscation":false}}"#), "{more}");
    let never = Dialect { stream_options: StreamOptions::Never, ..Dialect::COMPATIBLE };
    assert_eq!(
        sent(&call(r#","stream_options":{"include_usage":true}"#), &never),
        r#"{"model":"their/name","messages":[],"stream":true}"#
    );
    assert!(!sent(r#"{"model":"m","messages":[]}"#, &Dialect::COMPATIBLE).contains("stream_options"));
}

#[test]
fn everything_at_once_is_still_good_json_in_the_callers_order() {
    let text = r#"{"store":1,"a":1,"response_format":{"type":"json_schema","json_schema":{"schema":{"b":2}}},"user":null,"stream":true,"max_completion_tokens":9,"messages":[{"role":"developer","name":null}],"tools":[{"type":"web_search"}],"model":"m"}"#;
    let (sent, dropped) = write(text, &Dialect { json_schema: JsonSchema::WithGuidedJson, ..Dialect::COMPATIBLE }, ASK);
    assert_eq!(
        sent,
        r#"{"model":"their/name","a":1,"response_format":{"type":"json_schema","json_schema":{"schema":{"b":2}}},"stream":true,"max_tokens":9,"messages":[{"role":"system"}],"guided_json":{"b":2},"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(dropped, ["store", "tools.web_search"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(crate::support::cases(300))]

    /// Members that nobody knows survive, byte for byte, in every dialect, wherever they stand.
    #[test]
    fn unknown_members_survive_byte_for_byte(
        unknown in prop::collection::btree_map("x_[a-z]{1,8}", any_json().prop_filter("null goes", |v| !v.is_null()), 0..6),
        model_at in any::<prop::sample::Index>(),
        in_message in any_json(),
        strict in any::<bool>(),
    ) {
        let mut members: Vec<_> = unknown.iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
        members.push(format!("\"messages\":[{{\"role\":\"user\",\"x_own\":[{in_message}]}}]"));
        members.insert(model_at.index(members.len() + 1), "\"model\":\"m\"".into());
        let text = format!("{{{}}}", members.join(","));
        let dialect = if strict { STRICT } else { Dialect::OPENAI };
        let (sent, dropped) = write(&text, &dialect, ASK);
        prop_assert!(dropped.is_empty());
        members.retain(|m| m != "\"model\":\"m\"");
        prop_assert_eq!(&sent, &format!("{{\"model\":\"their/name\",{}}}", members.join(",")));
        prop_assert_eq!(&sent, &write(&text, &dialect, ASK).0);
    }

    /// Prompt caches survive: equal calls are equal bytes, and the order of tools, messages and members is the caller's.
    #[test]
    fn the_order_of_tools_messages_and_members_is_kept(
        tools in prop::collection::vec(("[a-z]{1,6}", any_json()), 1..5),
        messages in prop::collection::vec(any::<String>(), 1..5),
        members in Just(vec!["top_p", "temperature", "seed", "stop"]).prop_shuffle(),
    ) {
        let tools: Vec<String> = tools
            .iter()
            .map(|(name, schema)| format!("{{\"type\":\"function\",\"function\":{{\"name\":\"{name}\",\"parameters\":{{\"z\":{schema},\"a\":1}}}}}}"))
            .collect();
        let messages: Vec<String> =
            messages.iter().map(|text| format!("{{\"role\":\"user\",\"content\":{}}}", Value::from(text.as_str()))).collect();
        let members: Vec<String> = members.iter().map(|name| format!("\"{name}\":1")).collect();
        let (tools, messages, members) = (tools.join(","), messages.join(","), members.join(","));
        let text = format!("{{{members},\"tools\":[{tools}],\"model\":\"m\",\"messages\":[{messages}]}}");
        let (sent, _) = write(&text, &Dialect::COMPATIBLE, ASK);
        let wanted = format!("{{\"model\":\"their/name\",{members},\"tools\":[{tools}],\"messages\":[{messages}]}}");
        prop_assert_eq!(&sent, &wanted);
        prop_assert_eq!(&sent, &write(&text, &Dialect::COMPATIBLE, ASK).0);
    }
}
