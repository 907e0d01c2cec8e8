//! Responses in the background: fetched, cancelled, followed, ended truly whatever happens, and counted.

use serde_json::{Value, json};

use super::{JSON, call, events, fetch, id, kinds, last_messages, left, numbers, post, respond, seen, until};
use crate::it::{
    raw::{Exchange, request},
    world::{World, and},
};

#[test]
fn a_response_in_the_background_is_fetched_when_it_is_done() {
    let mut world = World::plain();
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "delay_ms": 300, "fault": {"kind": "delay"}}));
    let accepted = respond(&world, &and(call("one"), json!({"background": true})));
    assert_eq!((&accepted["status"], &accepted["output"]), (&json!("queued"), &json!([])));
    seen(&world, 1);
    assert_eq!(fetch(&world, &id(&accepted)).json()["status"], "in_progress");
    until(&world, &id(&accepted), "succeeded");
    let done = fetch(&world, &id(&accepted)).json();
    assert_eq!((&done["status"], &done["background"]), (&json!("completed"), &json!(true)));
    assert_eq!(done["output"][0]["content"][0]["text"], "echo: one");
    world.kill_and_restart();
    assert_eq!(fetch(&world, &id(&accepted)).json(), done);
    respond(&world, &and(call("two"), json!({"previous_response_id": accepted["id"]})));
    assert_eq!(last_messages(&world).len(), 3);
}

#[test]
fn a_response_in_the_background_is_cancelled_and_its_backend_left() {
    let world = World::plain();
    for (round, stream) in [(1, false), (2, true)] {
        world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "stall", "after": 2}}));
        let body = and(call("one"), json!({"background": true, "stream": stream})).to_string();
        let mut open = Exchange::send(world.addr, &request("POST", "/v1/responses", &[JSON], body.as_bytes()));
        let text = String::from_utf8(open.read_until("queued", 1).to_vec()).unwrap();
        let at = text.find("resp_").unwrap();
        let response = text[at..at + 37].to_owned();
        seen(&world, round);
        let continued = post(&world, "/v1/responses", &and(call("x"), json!({"previous_response_id": response})));
        assert_eq!(continued.status, 400, "what is not done cannot be continued");
        let cancelled = post(&world, &format!("/v1/responses/{response}/cancel"), &json!({}));
        assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")), "{stream}");
        left(&world, round);
        if stream {
            let told = open.reply();
            let told = events(told.text());
            assert_eq!(told.last().unwrap()["code"], "response_cancelled", "{:?}", kinds(&told));
            assert_eq!(numbers(&told), (0..told.len() as u64).collect::<Vec<_>>());
        }
        assert_eq!(fetch(&world, &response).json()["status"], "cancelled");
        let again = post(&world, &format!("/v1/responses/{response}/cancel"), &json!({}));
        assert_eq!((again.status, &again.json()["status"]), (200, &json!("cancelled")));
    }
    let waited = respond(&world, &call("two"));
    assert_eq!(post(&world, &format!("/v1/responses/{}/cancel", id(&waited)), &json!({})).status, 400);
}

#[test]
fn a_stream_in_the_background_is_taken_up_again_anywhere_and_stays_the_same() {
    let mut world = World::plain();
    world.fault(
        &json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "slow", "bytes": 40, "gap_ms": 15}}),
    );
    let body = and(call("one two three four"), json!({"background": true, "stream": true})).to_string();
    let mut open = Exchange::send(world.addr, &request("POST", "/v1/responses", &[JSON], body.as_bytes()));
    let text = String::from_utf8(open.read_until("response.output_item.added", 1).to_vec()).unwrap();
    let at = text.find("resp_").unwrap();
    let response = text[at..at + 37].to_owned();
    drop(open);
    let rest = world.get(&format!("/v1/responses/{response}?stream=true&starting_after=1"));
    let rest = events(rest.text());
    assert_eq!(rest.last().unwrap()["type"], "response.completed", "{:?}", kinds(&rest));
    assert_eq!(numbers(&rest), (2..rest.len() as u64 + 2).collect::<Vec<_>>());
    let all = world.get(&format!("/v1/responses/{response}?stream=true"));
    let all = events(all.text());
    assert_eq!(kinds(&all)[..3], ["response.created", "response.queued", "response.in_progress"]);
    assert_eq!(all[2..], rest);
    assert!(kinds(&all).iter().filter(|kind| **kind == "response.output_text.delta").count() > 1);
    world.kill_and_restart();
    let again = world.get(&format!("/v1/responses/{response}?stream=true&starting_after=4"));
    assert_eq!(events(again.text()), all[5..]);
    assert_eq!(fetch(&world, &response).json(), all.last().unwrap()["response"]);
}

#[test]
fn a_response_in_the_background_ends_truly_after_kill_9() {
    let mut world = World::configured("[jobs]\nrunning = 1\n");
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "stall", "before_head": true}}));
    let running = id(&respond(&world, &and(call("one"), json!({"background": true}))));
    seen(&world, 1);
    let waiting = id(&respond(&world, &and(call("two"), json!({"background": true}))));
    assert_eq!(fetch(&world, &waiting).json()["status"], "queued");
    world.kill_and_restart();
    until(&world, &waiting, "succeeded");
    until(&world, &running, "failed");
    assert_eq!(fetch(&world, &waiting).json()["output"][0]["content"][0]["text"], "echo: two", "what was not sent is");
    let failed = fetch(&world, &running).json();
    assert_eq!(failed["status"], "failed", "what was sent is not sent again");
    assert!(failed["error"]["message"].as_str().unwrap().contains("not sent twice"), "{failed}");
    assert_eq!(world.upstream_chats().len(), 2);
    let told = events(world.get(&format!("/v1/responses/{running}?stream=true")).text());
    assert_eq!(told.last().unwrap()["type"], "response.failed");
}

/// A number of the page of metrics; zero where nothing was counted yet.
fn count(world: &World, name: &str) -> u64 {
    let page = world.get("/metrics");
    let line = page.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0, |number| number.parse().unwrap())
}

/// The tokens that groq has reported: of calls, and of answers.
fn tokens(world: &World) -> (u64, u64) {
    let of = |kind| count(world, &format!("ironbow_tokens_total{{backend=\"groq\",type=\"{kind}\"}}"));
    (of("input"), of("output"))
}

/// The line of the log about work in the background, once it is over.
fn work(world: &World, response: &str) -> Value {
    let request = response.replace("resp_", "req_");
    let line = world.log_line(|line| line.contains(&request) && line.contains("\"route\":\"background\""));
    serde_json::from_str(&line).unwrap()
}

#[test]
fn what_is_used_in_the_background_is_counted_and_logged_as_in_the_foreground() {
    let mut world = World::configured("[jobs]\nrunning = 1\n");
    respond(&world, &call("one"));
    let one = tokens(&world);
    assert!(one.0 > 0 && one.1 > 0, "{one:?}");
    for (round, stream) in [(2, false), (3, true)] {
        let body = and(call("one"), json!({"background": true, "stream": stream}));
        let reply = post(&world, "/v1/responses", &body);
        let response = if stream { id(&events(reply.text())[0]["response"]) } else { id(&reply.json()) };
        let line = work(&world, &response);
        assert_eq!(tokens(&world), (one.0 * round, one.1 * round), "{stream}");
        assert_eq!(
            (line["input_tokens"].as_u64(), line["output_tokens"].as_u64()),
            (Some(one.0), Some(one.1)),
            "{line}"
        );
        assert_eq!(
            (&line["status"], &line["backend"], &line["finish_reason"]),
            (&json!(200), &json!("groq"), &json!("stop"))
        );
        let usage = fetch(&world, &response).json()["usage"].clone();
        assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(one.0), &json!(one.1)));
    }
    assert_eq!(count(&world, "ironbow_requests_total{route=\"background\",backend=\"groq\",status=\"200\"}"), 2);

    // One that is cancelled has what was told until then: here nothing. One that fails has none either.
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "stall", "after": 2}}));
    let cancelled = id(&respond(&world, &and(call("one"), json!({"background": true}))));
    seen(&world, 4);
    post(&world, &format!("/v1/responses/{cancelled}/cancel"), &json!({}));
    let line = work(&world, &cancelled);
    assert_eq!((&line["fault"], &line["input_tokens"]), (&json!("client_gone"), &Value::Null), "{line}");
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "status", "status": 400}}));
    let failed = id(&respond(&world, &and(call("one"), json!({"background": true}))));
    let line = work(&world, &failed);
    assert_eq!((&line["status"], &line["fault"]), (&json!(400), &json!("upstream_rejected")), "{line}");
    assert_eq!(tokens(&world), (one.0 * 3, one.1 * 3));

    // After a restart, what is done then is counted then, and what nobody knows is not.
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "stall", "before_head": true}}));
    let running = id(&respond(&world, &and(call("one"), json!({"background": true}))));
    seen(&world, 6);
    let waiting = id(&respond(&world, &and(call("one"), json!({"background": true}))));
    world.kill_and_restart();
    let (lost, done) = {
        let first = world.log_line(|line| line.contains("\"route\":\"background\""));
        let second = world.log_line(|line| line.contains("\"route\":\"background\""));
        if first.contains(&running.replace("resp_", "req_")) { (first, second) } else { (second, first) }
    };
    assert!(done.contains(&waiting.replace("resp_", "req_")) && done.contains("\"output_tokens\""), "{done}");
    assert!(!lost.contains("\"output_tokens\""), "{lost}");
    assert_eq!(tokens(&world), one);
    assert_eq!(count(&world, "ironbow_requests_in_flight"), 1, "only the one that asks for this");
}

#[test]
fn a_response_in_the_background_is_finished_when_the_gateway_is_told_to_end() {
    let mut world = World::plain();
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "delay_ms": 500, "fault": {"kind": "delay"}}));
    let response = id(&respond(&world, &and(call("one"), json!({"background": true}))));
    seen(&world, 1);
    world.terminate();
    assert_eq!(world.start_again(), Some(0));
    assert_eq!(fetch(&world, &response).json()["output"][0]["content"][0]["text"], "echo: one");
    assert_eq!(world.upstream_chats().len(), 1);
}

#[test]
fn a_response_in_the_background_fails_as_its_call_would() {
    let world = World::plain();
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "status", "status": 429}}));
    let limited = id(&respond(&world, &and(call("one"), json!({"background": true}))));
    until(&world, &limited, "failed");
    let failed = fetch(&world, &limited).json();
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("rate_limit_exceeded")));
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "status", "status": 500}}));
    let told = post(&world, "/v1/responses", &and(call("one"), json!({"background": true, "stream": true})));
    let told = events(told.text());
    assert_eq!(told.last().unwrap()["type"], "response.failed", "{:?}", kinds(&told));
    assert_eq!(numbers(&told), (0..told.len() as u64).collect::<Vec<_>>());
    let unknown = and(call("x"), json!({"model": "huggingface/no/such-model", "background": true}));
    assert_eq!(post(&world, "/v1/responses", &unknown).status, 404, "what is wrong is said at once");
    let unstored = and(call("x"), json!({"store": false, "background": true}));
    assert_eq!(post(&world, "/v1/responses", &unstored).json()["error"]["param"], "background");
}
