//! Faults as OpenAI's SDKs see them. The whole matrix is a golden file: `IRONBOW_GOLDEN=write` writes it anew.

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;
use types::{Fault, Kind};
use wire::openai::fault::{body, event, headers, status};

fn full(kind: Kind) -> Box<Fault> {
    let mut fault = Fault::new(kind, "What is wrong, and what to do.").retry_after(Duration::from_millis(1500));
    fault.param = Some("messages[0].role".into());
    fault.code = Some("own_code".into());
    fault.backend = Some("somewhere".into());
    fault.upstream_request_id = Some("req-theirs".into());
    fault.detail = Some("inner detail".into());
    fault.status = Some(418);
    fault
}

#[test]
fn the_matrix_of_kinds_is_as_written_down() {
    let mut matrix =
        String::from("# Every kind of fault at OpenAI's door: bare, and with all that a fault can carry.\n");
    for kind in Kind::ALL {
        for fault in [Fault::new(*kind, "What is wrong, and what to do."), full(*kind)] {
            let _ = write!(
                matrix,
                "\n{}\n  {} {:?}\n  {}\n",
                kind.name(),
                status(&fault),
                headers(&fault),
                String::from_utf8(body(&fault, "req-ours")).unwrap()
            );
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/openai-faults.txt");
    if std::env::var_os("IRONBOW_GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(path, &matrix).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    assert_eq!(matrix, golden, "set IRONBOW_GOLDEN=write to accept");
}

#[test]
fn the_backends_own_status_is_shown_where_it_says_what_is_wrong() {
    let with = |kind, told| {
        let mut fault = Fault::new(kind, "x");
        fault.status = told;
        status(&fault)
    };
    assert_eq!(with(Kind::UpstreamRejected, Some(422)), 422);
    assert_eq!(with(Kind::UpstreamUnauthenticated, Some(401)), 401);
    assert_eq!(with(Kind::UpstreamFailed, Some(529)), 529);
    assert_eq!(with(Kind::UpstreamFailed, Some(200)), 502);
    assert_eq!(with(Kind::UpstreamTruncated, None), 502);
    assert_eq!(with(Kind::ContextLength, Some(422)), 422);
    assert_eq!(with(Kind::BadRequest, Some(500)), 400);
}

#[test]
fn when_to_come_again_is_rounded_up_and_only_where_it_has_a_meaning() {
    let fault = Fault::new(Kind::UpstreamRateLimited, "x").retry_after(Duration::from_millis(1500));
    assert_eq!(headers(&fault), [("retry-after", "2".to_owned())]);
    assert!(headers(&Fault::new(Kind::BadRequest, "x").retry_after(Duration::from_secs(1))).is_empty());
}

#[test]
fn an_event_is_one_frame_with_the_same_error_and_no_inner_detail() {
    let fault = full(Kind::UpstreamTruncated);
    let event = String::from_utf8(event(&fault, "req-ours")).unwrap();
    let data = event.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
    assert!(!data.contains('\n') && !data.contains("inner detail"));
    let parsed: Value = serde_json::from_str(data).unwrap();
    assert_eq!(parsed, serde_json::from_slice::<Value>(&body(&fault, "req-ours")).unwrap());
    assert_eq!(parsed["error"]["request_id"], "req-ours");
    assert_eq!(parsed["error"]["upstream_request_id"], "req-theirs");
}
