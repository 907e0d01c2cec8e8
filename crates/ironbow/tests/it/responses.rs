//! Responses that are kept, end to end: continued, fetched and deleted, in conversations and in the background, through
//! `kill -9`, and for nobody else.

mod background;
mod bad;
mod items;

use std::time::Duration;

use serde_json::{Value, json};

use crate::it::{
    raw::{Exchange, Reply, request},
    world::{EVERYWHERE, World, and, ask},
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
const JSON: (&str, &str) = ("content-type", "application/json");
const MINE: (&str, &str) = ("authorization", "Bearer sk-mine");

fn call(input: &str) -> Value {
    json!({"model": format!("huggingface/groq/{EVERYWHERE}"), "input": input})
}

fn post(world: &World, path: &str, body: &Value) -> Reply {
    world.send("POST", path, &[JSON], body.to_string().as_bytes())
}

/// A response to this call.
fn respond(world: &World, body: &Value) -> Value {
    let reply = post(world, "/v1/responses", body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn id(response: &Value) -> String {
    response["id"].as_str().unwrap().to_owned()
}

fn fetch(world: &World, id: &str) -> Reply {
    world.get(&format!("/v1/responses/{id}"))
}

/// The messages of the last chat that reached a backend, as roles and texts.
fn last_messages(world: &World) -> Vec<(String, String)> {
    let chats = world.upstream_chats();
    let body: Value = serde_json::from_str(chats.last().unwrap()["body"].as_str().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = body["messages"].as_array().unwrap().iter();
    messages.map(|message| (text(&message["role"]), text(&message["content"]))).collect()
}

fn said(role: &str, text: &str) -> (String, String) {
    (role.to_owned(), text.to_owned())
}

/// The data of every event of a stream.
fn events(text: &str) -> Vec<Value> {
    let data = text.split("\n\n").filter_map(|frame| frame.lines().find_map(|line| line.strip_prefix("data: ")));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Waits until the gateway says that the work on a response has ended so.
fn until(world: &World, response: &str, state: &str) {
    let job = response.replace("resp_", "job_");
    world.log_line(|line| line.contains(&job) && line.contains(&format!("\"state\":\"{state}\"")));
}

/// Seconds since 1970.
fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Waits until so many chats have reached a backend.
fn seen(world: &World, times: usize) {
    let chat = |journal: &[Value]| journal.iter().filter(|entry| entry["operation"] == "chat").count() >= times;
    assert!(chat(&world.journal_until(LONG, chat)), "nothing arrived");
}

/// Waits until the gateway has left so many backends.
fn left(world: &World, times: usize) {
    let left = |journal: &[Value]| journal.iter().filter(|entry| entry["aborted"] == true).count() >= times;
    assert!(left(&world.journal_until(LONG, left)), "the connection stayed");
}

#[test]
fn a_response_is_kept_and_continued_through_kill_9() {
    let mut world = World::plain();
    let first = respond(&world, &and(call("one"), json!({"instructions": "Old.", "metadata": {"a": "b"}})));
    assert_eq!(first["store"], true);
    world.kill_and_restart();
    assert_eq!(fetch(&world, &id(&first)).json(), first);
    let chained = and(call("two"), json!({"previous_response_id": first["id"], "instructions": "New."}));
    let second = respond(&world, &chained);
    let third = respond(&world, &and(call("three"), json!({"previous_response_id": second["id"]})));
    assert_eq!(
        last_messages(&world),
        [
            said("user", "one"),
            said("assistant", "echo: one"),
            said("user", "two"),
            said("assistant", "echo: two"),
            said("user", "three")
        ],
        "the whole history, and no instructions of before"
    );
    let items = world.get(&format!("/v1/responses/{}/input_items?order=asc&limit=3", id(&third))).json();
    let texts: Vec<&Value> = items["data"].as_array().unwrap().iter().map(|item| &item["content"][0]["text"]).collect();
    assert_eq!(texts, ["one", "echo: one", "two"]);
    assert_eq!(items["has_more"], true);

    // What is deleted is gone, and what continues it goes on.
    let deleted = world.send("DELETE", &format!("/v1/responses/{}", id(&first)), &[], b"").json();
    assert_eq!(deleted, json!({"id": first["id"], "object": "response", "deleted": true}));
    assert_eq!(fetch(&world, &id(&first)).status, 404);
    let refused = post(&world, "/v1/responses", &chained);
    let error = &refused.json()["error"];
    assert_eq!(
        (refused.status, &error["param"], &error["code"]),
        (404, &json!("previous_response_id"), &json!("previous_response_not_found"))
    );
    respond(&world, &and(call("four"), json!({"previous_response_id": third["id"]})));
    assert_eq!(last_messages(&world).len(), 7);
}

#[test]
fn calls_of_functions_and_sealed_reasoning_are_played_back() {
    let world = World::plain();
    let tools = json!([{"type": "function", "name": "get_weather", "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]);
    let first = and(
        call("call for Paris"),
        json!({"tools": tools, "tool_choice": "required",
        "reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]}),
    );
    let first = respond(&world, &first);
    let made = first["output"].as_array().unwrap().iter().find(|item| item["type"] == "function_call").unwrap();
    let result = json!({"type": "function_call_output", "call_id": made["call_id"], "output": "rain"});
    let second =
        json!({"model": call("")["model"], "previous_response_id": first["id"], "tools": tools, "input": [result]});
    respond(&world, &second);
    let chats = world.upstream_chats();
    let body: Value = serde_json::from_str(chats.last().unwrap()["body"].as_str().unwrap()).unwrap();
    let assistant = &body["messages"][1];
    assert_eq!(assistant["tool_calls"][0]["id"], made["call_id"], "{body}");
    assert_eq!(body["messages"][2]["content"], "rain");
    let thought = assistant["reasoning"].as_str().or(assistant["reasoning_content"].as_str());
    assert!(thought.is_some_and(|thought| !thought.is_empty()), "{assistant}");
}

#[test]
fn an_item_is_named_instead_of_said() {
    let world = World::plain();
    let first = respond(&world, &call("one"));
    let item = first["output"][0]["id"].as_str().unwrap();
    let by_name = json!({"model": call("")["model"], "input": [
        {"role": "user", "content": "x"}, {"type": "item_reference", "id": item}, {"role": "user", "content": "y"}]});
    respond(&world, &by_name);
    assert_eq!(last_messages(&world), [said("user", "x"), said("assistant", "echo: one"), said("user", "y")]);
    let unknown = json!({"model": call("")["model"], "input": [{"type": "item_reference", "id": "msg_1"}]});
    let refused = post(&world, "/v1/responses", &unknown);
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("input[0].id")));
}

#[test]
fn what_is_not_to_be_kept_is_not_kept() {
    let world = World::configured("[responses]\nstore = false\n");
    for (more, kept) in [
        (json!({}), false),
        (json!({"store": false}), false),
        (json!({"store": true}), true),
        (json!({"store": true, "stream": true}), true),
        (json!({"stream": true}), false),
    ] {
        let reply = post(&world, "/v1/responses", &and(call("x"), more.clone()));
        let response =
            if more["stream"] == true { events(reply.text()).pop().unwrap()["response"].clone() } else { reply.json() };
        assert_eq!(response["store"], kept, "{more}");
        assert_eq!(fetch(&world, &id(&response)).status, if kept { 200 } else { 404 }, "{more}");
    }
}

#[test]
fn a_stream_is_kept_as_it_was_told_and_told_again() {
    let mut world = World::plain();
    let reply = post(&world, "/v1/responses", &and(call("one"), json!({"stream": true})));
    let told = events(reply.text());
    let last = told.last().unwrap()["response"].clone();
    assert_eq!((&last["store"], &last["status"]), (&json!(true), &json!("completed")));
    world.kill_and_restart();
    assert_eq!(fetch(&world, &id(&last)).json(), last);
    let again = world.get(&format!("/v1/responses/{}?stream=true", id(&last)));
    assert_eq!(again.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let again = events(again.text());
    assert_eq!(numbers(&again), (0..again.len() as u64).collect::<Vec<_>>());
    assert_eq!(again.last().unwrap()["response"], last);
    let rest = world.get(&format!("/v1/responses/{}?stream=true&starting_after=2", id(&last)));
    assert_eq!(events(rest.text()), again[3..]);
}

#[test]
fn a_response_says_when_it_was_completed_and_nothing_that_was_not_does() {
    let world = World::plain();
    let begun = seconds();
    let completed = |response: &Value| {
        let at = response["completed_at"].as_u64().unwrap_or_else(|| panic!("{response}"));
        assert!((begun..=seconds()).contains(&at) && at >= response["created_at"].as_u64().unwrap(), "{response}");
    };
    let whole = respond(&world, &call("one"));
    completed(&whole);
    assert_eq!(fetch(&world, &id(&whole)).json(), whole);
    let told = events(post(&world, "/v1/responses", &and(call("one"), json!({"stream": true}))).text());
    for event in told.iter().filter(|event| event["response"].is_object()) {
        if event["type"] == "response.completed" {
            completed(&event["response"]);
        } else {
            assert_eq!(event["response"]["completed_at"], Value::Null, "{event}");
        }
    }
    let again = world.get(&format!("/v1/responses/{}?stream=true", id(&told.last().unwrap()["response"])));
    let again = events(again.text());
    let last = |events: &[Value]| events.last().unwrap()["response"].clone();
    assert_eq!((&again[0]["response"]["completed_at"], last(&again)), (&Value::Null, last(&told)));
    let queued = respond(&world, &and(call("one"), json!({"background": true})));
    assert_eq!(queued["completed_at"], Value::Null);
    until(&world, &id(&queued), "succeeded");
    completed(&fetch(&world, &id(&queued)).json());
    let cut = respond(&world, &and(call("one two three four"), json!({"max_output_tokens": 1})));
    assert_eq!((&cut["status"], &cut["completed_at"]), (&json!("incomplete"), &Value::Null));
}

#[test]
fn a_call_that_is_too_long_is_shortened_where_its_caller_says_so() {
    let world = World::plain();
    let model = "meta-llama/Llama-3.1-70B-Instruct";
    world.prices();
    // Hardly anything is left for the call itself: 131,072 tokens fit at groq.
    let model = format!("huggingface/groq/{model}");
    let tight = json!({"model": model, "truncation": "auto", "max_output_tokens": 131_072 - 60});
    let old = "old words ".repeat(30);
    let first = respond(&world, &json!({"model": model, "input": old}));
    let second = and(tight.clone(), json!({"input": "new", "previous_response_id": first["id"]}));
    for more in [json!({}), json!({"stream": true}), json!({"background": true})] {
        let reply = post(&world, "/v1/responses", &and(second.clone(), more.clone()));
        assert_eq!((reply.status, reply.header("x-ironbow-dropped")), (200, None), "{}", reply.text());
        let response =
            if more["stream"] == true { events(reply.text()).pop().unwrap()["response"].clone() } else { reply.json() };
        assert_eq!(response["truncation"], "auto");
        if more["background"] == true {
            until(&world, &id(&response), "succeeded");
        }
        assert_eq!(last_messages(&world), [said("user", "new")], "{more}");
        assert_eq!(fetch(&world, &id(&response)).json()["truncation"], "auto");
        let listed = world.get(&format!("/v1/responses/{}/input_items", id(&response))).json();
        assert_eq!(listed["data"].as_array().unwrap().len(), 3, "what was left out is kept all the same");
    }
    // Without the word, it is for the backend to judge.
    let whole = and(second, json!({"truncation": "disabled"}));
    assert_eq!(respond(&world, &whole)["truncation"], "disabled");
    assert_eq!(last_messages(&world).len(), 3);
    // Where nobody says how much fits, nothing is left out, and that is told.
    for more in [json!({}), json!({"background": true})] {
        let unknown = and(and(tight.clone(), call("x")), more.clone());
        let reply =
            post(&world, "/v1/responses", &and(unknown, json!({"model": "huggingface/deepinfra/openai/gpt-oss-120b"})));
        assert_eq!((reply.status, reply.header("x-ironbow-dropped")), (200, Some("truncation")), "{}", reply.text());
    }
}

#[test]
fn a_stream_that_its_caller_leaves_ends_as_failed() {
    let mut world = World::plain();
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "stall", "after": 2}}));
    let body = and(call("one"), json!({"stream": true})).to_string();
    let mut open = Exchange::send(world.addr, &request("POST", "/v1/responses", &[JSON], body.as_bytes()));
    let text = String::from_utf8(open.read_until("response.output_text.delta", 1).to_vec()).unwrap();
    let at = text.find("resp_").unwrap();
    let response = text[at..at + 37].to_owned();
    assert_eq!(fetch(&world, &response).json()["status"], "in_progress");
    drop(open);
    left(&world, 1);
    for _ in 0..2 {
        let kept = fetch(&world, &response).json();
        assert_eq!((&kept["status"], &kept["error"]["code"]), (&json!("failed"), &json!("server_error")), "{kept}");
        world.kill_and_restart();
    }
}

#[test]
fn a_stream_that_breaks_is_kept_as_failed() {
    let world = World::plain();
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "truncate", "after": 2}}));
    let told = events(post(&world, "/v1/responses", &and(call("one"), json!({"stream": true}))).text());
    let last = told.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(fetch(&world, &id(&last["response"])).json(), last["response"]);
}

#[test]
fn what_somebody_else_keeps_does_not_exist() {
    let mut world = World::plain();
    let mine = |method: &str, path: &str, body: &Value| {
        let body = body.to_string();
        world.send(method, path, &[JSON, MINE], body.as_bytes()).json()
    };
    let response = id(&mine("POST", "/v1/responses", &call("secret")));
    let conversation =
        id(&mine("POST", "/v1/conversations", &json!({"items": [{"role": "user", "content": "secret"}]})));
    let listed = mine("GET", &format!("/v1/conversations/{conversation}/items"), &Value::Null);
    let item = id(&listed["data"][0]);
    let nothing = "00000000000000000000000000000000";
    for restarted in [false, true] {
        if restarted {
            world.kill_and_restart();
        }
        for (method, path) in [
            ("GET", "/v1/responses/{r}"),
            ("GET", "/v1/responses/{r}?stream=true"),
            ("DELETE", "/v1/responses/{r}"),
            ("POST", "/v1/responses/{r}/cancel"),
            ("GET", "/v1/responses/{r}/input_items"),
            ("GET", "/v1/conversations/{c}"),
            ("POST", "/v1/conversations/{c}"),
            ("DELETE", "/v1/conversations/{c}"),
            ("GET", "/v1/conversations/{c}/items"),
            ("POST", "/v1/conversations/{c}/items"),
            ("GET", "/v1/conversations/{c}/items/{i}"),
            ("DELETE", "/v1/conversations/{c}/items/{i}"),
        ] {
            let body = if method == "POST" {
                json!({"metadata": {}, "items": [{"role": "user", "content": "x"}]}).to_string()
            } else {
                String::new()
            };
            let ask = |r: &str, c: &str| {
                let path = path.replace("{r}", r).replace("{c}", c).replace("{i}", &item);
                let theirs = ("authorization", "Bearer sk-theirs");
                let reply = world.send(method, &path, &[JSON, theirs], body.as_bytes());
                (reply.status, reply.json()["error"]["message"].clone())
            };
            let other = ask(&response, &conversation);
            assert_eq!(other.0, 404, "{method} {path}");
            assert_eq!(other, ask(&format!("resp_{nothing}"), &format!("conv_{nothing}")), "{method} {path}");
        }
        for more in [
            json!({"previous_response_id": response}),
            json!({"conversation": conversation}),
            json!({"conversation": {"id": conversation}}),
        ] {
            assert_eq!(post(&world, "/v1/responses", &and(call("x"), more.clone())).status, 404, "{more}");
        }
        let named = json!({"model": call("")["model"], "input": [{"type": "item_reference", "id": item}]});
        assert_eq!(post(&world, "/v1/responses", &named).status, 400);
        let kept = world.send("GET", &format!("/v1/responses/{response}"), &[MINE], b"");
        assert_eq!(kept.status, 200, "mine is still there");
    }
}

#[test]
fn a_conversation_is_made_spoken_in_changed_and_deleted() {
    let mut world = World::plain();
    let begun = json!({"metadata": {"topic": "x"}, "items": [{"role": "user", "content": "zero"}]});
    let made = post(&world, "/v1/conversations", &begun).json();
    let at = format!("/v1/conversations/{}", id(&made));
    assert_eq!((&made["object"], &made["metadata"]), (&json!("conversation"), &json!({"topic": "x"})));
    let first = respond(&world, &and(call("one"), json!({"conversation": made["id"]})));
    assert_eq!(first["conversation"], json!({"id": made["id"]}));
    world.kill_and_restart();
    let streamed = and(call("two"), json!({"conversation": {"id": made["id"]}, "stream": true}));
    post(&world, "/v1/responses", &streamed);
    assert_eq!(
        last_messages(&world),
        [said("user", "zero"), said("user", "one"), said("assistant", "echo: one"), said("user", "two")]
    );
    let items = world.get(&format!("{at}/items?order=asc")).json();
    let texts: Vec<&Value> = items["data"].as_array().unwrap().iter().map(|item| &item["content"][0]["text"]).collect();
    assert_eq!(texts, ["zero", "one", "echo: one", "two", "echo: two"]);
    let one = id(&items["data"][1]);
    assert_eq!(world.get(&format!("{at}/items/{one}")).json(), items["data"][1]);
    assert_eq!(world.send("DELETE", &format!("{at}/items/{one}"), &[], b"").json()["id"], made["id"]);
    assert_eq!(world.get(&format!("{at}/items/{one}")).status, 404);
    let added = post(&world, &format!("{at}/items"), &json!({"items": [{"role": "user", "content": "three"}]})).json();
    assert_eq!((&added["object"], &added["data"][0]["status"]), (&json!("list"), &json!("completed")));
    let changed = post(&world, &at, &json!({"metadata": {"topic": "y"}})).json();
    assert_eq!((&changed["metadata"], &changed["created_at"]), (&json!({"topic": "y"}), &made["created_at"]));
    assert_eq!(world.get(&at).json(), changed);
    let deleted = world.send("DELETE", &at, &[], b"").json();
    assert_eq!(deleted, json!({"id": made["id"], "object": "conversation.deleted", "deleted": true}));
    assert_eq!(world.get(&at).status, 404);
    assert_eq!(fetch(&world, &id(&first)).status, 200, "its responses stay");
    let both = json!({"conversation": made["id"], "previous_response_id": first["id"]});
    assert_eq!(post(&world, "/v1/responses", &and(call("x"), both)).status, 400);
}

#[test]
fn where_nothing_more_can_be_kept_only_calls_that_demand_it_fail() {
    let world = World::configured("[responses]\nkept = \"12KiB\"\n");
    let first = respond(&world, &and(call("one"), json!({"store": true})));
    let long = "x".repeat(2500);
    respond(&world, &and(call(&long), json!({"store": true})));
    for stream in [false, true] {
        let reply = post(&world, "/v1/responses", &and(call(&long), json!({"stream": stream})));
        assert_eq!((reply.status, reply.header("x-ironbow-dropped")), (200, Some("store")), "{}", reply.text());
        let answers = if stream { events(reply.text()) } else { vec![json!({"response": reply.json()})] };
        for answer in answers.iter().filter(|answer| answer["response"].is_object()) {
            assert_eq!(answer["response"]["store"], false, "it says what is true");
        }
        let refused = post(&world, "/v1/responses", &and(call(&long), json!({"store": true, "stream": stream})));
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (503, &json!("overloaded")));
    }
    let refused = post(&world, "/v1/responses", &and(call(&long), json!({"background": true})));
    assert_eq!(refused.status, 503);
    assert_eq!(world.get("/v1/jobs").json()["data"], json!([]));
    let unkept = post(&world, "/v1/responses", &and(call(&long), json!({"store": false})));
    assert_eq!((unkept.status, unkept.header("x-ironbow-dropped")), (200, None));
    assert_eq!(world.chat(&ask(call("")["model"].as_str().unwrap(), &long)).status, 200);
    assert_eq!(fetch(&world, &id(&first)).status, 200, "what was kept stays");
}

#[test]
fn what_nobody_asked_to_keep_makes_room_for_what_is_newer() {
    let world = World::configured("[responses]\nkept = \"12KiB\"\n");
    let asked = respond(&world, &and(call("one"), json!({"store": true})));
    let long = "x".repeat(1500);
    let mut kept = Vec::new();
    for _ in 0..4 {
        let response = respond(&world, &call(&long));
        assert_eq!(response["store"], true);
        assert_eq!(fetch(&world, &id(&response)).status, 200);
        kept.push(id(&response));
    }
    assert_eq!(fetch(&world, &kept[0]).status, 404, "the oldest went");
    assert_eq!(fetch(&world, &id(&asked)).status, 200, "what was asked for stays");
}

#[test]
fn what_is_kept_expires() {
    let world = World::configured("[responses]\nkeep = \"1ms\"\n");
    let response = respond(&world, &call("one"));
    assert_eq!(response["store"], true);
    assert_eq!(fetch(&world, &id(&response)).status, 404);
}

#[test]
fn tokens_are_counted_beforehand() {
    let world = World::plain();
    let count = |body: &Value| post(&world, "/v1/responses/input_tokens", body).json();
    let few = count(&json!({"input": "hi"}));
    assert_eq!(few["object"], "response.input_tokens");
    let many = count(&json!({"model": "m", "input": "hi ".repeat(100)}));
    assert!(many["input_tokens"].as_u64() > few["input_tokens"].as_u64(), "{many} {few}");
    assert_eq!(world.upstream_chats().len(), 0);
}

#[test]
fn a_chain_says_upstream_what_came_before_in_the_same_bytes() {
    let world = World::plain();
    let first = respond(&world, &and(call("one"), json!({"instructions": "Be kind."})));
    let again = |text: &str| and(call(text), json!({"instructions": "Be kind.", "previous_response_id": first["id"]}));
    respond(&world, &again("two"));
    respond(&world, &again("two"));
    let bodies: Vec<String> =
        world.upstream_chats().iter().map(|chat| chat["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies[1], bodies[2], "equal calls are equal upstream");
    let shared = bodies[0].split("]").next().unwrap();
    assert!(bodies[1].starts_with(shared), "{shared} is the beginning of {}", bodies[1]);
}
