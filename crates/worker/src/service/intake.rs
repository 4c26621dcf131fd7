//! A delivery to a job: what any AMQP client may have published, taken apart.

use std::sync::Arc;

use shenfen_core::Job;
use shenfen_queue::{Delivery, Image, Message, MessageError, Receipt};

/// A delivery that is a job.
pub(crate) struct Arrived {
    pub(crate) job: Job,
    pub(crate) message: Arc<Message>,
    /// The AMQP message id, which a message that is published again keeps.
    pub(crate) message_id: Option<String>,
    /// How often it was tried before and failed.
    pub(crate) failures: u32,
    pub(crate) receipt: Receipt,
}

/// A delivery that is none: with the reason it goes to the dead letters as it came.
pub(crate) struct Malformed {
    pub(crate) error: MessageError,
    pub(crate) body: Vec<u8>,
    pub(crate) message_id: Option<String>,
    pub(crate) receipt: Receipt,
}

/// Takes a delivery apart.
pub(crate) fn parse(delivery: Delivery) -> Result<Arrived, Box<Malformed>> {
    let Delivery { body, message_id, failures, receipt, .. } = delivery;
    match Message::parse(&body, message_id.as_deref()) {
        Ok(message) => Ok(Arrived { job: job_of(&message), message: Arc::new(message), message_id, failures, receipt }),
        Err(error) => Err(Box::new(Malformed { error, body, message_id, receipt })),
    }
}

/// The job of a message, as the books and the table of results name it.
pub fn job_of(message: &Message) -> Job {
    Job {
        id: message.job_id,
        batch: message.batch.clone(),
        reference: message.reference.clone(),
        source: source(&message.image),
        side: message.side,
    }
}

/// How the table names the picture: a URL without its query and what follows, which often hold a secret.
fn source(image: &Image) -> String {
    match image {
        Image::Inline(_) => "inline".to_owned(),
        Image::Path(path) => path.clone(),
        Image::Url(url) => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_never_shows_what_a_signed_url_holds() {
        let url = Image::Url("https://store.example.com/a/b.jpg?signature=s3cret#part".into());
        assert_eq!(source(&url), "https://store.example.com/a/b.jpg");
        assert_eq!(source(&Image::Inline(vec![1, 2, 3])), "inline");
        assert_eq!(source(&Image::Path("a/b.jpg".into())), "a/b.jpg");
    }
}
