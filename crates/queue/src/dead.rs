//! Dead letters: listing, redriving and purging them.
//!
//! AMQP cannot read a message without taking it. So messages are taken without an acknowledgement and requeued at the end, or
//! by the broker if this program dies; a second program that lists at the same time sees fewer.

use std::collections::HashSet;
use std::fmt;

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueuePurgeOptions};
use shenfen_core::{JobId, JobKey, Tenant};

use crate::link::Link;
use crate::timeout::within;
use crate::{Broker, Error, Image, Message, Outgoing, Publisher, Route, headers};

/// Messages published before their confirms are awaited, and the maximum of their bytes held.
const CHUNK: usize = 256;
const CHUNK_BYTES: usize = 32 << 20;

/// A message that will not be retried.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The AMQP message id, if it has one.
    pub message_id: Option<String>,
    /// The job, if the message describes one and was taken for one.
    pub job: Option<JobKey>,
    /// The job's batch.
    pub batch: Option<String>,
    /// The publisher's name for the job.
    pub reference: Option<String>,
    /// Why it is dead.
    pub reason: String,
    /// Whether a worker refused it because its queue may not name its tenant; it counts as no job then.
    pub refused: bool,
    /// How many attempts at the job had failed before the one that made it a dead letter.
    pub failures: u32,
    /// When it died, in seconds since 1970, if known.
    pub at: Option<u64>,
    /// Size of its body.
    pub bytes: usize,
}

/// Hides the reference, which may identify a person.
impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeadLetter { message_id, job, batch, reason, failures, bytes, .. } = self;
        write!(
            f,
            "DeadLetter({message_id:?}, job {job:?}, {batch:?}, {reason:?}, failed {failures} times, {bytes} bytes)"
        )
    }
}

impl DeadLetter {
    /// The letter and its identity: the job's key, or one of the content if it is not a job.
    fn of(message: &lapin::message::Delivery) -> (JobKey, Self) {
        let properties = &message.properties;
        let message_id = properties.message_id().as_ref().map(ToString::to_string);
        let job = Message::parse(&message.data, message_id.as_deref()).ok();
        let job = job.filter(|_| !headers::refused(properties));
        let of_content =
            || JobKey { tenant: Tenant::DEFAULT, id: JobId::of_message(&[b"no job".as_slice(), &message.data]) };
        let name = job.as_ref().map_or_else(of_content, Message::key);
        let letter = Self {
            job: job.as_ref().map(Message::key),
            batch: job.as_ref().map(|job| job.batch.clone()),
            reference: job.and_then(|job| job.reference),
            message_id,
            reason: headers::reason(properties),
            refused: headers::refused(properties),
            failures: headers::failures(properties),
            at: headers::time(properties),
            bytes: message.data.len(),
        };
        (name, letter)
    }
}

/// Which dead letters to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    All,
    /// Those of these jobs, whosever they are.
    Jobs(HashSet<JobId>),
    /// Those of the jobs with these keys.
    Keys(HashSet<JobKey>),
    /// Those of this batch.
    Batch(String),
    /// Those of jobs with this reference.
    Reference(String),
    /// Those whose reason contains this.
    Reason(String),
    /// Those that named a tenant which their queue may not.
    Refused,
    /// Those of this tenant's jobs that another filter accepts. A letter that is no job is nobody's.
    OfTenant(Tenant, Box<Filter>),
}

impl Filter {
    /// Whether the filter selects this letter.
    pub fn accepts(&self, letter: &DeadLetter) -> bool {
        match self {
            Filter::All => true,
            Filter::Jobs(jobs) => letter.job.is_some_and(|job| jobs.contains(&job.id)),
            Filter::Keys(keys) => letter.job.is_some_and(|job| keys.contains(&job)),
            Filter::Batch(batch) => letter.batch.as_ref() == Some(batch),
            Filter::Reference(reference) => letter.reference.as_ref() == Some(reference),
            Filter::Reason(part) => letter.reason.contains(part),
            Filter::Refused => letter.refused,
            Filter::OfTenant(tenant, filter) => {
                letter.job.is_some_and(|job| job.tenant == *tenant) && filter.accepts(letter)
            }
        }
    }
}

/// Access to the queue of dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    link: Link,
    publisher: Publisher,
}

impl DeadLetters {
    /// Connects when first used.
    pub fn new(broker: Broker) -> Self {
        Self { link: Link::new(broker.clone(), "dead letters"), publisher: Publisher::new(broker) }
    }

    /// The oldest dead letters among the first `most` of the queue, each once.
    ///
    /// # Errors
    /// Any of connecting and asking; nothing is lost.
    pub async fn list(&self, most: usize) -> Result<Vec<DeadLetter>, Error> {
        let mut taken = self.take(most).await?;
        let mut known = HashSet::new();
        let mut letters = Vec::new();
        while let Some(message) = taken.next().await? {
            // At-least-once dead lettering may duplicate a message.
            let (name, letter) = DeadLetter::of(&message);
            if known.insert(name) {
                letters.push(letter);
            }
        }
        taken.put_back_rest().await?;
        Ok(letters)
    }

    /// The jobs among the first `most` dead letters that the broker itself gave up at its delivery limit, so that no worker
    /// knows of their end.
    ///
    /// # Errors
    /// Any of connecting and asking; nothing is lost.
    pub async fn given_up_by_broker(&self, most: usize) -> Result<GivenUp<'_>, Error> {
        let mut taken = self.take(most).await?;
        let mut jobs = Vec::new();
        while let Some(message) = taken.next().await? {
            if headers::given_up_by_broker(&message.properties) && !headers::refused(&message.properties) {
                let message_id = message.properties.message_id().as_ref().map(ToString::to_string);
                jobs.extend(Message::parse(&message.data, message_id.as_deref()).ok().map(without_picture));
            }
        }
        Ok(GivenUp { jobs, taken })
    }

    /// Publishes the dead letters that `filter` accepts as new jobs, failures counted from 0, and removes each when the broker
    /// has confirmed its copy. Redrives each job once, so that one that dies again at once does not loop; of duplicates one
    /// stays. Returns how many were redriven.
    ///
    /// # Errors
    /// Any of connecting and publishing. Messages published until then stay published; nothing is lost.
    pub async fn redrive(&self, filter: &Filter) -> Result<u64, Error> {
        let mut taken = self.take(usize::MAX).await?;
        let mut count = 0;
        let mut done = HashSet::new();
        loop {
            let (tags, chunk) = taken.next_chunk(filter, &mut done).await?;
            if chunk.is_empty() {
                break;
            }
            for (tag, outcome) in tags.into_iter().zip(self.publisher.publish_all(&chunk).await) {
                outcome?;
                taken.remove(tag).await?;
                count += 1;
            }
        }
        taken.put_back_rest().await?;
        Ok(count)
    }

    /// Deletes the dead letters that `filter` accepts. Returns how many.
    ///
    /// # Errors
    /// Any of connecting and asking.
    pub async fn purge(&self, filter: &Filter) -> Result<u64, Error> {
        if *filter == Filter::All {
            let channel = self.link.channel().await?;
            let Broker { topology, limits, .. } = self.link.broker();
            let queue = topology.dead_queue();
            let purging = channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default());
            return within(&format!("purging {queue}"), limits.call, purging).await.map(u64::from);
        }
        let mut taken = self.take(usize::MAX).await?;
        let mut count = 0;
        while let Some(message) = taken.next().await? {
            if filter.accepts(&DeadLetter::of(&message).1) {
                taken.remove(message.delivery_tag).await?;
                count += 1;
            }
        }
        taken.put_back_rest().await?;
        Ok(count)
    }

    async fn take(&self, most: usize) -> Result<Taken<'_>, Error> {
        let broker = self.link.broker();
        let channel = self.link.channel().await?;
        Ok(Taken { broker, channel, queue: broker.topology.dead_queue(), left: most })
    }
}

/// Jobs that the broker gave up. Their dead letters are held meanwhile, so that none is redriven before its end is noted.
pub struct GivenUp<'a> {
    /// Their messages, without the pictures in them.
    pub jobs: Vec<Message>,
    taken: Taken<'a>,
}

impl GivenUp<'_> {
    /// Lets go of the dead letters, which stay in their queue.
    ///
    /// # Errors
    /// When the broker is away; it puts them back by itself then.
    pub async fn put_back(self) -> Result<(), Error> {
        self.taken.put_back_rest().await
    }
}

/// Many pictures would not fit into memory.
fn without_picture(message: Message) -> Message {
    match message.image {
        Image::Inline(_) => Message { image: Image::Inline(Vec::new()), ..message },
        Image::Sealed(_) => Message { image: Image::Sealed(Vec::new()), ..message },
        Image::Path(_) | Image::Url(_) => message,
    }
}

/// Messages taken on a channel of their own: when it is dropped early, the broker requeues them.
struct Taken<'a> {
    broker: &'a Broker,
    channel: Channel,
    queue: String,
    /// How many more to take.
    left: usize,
}

impl Taken<'_> {
    async fn next(&mut self) -> Result<Option<lapin::message::Delivery>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let getting = self.channel.basic_get(self.queue.as_str().into(), BasicGetOptions::default());
        let message = within(&format!("taking from {}", self.queue), self.broker.limits.call, getting).await?;
        Ok(message.map(|message| message.delivery))
    }

    /// The next messages that `filter` accepts and that are not in `done`, ready to be published, with their tags. Empty at the
    /// end.
    async fn next_chunk(
        &mut self,
        filter: &Filter,
        done: &mut HashSet<JobKey>,
    ) -> Result<(Vec<u64>, Vec<Outgoing>), Error> {
        let (mut tags, mut chunk, mut bytes) = (Vec::new(), Vec::new(), 0);
        while chunk.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some(message) = self.next().await? else { break };
            let (name, letter) = DeadLetter::of(&message);
            if filter.accepts(&letter) && done.insert(name) {
                tags.push(message.delivery_tag);
                bytes += message.data.len();
                let (body, message_id) = (message.data, letter.message_id);
                chunk.push(Outgoing { route: Route::Jobs, body, message_id, failures: 0, reason: None });
            }
        }
        Ok((tags, chunk))
    }

    async fn remove(&self, tag: u64) -> Result<(), Error> {
        let acknowledging = self.channel.basic_ack(tag, BasicAckOptions::default());
        within("removing a dead letter", self.broker.limits.call, acknowledging).await
    }

    async fn put_back_rest(self) -> Result<(), Error> {
        // Tag 0 means all unacknowledged messages, if any.
        let returning = self.channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: true });
        within("requeueing dead letters", self.broker.limits.call, returning).await?;
        // A call with an answer, so that the requeueing has arrived when this returns.
        let closing = self.channel.close(200, "done".into());
        within("requeueing dead letters", self.broker.limits.call, closing).await
    }
}
