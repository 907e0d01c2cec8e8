//! Who serves a call when several can: order, further attempts, health, and how all of it is told.

mod balance;
mod explain;
mod failover;
mod keys;
mod servers;

use serde_json::{Value, json};

use crate::it::world::World;

/// Two backends behind one name, the second only for when the first cannot; nobody is put aside.
const TWO: &str = "[aliases.two]\ntargets = [{ model = \"huggingface/groq/sandbox/everywhere\", priority = 0 }, \
    { model = \"huggingface/together/sandbox/everywhere\", priority = 1 }]\n";

/// The backends that chats reached, oldest first.
fn backends(world: &World) -> Vec<String> {
    world.upstream_chats().iter().map(|chat| chat["backend"].as_str().unwrap_or("?").to_owned()).collect()
}

/// How many chats reached a backend.
fn count(world: &World, backend: &str) -> usize {
    backends(world).iter().filter(|name| *name == backend).count()
}

/// Every request for the backend fails with this.
fn failing(backend: &str, fault: &Value) -> Value {
    json!({"match": {"backend": backend, "operation": "chat"}, "fault": fault})
}
