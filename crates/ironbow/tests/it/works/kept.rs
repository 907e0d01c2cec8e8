//! `/v1/files/{id}`: what was asked for as an address is there for a while, whole, and within bounds.

use serde_json::{Value, json};

use crate::it::{
    raw::Reply,
    world::{With, World},
};

fn draw(world: &World, size: &str, delivery: &str) -> Reply {
    let body = json!({"model": "huggingface/hf-inference/sandbox/draws", "prompt": "a fox", "size": size, "seed": 7, "response_format": delivery});
    world.send("POST", "/v1/images/generations", &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// The path of the file that an answer names.
fn path(answer: &Value) -> String {
    let url = answer["data"][0]["url"].as_str().unwrap();
    url[url.find("/v1/files/").unwrap()..].to_owned()
}

#[test]
fn a_large_file_comes_whole_and_as_what_it_is() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let world = World::plain();
    let bytes = draw(&world, "1024x1024", "b64_json").json()["data"][0]["b64_json"].as_str().unwrap().to_owned();
    let bytes = STANDARD.decode(bytes).unwrap();
    assert!(bytes.len() > 1 << 20, "{} bytes", bytes.len());
    let file = world.get(&path(&draw(&world, "1024x1024", "url").json()));
    assert_eq!((file.status, file.header("content-type")), (200, Some("image/png")));
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    assert!(file.complete && file.body == bytes);
}

#[test]
fn an_address_cannot_be_guessed_and_ends_with_its_time() {
    let world = World::with(With { env: vec![("IRONBOW_ASSETS__KEEP", "1ms".into())], ..With::default() });
    let (one, two) = (path(&draw(&world, "64x64", "url").json()), path(&draw(&world, "64x64", "url").json()));
    assert_ne!(one, two, "the same picture has another address each time");
    let begun = std::time::Instant::now();
    while world.get(&one).status != 404 {
        assert!(begun.elapsed().as_secs() < 10, "it is still there");
    }
    for near in ["file_", "file_0", "../store", "%2e%2e/store", &one["/v1/files/".len()..one.len() - 1]] {
        assert_eq!(world.get(&format!("/v1/files/{near}")).status, 404, "{near}");
    }
}

#[test]
fn when_the_room_is_used_up_new_files_are_refused_and_old_ones_stay() {
    let world = World::with(With { env: vec![("IRONBOW_ASSETS__KEPT", "30KiB".into())], ..With::default() });
    let mut kept = Vec::new();
    let refused = loop {
        let reply = draw(&world, "64x64", "url");
        if reply.status != 200 {
            break reply;
        }
        kept.push(path(&reply.json()));
        assert!(kept.len() < 100, "there is no end to the room");
    };
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(!kept.is_empty() && kept.iter().all(|path| world.get(path).status == 200));
    assert_eq!(draw(&world, "64x64", "b64_json").status, 200, "what is not kept needs no room");
}
