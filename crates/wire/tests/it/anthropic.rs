//! Anthropic's Messages API at the front door. Golden files: `IRONBOW_GOLDEN=write` writes them anew.

pub(crate) mod answers;
mod backend;
mod calls;
mod faults;
mod flows;
mod round_trip;
mod tokens;

use std::{fs, path::PathBuf, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use types::Result;
use wire::{
    anthropic::{self, Sealer},
    heard::Heard,
    json::Limits,
};

/// Seals by a sum that only a test would trust.
struct Plain;

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte))
}

impl Sealer for Plain {
    fn seal(&self, plain: &[u8]) -> String {
        STANDARD.encode([&[sum(plain)], plain].concat())
    }

    fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (check, plain) = bytes.split_first()?;
        (*check == sum(plain)).then(|| plain.to_vec())
    }
}

fn sealer() -> Arc<dyn Sealer> {
    Arc::new(Plain)
}

/// The signature that the writer gives a thought.
pub(crate) fn signature(thought: &str) -> String {
    Plain.seal(&[b"anthropic thinking 1\n", thought.as_bytes()].concat())
}

fn read(body: &str) -> Result<Heard> {
    read_bytes(&Bytes::copy_from_slice(body.as_bytes()))
}

pub(crate) fn read_bytes(body: &Bytes) -> Result<Heard> {
    anthropic::read(body, None, &|_| None, &Limits::default(), &sealer())
}

/// How a tool's result is said in a chat.
pub(crate) fn failing(text: &str, failed: bool) -> String {
    let tells = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
    if failed && !tells { format!("Error: {text}") } else { text.to_owned() }
}

fn read_leniently(body: &str) -> Result<Heard> {
    let lenient = |name: &str| (name == "x-ironbow-lenient").then_some("true");
    anthropic::read(&Bytes::copy_from_slice(body.as_bytes()), None, &lenient, &Limits::default(), &sealer())
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/anthropic")
}

fn same_as_golden(name: &str, found: &str) {
    let path = folder().join(name);
    if std::env::var_os("IRONBOW_GOLDEN").is_some_and(|how| how == "write") {
        fs::write(&path, found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, golden, "{name}: set IRONBOW_GOLDEN=write to accept");
}
