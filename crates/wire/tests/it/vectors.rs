//! Answers with vectors: passed or converted, bare arrays pooled, batches split and joined.
//!
//! What an answer means is worked out here with serde_json, apart from the code under test.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use types::Kind;
use wire::{
    json::Limits,
    openai::{
        chat::Ask,
        embeddings::{Answer, Call, Context, Dialect, answer, encode, join, split},
    },
};

use crate::embeddings::read;

fn answered(call: &Call, body: impl Into<Bytes>) -> types::Result<Answer> {
    answer(&body.into(), &Context::of(call, "asked/model"))
}

fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body.to_bytes()).unwrap()
}

/// The vectors of an answer, whatever their encoding, as 32 bit floats.
fn vectors(value: &Value) -> Vec<Vec<f32>> {
    let vector = |(at, item): (usize, &Value)| {
        assert_eq!((&item["index"], &item["object"]), (&json!(at), &json!("embedding")));
        match &item["embedding"] {
            Value::String(text) => {
                let bytes = STANDARD.decode(text).unwrap();
                bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
            }
            Value::Array(numbers) => numbers.iter().map(|n| n.to_string().parse().unwrap()).collect(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(value["object"], "list");
    value["data"].as_array().unwrap().iter().enumerate().map(vector).collect()
}

/// A list with these vectors, as OpenAI writes it.
fn list(vectors: &[Value]) -> Value {
    let item = |(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector});
    let data: Vec<_> = vectors.iter().enumerate().map(item).collect();
    json!({"object": "list", "data": data, "model": "theirs", "usage": {"prompt_tokens": 3, "total_tokens": 3}})
}

#[test]
fn an_answer_that_is_what_was_asked_for_passes_as_the_very_bytes() {
    let floats = Bytes::from(list(&[json!([0.5, -1e-3, 3]), json!([1, 2, 3])]).to_string());
    let base64 = Bytes::from(list(&[json!(STANDARD.encode([0; 8])), json!(STANDARD.encode([0; 8]))]).to_string());
    for (format, body) in [("float", floats), ("base64", base64)] {
        let call = read(&format!(r#"{{"model":"m","input":["a","b"],"encoding_format":"{format}"}}"#));
        let came = answered(&call, body.clone()).unwrap();
        assert_eq!(came.body.pieces().count(), 1);
        assert_eq!(came.body.pieces().next().unwrap().unwrap().as_ptr(), body.as_ptr(), "{format}");
        assert_eq!((came.usage.input, came.estimated), (3, false));
    }
}

#[test]
fn encodings_are_converted_and_everything_else_stays() {
    let body = r#"{"object":"list","id":"x","data":[{"index":0,"object":"embedding","embedding":[0.1, -2.5e-3,1],"more":[1.50]}],"model":"t","usage":{"prompt_tokens":7,"total_tokens":7,"cost":1.10}}"#;
    let base64 = read(r#"{"model":"m","input":"a","encoding_format":"base64"}"#);
    let came = answered(&base64, body).unwrap();
    let expected: Vec<u8> = [0.1_f32, -2.5e-3, 1.0].iter().flat_map(|f| f.to_le_bytes()).collect();
    let text = body.replace("[0.1, -2.5e-3,1]", &format!("\"{}\"", STANDARD.encode(expected)));
    assert_eq!(came.body.to_bytes(), text);
    assert_eq!(came.usage.input, 7);
    let float = read(r#"{"model":"m","input":"a"}"#);
    assert_eq!(answered(&float, text).unwrap().body.to_bytes(), body.replace("[0.1, -2.5e-3,1]", "[0.1,-0.0025,1.0]"));
}

#[test]
fn vectors_come_in_the_order_of_the_inputs_and_gaps_are_filled() {
    let call = read(r#"{"model":"m","input":["a","b","c"]}"#);
    let came = answered(
        &call,
        r#"{"data":[{"index":2,"embedding":[3]},{"index":0,"embedding":[1], "note":"first"},{"embedding":[2],"index":1}],"usage":{"total_tokens":9},"model":null}"#,
    )
    .unwrap();
    let shown = value(&came);
    assert_eq!(vectors(&shown), [[1.0], [2.0], [3.0]]);
    assert_eq!((&shown["data"][0]["note"], &shown["model"]), (&json!("first"), &json!("asked/model")));
    assert_eq!((came.usage.input, came.estimated), (9, false));

    let came =
        answered(&call, r#"{"data":[{"embedding":[1]},{"index":null,"embedding":[2]},{"embedding":[3]}]}"#).unwrap();
    let shown = value(&came);
    assert_eq!(vectors(&shown), [[1.0], [2.0], [3.0]]);
    assert_eq!(shown["usage"], json!({"prompt_tokens": 3, "total_tokens": 3, "estimated": true}));
    assert_eq!(shown["model"], "asked/model");
    assert!(came.estimated);
    let hollow =
        answered(&read(r#"{"model":"m","input":"a"}"#), r#"{"data":[{"embedding":[1]}],"usage":null}"#).unwrap();
    assert_eq!(value(&hollow)["usage"]["estimated"], true);
}

#[test]
fn an_answer_that_does_not_match_the_inputs_is_a_bad_reply() {
    let call = read(r#"{"model":"m","input":["a","b"]}"#);
    let base64 = read(r#"{"model":"m","input":["a","b"],"encoding_format":"base64"}"#);
    for body in [
        "",
        "nonsense",
        "{}",
        r#"{"data":null}"#,
        r#"{"data":[]}"#,
        r#"{"data":[{"index":0,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
        r#"{"data":[{"index":1,"embedding":[1]},{"index":2,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,null]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,"2"]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,NaN]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":null}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},7]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":"no base64"}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":"AAAA"}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":"AADAfw=="}]}trailing"#,
        "[]",
        "[[]]",
        "[[1]]",
        "[[1],[2],[3]]",
        "[[1],[2,null]]",
        "[[1],[null]]",
        "[[1],[\"NaN\"]]",
        "[[[1,2],[3]],[[1,2]]]",
        "[[[1,2]],[[]]]",
        "[[[1,2]],[]]",
        "[[[[[1]]]],[[[[1]]]]]",
        "[1,2]",
        "[[1],[2]",
        "[[1],[01]]",
    ] {
        for call in [&call, &base64] {
            let fault = answered(call, body.to_owned()).expect_err(body);
            assert_eq!(
                (fault.kind, fault.sent),
                (Kind::UpstreamBadReply, types::Sent::Yes),
                "{body}: {}",
                fault.message
            );
        }
    }
    for text in ["[[1],[1e39]]", r#"{"data":[{"embedding":[1]},{"embedding":[-1e39]}]}"#] {
        assert_eq!(answered(&base64, text).unwrap_err().kind, Kind::UpstreamBadReply, "{text}");
    }
    // Not a number in base64, asked for as floats.
    let nan = STANDARD.encode(f32::NAN.to_le_bytes());
    let body = format!(r#"{{"data":[{{"embedding":[1]}},{{"embedding":"{nan}"}}]}}"#);
    assert_eq!(answered(&call, body).unwrap_err().kind, Kind::UpstreamBadReply);
}

#[test]
fn an_error_in_a_good_status_is_the_backends_error() {
    let call = read(r#"{"model":"m","input":"a"}"#);
    for body in [
        r#"{"error":"Model x is currently loading","estimated_time":20.0}"#,
        r#"{"error":{"message":"no such model x","code":"model_not_found"}}"#,
    ] {
        let fault = answered(&call, body).unwrap_err();
        assert!(fault.message.contains('x') && fault.kind != Kind::UpstreamBadReply, "{fault}");
    }
}

/// One vector per input, by the rules of the documentation.
fn pooled(value: &Value, inputs: usize, listed: bool) -> Vec<Vec<f64>> {
    fn rows(value: &Value) -> Vec<Vec<f64>> {
        let items = value.as_array().unwrap();
        if items[0].is_number() {
            return vec![items.iter().map(|n| n.as_f64().unwrap()).collect()];
        }
        items.iter().flat_map(rows).collect()
    }
    fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
        (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / rows.len() as f64).collect()
    }
    let items = value.as_array().unwrap();
    if items[0].is_number() || !listed && items.len() != inputs {
        return vec![mean(&rows(value))];
    }
    items.iter().map(|item| mean(&rows(item))).collect()
}

fn close(got: &[Vec<f32>], expected: &[Vec<f64>]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((f64::from(*got) - expected).abs() <= expected.abs() * 1e-6 + 1e-9, "{got} {expected}");
        }
    }
}

#[test]
fn bare_arrays_of_every_depth_become_one_vector_for_each_input() {
    for (input, body, expected) in [
        (r#""a""#, "[1, 2.50]", vec![vec![1.0, 2.5]]),
        (r#"["a"]"#, "[1,2.5]", vec![vec![1.0, 2.5]]),
        (r#""a""#, "[[1,2]]", vec![vec![1.0, 2.0]]),
        (r#""a""#, "[[1,2],[3,4]]", vec![vec![2.0, 3.0]]),
        (r#"["a","b"]"#, "[[1,2],[3,4]]", vec![vec![1.0, 2.0], vec![3.0, 4.0]]),
        (r#""a""#, "[[[1,2],[3,5]]]", vec![vec![2.0, 3.5]]),
        (r#"["a","b"]"#, "[[[1,2],[3,5]],[[7,8]]]", vec![vec![2.0, 3.5], vec![7.0, 8.0]]),
        (r#"["a","b"]"#, " [ [[[1,2],[3,5]]] , [[[7,8]]] ] ", vec![vec![2.0, 3.5], vec![7.0, 8.0]]),
    ] {
        for format in ["float", "base64"] {
            let call = read(&format!(r#"{{"model":"m","input":{input},"encoding_format":"{format}"}}"#));
            let came = answered(&call, body.to_owned()).unwrap_or_else(|f| panic!("{input} {body}: {f}"));
            let shown = value(&came);
            let got: Vec<Vec<f64>> =
                vectors(&shown).into_iter().map(|v| v.into_iter().map(f64::from).collect()).collect();
            assert_eq!(got, expected, "{input} {body}");
            assert_eq!((&shown["model"], &shown["usage"]["estimated"]), (&json!("asked/model"), &json!(true)));
        }
    }
    let call = read(r#"{"model":"m","input":"a"}"#);
    let plain = answered(&call, "[0.10, 1e-5]").unwrap();
    assert!(plain.body.to_bytes().windows(12).any(|w| w == b"[0.10, 1e-5]"), "digits stay as they were written");
}

#[test]
fn every_recorded_answer_becomes_one_vector_for_each_input() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut read_so_far = 0;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(".embeddings.200.") {
            continue;
        }
        eprintln!("{name}");
        let recording: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let asked = &recording["request"]["body"];
        let input = asked.get("input").or(asked.get("inputs")).unwrap();
        let body = Bytes::from(recording["response"]["body"].as_str().unwrap().to_owned());
        let raw: Value = serde_json::from_slice(&body).unwrap();
        for format in ["float", "base64"] {
            let call = read(&json!({"model": "m", "input": input, "encoding_format": format}).to_string());
            let came = answered(&call, body.clone()).unwrap();
            let shown = value(&came);
            if raw.is_object() {
                let expected: Vec<Vec<f64>> = raw["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["embedding"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect())
                    .collect();
                close(&vectors(&shown), &expected);
                assert_eq!(came.usage.input, raw["usage"]["prompt_tokens"].as_u64().unwrap());
                assert_eq!(format == "float", came.body.to_bytes() == body);
            } else {
                close(&vectors(&shown), &pooled(&raw, call.inputs(), call.input().is_list()));
                assert!(came.estimated && came.usage.input > 0);
            }
        }
        // What goes out is what was recorded, as far as the gateway says it.
        if recording["provider"] == "hf-inference" {
            let call = read(&json!({"model": "m", "input": input}).to_string());
            let encoded = encode(&call, &Dialect::HF_INFERENCE, "m", Ask::default()).unwrap();
            assert_eq!(
                serde_json::from_slice::<Value>(&encoded.body.to_bytes()).unwrap(),
                json!({"inputs": asked["inputs"]})
            );
        }
        read_so_far += 1;
    }
    assert_eq!(read_so_far, 16);
}

#[test]
fn a_batch_is_split_and_its_answers_are_joined_in_order() {
    let call = read(r#"{"inputs": [ "a" ,"b","c","d", "e"],"x":1,"model":"m","input":[ "a" ,"b","c","d", "e"]}"#);
    let calls = split(&call, 2).unwrap();
    let sent: Vec<_> = calls.iter().map(|call| String::from_utf8(call.body().to_vec()).unwrap()).collect();
    assert_eq!(
        sent,
        [
            r#"{"x":1,"model":"m","input":["a" ,"b"]}"#,
            r#"{"x":1,"model":"m","input":["c","d"]}"#,
            r#"{"x":1,"model":"m","input":["e"]}"#
        ]
    );
    for (usage_first, estimated) in [(true, false), (false, false), (false, true)] {
        let mut vector = 0;
        let answers = calls.iter().map(|call| {
            let data: Vec<_> = (0..call.inputs())
                .map(|index| {
                    vector += 1;
                    json!({"index": index, "object": "embedding", "embedding": [vector]})
                })
                .collect();
            let usage = if estimated {
                Value::Null
            } else {
                json!({"prompt_tokens": call.inputs(), "total_tokens": call.inputs()})
            };
            let body = if usage_first {
                json!({"usage": usage, "object": "list", "data": data, "model": "t"})
            } else {
                json!({"object": "list", "data": data, "model": "t", "usage": usage, "id": "x"})
            };
            answered(call, body.to_string()).unwrap()
        });
        let joint = join(answers.collect()).unwrap();
        let shown = value(&joint);
        assert_eq!(vectors(&shown), [[1.0], [2.0], [3.0], [4.0], [5.0]]);
        assert_eq!((shown["usage"]["prompt_tokens"].as_u64(), joint.usage.input), (Some(5), 5));
        assert_eq!((joint.estimated, shown["usage"]["estimated"] == true), (estimated, estimated));
        assert_eq!(shown["model"], "t");
    }
    assert_eq!(split(&call, 5).unwrap().len(), 1);
    assert_eq!(split(&read(r#"{"model":"m","input":[1,2,3]}"#), 2).unwrap().len(), 1);
    let tokens = split(&read(r#"{"model":"m","input":[[1],[2,3],[4]]}"#), 2).unwrap();
    assert_eq!(tokens[0].body(), r#"{"model":"m","input":[[1],[2,3]]}"#);
    assert!(join(vec![]).is_err());
}

proptest! {
    #[test]
    fn any_vectors_survive_both_encodings(rows in prop::collection::vec(prop::collection::vec(any::<f32>().prop_filter("finite", |f| f.is_finite()), 7), 1..5)) {
        let inputs = vec!["x"; rows.len()];
        let ask = |format: &str| read(&json!({"model": "m", "input": inputs, "encoding_format": format}).to_string());
        let text = format!("[{}]", rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect::<Vec<_>>().join(","));
        let base64 = answered(&ask("base64"), text.clone()).unwrap();
        prop_assert_eq!(&vectors(&value(&base64)), &rows);
        let floats = answered(&ask("float"), base64.body.to_bytes()).unwrap();
        let back = answered(&ask("base64"), floats.body.to_bytes()).unwrap();
        prop_assert_eq!(&vectors(&value(&back)), &rows);
        prop_assert_eq!(value(&back), value(&base64));
    }

    #[test]
    fn vectors_are_judged_as_serde_json_judges_them(
        good in prop::collection::vec("-?(0|[1-9][0-9]{0,3})\\.[0-9]{1,12}(e-[0-9]{2})?, ?", 0..30),
        text in "(-?[0-9]{0,3}(\\.[0-9]{0,12})?([eE][+-]?[0-9]{0,2})?[ ,]{0,2}){0,5}\\]?",
    ) {
        let text = format!("[{}{text}", good.concat());
        let read = |take: fn(&mut wire::json::Reader<'_>) -> Result<usize, wire::json::Error>| {
            wire::json::Reader::new(text.as_bytes(), Limits::default()).and_then(|mut reader| {
                let count = take(&mut reader)?;
                reader.finish()?;
                Ok(count)
            })
        };
        let ours = read(|reader| reader.numbers(|_| {}));
        prop_assert_eq!(&read(|reader| reader.count_numbers()), &ours, "{}", text);
        let theirs = serde_json::from_str::<Vec<Box<serde_json::value::RawValue>>>(&text);
        prop_assert_eq!(ours.ok(), theirs.ok().map(|list| list.len()), "{}", text);
    }

    #[test]
    fn no_answer_makes_the_reader_panic(text in "(\\[|\\]|\\{|\\}|,|:|1|-0.5|null|\"data\"|\"embedding\"|\"index\"|\"usage\"|\"AAAA\"| ){0,24}") {
        for call in [r#"{"model":"m","input":"a"}"#, r#"{"model":"m","input":["a","b"],"encoding_format":"base64"}"#] {
            if let Ok(answer) = answered(&read(call), text.clone()) {
                prop_assert!(value(&answer)["data"].is_array());
            }
        }
    }

    #[test]
    fn any_batch_comes_together_again(count in 1_usize..40, most in 1_usize..12) {
        let inputs: Vec<String> = (0..count).map(|n| format!("text, [{n}]")).collect();
        let call = read(&json!({"model": "m", "input": inputs}).to_string());
        let calls = split(&call, most).unwrap();
        prop_assert!(calls.iter().all(|call| call.inputs() <= most));
        let told: Vec<String> = calls.iter().flat_map(|call| {
            let body: Value = serde_json::from_slice(call.body()).unwrap();
            body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }).collect();
        prop_assert_eq!(&told, &inputs);
        let mut next = 0;
        let answers = calls.iter().map(|call| {
            let rows: Vec<Value> = (0..call.inputs()).map(|_| { next += 1; json!([next]) }).collect();
            answered(call, Value::from(rows).to_string()).unwrap()
        }).collect();
        let joint = join(answers).unwrap();
        let expected: Vec<Vec<f32>> = (1..=count).map(|n| vec![n as f32]).collect();
        prop_assert_eq!(vectors(&value(&joint)), expected);
        prop_assert_eq!(joint.usage.input, calls.iter().map(Call::estimate).sum::<u64>());
    }
}
