//! Jobs, end to end: accepted and fetched, cancelled, expired, somebody else's, and through `kill -9` and a drain.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::it::{
    raw::Reply,
    world::{EVERYWHERE, TOKEN, With, World, and, ask},
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
/// Backends that are asked again and again about what was submitted.
const POLLED: &[&str] = &["fal-ai", "replicate", "wavespeed", "zai-org"];
const JSON: (&str, &str) = ("content-type", "application/json");
const LATER: (&str, &str) = ("prefer", "respond-async");

fn picture(backend: &str) -> Value {
    let model = format!("huggingface/{backend}/sandbox/draws");
    json!({"model": model, "prompt": "a boat at dusk", "size": "64x32", "response_format": "b64_json"})
}

fn post(world: &World, path: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
    world.send("POST", path, &[&[JSON], headers].concat(), body.to_string().as_bytes())
}

fn draw(world: &World, body: &Value, headers: &[(&str, &str)]) -> Reply {
    post(world, "/v1/images/generations", body, headers)
}

/// The id of the job that this call became.
fn accepted(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.text());
    let job = reply.json();
    let id = job["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), Some(format!("/v1/jobs/{id}").as_str()));
    assert_eq!(reply.header("preference-applied"), Some("respond-async"));
    assert_eq!((&job["object"], &job["status"]), (&json!("job"), &json!("queued")), "{job}");
    id.to_owned()
}

/// Waits until the gateway says that the work on a job has ended so.
fn until(world: &World, id: &str, state: &str) {
    world.log_line(|line| line.contains(id) && line.contains(&format!("\"state\":\"{state}\"")));
}

fn result(world: &World, id: &str) -> Reply {
    world.get(&format!("/v1/jobs/{id}/result"))
}

fn status(world: &World, id: &str) -> Value {
    world.get(&format!("/v1/jobs/{id}")).json()["status"].clone()
}

fn is(entry: &Value, operation: &str) -> bool {
    entry["operation"] == operation
}

/// Waits until so many requests of this kind have reached the sandbox.
fn seen(world: &World, operation: &str, times: usize) {
    let count = |journal: &[Value]| journal.iter().filter(|entry| is(entry, operation)).count();
    let journal = world.journal_until(LONG, |journal| count(journal) >= times);
    assert!(count(&journal) >= times, "no {operation} arrived: {journal:?}");
}

/// Waits until the backend was told that a job is not wanted any more.
fn given_up(world: &World) {
    let told = |journal: &[Value]| journal.iter().any(|entry| is(entry, "cancel") && entry["finished"] == true);
    assert!(told(&world.journal_until(LONG, told)), "nobody told the backend");
}

/// How often it was submitted, and the ids that were asked about.
fn upstream(world: &World) -> (usize, Vec<String>) {
    let journal = world.sandbox.journal();
    let submits = journal.iter().filter(|entry| is(entry, "image")).count();
    let asked = journal.iter().filter(|entry| is(entry, "poll") || is(entry, "result"));
    let mut ids: Vec<String> = asked.filter_map(|entry| entry["job"].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids.dedup();
    (submits, ids)
}

#[test]
fn a_job_is_answered_at_once_and_its_result_is_the_very_answer() {
    let world = World::plain();
    world.settings(&json!({"slow_predictions": true}));
    for backend in ["hf-inference", "together"].iter().chain(POLLED) {
        let body = picture(backend);
        let waited = draw(&world, &body, &[]);
        assert_eq!(waited.status, 200, "{backend}: {}", waited.text());
        let id = accepted(&draw(&world, &body, &[LATER]));
        until(&world, &id, "succeeded");
        let job = world.get(&format!("/v1/jobs/{id}")).json();
        assert_eq!(
            (&job["status"], &job["operation"], &job["error"]),
            (&json!("succeeded"), &json!("image"), &Value::Null)
        );
        assert!(job["ended_at"].as_i64() >= job["created_at"].as_i64() && job["expires_at"].is_i64(), "{job}");
        let result = result(&world, &id);
        assert_eq!((result.status, result.header("content-type")), (200, waited.header("content-type")), "{backend}");
        assert_eq!(result.json()["data"], waited.json()["data"], "{backend}");
    }
}

#[test]
fn sound_and_texts_are_results_as_well() {
    let world = World::plain();
    let speak = json!({"model": "huggingface/hf-inference/sandbox/speaks", "input": "so be it", "voice": "alloy"});
    let waited = post(&world, "/v1/audio/speech", &speak, &[]);
    assert_eq!(waited.status, 200, "{}", waited.text());
    let id = accepted(&post(&world, "/v1/audio/speech", &speak, &[LATER]));
    until(&world, &id, "succeeded");
    let said = result(&world, &id);
    assert_eq!(said.header("content-type"), waited.header("content-type"));
    assert!(said.body == waited.body, "{} bytes, {} when waited for", said.body.len(), waited.body.len());

    let mut form = b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.flac\"\r\n\r\n".to_vec();
    form.extend_from_slice(&said.body);
    form.extend_from_slice(b"\r\n--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nhuggingface/hf-inference/openai/whisper-large-v3");
    form.extend_from_slice(
        b"\r\n--x\r\ncontent-disposition: form-data; name=\"response_format\"\r\n\r\ntext\r\n--x--\r\n",
    );
    let headers = [("content-type", "multipart/form-data; boundary=x"), ("prefer", "wait=5, Respond-Async")];
    let id = accepted(&world.send("POST", "/v1/audio/transcriptions", &headers, &form));
    until(&world, &id, "succeeded");
    let heard = result(&world, &id);
    assert_eq!(heard.text().trim(), "so be it");
    assert!(heard.header("content-type").unwrap().starts_with("text/plain"), "{:?}", heard.headers);
}

#[test]
fn a_job_killed_after_its_submit_is_asked_for_under_the_same_id_and_submitted_once() {
    for backend in POLLED {
        let mut world = World::plain();
        world.settings(&json!({"queue_polls": 3, "slow_predictions": true}));
        let id = accepted(&draw(&world, &picture(backend), &[LATER]));
        seen(&world, "poll", 1);
        let before = upstream(&world).1;
        world.kill_and_restart();
        until(&world, &id, "succeeded");
        assert_eq!(status(&world, &id), "succeeded", "{backend}");
        assert!(result(&world, &id).json()["data"][0]["b64_json"].is_string(), "{backend}");
        let (submits, asked) = upstream(&world);
        assert_eq!((submits, asked.len()), (1, 1), "{backend}: {asked:?}");
        assert_eq!(asked, before, "{backend}");
        assert_eq!((&world.sandbox.jobs()["submits"], &world.sandbox.jobs()["cancels"]), (&json!(1), &json!(0)));
    }
}

#[test]
fn a_job_killed_while_it_was_submitted_fails_and_is_not_sent_again() {
    for backend in ["wavespeed", "hf-inference"] {
        let mut world = World::plain();
        world.fault(&json!({"match": {"operation": "image"}, "delay_ms": 60_000, "fault": {"kind": "delay"}}));
        let id = accepted(&draw(&world, &picture(backend), &[LATER]));
        seen(&world, "image", 1);
        world.kill_and_restart();
        until(&world, &id, "failed");
        let job = world.get(&format!("/v1/jobs/{id}")).json();
        assert_eq!((&job["status"], &job["error"]["code"]), (&json!("failed"), &json!("upstream_truncated")), "{job}");
        assert!(job["error"]["message"].as_str().unwrap().contains("not sent twice"), "{job}");
        let failed = result(&world, &id);
        assert_eq!((failed.status, &failed.json()["error"]["message"]), (502, &job["error"]["message"]));
        assert_eq!(upstream(&world).0, 1, "{backend}");
    }
}

#[test]
fn a_drain_leaves_open_jobs_to_the_next_start() {
    let mut world = World::plain();
    world.settings(&json!({"queue_polls": 4}));
    let id = accepted(&draw(&world, &picture("fal-ai"), &[LATER]));
    seen(&world, "poll", 1);
    let begun = Instant::now();
    world.terminate();
    assert_eq!(world.start_again(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "the drain waited for the job: {:?}", begun.elapsed());
    until(&world, &id, "succeeded");
    assert_eq!(upstream(&world).0, 1);
    assert_eq!(world.sandbox.jobs()["cancels"], 0);
}

#[test]
fn a_cancelled_job_is_cancelled_at_its_backend_once_and_stays_cancelled() {
    for (method, suffix) in [("POST", "/cancel"), ("DELETE", "")] {
        for restarted in [false, true] {
            let mut world = World::plain();
            world.settings(&json!({"queue_ends": "stuck"}));
            let id = accepted(&draw(&world, &picture("fal-ai"), &[LATER]));
            seen(&world, "poll", 1);
            if restarted {
                world.kill_and_restart();
                seen(&world, "poll", 2);
            }
            let cancelled = world.send(method, &format!("/v1/jobs/{id}{suffix}"), &[], b"");
            assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")));
            until(&world, &id, "cancelled");
            given_up(&world);
            let again = world.send(method, &format!("/v1/jobs/{id}{suffix}"), &[], b"");
            assert_eq!((again.status, &again.json()["status"]), (200, &json!("cancelled")));
            assert_eq!(result(&world, &id).status, 404);
            world.kill_and_restart();
            assert_eq!(status(&world, &id), "cancelled");
            assert_eq!((&world.sandbox.jobs()["submits"], &world.sandbox.jobs()["cancels"]), (&json!(1), &json!(1)));
        }
    }
}

#[test]
fn a_job_cancelled_while_it_is_submitted_is_given_up_as_soon_as_the_backend_names_it() {
    for backend in ["fal-ai", "replicate"] {
        let world = World::plain();
        world.settings(&json!({"queue_ends": "stuck", "slow_predictions": true}));
        world.fault(&json!({"match": {"operation": "image"}, "delay_ms": 700, "fault": {"kind": "delay"}}));
        let id = accepted(&draw(&world, &picture(backend), &[LATER]));
        seen(&world, "image", 1);
        world.send("DELETE", &format!("/v1/jobs/{id}"), &[], b"");
        until(&world, &id, "cancelled");
        given_up(&world);
        let jobs = world.sandbox.jobs();
        assert_eq!((&jobs["submits"], &jobs["cancels"]), (&json!(1), &json!(1)), "{backend}");
        assert_eq!(status(&world, &id), "cancelled");
    }
}

#[test]
fn a_cancelled_job_that_is_being_made_in_one_go_leaves_its_backend_at_once() {
    let world = World::plain();
    world.fault(&json!({"match": {"operation": "image"}, "delay_ms": 60_000, "fault": {"kind": "delay"}}));
    let id = accepted(&draw(&world, &picture("hf-inference"), &[LATER]));
    seen(&world, "image", 1);
    assert_eq!(world.send("DELETE", &format!("/v1/jobs/{id}"), &[], b"").json()["status"], "cancelled");
    until(&world, &id, "cancelled");
    let left = |journal: &[Value]| journal.iter().any(|entry| is(entry, "image") && entry["aborted"] == true);
    assert!(left(&world.journal_until(LONG, left)), "the connection stayed");
}

#[test]
fn no_more_jobs_are_worked_on_at_once_than_the_operator_wants_and_a_waiting_one_can_be_cancelled() {
    let world = World::configured("[jobs]\nrunning = 1\n");
    world.settings(&json!({"queue_ends": "stuck"}));
    let first = accepted(&draw(&world, &picture("wavespeed"), &[LATER]));
    seen(&world, "poll", 1);
    let second = accepted(&draw(&world, &picture("wavespeed"), &[LATER]));
    seen(&world, "poll", 2);
    assert_eq!((status(&world, &first), status(&world, &second)), (json!("running"), json!("queued")));
    let open = result(&world, &second);
    assert_eq!((open.status, open.header("retry-after")), (202, Some("2")));
    let cancelled = world.send("POST", &format!("/v1/jobs/{second}/cancel"), &[], b"");
    assert_eq!(cancelled.json()["status"], "cancelled");
    assert_eq!(world.sandbox.jobs()["submits"], 1);
}

#[test]
fn a_data_folder_can_be_named_on_the_command_line() {
    let folder = std::env::temp_dir().join(format!("ironbow-data-flag-{}", std::process::id()));
    let gateway = super::process::Gateway::start(&["--sandbox", "--data", folder.to_str().unwrap()], &[]);
    assert_eq!(gateway.get("/ready").0, 200);
    assert!(folder.join("store/ironbow.sqlite").is_file() && folder.join("store/owners.key").is_file());
    drop(gateway);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_job_of_somebody_else_does_not_exist() {
    let mut world = World::plain();
    let mine = ("authorization", "Bearer sk-mine");
    let id = accepted(&draw(&world, &picture("hf-inference"), &[LATER, mine]));
    until(&world, &id, "succeeded");
    let nobodys = "job_00000000000000000000000000000000";
    let without_id = |reply: &Reply| {
        let mut body = reply.json();
        body["error"].as_object_mut().unwrap().remove("request_id");
        (reply.status, body, reply.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>())
    };
    for restarted in [false, true] {
        if restarted {
            world.kill_and_restart();
        }
        for (method, suffix) in [("GET", ""), ("GET", "/result"), ("POST", "/cancel"), ("DELETE", "")] {
            for theirs in [&[][..], &[("authorization", "Bearer sk-theirs")]] {
                let other = world.send(method, &format!("/v1/jobs/{id}{suffix}"), theirs, b"");
                let none = world.send(method, &format!("/v1/jobs/{nobodys}{suffix}"), theirs, b"");
                assert_eq!(other.status, 404, "{method} {suffix}");
                assert_eq!(without_id(&other), without_id(&none), "{method} {suffix}");
            }
        }
        let list = |headers: &[(&str, &str)]| world.send("GET", "/v1/jobs", headers, b"").json();
        assert_eq!(list(&[])["data"], json!([]));
        assert_eq!(list(&[mine])["data"][0]["id"], json!(id));
        assert_eq!(world.send("GET", &format!("/v1/jobs/{id}/result"), &[mine], b"").status, 200);
    }
}

#[test]
fn jobs_are_listed_in_pages_the_newest_first() {
    let world = World::plain();
    let mut ids: Vec<String> = (0..5)
        .map(|_| {
            let id = accepted(&draw(&world, &picture("hf-inference"), &[LATER]));
            until(&world, &id, "succeeded");
            id
        })
        .collect();
    ids.reverse();
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/v1/jobs?limit=2{after}")).json();
        listed.extend(page["data"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        if page["has_more"] == false {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(listed, ids);
    let patched = world.send("PATCH", &format!("/v1/jobs/{}", ids[0]), &[], b"");
    assert_eq!((patched.status, patched.header("allow")), (405, Some("GET, DELETE")));
    let bad = world.get("/v1/jobs?limit=x");
    assert_eq!((bad.status, &bad.json()["error"]["param"]), (400, &json!("limit")));
}

#[test]
fn what_is_wrong_with_a_call_is_said_at_once_and_no_job_is_made() {
    let world = World::plain();
    let unknown = draw(&world, &and(picture("wavespeed"), json!({"model": "huggingface/no/such-model"})), &[LATER]);
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    let bad = draw(&world, &and(picture("wavespeed"), json!({"n": "two"})), &[LATER]);
    assert_eq!((bad.status, &bad.json()["error"]["param"]), (400, &json!("n")), "{}", bad.text());
    assert_eq!(world.get("/v1/jobs").json()["data"], json!([]));
    let keyless = World::with(With { without_token: true, ..With::default() });
    let refused = draw(&keyless, &picture("wavespeed"), &[LATER]);
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (401, &json!("no_credential")),
        "{}",
        refused.text()
    );
    let own = draw(&keyless, &picture("wavespeed"), &[LATER, ("authorization", "Bearer hf_mine")]);
    assert_eq!((own.status, &own.json()["error"]["param"]), (400, &json!("prefer")), "{}", own.text());
    assert!(own.json()["error"]["message"].as_str().unwrap().contains("token"), "{}", own.text());
}

#[test]
fn chats_embeddings_and_streams_are_answered_as_usual() {
    let world = World::plain();
    let chat = world.chat_with(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hello"), &[LATER]);
    assert_eq!((chat.status, chat.header("preference-applied")), (200, None), "{}", chat.text());
    let embed = json!({"model": "huggingface/hf-inference/sandbox/embeds", "input": "x"});
    let embedded = post(&world, "/v1/embeddings", &embed, &[LATER]);
    assert_eq!((embedded.status, embedded.header("preference-applied")), (200, None), "{}", embedded.text());
    let stream = draw(&world, &and(picture("fal-ai"), json!({"stream": true})), &[LATER]);
    assert_eq!((stream.status, stream.header("preference-applied")), (200, None), "{}", stream.text());
    assert_eq!(world.get("/v1/jobs").json()["data"], json!([]));
}

#[test]
fn a_failure_at_the_backend_is_the_jobs_own_in_its_words() {
    let world = World::plain();
    world.settings(&json!({"queue_ends": "failed", "queue_message": "the canvas tore"}));
    for backend in POLLED {
        let id = accepted(&draw(&world, &picture(backend), &[LATER]));
        until(&world, &id, "failed");
        let job = world.get(&format!("/v1/jobs/{id}")).json();
        assert_eq!(job["status"], "failed");
        if *backend != "zai-org" {
            assert!(job["error"]["message"].as_str().unwrap().contains("the canvas tore"), "{backend}: {job}");
        }
        let failed = result(&world, &id);
        assert!(failed.status >= 400, "{backend}: {}", failed.status);
        assert_eq!(failed.json()["error"]["message"], job["error"]["message"]);
    }
}

#[test]
fn a_question_that_gets_no_answer_is_asked_again() {
    let world = World::plain();
    for fault in [
        json!({"kind": "status", "status": 502}),
        json!({"kind": "close"}),
        json!({"kind": "reset", "before_head": true}),
    ] {
        world.fault(&json!({"match": {"operation": "poll"}, "times": 2, "fault": fault}));
        let id = accepted(&draw(&world, &picture("fal-ai"), &[LATER]));
        until(&world, &id, "succeeded");
    }
    assert_eq!(world.sandbox.jobs()["submits"], 3);
}

#[test]
fn a_job_that_takes_too_long_fails_and_is_cancelled_at_its_backend() {
    let world = World::configured("[jobs]\ntime = \"2s\"\n");
    world.settings(&json!({"queue_ends": "stuck"}));
    let id = accepted(&draw(&world, &picture("fal-ai"), &[LATER]));
    until(&world, &id, "failed");
    let job = world.get(&format!("/v1/jobs/{id}")).json();
    assert_eq!(job["error"]["code"], "upstream_timeout", "{job}");
    given_up(&world);
    assert_eq!(world.sandbox.jobs()["cancels"], 1);
}

#[test]
fn a_job_is_forgotten_when_its_time_has_come() {
    let world = World::configured("[jobs]\nkeep = \"2s\"\n");
    let id = accepted(&draw(&world, &picture("hf-inference"), &[LATER]));
    until(&world, &id, "succeeded");
    assert_eq!(result(&world, &id).status, 200);
    let begun = Instant::now();
    while result(&world, &id).status != 404 {
        assert!(begun.elapsed() < LONG, "it is still there");
    }
    assert_eq!(world.get("/v1/jobs").json()["data"], json!([]));
}

#[test]
fn a_large_result_is_kept_as_a_file_and_survives_a_restart() {
    let mut world = World::plain();
    let speak = json!({"model": "huggingface/hf-inference/sandbox/speaks", "input": "long ".repeat(60), "voice": "alloy", "response_format": "wav"});
    let waited = post(&world, "/v1/audio/speech", &speak, &[]);
    assert!(waited.body.len() > 256 * 1024, "{}: {} bytes", waited.status, waited.body.len());
    let id = accepted(&post(&world, "/v1/audio/speech", &speak, &[LATER]));
    until(&world, &id, "succeeded");
    let files = std::fs::read_dir(world.folder.join("data/store/files")).unwrap().count();
    assert_eq!(files, 1);
    world.kill_and_restart();
    let said = result(&world, &id);
    assert_eq!((said.status, said.header("content-type")), (200, Some("audio/wav")));
    assert!(said.body == waited.body);
}

#[test]
fn no_key_and_no_credential_is_ever_written_down_and_nobody_else_may_read_what_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::plain();
    world.settings(&json!({"queue_ends": "stuck"}));
    let canary = "sk-CANARYofAcaller";
    accepted(&draw(&world, &picture("fal-ai"), &[LATER, ("x-api-key", canary)]));
    seen(&world, "poll", 1);
    let mut folders = vec![world.folder.join("data/store")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let (path, meta) = entry.map(|e| (e.path(), e.metadata().unwrap())).unwrap();
            assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", path.display());
            if meta.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            read += bytes.len();
            for secret in [TOKEN, canary] {
                let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} stands in {}", path.display());
            }
        }
    }
    assert!(read > 1000, "nothing was written");
}
