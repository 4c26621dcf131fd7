//! Jobs and results to test with.

use std::collections::BTreeMap;
use std::ops::Range;

use shenfen_core::{
    CardValidity, Decision, Elapsed, Job, JobId, ModelInfo, PictureResult, RequestedSide, Status, Tenant,
};
use shenfen_store::{Finished, NewJob, Outcome};

/// The job of the picture `NUMBER.jpg`.
pub(crate) fn job(batch: &str, number: usize) -> Job {
    let reference = format!("customer-{number}");
    Job {
        tenant: Tenant::DEFAULT,
        id: JobId::of_picture(batch, &picture(number), Some(&reference)),
        batch: batch.into(),
        reference: Some(reference),
        source: format!("{number}.jpg"),
        side: RequestedSide::Auto,
    }
}

/// Several of them, to be enqueued.
pub(crate) fn jobs(batch: &str, numbers: Range<usize>) -> Vec<NewJob> {
    numbers.map(|number| NewJob { job: job(batch, number), picture: picture(number) }).collect()
}

fn picture(number: usize) -> String {
    format!("/cards/{number}.jpg")
}

/// The number in `.../NUMBER.jpg`.
pub(crate) fn number_of(source: &str) -> usize {
    source.trim_start_matches("/cards/").trim_end_matches(".jpg").parse().unwrap()
}

pub(crate) fn result(decision: Decision) -> PictureResult {
    PictureResult {
        status: Status::Ok,
        message: BTreeMap::from([("name".into(), "张三".into()), ("birthDate".into(), "1993年3月3日".into())]),
        cards: Vec::new(),
        findings: Vec::new(),
        decision,
        model: ModelInfo { name: "test".into(), version: "1.2.3".into(), sha256: "0".into() },
        validity: CardValidity::Unknown,
        policy: None,
        elapsed_ms: Elapsed::default(),
    }
}

/// The job read at its `attempt`.
pub(crate) fn read(job: &Job, attempt: u32, decision: Decision) -> Finished {
    let outcome = Outcome::Read { result: Box::new(result(decision)), image_sha256: Some("abc".into()) };
    Finished { job: job.clone(), attempt, outcome }
}

/// The job dead at its `attempt`.
pub(crate) fn dead(job: &Job, attempt: u32) -> Finished {
    Finished { job: job.clone(), attempt, outcome: Outcome::Dead { reason: "a test".into() } }
}
