//! The database of the workers, opened on first use and retried while it is unavailable.

use shenfen_core::{Job, JobKey, Tenant};
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{
    Access, Audit, AuditRecord, BatchProgress, Batches, JobStatus, JobStore, PostgresStore, Recorded, StoreError,
};
use tokio::sync::OnceCell;

/// The database of the workers, opened on first use.
pub struct LazyStore {
    options: PostgresOptions,
    store: OnceCell<PostgresStore>,
}

impl LazyStore {
    /// The database at this address, which need not be available yet.
    pub fn new(options: PostgresOptions) -> LazyStore {
        LazyStore { options, store: OnceCell::new() }
    }

    async fn store(&self) -> Result<&PostgresStore, StoreError> {
        self.store.get_or_try_init(|| self.options.clone().open(Access::Work)).await
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.store().await?.ping().await
    }

    pub(crate) async fn note_published(&self, job: &Job) -> Result<(), StoreError> {
        self.store().await?.note_published(std::slice::from_ref(job)).await
    }

    pub(crate) async fn status(&self, job: JobKey) -> Result<Option<JobStatus>, StoreError> {
        self.store().await?.of_tenant(job.tenant).status(job.id).await
    }

    pub(crate) async fn record(&self, record: &AuditRecord) -> Result<Recorded, StoreError> {
        self.store().await?.record(record).await
    }

    pub(crate) async fn batch(&self, tenant: Tenant, name: &str) -> Result<Option<BatchProgress>, StoreError> {
        self.store().await?.of_tenant(tenant).batch(name).await
    }
}

/// Does not show the address.
impl std::fmt::Debug for LazyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.store.initialized() { "LazyStore(open)" } else { "LazyStore(not open)" })
    }
}
