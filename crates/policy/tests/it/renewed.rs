//! A configuration in the place of another one.

use policy::Compiled;

use super::table::World;

fn compiled(text: &str, secrets: &[(&str, &str)]) -> Compiled {
    let world = secrets.iter().fold(World::default(), |world, (name, secret)| world.env(name, secret));
    world.compile(text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn key(name: &str, variable: &str) -> String {
    format!("[[huggingface.keys]]\nname = \"{name}\"\nvalue = \"env:{variable}\"\n")
}

#[test]
fn what_only_a_start_can_change_stays_and_is_named() {
    let running = compiled("", &[]);
    let mut same = compiled("[routing]\nlate = 90\n[limits]\nbody = \"1MiB\"\n", &[]);
    assert!(same.keep_fixed(&running).is_empty());
    assert_eq!(same.limits.body, 1 << 20, "what may change has changed");
    let text = "[listener]\naddress = \"127.0.0.1:9\"\n[limits]\nheld_bodies = \"64MiB\"\n[timeouts]\ndrain = \"1s\"\nsilence = \"1s\"\naddresses = \"1s\"\n\
        [huggingface]\nhub = \"https://hub\"\nrouter = \"https://router\"\n[log]\nlevel = \"warn\"\n[data]\nfolder = \"/data\"\n\
        [catalog]\nentries = 100\n[assets]\nkept = \"1MiB\"\n[jobs]\nrunning = 1\n[responses]\nkept = \"1MiB\"\n";
    let mut other = compiled(text, &[]);
    let waiting = other.keep_fixed(&running);
    let all = [
        "listener",
        "limits.held_bodies",
        "timeouts.drain",
        "timeouts.silence",
        "timeouts.addresses",
        "huggingface.hub",
        "huggingface.router",
        "log",
        "data",
        "catalog",
        "assets.kept",
        "jobs.running",
        "responses.kept",
    ];
    assert_eq!(waiting, all);
    assert!(other.keep_fixed(&running).is_empty(), "all of it is as it runs now");
}

#[test]
fn keys_that_are_gone_or_another_now_are_named_and_others_are_not() {
    let secrets = [("A", "hf_a"), ("B", "hf_b"), ("C", "hf_c")];
    let old = compiled(&[key("stays", "A"), key("goes", "B"), key("changes", "C")].concat(), &secrets);
    let new = compiled(&[key("stays", "A"), key("changes", "B"), key("comes", "C")].concat(), &secrets);
    let mut gone: Vec<_> = old.keys_gone(&new).iter().map(ToString::to_string).collect();
    gone.sort();
    assert_eq!(gone, ["changes", "goes"]);
    assert!(old.keys_gone(&old).is_empty());
}

#[test]
fn servers_that_are_gone_or_elsewhere_now_are_named() {
    let server = |name: &str, url: &str| format!("[servers.{name}]\nurl = \"{url}\"\nmodels = [\"m\"]\n");
    let old = [server("stays", "http://a"), server("goes", "http://b"), server("moves", "http://c")].concat();
    let new = [server("stays", "http://a"), server("moves", "http://d")].concat();
    let (old, new) = (compiled(&old, &[]), compiled(&new, &[]));
    let mut gone: Vec<_> = old.servers_gone(&new).iter().map(ToString::to_string).collect();
    gone.sort();
    assert_eq!(gone, ["goes", "moves"]);
}
