//! Exchanges of several requests, state by state: no socket, no sleep.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use providers::{
    Dress, Endpoint,
    exchange::{Ask, Exchange, Got, Model, Send, Step, To, What, Work, image_stream},
    find,
};
use serde_json::{Value, json};
use types::{
    Fault, Kind, Operation, Secret,
    ask::{ImageAsk, Made, Outcome, SpeechAsk},
};

use crate::works::{PNG, edit_of, picture, sound};

const ROUTER: &str = "https://router.example";

fn endpoint(backend: &str, operation: Operation) -> Endpoint {
    Endpoint::routed(find(backend).unwrap(), operation, ROUTER).unwrap().unwrap()
}

fn image() -> Work {
    Work::Image(ImageAsk { prompt: "a cat".into(), ..ImageAsk::default() })
}

fn speech() -> Work {
    Work::Speech(SpeechAsk { input: "hi".into(), ..SpeechAsk::default() })
}

fn begin(backend: &str, operation: Operation, work: &Work) -> (Exchange, Send) {
    let model = Model { id: "some/model", ..Model::default() };
    let (exchange, send, _) = Exchange::begin(&endpoint(backend, operation), &model, work, Ask::default()).unwrap();
    (exchange, send)
}

fn bytes(exchange: &mut Exchange, status: u16, body: &[u8], after: u64) -> types::Result<Step> {
    let got = Got { status, header: &|_| None, body: Bytes::copy_from_slice(body), clock: 0 };
    exchange.next(got, Duration::from_millis(after))
}

fn next(exchange: &mut Exchange, status: u16, body: impl std::fmt::Display, after: u64) -> types::Result<Step> {
    bytes(exchange, status, body.to_string().as_bytes(), after)
}

/// The request behind a pause.
fn waits(step: types::Result<Step>) -> (u128, Send) {
    match step.unwrap() {
        Step::Wait { pause, then } => (pause.as_millis(), then),
        other => panic!("{other:?}"),
    }
}

fn sends(step: types::Result<Step>) -> Send {
    match step.unwrap() {
        Step::Send(send) => send,
        other => panic!("{other:?}"),
    }
}

fn done(step: types::Result<Step>) -> Outcome {
    match step.unwrap() {
        Step::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn target(send: &Send) -> &str {
    match &send.to {
        To::Backend { target } => target,
        To::Asset { url } => panic!("{url} is an asset"),
    }
}

fn url(send: &Send) -> &str {
    match &send.to {
        To::Asset { url } => url,
        To::Backend { target } => panic!("{target} is the backend's"),
    }
}

fn made(outcome: Outcome) -> Vec<Made> {
    match outcome {
        Outcome::Images { made, .. } => made,
        other => panic!("{other:?}"),
    }
}

fn submission() -> Value {
    json!({"status": "IN_QUEUE", "request_id": "r-1", "response_url": "https://queue.fal.run/fal-ai/flux/requests/r-1"})
}

/// A queue exchange that was submitted.
fn queued() -> Exchange {
    let (mut exchange, send) = begin("fal-ai", Operation::Image, &image());
    assert_eq!((send.step, send.once), (What::Submit, true));
    waits(next(&mut exchange, 200, submission(), 0));
    exchange
}

#[test]
fn fals_queue_is_submitted_polled_and_fetched_on_our_own_origin() {
    let (mut exchange, send) = begin("fal-ai", Operation::Image, &image());
    assert_eq!(target(&send), "/fal-ai/some/model?_subdomain=queue");
    let (pause, poll) = waits(next(&mut exchange, 200, submission(), 0));
    assert_eq!((pause, poll.step, poll.once), (500, What::Poll, false));
    assert_eq!(target(&poll), "/fal-ai/fal-ai/flux/requests/r-1/status?_subdomain=queue");
    assert_eq!(exchange.upstream_id(), Some("r-1"));
    let (pause, _) = waits(next(&mut exchange, 202, json!({"status": "IN_QUEUE", "queue_position": 3}), 500));
    assert_eq!(pause, 750);
    let (pause, _) = waits(next(&mut exchange, 202, json!({"status": "SOMETHING_NEW"}), 60_000));
    assert_eq!(pause, 5000, "the pause stops growing, and an unknown state goes on");
    let result = sends(next(&mut exchange, 200, json!({"status": "COMPLETED"}), 65_000));
    assert_eq!((target(&result), result.step), ("/fal-ai/fal-ai/flux/requests/r-1?_subdomain=queue", What::Result));
    let answer = json!({"images": [{"url": "https://fal.media/1.png", "content_type": "image/jpeg"},
        {"url": "data:image/png;base64,iVBORw0KGgo="}], "seed": 14715652618304795000_u64, "prompt": "a cat"});
    let outcome = done(next(&mut exchange, 200, answer, 66_000));
    let Outcome::Images { made, extra } = outcome else { panic!() };
    assert_eq!(made, [Made::Url("https://fal.media/1.png".into()), Made::Base64("iVBORw0KGgo=".into())]);
    assert_eq!(extra["seed"].to_string(), "14715652618304795000");
    assert!(next(&mut exchange, 200, json!({}), 0).is_err(), "it is over");
    assert!(exchange.resume().is_none() && exchange.cancel().is_none());
}

#[test]
fn with_its_own_key_the_queue_is_polled_on_its_own_host() {
    let endpoint = Endpoint::direct(find("fal").unwrap(), Operation::ImageEdit, None).unwrap().unwrap();
    let model = Model { id: "fal-ai/flux-2/edit", ..Model::default() };
    let work = Work::Edit(edit_of(vec![picture(PNG)]));
    let (mut exchange, _, _) = Exchange::begin(&endpoint, &model, &work, Ask::default()).unwrap();
    let (_, poll) = waits(next(&mut exchange, 200, submission(), 0));
    assert_eq!((endpoint.origin(), target(&poll)), ("https://queue.fal.run", "/fal-ai/flux/requests/r-1/status"));
    let cancel = exchange.cancel().unwrap();
    assert_eq!((cancel.method.as_str(), target(&cancel)), ("PUT", "/fal-ai/flux/requests/r-1/cancel"));
}

#[test]
fn every_failed_state_is_a_fault_in_the_backends_words() {
    let says = |fault: Box<Fault>, words: &str| {
        assert!(fault.message.contains(words), "{}", fault.message);
        assert!(fault.backend.is_some());
        fault.kind
    };
    for state in ["FAILED", "ERROR", "CANCELED", "cancelled"] {
        let fault = next(&mut queued(), 200, json!({"status": state, "error": "out of paint"}), 1).unwrap_err();
        assert_eq!(says(fault, "out of paint"), Kind::UpstreamFailed);
    }
    let gone_wrong = json!({"status": "COMPLETED", "error": "worker died", "error_type": "runtime_error"});
    says(next(&mut queued(), 200, gone_wrong, 1).unwrap_err(), "worker died");

    let mut exchange = queued();
    sends(next(&mut exchange, 200, json!({"status": "COMPLETED"}), 1));
    let refused = json!({"detail": [{"loc": ["body", "prompt"], "msg": "unsafe", "type": "value_error"}]});
    let fault = next(&mut exchange, 422, refused, 2).unwrap_err();
    assert_eq!((fault.status, says(fault, "unsafe")), (Some(422), Kind::UpstreamRejected));

    for status in ["failed", "canceled"] {
        let (mut exchange, _) = begin("replicate", Operation::Image, &image());
        let fault = next(&mut exchange, 201, json!({"id": "p1", "status": status, "error": "NSFW"}), 1).unwrap_err();
        says(fault, "NSFW");
    }
    let (mut exchange, _) = begin("wavespeed", Operation::Image, &image());
    let ticket = json!({"code": 200, "message": "success", "data": {"id": "w1", "status": "created",
        "urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/w1/result"}}});
    waits(next(&mut exchange, 200, ticket, 0));
    let failed = json!({"code": 200, "message": "success", "data": {"status": "failed", "error": "no GPU"}});
    says(next(&mut exchange, 200, failed, 1).unwrap_err(), "no GPU");

    let (mut exchange, _) = begin("zai-org", Operation::Image, &image());
    waits(next(&mut exchange, 200, json!({"id": "z1", "task_status": "PROCESSING"}), 0));
    says(next(&mut exchange, 200, json!({"task_status": "FAIL"}), 1).unwrap_err(), "without a word");
}

#[test]
fn a_prediction_is_done_at_once_or_polled_and_cancelled() {
    let (mut exchange, _) = begin("replicate", Operation::Image, &image());
    let waited =
        json!({"id": "p1", "status": "processing", "output": ["https://replicate.delivery/a.webp"], "error": null});
    let outcome = done(next(&mut exchange, 201, waited, 900));
    assert_eq!(made(outcome), [Made::Url("https://replicate.delivery/a.webp".into())]);

    let (mut exchange, _) = begin("replicate", Operation::Speech, &speech());
    let late = json!({"id": "p1", "status": "starting", "output": null,
        "urls": {"get": "https://evil.example/steal", "cancel": "https://evil.example/steal"}});
    let (_, poll) = waits(next(&mut exchange, 202, late, 60_000));
    assert_eq!(target(&poll), "/replicate/v1/predictions/p1", "what it names is not looked at");
    let cancel = exchange.cancel().unwrap();
    assert_eq!((cancel.method.as_str(), target(&cancel)), ("POST", "/replicate/v1/predictions/p1/cancel"));
    waits(next(&mut exchange, 200, json!({"id": "p1", "status": "processing", "output": null}), 61_000));
    let ready = json!({"id": "p1", "status": "succeeded", "output": "https://replicate.delivery/a.wav"});
    let asset = sends(next(&mut exchange, 200, ready, 62_000));
    assert_eq!((url(&asset), asset.step), ("https://replicate.delivery/a.wav", What::Asset));
    assert_eq!(done(bytes(&mut exchange, 200, b"RIFF", 63_000)), Outcome::Sound(Bytes::from_static(b"RIFF")));
}

#[test]
fn wavespeed_and_zai_are_polled_where_they_are() {
    let (mut exchange, _) = begin("wavespeed", Operation::Image, &image());
    let ticket =
        json!({"data": {"id": "w1", "urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/w1/result"}}});
    let (_, poll) = waits(next(&mut exchange, 200, ticket, 0));
    assert_eq!(target(&poll), "/wavespeed/api/v3/predictions/w1/result");
    let ready = json!({"data": {"status": "completed", "outputs": ["https://cdn.example/1.png"]}});
    assert_eq!(made(done(next(&mut exchange, 200, ready, 1))), [Made::Url("https://cdn.example/1.png".into())]);

    let (mut exchange, _) = begin("zai-org", Operation::Image, &image());
    let (pause, poll) = waits(next(&mut exchange, 200, json!({"id": "z1", "task_status": "PROCESSING"}), 0));
    assert_eq!((pause, target(&poll)), (2000, "/zai-org/api/paas/v4/async-result/z1"));
    let ready = json!({"task_status": "SUCCESS", "image_result": [{"url": "https://cdn.example/z.png"}]});
    assert_eq!(made(done(next(&mut exchange, 200, ready, 1))), [Made::Url("https://cdn.example/z.png".into())]);
}

#[test]
fn an_exchange_goes_on_after_a_restart_and_submits_nothing_twice() {
    let mut exchange = queued();
    let written = serde_json::to_string(&exchange).unwrap();
    let mut read: Exchange = serde_json::from_str(&written).unwrap();
    assert_eq!(read, exchange);
    assert!(read.is_understood());
    assert_eq!((read.backend(), read.upstream_id()), ("fal-ai", Some("r-1")));
    let poll = read.resume().unwrap();
    assert_eq!((poll.step, poll.body.is_empty()), (What::Poll, true));
    assert_eq!(target(&poll), "/fal-ai/fal-ai/flux/requests/r-1/status?_subdomain=queue");
    sends(next(&mut read, 200, json!({"status": "COMPLETED"}), 9));
    assert_eq!(read.resume().unwrap().step, What::Result);

    let (unanswered, _) = begin("fal-ai", Operation::Image, &image());
    assert!(unanswered.resume().is_none(), "nobody knows what became of it");
    let other = written.replace("\"version\":1", "\"version\":9");
    assert!(!serde_json::from_str::<Exchange>(&other).unwrap().is_understood());
    sends(next(&mut exchange, 200, json!({"status": "COMPLETED"}), 9));
}

#[test]
fn a_question_that_fails_is_asked_again_a_few_times_only() {
    let mut exchange = queued();
    for _ in 0..6 {
        let (_, poll) = waits(bytes(&mut exchange, 503, b"busy", 1000));
        assert_eq!(poll.step, What::Poll);
    }
    assert_eq!(bytes(&mut exchange, 503, b"busy", 1000).unwrap_err().status, Some(503));
    assert!(exchange.cancel().is_some() && exchange.resume().is_some(), "the work may still go on");

    let mut exchange = queued();
    for _ in 0..50 {
        waits(bytes(&mut exchange, 502, b"", 1000));
        waits(next(&mut exchange, 202, json!({"status": "IN_PROGRESS"}), 1000));
    }
    assert_eq!(next(&mut exchange, 404, json!({"detail": "gone"}), 1).unwrap_err().kind, Kind::UpstreamNotFound);

    let mut exchange = queued();
    let got = Got { status: 429, header: &|name| (name == "retry-after").then_some("9"), body: Bytes::new(), clock: 0 };
    assert_eq!(waits(exchange.next(got, Duration::ZERO)).0, 9000);
}

#[test]
fn an_address_in_an_answer_never_chooses_whom_we_ask() {
    for hostile in [
        "https://evil.example/../../admin",
        "https://evil.example",
        "//evil.example/x",
        "ftp://evil.example/x",
        "/a/%2e%2e/b",
        "/a\r\nX-Evil: 1",
        "",
    ] {
        let (mut exchange, _) = begin("fal-ai", Operation::Image, &image());
        let answer = json!({"request_id": "r", "response_url": hostile});
        assert_eq!(next(&mut exchange, 200, answer, 0).unwrap_err().kind, Kind::UpstreamBadReply, "{hostile:?}");
        let (mut exchange, _) = begin("wavespeed", Operation::Image, &image());
        let answer = json!({"data": {"id": "w", "urls": {"get": hostile}}});
        assert_eq!(next(&mut exchange, 200, answer, 0).unwrap_err().kind, Kind::UpstreamBadReply, "{hostile:?}");
    }
    for id in ["../x", "a/b", "a?b", "", "x".repeat(300).as_str()] {
        let (mut exchange, _) = begin("replicate", Operation::Image, &image());
        assert!(next(&mut exchange, 202, json!({"id": id, "status": "starting"}), 0).is_err(), "{id}");
    }
    let (mut exchange, _) = begin("fal-ai", Operation::Image, &image());
    let answer = json!({"request_id": "r", "response_url": "https://evil.example/fal-ai/x/requests/r?token=1"});
    let (_, poll) = waits(next(&mut exchange, 200, answer, 0));
    assert_eq!(target(&poll), "/fal-ai/fal-ai/x/requests/r/status?_subdomain=queue");
    for hostile in ["file:///etc/passwd", "gopher://x/", "https://", "javascript:1", "http://a b/", "/etc/passwd"] {
        let (mut exchange, _) = begin("fal-ai", Operation::Speech, &speech());
        assert!(next(&mut exchange, 200, json!({"audio": {"url": hostile}}), 0).is_err(), "{hostile}");
    }
}

#[test]
fn an_asset_is_asked_for_without_any_key() {
    let (mut exchange, submit) = begin("fal-ai", Operation::Speech, &speech());
    let asset = sends(next(&mut exchange, 200, json!({"audio": {"url": "https://v3.fal.media/a.mp3"}}), 0));
    let key = Secret::new("hf_secret");
    let dress = Dress { key: Some(&key), bill_to: Some("acme") };
    let endpoint = endpoint("fal-ai", Operation::Speech);
    let headers = asset.dressed(&endpoint, dress).unwrap();
    assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["user-agent"]);
    let headers = submit.dressed(&endpoint, dress).unwrap();
    assert_eq!(headers["authorization"], "Bearer hf_secret");
    assert_eq!(headers["content-type"], "application/json");
    let fault = bytes(&mut exchange, 403, b"no", 1).unwrap_err();
    assert_eq!((fault.kind, fault.status), (Kind::UpstreamFailed, None), "its refusal is not the backend's");

    let poll = queued().resume().unwrap();
    let headers = poll.dressed(&endpoint, dress).unwrap();
    assert!(headers.contains_key("authorization") && !headers.contains_key("content-type"));
}

#[test]
fn an_error_in_a_good_status_is_a_fault_whatever_its_label() {
    for (backend, operation, work, body) in [
        ("hf-inference", Operation::Speech, speech(), r#"{"error":"CUDA out of memory"}"#),
        ("hf-inference", Operation::Image, image(), r#"{"error":"CUDA out of memory"}"#),
        ("hf-inference", Operation::Transcription, Work::Transcription(sound()), r#"{"error":"CUDA out of memory"}"#),
        ("together", Operation::Image, image(), r#"{"error":{"message":"CUDA out of memory"}}"#),
        ("fal-ai", Operation::Speech, speech(), r#"{"detail":"CUDA out of memory"}"#),
        ("wavespeed", Operation::Image, image(), r#"{"code":500,"message":"CUDA out of memory"}"#),
        ("replicate", Operation::Image, image(), r#"{"error":"CUDA out of memory"}"#),
    ] {
        let (mut exchange, _) = begin(backend, operation, &work);
        let fault = bytes(&mut exchange, 200, body.as_bytes(), 0).unwrap_err();
        assert!(fault.message.contains("CUDA out of memory"), "{backend}: {}", fault.message);
    }
    for body in ["<html>", "", "[]", "{}", "null"] {
        let (mut exchange, _) = begin("hf-inference", Operation::Speech, &speech());
        let result = bytes(&mut exchange, 200, body.as_bytes(), 0);
        assert!(body == "null" || result.unwrap_err().kind == Kind::UpstreamBadReply, "{body}");
        let (mut exchange, _) = begin("together", Operation::Image, &image());
        assert_eq!(bytes(&mut exchange, 200, body.as_bytes(), 0).unwrap_err().kind, Kind::UpstreamBadReply, "{body}");
    }
}

#[test]
fn a_stream_of_pictures_is_read_at_any_split() {
    let one = r#"{"images":[{"url":"https://fal.media/1.png"}]}"#;
    let two = r#"{"data":{"images":[{"url":"data:image/png;base64,iVBORw0KGgo="}]}}"#;
    let text = format!(": hello\n\ndata: {one}\n\nevent: x\r\ndata:{two}\r\n\r\ndata: [DONE]\n\n");
    let want = [Made::Url("https://fal.media/1.png".into()), Made::Base64("iVBORw0KGgo=".into())];
    for at in 0..text.len() {
        let mut decoder = image_stream::Decoder::new("fal-ai");
        let mut got = Vec::new();
        for part in [&text[..at], &text[at..]] {
            decoder.push(&Bytes::copy_from_slice(part.as_bytes()), &mut |made| got.push(made)).unwrap();
        }
        assert_eq!(got, want, "split at {at}");
        decoder.end().unwrap();
    }
}

#[test]
fn a_stream_that_fails_or_ends_early_says_so() {
    for frame in [
        r#"{"error":"out of paint"}"#,
        r#"{"message":"out of paint"}"#,
        r#"{"detail":"out of paint"}"#,
        r#"{"error":{"message":"out of paint"},"images":[]}"#,
    ] {
        let mut decoder = image_stream::Decoder::new("fal-ai");
        let frame = Bytes::from(format!("data: {frame}\n\n"));
        let fault = decoder.push(&frame, &mut |_| {}).unwrap_err();
        assert!(fault.message.contains("out of paint"));
    }
    let mut decoder = image_stream::Decoder::new("fal-ai");
    decoder.push(&Bytes::from_static(b"data: {\"progress\":1}\n\ndata: {\"images\":"), &mut |_| {}).unwrap();
    assert_eq!(decoder.end().unwrap_err().kind, Kind::UpstreamTruncated);
    assert!(decoder.push(&Bytes::from_static(b"oh\n\n"), &mut |_| {}).is_err());
}

#[test]
fn the_pauses_bound_how_often_is_asked() {
    let mut exchange = queued();
    let (mut passed, mut asked) = (0, 0);
    while passed < 600_000 {
        let (pause, _) = waits(next(&mut exchange, 202, json!({"status": "IN_PROGRESS"}), passed));
        passed += u64::try_from(pause).unwrap();
        asked += 1;
    }
    assert!((110..135).contains(&asked), "{asked} questions in ten minutes");
}

proptest! {
    #[test]
    fn no_answer_makes_us_ask_elsewhere_or_panic(body in "\\PC{0,80}", status in 100_u16..600, address in "\\PC{0,40}") {
        for (backend, operation, work) in [
            ("fal-ai", Operation::Image, image()),
            ("replicate", Operation::Speech, speech()),
            ("wavespeed", Operation::Image, image()),
            ("zai-org", Operation::Image, image()),
        ] {
            let (mut exchange, _) = begin(backend, operation, &work);
            let _ = bytes(&mut exchange, status, body.as_bytes(), 0);
            let (mut exchange, _) = begin(backend, operation, &work);
            let answer = json!({"id": address, "request_id": address, "response_url": address,
                "data": {"id": address, "urls": {"get": address}}});
            if let Ok(Step::Wait { then, .. }) = next(&mut exchange, 200, answer, 0) {
                let target = target(&then);
                prop_assert!(target.starts_with(&format!("/{backend}/")), "{}", target);
                prop_assert!(!target.contains("..") && target.bytes().all(|b| b.is_ascii_graphic()), "{}", target);
            }
        }
    }
}
