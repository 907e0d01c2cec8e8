//! Whose key is used.

use crate::it::world::{EVERYWHERE, TOKEN, With, World, ask};

const MINE: &str = "hf_theCallersOwnToken1234567890";

fn last_authorization(world: &World) -> String {
    world.upstream_chats().last().unwrap()["authorization"].as_str().unwrap().to_owned()
}

#[test]
fn without_a_configured_token_the_callers_own_is_used_on_loopback() {
    let world = World::with(With { without_token: true, ..With::default() });
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi");
    let reply = world.chat_with(&body, &[("authorization", &format!("Bearer {MINE}"))]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(last_authorization(&world), "hf");
    let reply = world.chat(&body);
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert!(reply.text().contains("HF_TOKEN"));
    assert_eq!(world.upstream_chats().len(), 1);
}

#[test]
fn with_a_configured_token_the_callers_credential_stays_here() {
    let world = World::plain();
    world.settings(&serde_json::json!({"tokens": [{"name": "the operator's", "value": TOKEN}, {"name": "the caller's", "value": MINE}]}));
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi");
    for header in [
        ("authorization", format!("Bearer {MINE}")),
        ("x-api-key", MINE.to_owned()),
        ("api-key", "sk-anything".to_owned()),
    ] {
        let reply = world.chat_with(&body, &[(header.0, &header.1), ("x-hf-bill-to", "somebody-else")]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let last = world.upstream_chats().pop().unwrap();
        assert_eq!(last["authorization_is"], "the operator's");
        assert!(!last.to_string().contains("somebody-else"), "who pays is the operator's business: {last}");
    }
}

#[test]
fn the_organisation_that_pays_is_named_to_the_router() {
    let world = World::configured("huggingface.bill_to = \"acme\"\n");
    assert_eq!(world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi")).status, 200);
    let last = world.upstream_chats().pop().unwrap();
    assert!(last["headers"].to_string().contains("[\"x-hf-bill-to\",\"acme\"]"), "{last}");
    let world = World::with(With { without_token: true, ..With::default() });
    let reply = world.chat_with(
        &ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi"),
        &[("authorization", &format!("Bearer {MINE}")), ("x-hf-bill-to", "my-org")],
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(world.upstream_chats().pop().unwrap()["headers"].to_string().contains("my-org"));
}

#[test]
fn malformed_credentials_are_refused_alike_and_reach_nobody() {
    let world = World::plain();
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi");
    let long = format!("Bearer {}", "x".repeat(20_000));
    for value in ["Basic dXNlcjpwYXNz", "hf_naked", "Bearer a b", &long] {
        let reply = world.chat_with(&body, &[("authorization", value)]);
        assert_eq!(reply.status, 401, "{}", reply.text());
    }
    let reply = world.chat_with(&body, &[("authorization", "Bearer one"), ("x-api-key", "two")]);
    assert_eq!(reply.status, 401);
    assert_eq!(world.upstream_chats().len(), 0);
}
