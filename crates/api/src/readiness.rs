//! Whether broker and database answer, for the readiness probe. Asked at most once in a while, however many probes there are.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::service::Service;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(2);
/// How long broker and database may take to answer: probes usually wait for a second or more.
const ANSWER_WITHIN: Duration = Duration::from_millis(900);

/// The last answer.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<(), String>)>>);

impl Readiness {
    /// Whether everything that the service was started with can be reached.
    ///
    /// # Errors
    /// What cannot.
    pub(crate) async fn of(&self, service: &Service) -> Result<(), String> {
        let mut last = self.0.lock().await;
        if let Some((when, answer)) = &*last
            && when.elapsed() < FRESH
        {
            return answer.clone();
        }
        let (broker, database) = tokio::join!(
            async {
                match &service.publisher {
                    Some(publisher) => answers("broker", publisher.check()).await,
                    None => Ok(()),
                }
            },
            async {
                match &service.store {
                    Some(store) => answers("database", store.ping()).await,
                    None => Ok(()),
                }
            },
        );
        let answer = broker.and(database);
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

async fn answers<E: Display>(what: &str, asked: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    match timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::debug!(%error, what, "not ready");
            Err(format!("no {what}"))
        }
        Err(_) => Err(format!("no {what}")),
    }
}
