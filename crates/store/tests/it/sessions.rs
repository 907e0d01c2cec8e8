//! The contract of sessions.

use bytes::Bytes;
use store::Store;
use types::ports::{
    PortError, Sessions,
    sessions::{Ending, Item, NewSession, Session, SessionId},
};

use crate::support::{NOW, answered, asked, at, new_session, owner, response};

over_every_store!(
    a_response_is_found_as_it_was_kept,
    another_owners_session_does_not_exist,
    a_response_that_is_begun_is_ended_once,
    the_history_of_a_chain_is_told_from_its_beginning,
    a_deleted_response_is_gone_for_its_owner_and_stays_for_those_that_continue_it,
    an_expired_response_is_not_found_and_then_forgotten_from_the_end_of_its_chain,
    what_continues_nothing_is_refused_and_not_kept,
    a_conversation_gets_what_its_responses_say,
    a_conversation_is_changed_by_its_owner_only,
    items_are_found_by_their_ids,
    bounds_refuse_and_what_is_forgotten_makes_room,
    what_nobody_asked_for_makes_room_for_what_is_newer,
    many_callers_together_cannot_pass_a_bound,
    a_stream_is_kept_with_its_response,
);

fn conversation(of: &str, number: u128) -> NewSession {
    NewSession { id: SessionId::conversation(number), ..new_session(of, 0, &[]) }
}

fn after(previous: u128, new: NewSession) -> NewSession {
    NewSession { previous: Some(response(previous)), ..new }
}

fn ids(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.id.as_str()).collect()
}

fn ending(items: &[Item]) -> Ending {
    Ending { body: Bytes::from_static(b"{\"done\":1}"), items: items.to_vec(), told: None }
}

async fn history(sessions: &dyn Sessions, id: &SessionId) -> Vec<String> {
    let history = sessions.history(&owner("ann"), id, NOW).await.unwrap().unwrap();
    history.items.iter().map(|item| item.id.clone()).collect()
}

async fn a_response_is_found_as_it_was_kept(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    let said = [asked("msg_1", "ü"), answered("msg_2", "\"x\"")];
    sessions.create(new_session("ann", 1, &said), NOW).await.unwrap();
    let found = sessions.get(&ann, &response(1), NOW).await.unwrap();
    let wanted = Session { body: Bytes::from_static(b"{}"), ended: true, created: NOW, expires: at(86_400_000) };
    assert_eq!(found, Some(wanted));
    let history = sessions.history(&ann, &response(1), NOW).await.unwrap().unwrap();
    assert_eq!((history.ended, history.before, history.items), (true, 0, said.to_vec()));
    assert_eq!(sessions.get(&ann, &response(2), NOW).await.unwrap(), None);
    assert_eq!(sessions.history(&ann, &response(2), NOW).await.unwrap(), None);
    assert_eq!(sessions.told(&ann, &response(1), NOW).await.unwrap(), None);
}

async fn another_owners_session_does_not_exist(store: &Store) {
    let (sessions, bob) = (store.sessions(), owner("bob"));
    sessions.create(new_session("ann", 1, &[asked("msg_1", "x")]), NOW).await.unwrap();
    sessions.create(conversation("ann", 1), NOW).await.unwrap();
    for id in [response(1), SessionId::conversation(1)] {
        assert_eq!(sessions.get(&bob, &id, NOW).await.unwrap(), None);
        assert_eq!(sessions.history(&bob, &id, NOW).await.unwrap(), None);
        assert_eq!(sessions.told(&bob, &id, NOW).await.unwrap(), None);
        assert!(!sessions.amend(&bob, &id, Bytes::new(), NOW).await.unwrap());
        assert!(!sessions.append(&bob, &id, vec![asked("a", "x")], at(1), NOW).await.unwrap());
        assert!(!sessions.remove(&bob, &id, "msg_1", NOW).await.unwrap());
        assert!(!sessions.delete(&bob, &id, NOW).await.unwrap());
        assert!(sessions.get(&owner("ann"), &id, NOW).await.unwrap().is_some());
    }
    assert_eq!(sessions.items(&bob, &["msg_1".to_owned()], NOW).await.unwrap(), []);
    let theirs = after(1, new_session("bob", 2, &[]));
    assert_eq!(sessions.create(theirs, NOW).await, Err(PortError::Gone));
    let theirs = NewSession { conversation: Some(SessionId::conversation(1)), ..new_session("bob", 2, &[]) };
    assert_eq!(sessions.create(theirs, NOW).await, Err(PortError::Gone));
}

async fn a_response_that_is_begun_is_ended_once(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    let begun = NewSession { ended: false, ..new_session("ann", 1, &[asked("q", "?")]) };
    sessions.create(begun, NOW).await.unwrap();
    assert!(!sessions.get(&ann, &response(1), NOW).await.unwrap().unwrap().ended);
    assert!(!sessions.history(&ann, &response(1), NOW).await.unwrap().unwrap().ended);
    assert!(!sessions.amend(&ann, &response(1), Bytes::new(), NOW).await.unwrap());
    sessions.end(&response(1), ending(&[answered("a", "!")]), at(5)).await.unwrap();
    let found = sessions.get(&ann, &response(1), NOW).await.unwrap().unwrap();
    assert_eq!((found.ended, found.created, &found.body[..]), (true, NOW, &b"{\"done\":1}"[..]));
    assert_eq!(history(&*sessions, &response(1)).await, ["q", "a"]);
    assert_eq!(sessions.end(&response(1), ending(&[]), at(6)).await, Err(PortError::Stale));
    assert_eq!(sessions.end(&response(9), ending(&[]), at(6)).await, Err(PortError::Stale));
}

async fn the_history_of_a_chain_is_told_from_its_beginning(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    sessions.create(new_session("ann", 3, &[asked("q1", "x"), answered("a1", "x")]), NOW).await.unwrap();
    sessions.create(after(3, new_session("ann", 1, &[asked("q2", "x"), answered("a2", "x")])), NOW).await.unwrap();
    sessions.create(after(1, new_session("ann", 2, &[asked("q3", "x")])), NOW).await.unwrap();
    // Another branch changes nothing.
    sessions.create(after(3, new_session("ann", 4, &[asked("other", "x")])), NOW).await.unwrap();
    let told = sessions.history(&ann, &response(2), NOW).await.unwrap().unwrap();
    assert_eq!((ids(&told.items), told.before), (vec!["q1", "a1", "q2", "a2", "q3"], 4));
    assert_eq!(history(&*sessions, &response(4)).await, ["q1", "a1", "other"]);
}

async fn a_deleted_response_is_gone_for_its_owner_and_stays_for_those_that_continue_it(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    sessions.create(new_session("ann", 1, &[asked("q1", "x")]), NOW).await.unwrap();
    sessions.create(after(1, new_session("ann", 2, &[asked("q2", "x")])), NOW).await.unwrap();
    assert!(sessions.delete(&ann, &response(1), NOW).await.unwrap());
    assert!(!sessions.delete(&ann, &response(1), NOW).await.unwrap());
    assert_eq!(sessions.get(&ann, &response(1), NOW).await.unwrap(), None);
    assert_eq!(sessions.items(&ann, &["q1".to_owned()], NOW).await.unwrap(), []);
    assert_eq!(sessions.create(after(1, new_session("ann", 3, &[])), NOW).await, Err(PortError::Gone));
    assert_eq!(history(&*sessions, &response(2)).await, ["q1", "q2"]);
    assert_eq!(sessions.expire(NOW).await.unwrap(), 0);
    assert!(sessions.delete(&ann, &response(2), NOW).await.unwrap());
    assert_eq!(sessions.expire(NOW).await.unwrap(), 1, "the one before is needed no more");
}

async fn an_expired_response_is_not_found_and_then_forgotten_from_the_end_of_its_chain(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    let until = |expires, new| NewSession { expires: at(expires), ..new };
    sessions.create(until(10, new_session("ann", 1, &[asked("q1", "x")])), NOW).await.unwrap();
    sessions.create(after(1, until(20, new_session("ann", 2, &[asked("q2", "x")]))), NOW).await.unwrap();
    assert!(sessions.get(&ann, &response(1), at(9)).await.unwrap().is_some());
    assert_eq!(sessions.get(&ann, &response(1), at(10)).await.unwrap(), None);
    assert_eq!(sessions.expire(at(10)).await.unwrap(), 0, "the second needs it");
    let history = sessions.history(&ann, &response(2), at(15)).await.unwrap().unwrap();
    assert_eq!(ids(&history.items), ["q1", "q2"]);
    assert_eq!(sessions.expire(at(20)).await.unwrap(), 2);
    assert_eq!(sessions.history(&ann, &response(2), NOW).await.unwrap(), None);
}

async fn what_continues_nothing_is_refused_and_not_kept(store: &Store) {
    let sessions = store.sessions();
    assert_eq!(sessions.create(after(7, new_session("ann", 1, &[])), NOW).await, Err(PortError::Gone));
    let nowhere = NewSession { conversation: Some(SessionId::conversation(7)), ..new_session("ann", 1, &[]) };
    assert_eq!(sessions.create(nowhere, NOW).await, Err(PortError::Gone));
    assert_eq!(sessions.get(&owner("ann"), &response(1), NOW).await.unwrap(), None);
}

async fn a_conversation_gets_what_its_responses_say(store: &Store) {
    let (sessions, ann, id) = (store.sessions(), owner("ann"), SessionId::conversation(1));
    sessions.create(conversation("ann", 1), NOW).await.unwrap();
    let within = |new| NewSession { conversation: Some(id.clone()), ..new };
    let said = [asked("q1", "x"), answered("a1", "x")];
    let longer = NewSession { expires: at(99_000_000), ..new_session("ann", 1, &said) };
    sessions.create(within(longer), NOW).await.unwrap();
    assert_eq!(history(&*sessions, &id).await, ["q1", "a1"]);
    let expires = sessions.get(&ann, &id, NOW).await.unwrap().unwrap().expires;
    assert_eq!(expires, at(99_000_000), "a conversation lives as long as what is said in it");
    let begun = NewSession { ended: false, ..new_session("ann", 2, &[asked("q2", "x")]) };
    sessions.create(within(begun), NOW).await.unwrap();
    assert_eq!(history(&*sessions, &id).await, ["q1", "a1"], "nothing is said before it has ended");
    sessions.end(&response(2), ending(&[answered("a2", "x")]), NOW).await.unwrap();
    assert_eq!(history(&*sessions, &id).await, ["q1", "a1", "q2", "a2"]);
    assert_eq!(history(&*sessions, &response(2)).await, ["q2", "a2"]);

    let begun = NewSession { ended: false, ..new_session("ann", 3, &[]) };
    sessions.create(within(begun), NOW).await.unwrap();
    assert!(sessions.delete(&ann, &id, NOW).await.unwrap());
    assert_eq!(sessions.end(&response(3), ending(&[answered("a3", "x")]), NOW).await, Err(PortError::Gone));
    assert_eq!(history(&*sessions, &response(2)).await, ["q2", "a2"], "responses stay without it");
}

async fn a_conversation_is_changed_by_its_owner_only(store: &Store) {
    let (sessions, ann, id) = (store.sessions(), owner("ann"), SessionId::conversation(1));
    sessions.create(conversation("ann", 1), NOW).await.unwrap();
    assert!(sessions.amend(&ann, &id, Bytes::from_static(b"{\"a\":1}"), NOW).await.unwrap());
    assert_eq!(sessions.get(&ann, &id, NOW).await.unwrap().unwrap().body, "{\"a\":1}");
    let said = vec![asked("q1", "x"), asked("q2", "y"), asked("q3", "z")];
    assert!(sessions.append(&ann, &id, said, at(1), NOW).await.unwrap());
    assert!(sessions.remove(&ann, &id, "q2", NOW).await.unwrap());
    assert!(!sessions.remove(&ann, &id, "q2", NOW).await.unwrap());
    assert!(sessions.append(&ann, &id, vec![asked("q4", "x")], at(1), NOW).await.unwrap());
    assert_eq!(history(&*sessions, &id).await, ["q1", "q3", "q4"]);
}

async fn items_are_found_by_their_ids(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    sessions.create(new_session("ann", 1, &[asked("q", "1"), answered("a'\"", "2")]), NOW).await.unwrap();
    let wanted: Vec<String> = ["a'\"", "none", "q"].map(str::to_owned).to_vec();
    let mut found = sessions.items(&ann, &wanted, NOW).await.unwrap();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found, [answered("a'\"", "2"), asked("q", "1")]);
    assert_eq!(sessions.items(&ann, &[], NOW).await.unwrap(), []);
    assert_eq!(sessions.items(&ann, &wanted, at(86_400_000)).await.unwrap(), []);
}

/// Text of so many bytes, as an item with an id of two.
fn heavy(bytes: usize) -> Item {
    Item { id: "q_".to_owned(), answer: false, body: Bytes::from(vec![b'x'; bytes - 2]) }
}

async fn bounds_refuse_and_what_is_forgotten_makes_room(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    let refused = sessions.create(new_session("ann", 99, &[heavy(999)]), NOW).await;
    assert_eq!(refused, Err(PortError::TooLarge { what: "response", size: 1_001, limit: 1_000 }));
    for number in 1..=5 {
        sessions.create(new_session("ann", number, &[heavy(998)]), NOW).await.unwrap();
    }
    let full = Err(PortError::Full("the kept responses and conversations are too large together"));
    assert_eq!(sessions.create(new_session("ann", 6, &[]), NOW).await, full);
    assert!(sessions.delete(&ann, &response(3), NOW).await.unwrap());
    sessions.create(after(1, new_session("ann", 6, &[heavy(998)])), NOW).await.unwrap();
    let long = sessions.history(&ann, &response(6), NOW).await;
    assert!(matches!(long, Err(PortError::TooLarge { what: "history", .. })), "{long:?}");
    assert_eq!(sessions.expire(at(86_400_000)).await.unwrap(), 5);
    for number in 1..=30 {
        sessions.create(new_session("ann", number, &[]), NOW).await.unwrap();
    }
    let full = Err(PortError::Full("too many responses and conversations are kept"));
    assert_eq!(sessions.create(new_session("ann", 31, &[]), NOW).await, full);
}

async fn what_nobody_asked_for_makes_room_for_what_is_newer(store: &Store) {
    let (sessions, ann, bob) = (store.sessions(), owner("ann"), owner("bob"));
    let unasked = |of: &str, number| NewSession { asked: false, ..new_session(of, number, &[heavy(998)]) };
    sessions.create(unasked("bob", 1), NOW).await.unwrap();
    sessions.create(new_session("ann", 2, &[heavy(998)]), at(1)).await.unwrap();
    sessions.create(unasked("ann", 3), at(2)).await.unwrap();
    sessions.create(unasked("ann", 4), at(3)).await.unwrap();
    // It has something to be continued by: it stays as long as that.
    let empty = NewSession { items: Vec::new(), body: Bytes::new(), ..unasked("ann", 5) };
    sessions.create(after(3, empty), at(4)).await.unwrap();
    let there = async |of, number| sessions.get(of, &response(number), at(5)).await.unwrap().is_some();
    sessions.create(unasked("ann", 6), at(5)).await.unwrap();
    assert!(there(&ann, 5).await && there(&ann, 4).await && there(&bob, 1).await, "there was room");
    sessions.create(unasked("ann", 7), at(6)).await.unwrap();
    assert!(!there(&ann, 4).await, "the oldest of the same owner goes, of those that nothing continues");
    assert!(there(&ann, 2).await && there(&ann, 3).await && there(&ann, 5).await && there(&bob, 1).await);
    // What is continued now stays, whatever else goes.
    sessions.create(after(7, unasked("ann", 8)), at(7)).await.unwrap();
    assert!(there(&ann, 7).await && there(&ann, 8).await);
    for number in 9..=12 {
        sessions.create(new_session("ann", number, &[heavy(998)]), at(8)).await.unwrap();
    }
    assert!(!there(&bob, 1).await, "others' go when there is nothing of one's own");
    assert!(there(&ann, 2).await, "what was asked for stays");
}

async fn many_callers_together_cannot_pass_a_bound(store: &Store) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=12 {
        let sessions = store.sessions();
        tasks.spawn(async move { sessions.create(new_session("ann", number, &[heavy(998)]), NOW).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|kept| *kept).count(), 5);
}

async fn a_stream_is_kept_with_its_response(store: &Store) {
    let (sessions, ann) = (store.sessions(), owner("ann"));
    let begun = NewSession { ended: false, ..new_session("ann", 1, &[]) };
    sessions.create(begun, NOW).await.unwrap();
    let told = Some(Bytes::from_static(b"event: x\n\n"));
    sessions.end(&response(1), Ending { told: told.clone(), ..ending(&[]) }, NOW).await.unwrap();
    assert_eq!(sessions.told(&ann, &response(1), NOW).await.unwrap(), told);
    sessions.create(after(1, new_session("ann", 2, &[])), NOW).await.unwrap();
    assert!(sessions.delete(&ann, &response(1), NOW).await.unwrap());
    assert_eq!(sessions.told(&ann, &response(1), NOW).await.unwrap(), None);
}
