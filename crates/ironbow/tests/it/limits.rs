//! What the process takes from the operating system, and what it makes of a system that gives little.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::process::{Gateway, LONG};

/// The soft and the hard limit of this name, as the kernel tells them.
fn limit(gateway: &Gateway, name: &str) -> (String, String) {
    let all = std::fs::read_to_string(format!("/proc/{}/limits", gateway.id())).unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

/// A gateway behind a shell that sets limits first.
fn under(limits: &str) -> Gateway {
    let mut command = Command::new("sh");
    let script = format!("{limits}; exec \"$0\" serve --sandbox --listen 127.0.0.1:0");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_ironbow")]).env_clear().stdin(Stdio::null());
    Gateway::of(command)
}

#[test]
fn it_may_open_as_many_files_as_the_system_lets_it() {
    let gateway = under("ulimit -S -n 256");
    let (soft, hard) = limit(&gateway, "Max open files");
    assert_eq!(soft, hard);
}

#[test]
fn it_leaves_no_core_dump_of_keys_and_prompts() {
    let gateway = under("ulimit -S -c \"$(ulimit -H -c)\"");
    assert_eq!(limit(&gateway, "Max core file size"), ("0".to_owned(), "0".to_owned()));
    gateway.signal("ABRT");
    let (status, _) = gateway.ended();
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
}

#[test]
fn with_few_files_a_caller_too_many_is_told_so_and_the_others_are_served() {
    let mut gateway = under("ulimit -n 256");
    let noted = loop {
        let line = gateway.log_line();
        if line.contains("ulimit -n") {
            break line;
        }
    };
    assert!(noted.contains("at most 96 connections") && noted.contains("256 files"), "{noted}");
    let mut held: Vec<TcpStream> = (0..150).map(|_| gateway.connect()).collect();
    // Who was let in stays silent; who was not reads why.
    let refused = held.iter_mut().rev().take(50).map(|stream| {
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    });
    for said in refused {
        assert!(said.starts_with("HTTP/1.1 503") && said.contains("retry-after: 1"), "{said}");
    }
    let first = &mut held[0];
    first.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut begun = [0; 12];
    first.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    drop(held);
    let deadline = std::time::Instant::now() + LONG;
    while !answers(&gateway) {
        assert!(std::time::Instant::now() < deadline, "it does not recover");
    }
}

/// Whether a new caller is served. One who is refused may find the connection closed while it still asks.
fn answers(gateway: &Gateway) -> bool {
    let mut stream = gateway.connect();
    let mut said = String::new();
    let asked = stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    asked.and_then(|()| stream.read_to_string(&mut said)).is_ok() && said.starts_with("HTTP/1.1 200")
}
