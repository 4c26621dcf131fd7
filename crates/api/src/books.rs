//! The database as the API sees it: opened when it is first needed, and again while it is away.

use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, BatchProgress, Batches, Job, JobId, Ledger, PostgresStore, Standing, StoreError};
use tokio::sync::OnceCell;

/// The database of the workers.
pub struct Books {
    options: PostgresOptions,
    store: OnceCell<PostgresStore>,
}

impl Books {
    /// The database at this address, which need not be there yet.
    pub fn new(options: PostgresOptions) -> Books {
        Books { options, store: OnceCell::new() }
    }

    async fn store(&self) -> Result<&PostgresStore, StoreError> {
        self.store.get_or_try_init(|| self.options.clone().open(Access::Work)).await
    }

    pub(crate) async fn note_published(&self, job: &Job) -> Result<(), StoreError> {
        self.store().await?.note_published(std::slice::from_ref(job)).await
    }

    pub(crate) async fn standing(&self, job: JobId) -> Result<Option<Standing>, StoreError> {
        self.store().await?.standing(job).await
    }

    pub(crate) async fn batch(&self, name: &str) -> Result<Option<BatchProgress>, StoreError> {
        self.store().await?.batch(name).await
    }
}

/// Shows nothing of its address.
impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.store.initialized() { "Books(open)" } else { "Books(not open yet)" })
    }
}
