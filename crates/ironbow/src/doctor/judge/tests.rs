//! What the doctor says about answers that the sandbox cannot give, or not in one run.

use super::*;

fn exchange(status: u16, body: &str) -> Exchange {
    let answer = Answer { status, date: None, body: body.as_bytes().to_vec() };
    Exchange { address: "https://hub.example".to_owned(), result: Ok(answer) }
}

fn broken(kind: NetErrorKind) -> Exchange {
    Exchange { address: "https://hub.example".to_owned(), result: Err(NetError::new(kind, "why")) }
}

#[test]
fn a_fine_grained_token_needs_the_inference_permission() {
    let with = r#"{"name":"ana","auth":{"accessToken":{"role":"fineGrained","fineGrained":{"scoped":[{"permissions":["inference.serverless.write"]}]}}}}"#;
    let without = r#"{"name":"ana","auth":{"accessToken":{"role":"fineGrained","fineGrained":{"scoped":[{"permissions":["repo.read"]}],"global":[]}}}}"#;
    let coarse = r#"{"name":"ana","auth":{"accessToken":{"role":"read"}}}"#;
    assert_eq!(token(&Token::Known(exchange(200, with))).state, State::Good);
    assert_eq!(token(&Token::Known(exchange(200, coarse))).state, State::Good);
    let finding = token(&Token::Known(exchange(200, without)));
    assert_eq!(finding.state, State::Failed);
    assert!(finding.advice.contains("Make calls to Inference Providers"), "{finding:?}");
}

#[test]
fn no_token_is_a_note_where_callers_bring_theirs_and_a_failure_elsewhere() {
    assert_eq!(token(&Token::Missing { callers_bring_theirs: true }).state, State::Note);
    assert_eq!(token(&Token::Missing { callers_bring_theirs: false }).state, State::Failed);
}

#[test]
fn a_login_page_in_place_of_hugging_face_is_recognised() {
    for finding in [
        router(&exchange(200, "<html>Please log in</html>")),
        hub(&exchange(200, "<html>Please log in</html>")),
        token(&Token::Known(exchange(200, "<html>"))),
    ] {
        assert_eq!(finding.state, State::Failed);
        assert!(finding.advice.contains("login page"), "{finding:?}");
    }
}

#[test]
fn a_mirror_without_mappings_is_not_enough() {
    let finding = hub(&exchange(200, r#"{"id":"a/b"}"#));
    assert!(finding.advice.contains("HF_ENDPOINT"), "{finding:?}");
}

#[test]
fn every_kind_of_failure_has_advice() {
    use NetErrorKind as N;
    for kind in [
        N::BadRequest,
        N::Resolve,
        N::AddressRefused,
        N::ConnectRefused,
        N::ConnectTimeout,
        N::Tls,
        N::Timeout,
        N::Closed,
        N::Write,
        N::BadHead,
        N::HeadTooLarge,
        N::BadBody,
        N::Truncated,
    ] {
        let finding = router(&broken(kind));
        assert_eq!(finding.state, State::Failed, "{kind:?}");
        assert!(finding.advice.len() > 15 && finding.says.contains("hub.example"), "{finding:?}");
    }
}

#[test]
fn a_clock_that_is_minutes_away_fails_and_says_which_way() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let minutes = |n: u64| Duration::from_secs(60 * n);
    assert_eq!(clock(&[now - minutes(4)], now).state, State::Good);
    assert_eq!(clock(&[], now).state, State::Skipped);
    assert!(clock(&[now - minutes(6)], now).says.ends_with("fast"));
    assert!(clock(&[now + minutes(6)], now).says.ends_with("slow"));
    // One odd clock among several is theirs, not ours.
    assert_eq!(clock(&[now - minutes(600), now], now).state, State::Good);
}
