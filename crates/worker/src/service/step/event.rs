//! What happens to the service, and what it does about it.

use std::sync::Arc;

use shenfen_core::{Decision, Job, JobKey, PictureResult, Refusal, RequestedSide};
use shenfen_queue::{Message, Route};
use shenfen_store::Finished;
use shenfen_store::port::ClaimOutcome;

use crate::service::failure::{Disposition, Failure};

/// Names a delivery; the driver has the receipt.
pub(crate) type Tag = u64;

/// A message from the broker.
pub(crate) enum Arrival {
    /// One that describes a job.
    Job {
        /// The delivery.
        tag: Tag,
        /// The job that it describes.
        job: Job,
        /// What was published.
        message: Arc<Message>,
        /// The AMQP message id, which a message that is published again keeps.
        message_id: Option<String>,
        /// How many attempts had failed before.
        failures: u32,
    },
    /// One that is no job.
    Malformed(Malformed),
}

/// A message that is no job. With the reason it goes to the dead letters as it came.
pub(crate) struct Malformed {
    /// The delivery.
    pub(crate) tag: Tag,
    /// Why it is no job.
    pub(crate) reason: String,
    /// To the dead letters, as a job that may be one for a later version, or as one that this queue may not name.
    pub(crate) route: Route,
    /// What was published.
    pub(crate) body: Vec<u8>,
    /// The AMQP message id.
    pub(crate) message_id: Option<String>,
}

/// Something that happened. Every [`Effect`] with an answer is answered exactly once.
pub(crate) enum Event {
    /// Messages arrived from the broker.
    Delivered(Vec<Arrival>),
    /// The connections of these deliveries were lost: they can no longer be settled, and the broker delivers their messages
    /// again.
    Lost(Vec<Tag>),
    /// Answers [`Effect::Claim`]: what the job store says of each job.
    Claimed(Vec<(JobKey, ClaimOutcome)>),
    /// Answers [`Effect::Claim`]: the job store was not reached before the service was told to stop, or has been away for too long.
    NotClaimed(Vec<JobKey>),
    /// Answers [`Effect::Fetch`]: the picture, or why the result is a refusal; or why there is none now.
    Fetched(JobKey, Result<Result<Vec<u8>, Refusal>, Failure>),
    /// Answers [`Effect::Read`].
    Read(JobKey, Result<ReadResult, Failure>),
    /// Answers [`Effect::Read`]: the reading threads were drained before they came to it.
    NotRead(JobKey),
    /// Answers [`Effect::Commit`]: these ends are stored.
    Committed(Vec<JobKey>),
    /// Answers [`Effect::Commit`]: the database will never take this end.
    NotStorable(JobKey, String),
    /// Answers [`Effect::Publish`]: the broker has confirmed it.
    Published(JobKey),
    /// Answers [`Effect::Publish`]: it was not confirmed before the service was told to stop.
    NotPublished(JobKey),
    /// Answers [`Effect::Release`]: done, or the job store was not reached.
    Released(Vec<JobKey>),
    /// Answers [`Effect::PublishMalformed`]: whether the broker has confirmed it.
    MalformedPublished(Tag, bool),
    /// The job store has been away for so long that deliveries are not to wait for it.
    DatabaseAway,
    /// It answers again.
    DatabaseBack,
    /// The service is told to stop.
    StopRequested,
    /// No more deliveries can arrive.
    DeliveriesClosed,
    /// The time that [`super::State::wake_at`] asked for has come.
    TimePassed,
}

/// A result with the SHA-256 of the picture.
pub(crate) type ReadResult = (Box<PictureResult>, Option<String>);

/// A job for a reading thread.
pub(crate) struct Work {
    /// The job.
    pub(crate) key: JobKey,
    /// Which claim of it this is.
    pub(crate) attempt: u32,
    /// Its message.
    pub(crate) message: Arc<Message>,
    /// The side expected.
    pub(crate) side: RequestedSide,
    /// What was fetched from the web; `None` for pictures that are in the message or in a file.
    pub(crate) fetched: Option<Result<Vec<u8>, Refusal>>,
}

/// A failed job to be published again.
pub(crate) struct Republish {
    /// The job.
    pub(crate) key: JobKey,
    /// To a retry queue or to the dead letters.
    pub(crate) route: Route,
    /// What was published.
    pub(crate) message: Arc<Message>,
    /// The AMQP message id that it came with.
    pub(crate) message_id: Option<String>,
    /// How many attempts have failed now.
    pub(crate) failures: u32,
    /// Why, without personal data.
    pub(crate) reason: String,
}

/// Something to do.
pub(crate) enum Effect {
    /// Ask the job store whether these jobs may be read.
    Claim {
        /// The jobs.
        jobs: Vec<Job>,
        /// Whether it is one poison candidate whose turn it is.
        alone: bool,
    },
    /// Fetch a picture from the web.
    Fetch(JobKey, Arc<Message>),
    /// Hand a job to the reading threads.
    Read(Work),
    /// Store the end of a job.
    Commit(Finished),
    /// Publish a failed job again.
    Publish(Republish),
    /// Publish a message that is no job to the dead letters.
    PublishMalformed(Malformed),
    /// Release the claims of these jobs in the job store.
    Release(Vec<JobKey>),
    /// Acknowledge a delivery.
    Ack(Tag),
    /// Give a delivery back to the broker.
    Requeue(Tag),
    /// Let the reading threads begin nothing more.
    DrainReaders,
    /// Let the broker deliver nothing until [`Effect::ResumeDeliveries`].
    PauseDeliveries,
    /// Let the broker deliver again.
    ResumeDeliveries,
    /// Let the broker deliver nothing more.
    StopDeliveries,
    /// Count something.
    Count(Counter),
    /// Write a line to the log.
    Log(Line),
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// A delivery arrived.
    Received,
    /// A result of this decision was stored.
    Stored(Decision),
    /// A dead letter was published and, if it is a job, its end stored.
    Dead,
    /// A failed job was published again.
    Retried,
    /// A job came again that had its end.
    Repeated,
    /// A job was given back to the broker.
    GivenBack,
}

/// A line for the log.
pub(crate) enum Line {
    /// A message is no job.
    Malformed(String),
    /// A job failed.
    Failed {
        /// The job.
        key: JobKey,
        /// Why.
        reason: String,
        /// What becomes of it.
        disposition: Disposition,
    },
    /// The database has been away for a while with so many jobs in hand: those that are not claimed are given back.
    GivingBack(usize),
    /// A poison candidate is read with nothing beside it.
    ReadAlone(JobKey),
    /// The dead end of a job cannot be stored; its dead letter is published.
    DeadEndNotStored {
        /// The job.
        key: JobKey,
        /// Why.
        reason: String,
    },
    /// The service was told to stop with so many jobs in hand.
    Stopping(usize),
    /// The time to finish is over with so many jobs in hand.
    TimeOver(usize),
}
