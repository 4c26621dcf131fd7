//! A delivery to a job: what any AMQP client may have published, taken apart.

use std::sync::Arc;

use shenfen_core::Job;
use shenfen_queue::{Delivery, Image, Message, Receipt, Route};

use super::step::{Arrival, Malformed, Tag};
use super::tenants::QueueTenants;
use crate::source::Entry;

/// Takes a delivery apart: what it says, under the name `tag`, and what settles it. A message that names another tenant than its queue may
/// is no job, so that it meets none of that tenant's.
pub(crate) fn arrival(delivery: Delivery, tag: Tag, tenants: &QueueTenants) -> (Arrival, Receipt) {
    let Delivery { body, message_id, failures, receipt, .. } = delivery;
    let (route, reason) = match Message::parse(&body, message_id.as_deref()) {
        Ok(message) if tenants.allow(message.tenant) => {
            let job = job_of(&message);
            return (Arrival::Job { tag, job, message: Arc::new(message), message_id, failures }, receipt);
        }
        Ok(_) => (Route::Refused, "tenant must be one that this queue may name (--tenants)".to_owned()),
        Err(error) => (Route::Dead, error.to_string()),
    };
    (Arrival::Malformed(Malformed { tag, reason, route, body, message_id }), receipt)
}

/// The job of a message, as the tables name it.
pub fn job_of(message: &Message) -> Job {
    Job {
        tenant: message.tenant,
        id: message.job_id,
        batch: message.batch.clone(),
        reference: message.reference.clone(),
        source: source(&message.image),
        side: message.side,
    }
}

/// How the table names the picture: a URL without user, password, query and what follows, which often hold a secret.
fn source(image: &Image) -> String {
    match image {
        Image::Inline(_) | Image::Sealed(_) => "inline".to_owned(),
        Image::Path(path) => Entry::source_of_path(path),
        Image::Url(url) => without_secrets(url),
    }
}

fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_source_omits_the_secrets_of_a_url() {
        for url in [
            "https://store.example.com/a/b.jpg?signature=s3cret#part",
            "https://user:s3cret@store.example.com/a/b.jpg",
            "https://user:s3@cret@store.example.com/a/b.jpg?x",
        ] {
            assert_eq!(source(&Image::Url(url.into())), "https://store.example.com/a/b.jpg");
        }
        assert_eq!(source(&Image::Url("https://u:p@h".into())), "https://h");
        assert_eq!(source(&Image::Url("https://h/a@b.jpg".into())), "https://h/a@b.jpg");
        assert_eq!(source(&Image::Inline(vec![1, 2, 3])), "inline");
        assert_eq!(source(&Image::Sealed(vec![1, 2, 3])), "inline");
        assert_eq!(source(&Image::Path("a/b.jpg".into())), "a/b.jpg");
        assert_eq!(source(&Image::Path("a/b.zip#12,34,56:c/d.jpg".into())), "a/b.zip#c/d.jpg");
    }
}
