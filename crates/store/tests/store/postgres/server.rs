//! A database for a single test on the shared server, dropped at the end of the test.

use std::env;
use std::thread;

use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, PostgresStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::runtime;
use uuid::Uuid;

/// An empty database.
pub(crate) struct TestDatabase {
    name: String,
    server: String,
}

impl TestDatabase {
    pub(crate) async fn new() -> TestDatabase {
        TestDatabase::created_with("").await
    }

    /// A database with these options of CREATE DATABASE.
    pub(crate) async fn created_with(options: &str) -> TestDatabase {
        let server = env::var("SHENFEN_TEST_DATABASE")
            .unwrap_or_else(|_| panic!("these tests need a PostgreSQL server: run scripts/test, which starts one"));
        let database = TestDatabase { name: format!("shenfen_test_{}", Uuid::new_v4().simple()), server };
        let mut connection = PgConnection::connect(&database.server).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {} {options}", database.name));
        sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        database
    }

    /// Its URL, for access without the store.
    pub(crate) fn url(&self) -> String {
        self.connect_options().to_url_lossy().to_string()
    }

    pub(crate) fn connect_options(&self) -> PgConnectOptions {
        self.server.parse::<PgConnectOptions>().unwrap().database(&self.name)
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.connect_options()).await.unwrap()
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        self.url().parse().unwrap()
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        self.options().open(Access::Work).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The runtime of the test is busy with this drop.
        let dropped = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await.unwrap();
                let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
                sqlx::raw_sql(drop).execute(&mut connection).await.unwrap();
            });
        });
        assert!(dropped.join().is_ok() || thread::panicking());
    }
}
