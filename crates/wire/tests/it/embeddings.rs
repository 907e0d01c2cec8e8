//! Calls for embeddings: what is noted, what is refused, what is sent to which server.

use bytes::Bytes;
use types::{Fault, Kind};
use wire::{
    json::Limits,
    openai::{
        chat::Ask,
        embeddings::{Call, Dialect, Encoding, Input, encode},
    },
};

pub(crate) fn read(text: &str) -> Call {
    Call::read(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap_or_else(|f| panic!("{text}: {f}"))
}

fn refused(text: &str) -> Box<Fault> {
    Call::read(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).expect_err(text)
}

fn sent(text: &str, dialect: &Dialect) -> String {
    let encoded = encode(&read(text), dialect, "theirs", Ask::default()).unwrap_or_else(|f| panic!("{text}: {f}"));
    String::from_utf8(encoded.body.to_bytes().to_vec()).unwrap()
}

#[test]
fn the_envelope_says_what_planning_needs() {
    for (text, input, inputs, encoding, tokens) in [
        (r#"{"model":"m","input":"héllo wörld"}"#, Input::Text, 1, Encoding::Float, 3),
        (r#"{"model":"m","input":["a","\u00e9\u00e9\u00e9\u00e9\u00e9"]}"#, Input::Texts, 2, Encoding::Float, 3),
        (r#"{"input":[1, 2,3],"model":"m","encoding_format":"base64"}"#, Input::Tokens, 1, Encoding::Base64, 3),
        (r#"{"model":"m","inputs":[[1],[2,3]],"encoding_format":null}"#, Input::TokenLists, 2, Encoding::Float, 3),
        (
            r#"{"model":"m","inputs":"abcd","input":"abcd","encoding_format":"float"}"#,
            Input::Text,
            1,
            Encoding::Float,
            1,
        ),
        (r#"{"model":"m","input":"abcd","inputs":null}"#, Input::Text, 1, Encoding::Float, 1),
        (r#"{"model":"m","input":[ [1 , 2],[ 3 ] ]}"#, Input::TokenLists, 2, Encoding::Float, 3),
        (r#"{"model":"m","extra_body":{"input":[""]}}"#, Input::Texts, 1, Encoding::Float, 0),
    ] {
        let call = read(text);
        assert_eq!((call.input(), call.inputs(), call.encoding()), (input, inputs, encoding), "{text}");
        assert_eq!((call.model(), call.estimate()), ("m", tokens), "{text}");
    }
    assert_eq!(read(r#"{"model":"m","input":"a","dimensions":256}"#).dimensions(), Some(256));
}

#[test]
fn wrong_members_are_refused_by_name() {
    for (text, param) in [
        (r#"{"input":"a"}"#, "model"),
        (r#"{"model":"","input":"a"}"#, "model"),
        (r#"{"model":5,"input":"a"}"#, "model"),
        (r#"{"model":"m"}"#, "input"),
        (r#"{"model":"m","input":null}"#, "input"),
        (r#"{"model":"m","input":[]}"#, "input"),
        (r#"{"model":"m","input":{}}"#, "input"),
        (r#"{"model":"m","input":["a",1]}"#, "input[1]"),
        (r#"{"model":"m","input":[1,"a"]}"#, "input[1]"),
        (r#"{"model":"m","input":["a",null]}"#, "input[1]"),
        (r#"{"model":"m","input":[1,-2]}"#, "input[1]"),
        (r#"{"model":"m","input":[1.5]}"#, "input[0]"),
        (r#"{"model":"m","input":[[1],[]]}"#, "input[1]"),
        (r#"{"model":"m","input":[[1],["a"]]}"#, "input[1][0]"),
        (r#"{"model":"m","input":[[1],[2,3.5]]}"#, "input[1][1]"),
        (r#"{"model":"m","inputs":[true]}"#, "inputs[0]"),
        (r#"{"model":"m","input":"a","inputs":"b"}"#, "inputs"),
        (r#"{"model":"m","input":"a","input":"a"}"#, "input"),
        (r#"{"model":"m","input":"a","encoding_format":"int8"}"#, "encoding_format"),
        (r#"{"model":"m","input":"a","encoding_format":1}"#, "encoding_format"),
        (r#"{"model":"m","input":"a","dimensions":0}"#, "dimensions"),
        (r#"{"model":"m","input":"a","dimensions":"8"}"#, "dimensions"),
        (r#"{"model":"m","input":"a","extra_body":1}"#, "extra_body"),
    ] {
        let fault = refused(text);
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some(param)), "{text}: {}", fault.message);
    }
    assert!(refused("[]").message.contains("object"));
    assert!(refused(r#"{"model":"m","input":[1,"a""#).message.contains("ends too early"));
}

#[test]
fn a_call_is_spliced_for_each_dialect() {
    let from = r#"{ "input" : ["a\n"], "encoding_format":"base64","x":{"y":[1]} ,"model":"m"}"#;
    for (dialect, from, to) in [
        (&Dialect::OPENAI, from, r#"{"model":"theirs","input" : ["a\n"], "encoding_format":"base64","x":{"y":[1]}}"#),
        (&Dialect::COMPATIBLE, from, r#"{"model":"theirs","input" : ["a\n"],"x":{"y":[1]}}"#),
        (&Dialect::HF_INFERENCE, from, r#"{"inputs" : ["a\n"],"x":{"y":[1]}}"#),
        (&Dialect::TEI, r#"{"model":"m","input":[1,2],"dimensions":8}"#, r#"{"inputs":[1,2],"dimensions":8}"#),
        (
            &Dialect::HF_INFERENCE,
            r#"{"model":"m","inputs":"a","normalize":true,"prompt_name":"query","truncate":true,"truncation_direction":"Right","user":null}"#,
            r#"{"inputs":"a","normalize":true,"prompt_name":"query","truncate":true,"truncation_direction":"Right"}"#,
        ),
        (&Dialect::COMPATIBLE, r#"{"inputs":"a","model":"m","input":"a"}"#, r#"{"model":"theirs","input":"a"}"#),
        (&Dialect::HF_INFERENCE, r#"{"inputs":null,"model":"m","input":"a"}"#, r#"{"inputs":"a"}"#),
    ] {
        assert_eq!(sent(from, dialect), to, "{from}");
    }
}

#[test]
fn what_a_backend_cannot_do_is_refused_by_name_or_left_out_and_named() {
    let strict = Ask { lenient: false, backend: "hf-inference" };
    let lenient = Ask { lenient: true, ..strict };
    let call = read(r#"{"model":"m","input":"a","dimensions":8,"user":"u"}"#);
    let fault = encode(&call, &Dialect::HF_INFERENCE, "t", strict).unwrap_err();
    assert_eq!((fault.kind, fault.param.as_deref()), (Kind::UnsupportedParameter, Some("dimensions")));
    assert_eq!(fault.backend.as_deref(), Some("hf-inference"));
    let encoded = encode(&call, &Dialect::HF_INFERENCE, "t", lenient).unwrap();
    assert_eq!(encoded.body.to_bytes(), r#"{"inputs":"a"}"#);
    let dropped: Vec<_> = encoded.dropped.iter().map(|d| &*d.member).collect();
    assert_eq!(dropped, ["dimensions", "user"]);

    for text in [r#"{"model":"m","input":[1,2]}"#, r#"{"model":"m","input":[[1,2]]}"#] {
        for ask in [strict, lenient] {
            let fault = encode(&read(text), &Dialect::HF_INFERENCE, "t", ask).unwrap_err();
            assert_eq!((fault.kind, fault.param.as_deref()), (Kind::UnsupportedParameter, Some("input")));
            assert!(fault.message.contains("tokens") && fault.message.contains("hf-inference"));
        }
    }
    let few = Dialect { max_inputs: Some(1), ..Dialect::COMPATIBLE };
    assert_eq!(
        encode(&read(r#"{"model":"m","input":["a","b"]}"#), &few, "t", strict).unwrap_err().kind,
        Kind::BadRequest
    );
}
