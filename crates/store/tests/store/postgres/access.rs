//! Opening the database: permissions, time limits and errors.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use shenfen_core::Decision;
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, Batches, JobStore, Jobs, PostgresStore, StoreError};
use sqlx::Connection;

use super::server::TestDatabase;
use crate::made::{job, jobs, read};

async fn refusal(options: PostgresOptions, access: Access) -> StoreError {
    options.open(access).await.err().unwrap()
}

#[tokio::test]
async fn concurrent_programs_migrate_once() {
    let database = TestDatabase::new().await;
    let open = || tokio::spawn(database.options().open(Access::Work));
    let opening: Vec<_> = (0..6).map(|_| open()).collect();
    for opened in opening {
        assert_eq!(opened.await.unwrap().unwrap().batches().await.unwrap(), []);
    }
}

#[tokio::test]
async fn read_access_creates_no_tables_and_writes_nothing() {
    let database = TestDatabase::new().await;
    assert!(matches!(refusal(database.options(), Access::Read).await, StoreError::NoTables { .. }));
    database.open().await.enqueue(&jobs("kyc", 0..3)).await.unwrap();
    let reader = database.options().open(Access::Read).await.unwrap();
    assert_eq!(reader.batch("kyc").await.unwrap().unwrap().queued, 3);
    assert!(matches!(reader.enqueue(&jobs("kyc", 3..4)).await, Err(StoreError::CannotWrite { .. })));
}

#[tokio::test]
async fn refuses_a_database_that_cannot_hold_every_name() {
    for encoding in ["LATIN1", "EUC_CN", "SQL_ASCII"] {
        let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        let database = TestDatabase::created_with(&options).await;
        for access in [Access::Work, Access::Read] {
            let StoreError::NotUtf8 { encoding: found, .. } = refusal(database.options(), access).await else {
                panic!("{encoding} is accepted")
            };
            assert_eq!(found, encoding);
        }
    }
}

#[tokio::test]
async fn database_that_its_administrator_has_made_read_only_stays_so() {
    let database = TestDatabase::new().await;
    database.open().await.ping().await.unwrap();
    let mut connection = database.connect().await;
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut connection).await.unwrap();
    let mut set = async |value: &str| {
        let statement = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {value}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    };
    set("on").await;
    let store = database.options().open(Access::Work).await.unwrap();
    assert!(matches!(store.enqueue(&jobs("kyc", 0..1)).await, Err(StoreError::CannotWrite { .. })));
    assert!(matches!(store.ping().await, Err(StoreError::CannotWrite { .. })));
    set("off").await;
    let store = database.options().open(Access::Work).await.unwrap();
    assert_eq!(store.enqueue(&jobs("kyc", 0..1)).await.unwrap(), 1);
}

#[tokio::test]
async fn refuses_newer_and_foreign_tables_and_leaves_them_unchanged() {
    let database = TestDatabase::new().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql("CREATE TABLE jobs (note text)").execute(&mut connection).await.unwrap();
    for access in [Access::Work, Access::Read] {
        assert!(matches!(refusal(database.options(), access).await, StoreError::NotOurs { .. }));
    }
    sqlx::raw_sql("DROP TABLE jobs").execute(&mut connection).await.unwrap();
    database.open().await;
    sqlx::raw_sql("INSERT INTO shenfen_schema (version) VALUES (999)").execute(&mut connection).await.unwrap();
    for access in [Access::Work, Access::Read] {
        assert!(matches!(refusal(database.options(), access).await, StoreError::Newer { found: 999, known: 3, .. }));
    }
}

#[tokio::test]
async fn unknown_user_or_database_fails_at_once() {
    let database = TestDatabase::new().await;
    let nobody = database.connect_options().username("nobody_of_this_name").password("s3cret");
    let nowhere = database.connect_options().database("nothing_of_this_name");
    for options in [nobody, nowhere] {
        let url = sqlx::ConnectOptions::to_url_lossy(&options).to_string();
        let error = refusal(url.parse().unwrap(), Access::Work).await;
        assert!(matches!(error, StoreError::Denied { .. }), "{error}");
        assert!(!error.is_transient());
        assert!(error.to_string().contains("of_this_name") && !format!("{error} {error:?}").contains("s3cret"));
    }
}

/// A closed port, and a server that never answers.
#[tokio::test]
async fn silent_server_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for port in [silent.local_addr().unwrap().port(), closed] {
        let options: PostgresOptions = format!("postgres://worker:s3cret@127.0.0.1:{port}/kyc").parse().unwrap();
        let begun = Instant::now();
        let error = refusal(options.connect_limit(Duration::from_millis(300)), Access::Work).await;
        assert!(matches!(&error, StoreError::Unavailable { .. }) && error.is_transient(), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert!(error.to_string().contains(&format!("kyc on 127.0.0.1:{port}")), "{error}");
    }
}

#[tokio::test]
async fn statement_times_out_and_changes_nothing() {
    let database = TestDatabase::new().await;
    database.open().await.enqueue(&jobs("kyc", 0..2)).await.unwrap();
    let store = database.options().statement_limit(Duration::from_millis(200)).open(Access::Work).await.unwrap();
    let mut other = database.connect().await;
    let mut holding = other.begin().await.unwrap();
    let hold = "SELECT 1 FROM jobs WHERE source = '1.jpg' FOR UPDATE";
    sqlx::query(hold).execute(&mut *holding).await.unwrap();

    let ends = [read(&job("kyc", 0), 1, Decision::Accept), read(&job("kyc", 1), 1, Decision::Accept)];
    let error = store.complete(&ends).await.err().unwrap();
    assert!(matches!(&error, StoreError::Unavailable { .. }) && error.is_transient(), "{error}");
    assert_eq!(store.batch("kyc").await.unwrap().unwrap().accepted, 0, "all of them or none");

    holding.rollback().await.unwrap();
    assert_eq!(store.complete(&ends).await.unwrap().stored, 2);
}

#[tokio::test]
async fn replaces_connections_closed_by_the_server() {
    let database = TestDatabase::new().await;
    let store: PostgresStore = database.options().connections(2).open(Access::Work).await.unwrap();
    tokio::try_join!(store.ping(), store.ping()).unwrap();
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(end_all).execute(&mut database.connect().await).await.unwrap();
    // One call may fail for each connection; after that calls succeed.
    let mut failures = 0;
    while let Err(error) = store.claim(&[job("kyc", 0)]).await {
        assert!(error.is_transient(), "{error}");
        failures += 1;
        assert!(failures <= 2, "{error}");
    }
}
