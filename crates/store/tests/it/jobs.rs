//! The contract of jobs.

use std::collections::BTreeSet;

use bytes::Bytes;
use store::Store;
use types::{
    Kind,
    ports::{
        Moment, PortError,
        jobs::{JobId, JobResult, Outcome, Page, Phase, Progress, State},
        kept::FileId,
    },
};

use crate::support::{NOW, at, create, failed, inline, lease, new_job, owner, sent, succeeded};

over_every_store!(
    a_job_goes_from_queued_to_succeeded,
    a_failed_job_says_why,
    a_large_result_is_a_reference,
    another_owners_job_is_not_found,
    a_leased_job_is_given_to_nobody_else_until_the_lease_ends,
    an_old_lease_cannot_write,
    the_longest_due_job_comes_first,
    the_next_worker_finds_what_was_saved,
    a_cancelled_job_says_what_the_backend_must_be_told,
    an_ended_job_is_not_cancelled,
    a_released_worker_gives_back_its_jobs,
    expired_jobs_are_not_shown_and_then_forgotten,
    a_list_is_cut_into_pages_the_newest_first,
    bounds_refuse_and_ended_jobs_make_room,
    what_is_too_large_is_refused_by_name,
    many_workers_never_get_the_same_job,
    many_callers_together_cannot_pass_a_bound,
);

async fn a_job_goes_from_queued_to_succeeded(store: &Store) {
    let jobs = store.jobs();
    let made = jobs.create(new_job("ann", r#"{"prompt":"a boat"}"#), NOW).await.unwrap();
    assert_eq!((made.state, made.created, made.ended), (State::Queued, NOW, None));
    assert_eq!(jobs.get(&owner("ann"), &made.id, NOW).await.unwrap().as_ref(), Some(&made));
    assert_eq!(jobs.next_due().await.unwrap(), Some(NOW));

    let leased = lease(&*jobs, at(5)).await;
    assert_eq!((leased.lease.job.clone(), leased.owner.clone()), (made.id.clone(), owner("ann")));
    assert_eq!((leased.job.state, leased.progress.clone()), (State::Running, Progress::default()));
    assert_eq!(jobs.request(&leased.lease).await.unwrap(), r#"{"prompt":"a boat"}"#);
    assert_eq!(jobs.result(&owner("ann"), &made.id, at(5)).await.unwrap(), None);

    jobs.finish(&leased.lease, succeeded(), at(9)).await.unwrap();
    let done = jobs.get(&owner("ann"), &made.id, at(9)).await.unwrap().unwrap();
    assert_eq!((done.state, done.ended, done.fault), (State::Succeeded, Some(at(9)), None));
    assert_eq!(jobs.result(&owner("ann"), &made.id, at(9)).await.unwrap(), Some(inline(r#"{"data":[]}"#)));
    assert_eq!(jobs.next_due().await.unwrap(), None);
    assert!(jobs.lease("worker", at(99_999), at(99_999)).await.unwrap().is_none());
}

async fn a_failed_job_says_why(store: &Store) {
    let jobs = store.jobs();
    let id = create(&*jobs, "ann", NOW).await.id;
    let leased = lease(&*jobs, NOW).await;
    jobs.finish(&leased.lease, failed("`size` is too large: 'x' \"y\" ü"), at(1)).await.unwrap();
    let done = jobs.get(&owner("ann"), &id, at(1)).await.unwrap().unwrap();
    let fault = done.fault.unwrap();
    assert_eq!((done.state, fault.kind), (State::Failed, Kind::UpstreamRejected));
    assert_eq!(fault.message, "`size` is too large: 'x' \"y\" ü");
    assert_eq!(jobs.result(&owner("ann"), &id, at(1)).await.unwrap(), None);
}

async fn a_large_result_is_a_reference(store: &Store) {
    let jobs = store.jobs();
    let id = create(&*jobs, "ann", NOW).await.id;
    let leased = lease(&*jobs, NOW).await;
    let result = JobResult::File(FileId::from_bits(77));
    jobs.finish(&leased.lease, Outcome::Succeeded(result.clone()), at(1)).await.unwrap();
    assert_eq!(jobs.result(&owner("ann"), &id, at(1)).await.unwrap(), Some(result));
}

async fn another_owners_job_is_not_found(store: &Store) {
    let jobs = store.jobs();
    let id = create(&*jobs, "ann", NOW).await.id;
    let bob = owner("bob");
    assert_eq!(jobs.get(&bob, &id, NOW).await.unwrap(), None);
    assert_eq!(jobs.cancel(&bob, &id, NOW).await.unwrap(), None);
    let page = |after| Page { limit: 10, after };
    assert_eq!(jobs.list(&bob, page(None), NOW).await.unwrap(), []);
    create(&*jobs, "bob", NOW).await;
    assert_eq!(jobs.list(&bob, page(Some(id.clone())), NOW).await.unwrap(), [], "a foreign cursor tells nothing");
    let leased = lease(&*jobs, NOW).await;
    let other = lease(&*jobs, NOW).await;
    for leased in [leased, other] {
        jobs.finish(&leased.lease, succeeded(), NOW).await.unwrap();
    }
    assert_eq!(jobs.result(&bob, &id, NOW).await.unwrap(), None);
    assert!(jobs.result(&owner("ann"), &id, NOW).await.unwrap().is_some());
    assert_eq!(jobs.get(&owner("' OR '1'='1"), &id, NOW).await.unwrap(), None);
}

async fn a_leased_job_is_given_to_nobody_else_until_the_lease_ends(store: &Store) {
    let jobs = store.jobs();
    create(&*jobs, "ann", NOW).await;
    assert!(jobs.lease("early", Moment(NOW.0 - 1), NOW).await.unwrap().is_none(), "not due yet");
    let first = jobs.lease("a", NOW, at(1_000)).await.unwrap().unwrap();
    assert!(jobs.lease("b", at(999), at(2_000)).await.unwrap().is_none());
    assert_eq!(jobs.next_due().await.unwrap(), Some(at(1_000)));
    let second = jobs.lease("b", at(1_000), at(2_000)).await.unwrap().unwrap();
    assert_eq!(second.lease.job, first.lease.job);
    assert!(second.lease.fence > first.lease.fence);
}

async fn an_old_lease_cannot_write(store: &Store) {
    let jobs = store.jobs();
    let id = create(&*jobs, "ann", NOW).await.id;
    let old = lease(&*jobs, NOW).await.lease;
    // A lease that has ended is good as long as nobody else took the job.
    jobs.save(&old, &sent("one"), at(1_000)).await.unwrap();
    let new = lease(&*jobs, at(5_000)).await;
    assert_eq!(jobs.save(&old, &sent("two"), at(9_000)).await, Err(PortError::Stale));
    assert_eq!(jobs.finish(&old, succeeded(), at(9_000)).await, Err(PortError::Stale));
    assert_eq!(jobs.request(&old).await, Err(PortError::Stale));
    assert_eq!(new.progress, sent("one"));
    jobs.finish(&new.lease, succeeded(), at(9_000)).await.unwrap();
    assert_eq!(jobs.save(&new.lease, &sent("two"), at(9_000)).await, Err(PortError::Stale), "it has ended");
    assert_eq!(jobs.finish(&new.lease, failed("again"), at(9_001)).await, Err(PortError::Stale));
    assert_eq!(jobs.request(&new.lease).await, Err(PortError::Stale), "the request is deleted");
    assert_eq!(jobs.get(&owner("ann"), &id, at(9_000)).await.unwrap().unwrap().state, State::Succeeded);
}

async fn the_longest_due_job_comes_first(store: &Store) {
    let jobs = store.jobs();
    let late = create(&*jobs, "ann", at(20)).await.id;
    let early = create(&*jobs, "ann", at(10)).await.id;
    assert_eq!(jobs.next_due().await.unwrap(), Some(at(10)));
    let first = lease(&*jobs, at(30)).await;
    assert_eq!(first.lease.job, early);
    jobs.save(&first.lease, &sent("x"), at(15)).await.unwrap();
    assert_eq!(lease(&*jobs, at(30)).await.lease.job, early, "it was saved as due again before the other");
    assert_eq!(lease(&*jobs, at(30)).await.lease.job, late);
}

async fn the_next_worker_finds_what_was_saved(store: &Store) {
    let jobs = store.jobs();
    create(&*jobs, "ann", NOW).await;
    let mut leased = lease(&*jobs, NOW).await;
    for (step, phase) in [Phase::Unsent, Phase::Sending, Phase::Sent].into_iter().enumerate() {
        let progress = Progress { phase, exchange: format!(r#"{{"step":{step},"id":"up-1"}}"#), version: step as u32 };
        let due = at(10_000 * (step as i64 + 1));
        jobs.save(&leased.lease, &progress, due).await.unwrap();
        assert!(jobs.lease("w", Moment(due.0 - 1), at(1)).await.unwrap().is_none(), "not before it is due");
        leased = lease(&*jobs, due).await;
        assert_eq!(leased.progress, progress);
    }
    assert_eq!(jobs.request(&leased.lease).await.unwrap(), "{}", "the call is there until the end");
}

async fn a_cancelled_job_says_what_the_backend_must_be_told(store: &Store) {
    let jobs = store.jobs();
    let ann = owner("ann");
    let id = create(&*jobs, "ann", NOW).await.id;
    let worker = lease(&*jobs, NOW).await.lease;
    jobs.save(&worker, &sent("up-1"), at(1_000)).await.unwrap();

    let cancelled = jobs.cancel(&ann, &id, at(7)).await.unwrap().unwrap();
    assert_eq!((cancelled.job.state, cancelled.job.ended), (State::Cancelled, Some(at(7))));
    assert_eq!(cancelled.was, Some(sent("up-1")));
    assert_eq!(jobs.save(&worker, &sent("up-1"), at(1_000)).await, Err(PortError::Stale));
    assert_eq!(jobs.finish(&worker, succeeded(), at(8)).await, Err(PortError::Stale));
    assert!(jobs.lease("w", at(50_000), at(60_000)).await.unwrap().is_none());

    let again = jobs.cancel(&ann, &id, at(9)).await.unwrap().unwrap();
    assert_eq!((again.job, again.was), (cancelled.job, None), "the backend is told once");

    let queued = create(&*jobs, "ann", NOW).await.id;
    let cancelled = jobs.cancel(&ann, &queued, at(9)).await.unwrap().unwrap();
    assert_eq!(cancelled.was, Some(Progress::default()), "nothing was sent");
}

async fn an_ended_job_is_not_cancelled(store: &Store) {
    let jobs = store.jobs();
    let id = create(&*jobs, "ann", NOW).await.id;
    let leased = lease(&*jobs, NOW).await;
    jobs.finish(&leased.lease, succeeded(), at(1)).await.unwrap();
    let found = jobs.cancel(&owner("ann"), &id, at(2)).await.unwrap().unwrap();
    assert_eq!((found.job.state, found.was), (State::Succeeded, None));
    assert!(jobs.result(&owner("ann"), &id, at(2)).await.unwrap().is_some());
    assert_eq!(jobs.cancel(&owner("ann"), &JobId::from_bits(1), at(2)).await.unwrap(), None);
}

async fn a_released_worker_gives_back_its_jobs(store: &Store) {
    let jobs = store.jobs();
    for _ in 0..3 {
        create(&*jobs, "ann", NOW).await;
    }
    let mine = jobs.lease("mine", NOW, at(60_000)).await.unwrap().unwrap();
    jobs.save(&mine.lease, &sent("up-1"), at(60_000)).await.unwrap();
    let ended = jobs.lease("mine", NOW, at(60_000)).await.unwrap().unwrap();
    jobs.finish(&ended.lease, succeeded(), NOW).await.unwrap();
    jobs.lease("theirs", NOW, at(60_000)).await.unwrap().unwrap();

    assert_eq!(jobs.release("mine", at(5)).await.unwrap(), 1);
    let again = jobs.lease("mine", at(5), at(60_000)).await.unwrap().unwrap();
    assert_eq!((again.lease.job, again.progress), (mine.lease.job.clone(), sent("up-1")));
    assert_eq!(jobs.save(&mine.lease, &sent("x"), at(6)).await, Err(PortError::Stale));
    assert!(jobs.lease("mine", at(5), at(60_000)).await.unwrap().is_none(), "the other worker keeps its job");
}

async fn expired_jobs_are_not_shown_and_then_forgotten(store: &Store) {
    let jobs = store.jobs();
    let ann = owner("ann");
    let mut new = new_job("ann", "{}");
    new.expires = at(1_000);
    let id = jobs.create(new, NOW).await.unwrap().id;
    let stays = create(&*jobs, "ann", NOW).await.id;
    let leased = lease(&*jobs, NOW).await;
    let leased = if leased.lease.job == id { leased } else { lease(&*jobs, NOW).await };

    assert_eq!(jobs.get(&ann, &id, at(1_000)).await.unwrap(), None);
    assert_eq!(jobs.cancel(&ann, &id, at(1_000)).await.unwrap(), None);
    assert_eq!(jobs.list(&ann, Page { limit: 9, after: None }, at(1_000)).await.unwrap().len(), 1);
    assert_eq!(jobs.expire(at(999)).await.unwrap(), 0);
    assert_eq!(jobs.expire(at(1_000)).await.unwrap(), 1);
    assert_eq!(jobs.finish(&leased.lease, succeeded(), at(1_000)).await, Err(PortError::Stale));
    assert!(jobs.get(&ann, &stays, at(1_000)).await.unwrap().is_some());
}

async fn a_list_is_cut_into_pages_the_newest_first(store: &Store) {
    let jobs = store.jobs();
    let ann = owner("ann");
    let mut made = Vec::new();
    for i in 0..7 {
        // Two and two in the same millisecond.
        made.push(create(&*jobs, "ann", at(i / 2)).await.id);
        create(&*jobs, "bob", at(i)).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = jobs.list(&ann, Page { limit: 3, after }, at(9)).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page);
    }
    assert!(seen.windows(2).all(|w| w[0].created >= w[1].created));
    let ids: BTreeSet<_> = seen.iter().map(|j| j.id.clone()).collect();
    assert_eq!((seen.len(), ids), (7, made.into_iter().collect()));
    assert_eq!(jobs.list(&ann, Page { limit: 3, after: Some(JobId::from_bits(1)) }, NOW).await.unwrap(), []);
}

async fn bounds_refuse_and_ended_jobs_make_room(store: &Store) {
    let jobs = store.jobs();
    for _ in 0..40 {
        create(&*jobs, "ann", NOW).await;
    }
    assert_eq!(
        jobs.create(new_job("ann", "{}"), NOW).await,
        Err(PortError::Full("too many of your jobs have not ended"))
    );
    let large: &'static str = "x".repeat(1_000).leak();
    for _ in 0..4 {
        jobs.create(new_job("bob", large), NOW).await.unwrap();
    }
    let refused = jobs.create(new_job("bob", large), NOW).await;
    assert_eq!(refused, Err(PortError::Full("the open jobs are too large together")));
    for _ in 0..44 {
        let leased = lease(&*jobs, NOW).await;
        jobs.finish(&leased.lease, succeeded(), NOW).await.unwrap();
    }
    for _ in 0..16 {
        create(&*jobs, "ann", NOW).await;
    }
    assert_eq!(jobs.create(new_job("eve", "{}"), NOW).await, Err(PortError::Full("too many jobs are kept")));
    assert_eq!(jobs.expire(at(90_000_000)).await.unwrap(), 60);
    create(&*jobs, "eve", NOW).await;
}

async fn what_is_too_large_is_refused_by_name(store: &Store) {
    let jobs = store.jobs();
    let large: &'static str = "x".repeat(1_001).leak();
    let refused = |what| PortError::TooLarge { what, size: 1_001, limit: 1_000 };
    assert_eq!(jobs.create(new_job("ann", large), NOW).await, Err(refused("request")));
    create(&*jobs, "ann", NOW).await;
    let leased = lease(&*jobs, NOW).await.lease;
    assert_eq!(jobs.save(&leased, &sent(large), NOW).await, Err(refused("exchange")));
    let result = JobResult::Inline { media_type: "text/plain".to_owned(), body: Bytes::from_static(large.as_bytes()) };
    assert_eq!(jobs.finish(&leased, Outcome::Succeeded(result), NOW).await, Err(refused("result")));
    jobs.finish(&leased, failed("too large"), NOW).await.unwrap();
}

async fn many_workers_never_get_the_same_job(store: &Store) {
    let jobs = store.jobs();
    for _ in 0..20 {
        create(&*jobs, "ann", NOW).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..30 {
        let jobs = jobs.clone();
        tasks.spawn(async move { jobs.lease(&worker.to_string(), NOW, at(1_000)).await.unwrap() });
    }
    let leased: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let ids: BTreeSet<_> = leased.iter().map(|l| l.lease.job.clone()).collect();
    assert_eq!((leased.len(), ids.len()), (20, 20));
}

async fn many_callers_together_cannot_pass_a_bound(store: &Store) {
    let jobs = store.jobs();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let jobs = jobs.clone();
        tasks.spawn(async move { jobs.create(new_job("ann", "{}"), NOW).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|accepted| *accepted).count(), 40);
}
