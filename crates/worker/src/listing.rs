//! A listing of pictures, turned into jobs piece by piece on a thread that may wait for disks.

use shenfen_store::NewJob;
use tokio::sync::mpsc::{self, Receiver};

use crate::source::{Found, PictureRef, SourceError};

/// Jobs enqueued in one transaction.
const PIECE: usize = 512;

/// A piece of a listing.
#[derive(Default)]
pub(crate) struct Piece {
    /// What is to be read.
    pub(crate) jobs: Vec<NewJob>,
    /// Files that are skipped, as documented.
    pub(crate) left_out: u64,
    /// What could not be listed.
    pub(crate) unreadable: Vec<SourceError>,
}

/// Lists a few pieces ahead of their receiver, each picture as the job that `job` makes of it. The receiver ends with the
/// listing.
pub(crate) fn list_jobs(
    listing: impl Iterator<Item = Found> + Send + 'static,
    job: impl Fn(PictureRef) -> Result<NewJob, SourceError> + Send + 'static,
) -> Receiver<Piece> {
    let (pieces, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut piece = Piece::default();
        for found in listing {
            match found {
                Found::Picture(picture) => match job(picture) {
                    Ok(job) => piece.jobs.push(job),
                    Err(error) => piece.unreadable.push(error),
                },
                Found::Other => piece.left_out += 1,
                Found::Unreadable(error) => piece.unreadable.push(error),
            }
            if piece.jobs.len() >= PIECE && pieces.blocking_send(std::mem::take(&mut piece)).is_err() {
                return;
            }
        }
        // A receiver that is gone wants no more.
        let _ = pieces.blocking_send(piece);
    });
    receiver
}
