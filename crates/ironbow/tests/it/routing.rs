//! Who serves a call when several can: order, further attempts, health, and how all of it is told.

mod balance;
mod continuation;
mod explain;
mod failover;
mod hostile;
mod keys;
mod network;
mod passage;
mod servers;
mod storms;

use serde_json::{Value, json};

use crate::it::world::World;

/// Two backends behind one name, the second only for when the first cannot; nobody is put aside.
const TWO: &str = "[aliases.two]\ntargets = [{ model = \"huggingface/groq/sandbox/everywhere\", priority = 0 }, \
    { model = \"huggingface/together/sandbox/everywhere\", priority = 1 }]\n";

/// The model of the servers below.
const SERVED: &str = "sandbox/vllm-model";

/// Three servers of one's own with one model, the first of them at this address: `even` is all three, `first` tries that one
/// first, and `huggingface/bad/sandbox/vllm-model` nobody else.
fn one_of_three(url: &str, more: &str) -> &'static str {
    let server = |name: &str, url: &str| {
        format!(
            "[servers.{name}]\nurl = \"{url}\"\ndialect = \"vllm\"\ncheck_every = \"0s\"\nmodels = [\"{SERVED}\"]\n"
        )
    };
    let good = "{sandbox}/custom/vllm";
    let servers = [server("bad", url), server("good", good), server("well", good)].concat();
    let route = |name: &str| format!("\"huggingface/{name}/{SERVED}\"");
    let (bad, good, well) = (route("bad"), route("good"), route("well"));
    let aliases = format!(
        "[aliases.even]\ntargets = [{bad}, {good}, {well}]\n\
         [aliases.first]\ntargets = [{{ model = {bad}, priority = 0 }}, {{ model = {good}, priority = 1 }}]\n"
    );
    Box::leak(format!("{more}{servers}{aliases}").into_boxed_str())
}

/// So many calls by so many callers at once; `call` gets each one's number.
fn at_once(callers: usize, calls: usize, call: impl Fn(usize) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= calls {
                        return;
                    }
                    call(number);
                }
            });
        }
    });
}

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
