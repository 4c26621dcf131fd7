//! What the endpoints share, and who is let in to them.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, Uri};
use shenfen_queue::Publisher;
use shenfen_worker::{ReadingLine, Today};
use thiserror::Error;

use crate::body::{Bodies, BodyError, Received};
use crate::books::Books;
use crate::keys::Key;
use crate::metrics::Metrics;
use crate::signing::{Denied, Gate};

/// The service behind the routes.
#[derive(Debug)]
pub struct Service {
    /// Where pictures are read.
    pub line: ReadingLine,
    /// The day by which numbers are judged.
    pub today: Today,
    /// What bodies may cost.
    pub bodies: Bodies,
    /// Who is let in; `None` lets everybody in.
    pub gate: Option<Gate>,
    /// The queue of the workers; without it no jobs are taken.
    pub publisher: Option<Publisher>,
    /// The database of the workers; without it there are no results to show.
    pub books: Option<Books>,
    /// What is counted.
    pub metrics: Metrics,
}

/// A request that was let in, with its whole body.
pub(crate) struct Admitted {
    /// Whose it is, where that is asked.
    pub(crate) key: Option<Arc<Key>>,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Received,
}

/// Why a request was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Service {
    /// Lets a request in: its signature is checked before its body is read, the body's digest after.
    pub(crate) async fn admit(&self, request: Request, most: usize) -> Result<Admitted, Refusal> {
        let (parts, body) = request.into_parts();
        let signature = match &self.gate {
            None => None,
            Some(gate) => match gate.check(&parts.method, &parts.uri, &parts.headers) {
                Ok(signature) => Some((gate, signature)),
                Err(denied) => {
                    self.bodies.discard(&parts.headers, body).await;
                    return Err(denied.into());
                }
            },
        };
        let body = self.bodies.read(&parts.headers, body, most).await?;
        let key = match signature {
            None => None,
            Some((gate, signature)) => {
                gate.confirm(&signature, &body.bytes)?;
                Some(signature.key)
            }
        };
        Ok(Admitted { key, uri: parts.uri, headers: parts.headers, body })
    }
}

/// Notes for the log why a request was refused.
pub(crate) fn log_refusal(error: &dyn std::error::Error) {
    tracing::warn!(reason = %error, "a request is refused");
}
