//! What is one tenant's is neither shown to another nor changed by one, through the store and by SQL.

use std::time::Duration;

use shenfen_core::{Decision, Job, JobId, Tenant};
use shenfen_store::{
    Access, BatchState, Batches, ClaimOutcome, Dispatch, JobStatus, JobStore, Jobs, NewJob, PostgresStore,
    ResultFilter, Results,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::documented::statement;
use super::server::TestDatabase;
use crate::made::{dead, job, read};

const FIRST_CLAIM: ClaimOutcome = ClaimOutcome::Claimed { attempt: 1 };

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

/// The same job, identifier included, as the other tenant would have it.
fn of_acme(job: &Job) -> Job {
    Job { tenant: acme(), source: format!("acme/{}", job.source), ..job.clone() }
}

async fn sources(store: &PostgresStore) -> Vec<String> {
    let page =
        store.page(&ResultFilter { batch: Some("kyc".into()), ..ResultFilter::default() }, 0, 100).await.unwrap();
    page.into_iter().map(|row| row.source).collect()
}

#[tokio::test]
async fn same_job_of_two_tenants_is_two_jobs() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let (ours, theirs) = (job("kyc", 1), of_acme(&job("kyc", 1)));
    assert_eq!(store.claim(&[ours.clone(), theirs.clone(), ours.clone()]).await.unwrap(), [FIRST_CLAIM; 3]);
    let ends = [read(&ours, 1, Decision::Accept), dead(&theirs, 1)];
    assert_eq!(store.complete(&ends).await.unwrap().stored, 2);

    let acme = store.of_tenant(acme());
    assert!(matches!(store.status(ours.id).await.unwrap(), Some(JobStatus::Done(row)) if row.source == ours.source));
    assert!(matches!(acme.status(theirs.id).await.unwrap(), Some(JobStatus::Dead { .. })));
    assert_eq!(store.reopen(&[ours.key()]).await.unwrap(), 0, "the dead one is another tenant's");
    assert_eq!(store.reopen(&[theirs.key()]).await.unwrap(), 1);
    assert_eq!(acme.claim(std::slice::from_ref(&theirs)).await.unwrap(), [FIRST_CLAIM]);
    store.release(&[ours.key()]).await.unwrap();
    assert!(
        matches!(acme.status(theirs.id).await.unwrap(), Some(JobStatus::Running)),
        "only the named one is released"
    );
}

#[tokio::test]
async fn shows_only_what_is_the_tenants() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let acme = store.of_tenant(acme());
    let all: Vec<Job> = (0..3).map(|number| job("kyc", number)).collect();
    let ends: Vec<_> = all.iter().map(|job| read(job, 1, Decision::Accept)).collect();
    store.complete(&ends).await.unwrap();
    assert!(acme.batches().await.unwrap().is_empty() && acme.batch("kyc").await.unwrap().is_none());
    assert!(acme.status(all[0].id).await.unwrap().is_none());
    assert!(sources(&acme).await.is_empty());

    acme.complete(&[read(&of_acme(&all[0]), 1, Decision::Review)]).await.unwrap();
    assert_eq!(sources(&acme).await, ["acme/0.jpg"]);
    assert_eq!(sources(&store).await, ["0.jpg", "1.jpg", "2.jpg"]);
    let batch = acme.batch("kyc").await.unwrap().unwrap();
    assert_eq!((batch.total(), batch.review, batch.accepted), (1, 1, 0));
    assert_eq!(store.batches().await.unwrap()[0].total(), 3);
}

#[tokio::test]
async fn batches_of_one_name_are_paused_and_published_apart() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let acme = store.of_tenant(acme());
    let new = |job: Job| NewJob { picture: job.source.clone(), job };
    let added = store.enqueue(&[new(job("kyc", 1)), new(of_acme(&job("kyc", 1)))]).await.unwrap();
    assert_eq!(added, 2);

    let unsent = async |store: &PostgresStore| store.unsent("kyc", Duration::from_secs(3600), 10).await.unwrap();
    let messages = unsent(&acme).await;
    assert!(messages.iter().map(|unsent| unsent.message.as_str()).eq(["acme/1.jpg"]));
    acme.mark_sent(&[messages[0].id]).await.unwrap();
    assert_eq!((acme.window("kyc").await.unwrap(), store.window("kyc").await.unwrap()), (1, 0));
    assert_eq!(acme.set_batch_state("kyc", BatchState::Cancelled).await.unwrap(), Some(BatchState::Cancelled));
    assert_eq!(acme.batch("kyc").await.unwrap().unwrap().cancelled, 1);
    assert_eq!(unsent(&store).await.len(), 1, "the other batch goes on");
    assert_eq!(store.claim(&[job("kyc", 1)]).await.unwrap(), [FIRST_CLAIM]);
}

/// A role of this database that reads results, dropped at the end.
struct Reader {
    name: String,
    options: PgConnectOptions,
}

impl Reader {
    async fn new(database: &TestDatabase) -> Reader {
        let name = format!("reader_{}", Uuid::new_v4().simple());
        run(&mut database.connect().await, &format!("CREATE ROLE {name} LOGIN PASSWORD 'reading'")).await;
        let options = database.connect_options().username(&name).password("reading");
        Reader { name, options }
    }

    async fn names(&self) -> Vec<String> {
        let mut connection = PgConnection::connect_with(&self.options).await.unwrap();
        let names = "SELECT source FROM results ORDER BY seq";
        let names = sqlx::query_scalar(names).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        names
    }

    async fn remove(self, connection: &mut PgConnection) {
        run(connection, &format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name)).await;
    }
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

#[tokio::test]
async fn role_reads_by_sql_what_is_its_tenants() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let ours = job("kyc", 1);
    store.complete(&[read(&ours, 1, Decision::Accept), read(&of_acme(&ours), 1, Decision::Accept)]).await.unwrap();
    let mut admin = database.connect().await;
    let reader = Reader::new(&database).await;
    run(&mut admin, &format!("GRANT SELECT ON results, jobs, batches TO {}", reader.name)).await;
    assert!(reader.names().await.is_empty(), "a role that nobody has given a tenant sees none");

    run(&mut admin, &statement("a role of one tenant").replace("acme_reader", &reader.name)).await;
    assert_eq!(reader.names().await, ["acme/1.jpg"]);
    let mut connection = PgConnection::connect_with(&reader.options).await.unwrap();
    for table in ["jobs", "batches"] {
        let tenants = AssertSqlSafe(format!("SELECT DISTINCT tenant FROM {table}"));
        let tenants: Vec<String> = sqlx::query_scalar(tenants).fetch_all(&mut connection).await.unwrap();
        assert_eq!(tenants, ["acme"], "{table}");
    }
    // It cannot give itself another one.
    let own = AssertSqlSafe(format!("INSERT INTO tenant_access VALUES ('{}', '*')", reader.name));
    assert!(sqlx::raw_sql(own).execute(&mut connection).await.is_err());
    connection.close().await.unwrap();

    // A role that it inherits from gives it that role's tenants.
    let group = format!("{}_group", reader.name);
    run(&mut admin, &format!("CREATE ROLE {group}; GRANT {group} TO {}", reader.name)).await;
    run(&mut admin, &format!("INSERT INTO tenant_access VALUES ('{group}', 'default')")).await;
    assert_eq!(reader.names().await, ["1.jpg", "acme/1.jpg"]);
    run(&mut admin, &format!("UPDATE tenant_access SET tenant = '*' WHERE role = '{group}'")).await;
    assert_eq!(reader.names().await, ["1.jpg", "acme/1.jpg"]);
    run(&mut admin, &format!("DROP ROLE {group}")).await;
    reader.remove(&mut admin).await;
}

#[tokio::test]
async fn rows_and_roles_of_earlier_versions_go_on() {
    let database = TestDatabase::new().await;
    let mut admin = database.connect().await;
    let first = include_str!("../../../../../migrations/postgres/0001_jobs_results_batches.sql");
    run(&mut admin, first).await;
    run(
        &mut admin,
        "CREATE TABLE shenfen_schema (version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
         INSERT INTO shenfen_schema (version) VALUES (1);
         INSERT INTO batches (name) VALUES ('kyc');
         INSERT INTO jobs (job_id, batch, source, side, state)
         VALUES ('00000000-0000-0000-0000-000000000001', 'kyc', '1.jpg', 'auto', 'done');
         INSERT INTO results (job_id, batch, source, status, decision, long_term, result, attempts, model_version,
                              created_at, finished_at)
         VALUES ('00000000-0000-0000-0000-000000000001', 'kyc', '1.jpg', 'OK', 'accept', false, '{}', 1, '0.6.0',
                 now(), now())",
    )
    .await;
    let reader = Reader::new(&database).await;
    run(&mut admin, &format!("GRANT SELECT ON results TO {}", reader.name)).await;

    let store = database.options().open(Access::Work).await.unwrap();
    assert_eq!(sources(&store).await, ["1.jpg"]);
    let id = JobId::from(Uuid::from_u128(1));
    assert!(matches!(store.status(id).await.unwrap(), Some(JobStatus::Done(_))));
    assert_eq!(store.claim(&[Job { id, ..job("kyc", 1) }]).await.unwrap(), [ClaimOutcome::AlreadyEnded]);
    assert_eq!(reader.names().await, ["1.jpg"], "whoever could read goes on to read");
    reader.remove(&mut admin).await;
}
