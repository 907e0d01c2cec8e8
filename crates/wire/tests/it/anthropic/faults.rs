//! Faults as Anthropic's SDKs see them.

use std::fmt::Write as _;

use serde_json::Value;
use types::{Fault, Kind};
use wire::anthropic::{event, fault};

use super::same_as_golden;

#[test]
fn the_matrix_of_kinds_is_as_written_down() {
    let mut matrix = String::from("# Every kind of fault at Anthropic's door; then with a backend's status of 529.\n");
    for kind in Kind::ALL {
        let bare = Fault::new(*kind, "What is wrong, and what to do.");
        let mut told = bare.clone();
        told.status = Some(529);
        let _ = write!(matrix, "\n{}\n", kind.name());
        for one in [bare, told] {
            let (status, media, body) = fault(&one, "req-ours");
            let _ = writeln!(matrix, "  {status} {media} {}", String::from_utf8(body).unwrap());
        }
    }
    same_as_golden("faults.txt", &matrix);
}

#[test]
fn an_event_is_one_frame_with_the_same_error() {
    let one = Fault::new(Kind::UpstreamTruncated, "It broke\noff.").detail("inner");
    let frame = String::from_utf8(event(&one, "req-ours")).unwrap();
    let data = frame.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    assert!(!data.contains('\n') && !data.contains("inner"));
    let parsed: Value = serde_json::from_str(data).unwrap();
    assert_eq!(parsed["type"], "error");
    assert_eq!(parsed["request_id"], "req-ours");
    assert_eq!(parsed["error"]["type"], "api_error");
}

#[test]
fn a_thread_is_refused_with_the_code_at_which_sdks_go_on_without_one() {
    for (thread, lenient_too) in
        [(r#"{"type":"create"}"#, false), (r#"{"type":"continue","previous_message_id":"m"}"#, true)]
    {
        let body =
            format!(r#"{{"model":"m","max_tokens":5,"thread":{thread},"messages":[{{"role":"user","content":"x"}}]}}"#);
        let refused = super::read(&body).map(|heard| heard.model).unwrap_err();
        let (status, _, told) = fault(&refused, "req-ours");
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(status, 400);
        assert_eq!(told["error"]["details"]["error_code"], "thread_unsupported_request");
        assert_eq!(super::read_leniently(&body).is_err(), lenient_too);
    }
}
