//! The whole product of translations: every door for chats before every dialect that a backend speaks, in every case, as
//! golden files. `IRONBOW_GOLDEN=write` writes them anew.
//!
//! `tests/translation/doors` has what a caller asks at each door, written once; `tests/translation/backends` what a
//! backend answers in each dialect, written once or recorded. What becomes of the one for each backend, and of the other
//! for each caller, stands in `tests/translation/golden/<door>/<dialect>.txt`. Where a dialect comes to the same as the
//! common one, its page says so instead of saying it again.

mod adding;
mod asking;
mod dialects;
mod page;
mod pair;
mod silence;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{doors::Door, vendors};

use dialects::{Dialect, Spoken};

/// What an answer can be.
const CASES: [&str; 11] = [
    "text",
    "tools",
    "parallel_tools",
    "reasoning",
    "json",
    "vision",
    "refusal",
    "length",
    "error_before",
    "error_inside",
    "abort",
];

/// The folder of the fixtures.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/translation")
}

/// The door that comes after this one: a new door must be put in here.
const fn after(door: Door) -> Option<Door> {
    Some(match door {
        Door::Chat => Door::Embeddings,
        Door::Embeddings => Door::Speech,
        Door::Speech => Door::Transcriptions,
        Door::Transcriptions => Door::Translations,
        Door::Translations => Door::Images,
        Door::Images => Door::Edits,
        Door::Edits => Door::Completions,
        Door::Completions => Door::Responses,
        Door::Responses => Door::Messages,
        Door::Messages => Door::Gemini,
        Door::Gemini => Door::CohereChat,
        Door::CohereChat => Door::CohereEmbed,
        Door::CohereEmbed => Door::Converse,
        Door::Converse => Door::ConverseStream,
        Door::ConverseStream => return None,
    })
}

/// The name of a door for chats; nothing for other doors, and for the door that is another one's stream.
const fn name(door: Door) -> Option<&'static str> {
    Some(match door {
        Door::Chat => "chat",
        Door::Completions => "completions",
        Door::Responses => "responses",
        Door::Messages => "messages",
        Door::Gemini => "gemini",
        Door::CohereChat => "cohere_chat",
        Door::Converse => "bedrock",
        Door::ConverseStream
        | Door::Embeddings
        | Door::Speech
        | Door::Transcriptions
        | Door::Translations
        | Door::Images
        | Door::Edits
        | Door::CohereEmbed => return None,
    })
}

/// Every door for chats, with its name.
fn doors() -> impl Iterator<Item = (Door, &'static str)> {
    std::iter::successors(Some(Door::Chat), |door| after(*door)).filter_map(|door| Some((door, name(door)?)))
}

/// Whether this door meets this dialect: what passes as it came does so where the caller speaks it too.
fn meet(door: Door, dialect: &Dialect) -> bool {
    match dialect.spoken {
        Spoken::Codec(_) => true,
        Spoken::Native(native) => vendors::dialect(door) == Some(native),
    }
}

/// Every page of the product, by its file.
fn pages() -> BTreeMap<String, String> {
    let dialects = dialects::all();
    let common = dialects.iter().find(|dialect| dialect.is_common()).expect("somebody speaks the common dialect");
    let mut pages = BTreeMap::new();
    for (door, name) in doors() {
        let asked = asking::read(name);
        let reference = pair::sections(door, &asked, common);
        for dialect in dialects.iter().filter(|dialect| meet(door, dialect)) {
            let sections = pair::sections(door, &asked, dialect);
            let same_as = (dialect.name != common.name && dialect.is_chat()).then_some((&reference, &*common.name));
            let page = page::page(name, dialect, &sections, same_as);
            pages.insert(format!("{name}/{}.txt", dialect.name), page);
        }
    }
    pages
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name);
        }
    }
}

#[test]
fn every_door_before_every_dialect_is_as_written_down() {
    let (pages, golden) = (pages(), folder().join("golden"));
    let mut there = BTreeSet::new();
    files(&golden, "", &mut there);
    if std::env::var_os("IRONBOW_GOLDEN").is_some_and(|how| how == "write") {
        for old in there.iter().filter(|name| !pages.contains_key(*name)) {
            fs::remove_file(golden.join(old)).unwrap();
        }
        for (name, page) in &pages {
            fs::create_dir_all(golden.join(name).parent().unwrap()).unwrap();
            fs::write(golden.join(name), page).unwrap();
        }
        return;
    }
    let mut wrong = Vec::new();
    for name in pages.keys().filter(|name| !there.contains(*name)) {
        wrong.push(format!("{name} is missing"));
    }
    for name in there.iter().filter(|name| !pages.contains_key(*name)) {
        wrong.push(format!("{name} belongs to no door and dialect"));
    }
    for (name, page) in pages.iter().filter(|(name, _)| there.contains(*name)) {
        let written = fs::read_to_string(golden.join(name)).unwrap();
        if let Some(line) = page::first_difference(&written, page) {
            wrong.push(format!("{name} differs: {line}"));
        }
    }
    assert!(wrong.is_empty(), "set IRONBOW_GOLDEN=write to accept:\n{}", wrong.join("\n"));
}

#[test]
fn no_fixture_is_there_for_nothing() {
    let mut there = BTreeSet::new();
    files(&folder().join("backends"), "", &mut there);
    let mut used: BTreeSet<String> = BTreeSet::from(["recorded.json".to_owned()]);
    let dialects = dialects::all();
    for dialect in &dialects {
        for case in CASES {
            used.extend(dialects::files(dialect, case));
        }
    }
    assert_eq!(there.symmetric_difference(&used).collect::<Vec<_>>(), [""; 0]);
    let known: BTreeSet<String> = doors().map(|(_, name)| format!("{name}.json")).collect();
    let mut asked = BTreeSet::new();
    files(&folder().join("doors"), "", &mut asked);
    assert_eq!(asked, known);
}
