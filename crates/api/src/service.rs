//! What the endpoints share, and how their requests are authenticated.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::{HeaderMap, Uri};
use shenfen_core::Tenant;
use shenfen_keyring::Recipients;
use shenfen_ocr::Limits;
use shenfen_queue::Publisher;
use shenfen_worker::{ReadingQueue, Today};
use thiserror::Error;

use crate::body::{Bodies, BodyError, Received};
use crate::keys::Key;
use crate::metrics::Metrics;
use crate::signing::{Authenticator, Denied};
use crate::store::LazyStore;

/// The service behind the routes.
#[derive(Debug)]
pub struct Service {
    /// Reads pictures.
    pub reading_queue: ReadingQueue,
    /// The limits of pictures that crops are cut from; those of the reader.
    pub limits: Limits,
    /// The day as of which numbers are checked.
    pub today: Today,
    /// Reads request bodies.
    pub bodies: Bodies,
    /// Checks signatures; without it every request is accepted.
    pub authenticator: Option<Authenticator>,
    /// Publishes jobs; without it none are accepted.
    pub publisher: Option<Publisher>,
    /// Whom pictures in jobs are sealed for; without anyone they are published as they came.
    pub recipients: Option<Recipients>,
    /// The workers' database; without it there are no results to show.
    pub store: Option<LazyStore>,
    /// The metrics.
    pub metrics: Metrics,
}

/// Who made a request: unknown until its signature is checked. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Caller(Arc<OnceLock<Arc<Key>>>);

impl Caller {
    /// The key that signed it, once that is known.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.0.get().map(AsRef::as_ref)
    }
}

/// An authenticated request with its complete body.
pub(crate) struct Authenticated {
    /// The key that signed it, where keys are configured.
    pub(crate) key: Option<Arc<Key>>,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Received,
}

/// Why a request was refused before its handler saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Authenticated {
    /// Whose jobs and results the request is about; the default tenant's where no keys are configured.
    pub(crate) fn tenant(&self) -> Tenant {
        self.key.as_ref().map_or(Tenant::DEFAULT, |key| key.tenant)
    }
}

impl Service {
    /// Authenticates a request: its signature is checked before its body is read, the body's digest after.
    pub(crate) async fn authenticate(&self, request: Request, most: usize) -> Result<Authenticated, Refusal> {
        let (parts, body) = request.into_parts();
        let signature = match &self.authenticator {
            None => None,
            Some(authenticator) => match authenticator.check(&parts.method, &parts.uri, &parts.headers) {
                Ok(signature) => Some((authenticator, signature)),
                Err(denied) => {
                    self.bodies.discard(&parts.headers, body).await;
                    return Err(denied.into());
                }
            },
        };
        let body = self.bodies.read(&parts.headers, body, most).await?;
        let key = match signature {
            None => None,
            Some((authenticator, signature)) => {
                authenticator.confirm(&signature, &body.bytes)?;
                if let Some(Caller(key)) = parts.extensions.get() {
                    // A request is authenticated once.
                    let _ = key.set(Arc::clone(&signature.key));
                }
                Some(signature.key)
            }
        };
        Ok(Authenticated { key, uri: parts.uri, headers: parts.headers, body })
    }
}

/// Logs why a request was refused.
pub(crate) fn log_refusal(error: &dyn std::error::Error) {
    tracing::warn!(reason = %error, "request refused");
}
