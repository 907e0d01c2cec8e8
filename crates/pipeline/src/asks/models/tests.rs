//! Parts of the list.

use std::sync::Arc;

use catalog::{Item, Listing, Loss, State, Task, Warning};
use serde_json::Value;
use types::Operation;

use super::*;
use crate::{
    Snapshot,
    snapshot::tests::of as snapshot,
    workers::{Servers, Wares},
};

fn item(backend: &str, hub_id: &str, operation: Operation) -> Item {
    Item {
        id: format!("huggingface/{backend}/{hub_id}").into(),
        backend: backend.into(),
        provider_id: None,
        task: Task::of(operation),
        adapter: hub_id.contains("lora"),
        state: State::Live,
        created: None,
        modalities: None,
        offer: None,
    }
}

fn listing(mut items: Vec<Item>) -> Arc<Listing> {
    items.sort_by(|a, b| a.place().cmp(&b.place()));
    let warnings = vec![Warning { source: "groq".into(), message: "It did not answer.".into() }];
    Arc::new(Listing { items, warnings, taken_at: 0, complete: false })
}

fn some() -> Arc<Listing> {
    listing(vec![
        item("groq", "o/a", Operation::Chat),
        item("groq", "o/b", Operation::Chat),
        item("fal-ai", "o/lora", Operation::Image),
        item("fal-ai", "o/paint", Operation::Image),
        item("hf-inference", "o/vectors", Operation::Embeddings),
        // Nothing of ours reaches it there.
        item("groq", "o/speech", Operation::ImageEdit),
    ])
}

const MINE: &str = r#"
[servers.mine]
url = "http://127.0.0.1:1"
models = ["own"]
"#;

fn ask(query: &str, listing: &Arc<Listing>, snapshot: &Arc<Snapshot>) -> Result<Value> {
    shaped(query, listing, snapshot, Shape::OpenAi)
}

fn shaped(query: &str, listing: &Arc<Listing>, snapshot: &Arc<Snapshot>, shape: Shape) -> Result<Value> {
    let servers: Vec<_> = snapshot.config.servers.iter().map(|server| &server.name).collect();
    let query = Query::read(query, &servers, shape)?;
    let declared = Declared::all(snapshot, &Servers::new(&snapshot.config.servers), &Wares::default());
    let lost = vec![Loss {
        hub_id: "o/gone".into(),
        backend: "groq".into(),
        task: "conversational".into(),
        failing: false,
        since: 0,
    }];
    let mut sheet = Sheet::new(query, Arc::clone(listing), Arc::clone(snapshot), declared, lost, shape)?;
    let pieces: Vec<_> = std::iter::from_fn(|| sheet.next_piece()).collect();
    assert!(sheet.is_over() && pieces.iter().all(|piece| piece.len() < 100_000));
    Ok(serde_json::from_slice(&pieces.concat()).unwrap())
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
}

const ALL: &[&str] = &[
    "huggingface/fal-ai/o/paint",
    "huggingface/groq/o/a",
    "huggingface/groq/o/b",
    "huggingface/hf-inference/o/vectors",
    "huggingface/mine/own",
    "huggingface/fal-ai/o/lora",
];

#[test]
fn anthropic_and_google_page_in_their_own_words_through_what_their_sdks_can_call() {
    let (listing, snapshot) = (some(), snapshot(MINE));
    let page = shaped("limit=1", &listing, &snapshot, Shape::Anthropic).unwrap();
    assert_eq!((ids(&page), &page["has_more"]), (vec![ALL[1]], &Value::Bool(true)));
    let query = format!("limit=1000&after_id={}", page["last_id"].as_str().unwrap());
    let rest = shaped(&query, &listing, &snapshot, Shape::Anthropic).unwrap();
    assert_eq!((ids(&rest), &rest["has_more"]), (vec![ALL[2], ALL[4]], &Value::Bool(false)));
    let back = |query: &str| {
        let page = shaped(query, &listing, &snapshot, Shape::Anthropic).unwrap();
        (ids(&page).into_iter().map(str::to_owned).collect::<Vec<_>>(), page["has_more"] == true)
    };
    let owned = |list: &[&str]| list.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(back(&format!("limit=1&before_id={}", ALL[4])), (owned(&[ALL[2]]), true));
    assert_eq!(back(&format!("limit=2&before_id={}", ALL[4])), (owned(&[ALL[1], ALL[2]]), false));
    assert_eq!(back(&format!("before_id={}", ALL[1])), (Vec::new(), false));
    assert!(shaped(&format!("before_id={0}&after_id={0}", ALL[1]), &listing, &snapshot, Shape::Anthropic).is_err());
    let fault = shaped("before_id=x", &listing, &snapshot, Shape::Anthropic).unwrap_err();
    assert_eq!(fault.param.as_deref(), Some("before_id"));

    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let query = format!("pageSize=2&pageToken={token}");
        let page = shaped(&query, &listing, &snapshot, Shape::Gemini).unwrap();
        names.extend(page["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, [ALL[1], ALL[2], ALL[3], ALL[4]].map(|id| format!("models/{id}")));
    let fault = shaped("pageToken=x", &listing, &snapshot, Shape::Gemini).unwrap_err();
    assert_eq!(fault.param.as_deref(), Some("pageToken"));
}

#[test]
fn everything_that_can_be_asked_for_is_listed_once_adapters_last() {
    let list = ask("", &some(), &snapshot(MINE)).unwrap();
    assert_eq!(ids(&list), ALL);
    assert_eq!((&list["object"], &list["has_more"]), (&"list".into(), &false.into()));
    assert_eq!((&list["first_id"], &list["last_id"]), (&ALL[0].into(), &ALL[5].into()));
    assert!(list.get("next_cursor").is_none());
    let paint = &list["data"][0];
    assert_eq!((&paint["task"], &paint["operations"][0]), (&"text-to-image".into(), &"image".into()));
    assert_eq!((&paint["input_modalities"][0], &paint["output_modalities"][0]), (&"text".into(), &"image".into()));
    assert_eq!((&paint["hub_id"], &paint["owned_by"]), (&"o/paint".into(), &"o".into()));
    assert_eq!(list["data"][5]["adapter"], true);
    assert!(list["data"][1].get("input_modalities").is_none(), "a chat model may see or not: nobody said");
}

#[test]
fn a_part_is_picked_by_backend_and_task() {
    let (listing, snapshot) = (some(), snapshot(MINE));
    for (query, wanted) in [
        ("backend=groq", &ALL[1..3]),
        ("backend=fal-ai", &[ALL[0], ALL[5]]),
        ("backend=mine", &ALL[4..5]),
        ("backend=groq,mine", &[ALL[1], ALL[2], ALL[4]]),
        ("task=text-to-image", &[ALL[0], ALL[4], ALL[5]]),
        ("task=image", &[ALL[0], ALL[4], ALL[5]]),
        ("task=embeddings&backend=hf-inference", &ALL[3..4]),
        ("task=conversational", &[ALL[1], ALL[2], ALL[4]]),
        ("task=sentence-similarity&backend=hf-inference", &[]),
        ("task=image&backend=groq", &[]),
    ] {
        assert_eq!(ids(&ask(query, &listing, &snapshot).unwrap()), wanted, "{query}");
    }
    let warned = |query| ask(query, &listing, &snapshot).unwrap()["warnings"].to_string();
    assert!(warned("").contains("did not answer") && warned("backend=groq").contains("did not answer"));
    assert_eq!(warned("backend=fal-ai"), "null", "another backend's trouble is no news here");
    assert!(warned("backend=openai").contains("does not list"));
}

#[test]
fn a_cut_list_says_so_and_either_way_of_going_on_gives_every_model_once() {
    let (listing, snapshot) = (some(), snapshot(MINE));
    for limit in 1..=ALL.len() {
        for by_cursor in [true, false] {
            let (mut seen, mut next) = (Vec::new(), String::new());
            loop {
                let list = ask(&format!("limit={limit}{next}"), &listing, &snapshot).unwrap();
                seen.extend(ids(&list).into_iter().map(str::to_owned));
                let cursor = list["next_cursor"].as_str();
                assert_eq!(list["has_more"], cursor.is_some());
                let Some(cursor) = cursor else { break };
                let last = list["last_id"].as_str().unwrap();
                next = if by_cursor { format!("&cursor={cursor}") } else { format!("&after={last}") };
                assert!(seen.len() < ALL.len(), "without end");
            }
            assert_eq!(seen, ALL, "{limit}");
        }
    }
}

#[test]
fn a_cursor_leads_on_although_its_model_is_gone_and_an_unknown_id_does_not() {
    let (listing, snapshot) = (some(), snapshot(""));
    let list = ask("cursor=m:huggingface%2Fgroq%2Fo%2Faa", &listing, &snapshot).unwrap();
    assert_eq!(ids(&list)[0], "huggingface/groq/o/b");
    let fault = ask("after=huggingface/groq/o/aa", &listing, &snapshot).unwrap_err();
    assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some("after")));
}

#[test]
fn a_backend_that_is_switched_off_is_not_listed_and_said_so_when_it_is_asked_for() {
    let snapshot = snapshot("[backends.groq]\nenabled = false\n");
    assert!(!ids(&ask("", &some(), &snapshot).unwrap()).iter().any(|id| id.contains("groq")));
    let list = ask("backend=groq", &some(), &snapshot).unwrap();
    assert!(ids(&list).is_empty() && list["warnings"].to_string().contains("switched off"), "{list}");
}

#[test]
fn ten_thousand_models_are_one_answer_and_one_more_is_cut() {
    let items = |n: usize| (0..n).map(|i| item("groq", &format!("o/m{i:05}"), Operation::Chat)).collect();
    let snapshot = snapshot("");
    let whole = ask("", &listing(items(10_000)), &snapshot).unwrap();
    assert_eq!((ids(&whole).len(), &whole["has_more"]), (10_000, &false.into()));
    let cut = ask("", &listing(items(10_001)), &snapshot).unwrap();
    assert_eq!((ids(&cut).len(), &cut["has_more"]), (10_000, &true.into()));
    assert_eq!(cut["next_cursor"], "m:huggingface/groq/o/m09999");
}
