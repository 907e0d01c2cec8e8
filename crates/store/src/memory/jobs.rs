//! Jobs in memory.

use bytes::Bytes;
use types::ports::{
    Answer, Jobs, Moment, PortError,
    jobs::{Cancelled, Job, JobId, JobResult, Lease, Leased, NewJob, Outcome, Owner, Page, Progress, State},
};

use super::{Entry, Memory, answer};
use crate::{
    ids::job_id,
    limits::{JobsThere, PAGE},
};

impl Jobs for Memory {
    fn create(&self, new: NewJob, now: Moment) -> Answer<'_, Job> {
        answer(self.create_job(new, now))
    }

    fn get<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<Job>> {
        answer(Ok(self.jobs().get(id).filter(|e| e.shown_to(owner, now)).map(|e| e.job.clone())))
    }

    fn result<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<JobResult>> {
        answer(Ok(self.jobs().get(id).filter(|e| e.shown_to(owner, now)).and_then(|e| e.result.clone())))
    }

    fn list<'a>(&'a self, owner: &'a Owner, page: Page, now: Moment) -> Answer<'a, Vec<Job>> {
        answer(Ok(self.list_jobs(owner, &page, now)))
    }

    fn lease<'a>(&'a self, worker: &'a str, now: Moment, until: Moment) -> Answer<'a, Option<Leased>> {
        let mut jobs = self.jobs();
        let due = jobs.values_mut().filter(|e| e.open() && e.due <= now && e.job.expires > now);
        let next = due.min_by(|a, b| (a.due, &a.job.id).cmp(&(b.due, &b.job.id)));
        answer(Ok(next.map(|entry| entry.give_to(worker, until))))
    }

    fn next_due(&self) -> Answer<'_, Option<Moment>> {
        answer(Ok(self.jobs().values().filter(|e| e.open()).map(|e| e.due).min()))
    }

    fn request<'a>(&'a self, lease: &'a Lease) -> Answer<'a, Bytes> {
        answer(self.with_lease(lease, |entry| entry.request.clone()))
    }

    fn save<'a>(&'a self, lease: &'a Lease, progress: &'a Progress, due: Moment) -> Answer<'a, ()> {
        answer(self.limits.check_progress(progress).and_then(|()| {
            self.with_lease(lease, |entry| {
                entry.progress = progress.clone();
                entry.due = due;
            })
        }))
    }

    fn finish<'a>(&'a self, lease: &'a Lease, outcome: Outcome, now: Moment) -> Answer<'a, ()> {
        answer(
            self.limits.check_outcome(&outcome).and_then(|()| self.with_lease(lease, |entry| entry.end(outcome, now))),
        )
    }

    fn cancel<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<Cancelled>> {
        let mut jobs = self.jobs();
        let entry = jobs.get_mut(id).filter(|e| e.shown_to(owner, now));
        answer(Ok(entry.map(|entry| {
            let was = entry.open().then(|| entry.close(State::Cancelled, now));
            Cancelled { job: entry.job.clone(), was }
        })))
    }

    fn release<'a>(&'a self, worker: &'a str, now: Moment) -> Answer<'a, u64> {
        let mut released = 0;
        for entry in self.jobs().values_mut().filter(|e| e.open() && e.worker.as_deref() == Some(worker)) {
            entry.due = entry.due.min(now);
            entry.worker = None;
            entry.fence += 1;
            released += 1;
        }
        answer(Ok(released))
    }

    fn expire(&self, now: Moment) -> Answer<'_, u64> {
        let mut jobs = self.jobs();
        let before = jobs.len();
        jobs.retain(|_, entry| entry.job.expires > now);
        answer(Ok((before - jobs.len()) as u64))
    }
}

impl Memory {
    fn create_job(&self, new: NewJob, now: Moment) -> Result<Job, PortError> {
        self.limits.check_request(&new)?;
        let mut jobs = self.jobs();
        let open = || jobs.values().filter(|e| e.open());
        let there = JobsThere {
            jobs: jobs.len() as u64,
            open_of_owner: open().filter(|e| e.owner == new.owner).count() as u64,
            open_request_bytes: open().map(|e| e.request.len() as u64).sum(),
        };
        self.limits.check_room_for_job(&there, new.request.len())?;
        let job = Job {
            id: job_id(new.id)?,
            operation: new.operation,
            model: new.model,
            route: new.route,
            state: State::Queued,
            created: now,
            ended: None,
            expires: new.expires,
            fault: None,
        };
        let entry = Entry {
            owner: new.owner,
            job: job.clone(),
            worker: None,
            due: now,
            fence: 0,
            progress: Progress::default(),
            request: new.request,
            result: None,
        };
        jobs.insert(job.id.clone(), entry);
        Ok(job)
    }

    fn list_jobs(&self, owner: &Owner, page: &Page, now: Moment) -> Vec<Job> {
        let jobs = self.jobs();
        let mut found: Vec<&Job> = jobs.values().filter(|e| e.shown_to(owner, now)).map(|e| &e.job).collect();
        found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        let from = match &page.after {
            None => 0,
            Some(after) => found.iter().position(|j| j.id == *after).map_or(found.len(), |at| at + 1),
        };
        found.into_iter().skip(from).take(page.limit.min(PAGE) as usize).cloned().collect()
    }

    /// Does something with a job if the lease is the latest one.
    fn with_lease<T>(&self, lease: &Lease, then: impl FnOnce(&mut Entry) -> T) -> Result<T, PortError> {
        let mut jobs = self.jobs();
        let entry = jobs.get_mut(&lease.job).filter(|e| e.open() && e.fence == lease.fence);
        entry.map(then).ok_or(PortError::Stale)
    }
}

impl Entry {
    fn open(&self) -> bool {
        !self.job.state.ended()
    }

    fn shown_to(&self, owner: &Owner, now: Moment) -> bool {
        self.owner == *owner && self.job.expires > now
    }

    fn give_to(&mut self, worker: &str, until: Moment) -> Leased {
        self.fence += 1;
        self.due = until;
        self.worker = Some(worker.to_owned());
        self.job.state = State::Running;
        Leased {
            lease: Lease { job: self.job.id.clone(), fence: self.fence },
            owner: self.owner.clone(),
            job: self.job.clone(),
            progress: self.progress.clone(),
        }
    }

    fn end(&mut self, outcome: Outcome, now: Moment) {
        match outcome {
            Outcome::Succeeded(result) => {
                self.close(State::Succeeded, now);
                self.result = Some(result);
            }
            Outcome::Failed(fault) => {
                self.close(State::Failed, now);
                self.job.fault = Some(fault);
            }
        }
    }

    /// Ends it, makes its leases stale, drops what only its work needed, and says how far it was.
    fn close(&mut self, state: State, now: Moment) -> Progress {
        self.job.state = state;
        self.job.ended = Some(now);
        self.fence += 1;
        self.request = Bytes::new();
        std::mem::take(&mut self.progress)
    }
}
