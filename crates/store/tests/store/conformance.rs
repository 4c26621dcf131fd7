//! The conformance suite of all stores: one function per guarantee, through the traits only.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;
use shenfen_core::{Decision, Job, JobId, PictureResult, Status};
use shenfen_store::port::Completed;
use shenfen_store::{
    Audit, AuditAction, AuditChain, AuditEntry, AuditFault, AuditRecord, BatchProgress, Batches, Erase, EraseScope,
    Finished, Jobs, Recorded, ResultFilter, ResultRow, Results,
};
use time::macros::date;

use crate::made::{dead, job, jobs, number_of, read, result};

/// A store of one kind, initially empty.
pub(crate) trait World: Sized {
    /// The jobs of a batch.
    type Jobs: Jobs;
    /// Its tables.
    type Tables: Results + Batches + Audit + Erase;

    fn jobs(&self, batch: &str) -> Self::Jobs;

    fn tables(&self) -> &Self::Tables;

    /// Gives up to `limit` open jobs of a batch to a worker, oldest first, the way that this store delivers jobs.
    async fn take(&self, batch: &str, limit: usize) -> Vec<Taken>;

    /// The worker releases these jobs unread.
    async fn release(&self, batch: &str, taken: &[Taken]);

    /// The worker's process crashes, and another one starts on the same store and recovers its jobs.
    async fn restart(self) -> Self;
}

/// A job that a worker has claimed.
#[derive(Clone)]
pub(crate) struct Taken {
    pub(crate) job: Job,
    pub(crate) attempt: u32,
}

impl Taken {
    pub(crate) fn read(&self, decision: Decision) -> Finished {
        read(&self.job, self.attempt, decision)
    }

    pub(crate) fn dead(&self) -> Finished {
        dead(&self.job, self.attempt)
    }
}

/// One test per guarantee.
macro_rules! conformance_tests {
    ($world:path) => {
        $crate::conformance::conformance_tests! {
            $world:
            enqueueing_a_known_job_changes_nothing,
            stores_a_result_once_and_complete,
            released_job_loses_no_attempt,
            crash_returns_claimed_and_keeps_completed_jobs,
            batches_are_independent,
            pages_return_each_matching_result_once_in_order,
            any_text_is_stored_or_replaced,
            audit_entries_follow_from_one_another,
            erasing_leaves_only_that_jobs_have_ended,
        }

        proptest::proptest! {
            #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, ..Default::default() })]

            #[test]
            fn every_job_ends_exactly_once(steps in $crate::conformance::steps()) {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    $crate::conformance::every_job_ends_exactly_once(<$world>::new().await, steps).await;
                });
            }
        }
    };
    ($world:path: $($promise:ident,)+) => {
        $(#[tokio::test]
        async fn $promise() {
            $crate::conformance::$promise(<$world>::new().await).await;
        })+
    };
}
pub(crate) use conformance_tests;

pub(crate) async fn enqueueing_a_known_job_changes_nothing(world: impl World) {
    let queue = world.jobs("kyc");
    let all = jobs("kyc", 0..4);
    assert_eq!(queue.enqueue(&all).await.unwrap(), 4);
    let taken = world.take("kyc", 3).await;
    queue.complete(&[taken[0].read(Decision::Accept), taken[1].dead()]).await.unwrap();

    let before = only(&world).await;
    assert_eq!(queue.enqueue(&all).await.unwrap(), 0);
    assert_eq!(only(&world).await, before);
    assert_eq!((before.queued, before.running, before.accepted, before.dead), (1, 1, 1, 1));
}

pub(crate) async fn stores_a_result_once_and_complete(world: impl World) {
    let queue = world.jobs("kyc");
    queue.enqueue(&jobs("kyc", 0..1)).await.unwrap();
    let taken = world.take("kyc", 1).await.remove(0);
    let end = taken.read(Decision::Review);
    assert_eq!(queue.complete(std::slice::from_ref(&end)).await.unwrap(), Completed { stored: 1, repeated: 0 });
    let stored = all_rows(&world).await;

    // The same outcome again, and another one for the same job: the first stands.
    let others = [end, taken.dead(), taken.read(Decision::Accept)];
    assert_eq!(queue.complete(&others).await.unwrap(), Completed { stored: 0, repeated: 3 });
    assert!(all_rows(&world).await == stored);

    let [row] = stored.as_slice() else { panic!("one row") };
    assert_eq!((row.job_id, row.batch.as_str()), (taken.job.id, "kyc"));
    assert_eq!((row.source.as_str(), row.reference.as_deref()), ("0.jpg", Some("customer-0")));
    assert_eq!((row.status, row.decision, row.attempts), (Status::Ok, Decision::Review, 1));
    assert_eq!((row.model_version.as_str(), row.image_sha256.as_deref()), ("1.2.3", Some("abc")));
    assert!(row.columns.name == "张三" && row.columns.authority.is_empty() && row.confidence.is_none());
    assert!(row.columns.birth_date == Some(date!(1993 - 03 - 03)) && row.columns.valid_to.is_none());
    assert!(serde_json::from_str::<PictureResult>(&row.result).unwrap() == result(Decision::Review));
    assert!(row.created_at <= row.finished_at);
}

pub(crate) async fn released_job_loses_no_attempt(world: impl World) {
    let queue = world.jobs("kyc");
    queue.enqueue(&jobs("kyc", 0..2)).await.unwrap();
    let taken = world.take("kyc", 2).await;
    queue.complete(&[taken[0].read(Decision::Accept)]).await.unwrap();
    // One of them has already ended and stays so.
    world.release("kyc", &taken).await;
    let again = world.take("kyc", 9).await;
    assert_eq!((sources(&again), again[0].attempt), (vec!["1.jpg"], 1));
}

pub(crate) async fn crash_returns_claimed_and_keeps_completed_jobs(world: impl World) {
    let queue = world.jobs("kyc");
    queue.enqueue(&jobs("kyc", 0..4)).await.unwrap();
    let taken = world.take("kyc", 3).await;
    queue.complete(&[taken[1].read(Decision::Accept)]).await.unwrap();
    drop(queue);

    let world = world.restart().await;
    let again = world.take("kyc", 9).await;
    assert_eq!(sources(&again), ["0.jpg", "2.jpg", "3.jpg"]);
    assert_eq!(again.iter().map(|taken| taken.attempt).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(all_rows(&world).await.len(), 1);
}

pub(crate) async fn batches_are_independent(world: impl World) {
    let (one, two) = (world.jobs("one"), world.jobs("two"));
    one.enqueue(&jobs("one", 0..2)).await.unwrap();
    two.enqueue(&jobs("two", 0..3)).await.unwrap();
    let taken = world.take("two", 9).await;
    assert_eq!(taken.len(), 3);
    two.complete(&[taken[0].read(Decision::Reject)]).await.unwrap();

    let names: Vec<String> = world.tables().batches().await.unwrap().into_iter().map(|batch| batch.name).collect();
    assert_eq!(names, ["one", "two"]);
    let one = world.tables().batch("one").await.unwrap().unwrap();
    assert_eq!((one.total(), one.queued, one.rate), (2, 2, None));
    let two = world.tables().batch("two").await.unwrap().unwrap();
    assert_eq!((two.total(), two.running, two.failed), (3, 2, 1));
    assert!(two.rate.is_none_or(|rate| rate > 0.0));
    assert!(world.tables().batch("three").await.unwrap().is_none());
}

pub(crate) async fn pages_return_each_matching_result_once_in_order(world: impl World) {
    let queue = world.jobs("kyc");
    queue.enqueue(&jobs("kyc", 0..7)).await.unwrap();
    let taken = world.take("kyc", 9).await;
    let end =
        |index: usize| taken[index].read(if index.is_multiple_of(2) { Decision::Accept } else { Decision::Review });
    for index in 0..3 {
        queue.complete(&[end(index)]).await.unwrap();
    }
    queue.complete(&(3..7).map(end).collect::<Vec<_>>()).await.unwrap();
    let all: Vec<String> = all_rows(&world).await.into_iter().map(|row| row.source).collect();
    assert_eq!(all, ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"]);

    let count = async |filter: ResultFilter| world.tables().page(&filter, 0, 100).await.unwrap().len();
    assert_eq!(count(ResultFilter { decision: Some(Decision::Review), ..ResultFilter::default() }).await, 3);
    assert_eq!(count(ResultFilter { status: Some(Status::Fail), ..ResultFilter::default() }).await, 0);
    assert_eq!(count(ResultFilter { batch: Some("other".into()), ..ResultFilter::default() }).await, 0);
}

pub(crate) async fn audit_entries_follow_from_one_another(world: impl World) {
    let record = |subject: &str, amount: Option<u64>| AuditRecord {
        tenant: Some("acme".parse().unwrap()),
        actor: "key 1234 (\u{516c}\u{53f8})".into(),
        action: AuditAction::Reveal,
        subject: subject.into(),
        amount,
        reason: "customer's request".into(),
    };
    let tables = world.tables();
    assert!(tables.audit_page(0, 10).await.unwrap().is_empty());
    let mut recorded = Vec::new();
    for (subject, amount) in [("job 1", Some(1)), ("批 \"1\"\n", None), ("", Some(0))] {
        recorded.push(tables.record(&record(subject, amount)).await.unwrap());
    }
    // Many at once keep one order.
    let many = [0, 1, 2, 3].map(|number| record("batch kyc", Some(number)));
    let [one, two, three, four] = &many;
    let together = tokio::join!(tables.record(one), tables.record(two), tables.record(three), tables.record(four));
    recorded.extend([together.0, together.1, together.2, together.3].map(Result::unwrap));
    let mut entries = tables.audit_page(0, 4).await.unwrap();
    entries.extend(tables.audit_page(4, 100).await.unwrap());
    let mut chain = AuditChain::default();
    entries.iter().for_each(|entry| chain.check(entry).unwrap());
    assert_eq!((chain.entries(), entries[1].subject.as_str()), (7, "批 \"1\"\n"));
    assert_eq!((entries[0].action.as_str(), entries[0].tenant.as_str(), entries[1].amount), ("reveal", "acme", None));
    recorded.sort_by_key(Recorded::seq);
    assert!(recorded.iter().map(Recorded::hash).eq(entries.iter().map(|entry| entry.hash.as_str())));

    // Whatever is changed, removed or moved is found.
    let fault = |entries: &[AuditEntry]| {
        let mut chain = AuditChain::default();
        entries.iter().find_map(|entry| chain.check(entry).err())
    };
    let changed = |change: &dyn Fn(&mut AuditEntry)| {
        let mut entries = entries.clone();
        change(&mut entries[5]);
        fault(&entries)
    };
    assert_eq!(changed(&|entry| entry.reason.push('!')), Some(AuditFault::Changed { seq: 6 }));
    assert_eq!(changed(&|entry| entry.amount = None), Some(AuditFault::Changed { seq: 6 }));
    assert_eq!(changed(&|entry| entry.tenant = "globex".into()), Some(AuditFault::Changed { seq: 6 }));
    // Even with a hash that fits.
    let forged = changed(&|entry| {
        entry.actor.push('x');
        entry.hash = entry.computed_hash();
    });
    assert_eq!(forged, Some(AuditFault::Changed { seq: 7 }));
    let without = [&entries[..3], &entries[4..]].concat();
    assert_eq!(fault(&without), Some(AuditFault::Missing { expected: 4, found: 5 }));
    let mut swapped = entries.clone();
    swapped.swap(1, 2);
    assert!(fault(&swapped).is_some());
}

pub(crate) async fn erasing_leaves_only_that_jobs_have_ended(world: impl World) {
    let all = jobs("kyc", 0..6);
    let queue = world.jobs("kyc");
    queue.enqueue(&all).await.unwrap();
    let taken = world.take("kyc", 5).await;
    let ends: Vec<Finished> = taken[..4].iter().map(|taken| taken.read(Decision::Accept)).collect();
    queue.complete(&ends).await.unwrap();
    queue.complete(&[taken[4].dead()]).await.unwrap();
    let tables = world.tables();
    let erase = async |scope: &EraseScope| {
        let mut total = (0, 0);
        loop {
            let erased = tables.erase(scope, 2).await.unwrap();
            if erased.is_empty() {
                return total;
            }
            assert!(erased.results <= 2 && erased.jobs <= 2, "more at once than was allowed");
            total = (total.0 + erased.results, total.1 + erased.jobs);
        }
    };

    let one = EraseScope::Reference("customer-1".into());
    assert_eq!((tables.open_jobs(&one).await.unwrap(), erase(&one).await), (0, (1, 1)));
    assert!(all_rows(&world).await.iter().all(|row| row.reference.as_deref() != Some("customer-1")));
    assert_eq!((all_rows(&world).await.len(), erase(&one).await), (3, (0, 0)));
    assert_eq!(erase(&EraseScope::Batch("other".into())).await, (0, 0));

    // The one that has not ended stays as it is, to be read.
    let batch = EraseScope::Batch("kyc".into());
    assert_eq!((tables.open_jobs(&batch).await.unwrap(), erase(&batch).await), (1, (3, 4)));
    tables.finish_erasing().await.unwrap();
    assert!(all_rows(&world).await.is_empty());
    assert_eq!(queue.enqueue(&all).await.unwrap(), 0, "none is read again");
    let left = world.take("kyc", 9).await;
    assert!(left.len() == 1 && left[0].job == all[5].job);
    assert_eq!(queue.complete(&ends).await.unwrap(), Completed { stored: 0, repeated: 4 });
    let batch = only(&world).await;
    assert_eq!((batch.accepted, batch.dead, batch.running), (0, 1, 1));
}

pub(crate) async fn any_text_is_stored_or_replaced(world: impl World) {
    let texts = ["批 \"1\"\\\n'{}", "a\u{301}\u{1F600}\t,;", "a\0b", ""];
    let queue = world.jobs("批 \"1\"");
    let job = |text: &str| Job {
        id: JobId::of_picture("批 \"1\"", text, None),
        batch: "批 \"1\"".into(),
        reference: Some(text.into()),
        source: text.into(),
        ..job("", 0)
    };
    let mut all = jobs("批 \"1\"", 0..texts.len());
    all.iter_mut().zip(texts).for_each(|(new, text)| new.job = job(text));
    assert_eq!(queue.enqueue(&all).await.unwrap(), texts.len() as u64);
    let ends: Vec<Finished> = all.iter().map(|new| read(&new.job, 1, Decision::Accept)).collect();
    queue.complete(&ends).await.unwrap();
    for (row, text) in all_rows(&world).await.iter().zip(texts).filter(|(_, text)| !text.contains('\0')) {
        assert_eq!((row.source.as_str(), row.reference.as_deref()), (text, Some(text)));
    }
    assert_eq!(only(&world).await.accepted, texts.len() as u64);
}

/// An operation on a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Enqueue(Range<usize>),
    Take(usize),
    Complete(usize),
    CompleteAgain(usize),
    GiveBack(usize),
    Crash,
}

/// Any sequence of operations.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..20_usize, 0..6_usize).prop_map(|(from, count)| Step::Enqueue(from..from + count)),
        (0..6_usize).prop_map(Step::Take),
        (0..6_usize).prop_map(Step::Complete),
        (0..6_usize).prop_map(Step::CompleteAgain),
        (0..3_usize).prop_map(Step::GiveBack),
        Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

/// After any sequence of operations, once the work is finished, every job has exactly one outcome.
pub(crate) async fn every_job_ends_exactly_once(mut world: impl World, steps: Vec<Step>) {
    let mut known = BTreeSet::new();
    let mut in_hand: Vec<Taken> = Vec::new();
    let mut ended: Vec<Finished> = Vec::new();
    for step in steps {
        let queue = world.jobs("kyc");
        match step {
            Step::Enqueue(range) => {
                known.extend(range.clone());
                queue.enqueue(&jobs("kyc", range)).await.unwrap();
            }
            Step::Take(limit) => in_hand.extend(world.take("kyc", limit).await),
            Step::Complete(count) => {
                let some: Vec<Taken> = in_hand.drain(..count.min(in_hand.len())).collect();
                let ends: Vec<Finished> = some.iter().map(|taken| taken.read(Decision::Accept)).collect();
                let done = queue.complete(&ends).await.unwrap();
                assert_eq!(done, Completed { stored: ends.len() as u64, repeated: 0 });
                ended.extend(ends);
            }
            Step::CompleteAgain(count) => {
                let ends = &ended[..count.min(ended.len())];
                assert_eq!(queue.complete(ends).await.unwrap().stored, 0);
            }
            Step::GiveBack(count) => {
                let some: Vec<Taken> = in_hand.drain(..count.min(in_hand.len())).collect();
                world.release("kyc", &some).await;
            }
            Step::Crash => {
                in_hand.clear();
                drop(queue);
                world = world.restart().await;
            }
        }
    }
    let world = world.restart().await;
    loop {
        let taken = world.take("kyc", 4).await;
        if taken.is_empty() {
            break;
        }
        let ends: Vec<Finished> = taken.iter().map(|taken| taken.read(Decision::Accept)).collect();
        world.jobs("kyc").complete(&ends).await.unwrap();
    }
    let mut results: Vec<usize> = all_rows(&world).await.iter().map(|row| number_of(&row.source)).collect();
    results.sort_unstable();
    let dead = world.tables().batch("kyc").await.unwrap().map_or(0, |batch| batch.dead);
    assert_eq!(results.len() as u64 + dead, known.len() as u64);
    results.dedup();
    assert_eq!(results.len() as u64 + dead, known.len() as u64, "a result stands twice");
    assert!(results.iter().all(|number| known.contains(number)));
}

pub(crate) fn sources(taken: &[Taken]) -> Vec<&str> {
    taken.iter().map(|taken| taken.job.source.as_str()).collect()
}

pub(crate) async fn only(world: &impl World) -> BatchProgress {
    let mut batch = world.tables().batches().await.unwrap().pop().unwrap();
    // The rate changes with the clock.
    batch.rate = None;
    batch
}

/// All results, in pages of two.
pub(crate) async fn all_rows(world: &impl World) -> Vec<ResultRow> {
    let mut rows: Vec<ResultRow> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.seq);
        let page = world.tables().page(&ResultFilter::default(), after, 2).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}
