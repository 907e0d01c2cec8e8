//! What comes of several lists.

use super::*;

fn item(backend: &str, hub_id: &str, operation: Operation) -> Item {
    Item {
        id: name(backend, hub_id),
        backend: backend.into(),
        provider_id: Some("own".into()),
        task: Task::of(operation),
        adapter: false,
        state: State::Live,
        created: Some(5),
        modalities: None,
        offer: None,
    }
}

fn asked(backend: &str, hub_ids: &[&str]) -> Asked {
    asked_for(backend, Operation::Chat, hub_ids)
}

fn asked_for(backend: &str, operation: Operation, hub_ids: &[&str]) -> Asked {
    let listed = hub_ids.iter().map(|hub_id| item(backend, hub_id, operation)).collect();
    Asked { backend: backend.into(), operation, listed, end: End::Whole }
}

fn failed(backend: &str, operation: Operation) -> Asked {
    Asked { end: End::Broken("no answer in time".into()), ..asked_for(backend, operation, &[]) }
}

fn market(hub_id: &str, backend: &str, state: State) -> Market {
    let offer = Offer { context_length: Some(8192), ..Offer::bare(backend, state) };
    let input = vec!["text".into(), "image".into()];
    let offers = vec![offer];
    Market::of(
        vec![MarketModel { hub_id: hub_id.into(), created: Some(9), input, offers, ..MarketModel::default() }],
        0,
    )
}

fn ids(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| &*item.id).collect()
}

#[test]
fn items_are_named_by_route_sorted_and_found_by_their_full_name() {
    let lists = vec![asked("b", &["o/z", "o/a"]), asked("a", &[])];
    let listing = merge(None, lists, None, 100, 7);
    assert_eq!(ids(&listing.items), ["huggingface/b/o/a", "huggingface/b/o/z"]);
    assert_eq!(listing.find("huggingface/b/o/a").unwrap().hub_id(), "o/a");
    assert!(listing.find("huggingface/a/o/a").is_none());
    assert_eq!(listing.of_model("o/z").count(), 1);
    assert_eq!(listing.taken_at, 7);
}

#[test]
fn adapters_come_after_every_model_and_any_place_can_be_gone_on_from() {
    let mut lists = vec![asked("a", &["o/x", "o/m"]), asked("b", &["o/n"])];
    lists[0].listed[0].adapter = true;
    let listing = merge(None, lists, None, 100, 0);
    assert_eq!(ids(&listing.items), ["huggingface/a/o/m", "huggingface/b/o/n", "huggingface/a/o/x"]);
    assert!(listing.find("huggingface/a/o/x").unwrap().adapter);
    assert_eq!(ids(listing.after((false, "huggingface/a/o/m"))), ["huggingface/b/o/n", "huggingface/a/o/x"]);
    assert_eq!(ids(listing.after((false, "huggingface/z"))), ["huggingface/a/o/x"], "a place that is gone");
    assert!(listing.after((true, "huggingface/a/o/x")).is_empty());
}

#[test]
fn the_routers_list_adds_terms_states_modalities_and_models() {
    let lists = vec![asked("a", &["o/m"])];
    let listing = merge(None, lists.clone(), Some(&market("o/m", "a", State::Error)), 100, 0);
    let item = listing.find("huggingface/a/o/m").unwrap();
    assert_eq!((item.state, item.created), (State::Error, Some(5)));
    assert_eq!(item.offer.as_ref().unwrap().context_length, Some(8192));
    assert_eq!(item.modalities.as_ref().unwrap().input.len(), 2);
    assert!(listing.warnings.is_empty() && listing.complete);
    let more = merge(None, lists.clone(), Some(&market("o/new", "a", State::Live)), 100, 0);
    let new = more.find("huggingface/a/o/new").unwrap();
    assert_eq!((new.provider_id.as_deref(), new.task.name()), (None, "conversational"));
    let foreign = merge(None, lists, Some(&market("o/new", "stranger", State::Live)), 100, 0);
    assert_eq!(foreign.items.len(), 1);
}

#[test]
fn a_backend_that_fails_is_named_and_keeps_its_earlier_items() {
    let first = merge(None, vec![asked("a", &["o/m"]), asked("b", &["o/n"])], None, 100, 1);
    let second = merge(Some(&first), vec![asked("a", &[]), failed("b", Operation::Chat)], None, 100, 2);
    assert!(second.find("huggingface/b/o/n").is_some(), "kept");
    assert!(second.find("huggingface/a/o/m").is_none(), "gone upstream is gone here");
    let warning = second.warnings.iter().find(|w| &*w.source == "b").unwrap();
    assert!(warning.message.contains("no answer in time") && warning.message.contains("earlier"), "{warning:?}");
    assert!(second.warnings.iter().any(|w| &*w.source == "router"));
    assert!(!second.complete);
}

#[test]
fn of_a_backend_that_fails_for_one_operation_the_others_are_as_they_are_now() {
    let both = vec![asked("a", &["o/chat"]), asked_for("a", Operation::Image, &["o/image"])];
    let first = merge(None, both, None, 100, 1);
    let second = merge(Some(&first), vec![asked("a", &[]), failed("a", Operation::Image)], None, 100, 2);
    assert_eq!(ids(&second.items), ["huggingface/a/o/image"]);
    assert!(second.warnings[0].message.contains("(image)"), "{:?}", second.warnings);
    let third = merge(None, vec![failed("a", Operation::Chat), failed("a", Operation::Image)], None, 100, 3);
    assert!(third.warnings[0].message.contains("(chat, image)"), "one sentence: {:?}", third.warnings);
}

#[test]
fn what_was_just_heard_counts_more_than_what_was_kept() {
    let first = merge(None, vec![asked("a", &["o/m", "o/old"])], None, 100, 1);
    let mut broken = Asked { end: End::Broken("half".into()), ..asked("a", &["o/m"]) };
    broken.listed[0].state = State::Staging;
    let second = merge(Some(&first), vec![broken], None, 100, 2);
    assert_eq!(second.items.len(), 2);
    assert_eq!(second.find("huggingface/a/o/m").unwrap().state, State::Staging);
}

#[test]
fn a_list_that_was_cut_says_so_and_keeps_nothing_that_is_gone() {
    let first = merge(None, vec![asked("a", &["o/old"])], None, 100, 1);
    let cut = Asked { end: End::Cut, ..asked("a", &["o/m"]) };
    let second = merge(Some(&first), vec![cut], Some(&Market::default()), 100, 2);
    assert_eq!(ids(&second.items), ["huggingface/a/o/m"]);
    assert!(second.complete && second.warnings[0].message.contains("most liked"), "{:?}", second.warnings);
}

#[test]
fn a_cut_listing_says_so() {
    let names: Vec<String> = (0..10).map(|i| format!("o/{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let listing = merge(None, vec![asked("a", &names)], None, 4, 0);
    assert_eq!(listing.items.len(), 4);
    assert!(listing.warnings.iter().any(|w| w.message.contains("first 4")));
}
