//! Checks docs/results.md: its columns, queries and statements.

use std::time::Duration;

use shenfen_store::{Access, ResultFilter, Results};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::server::TestDatabase;

const PAGE: &str = include_str!("../../../../../docs/results.md");

/// The SQL statements of the page by their first line, which is a comment.
pub(super) fn statement(name: &str) -> &'static str {
    let blocks = PAGE.split("```sql\n").skip(1).filter_map(|block| block.split("```").next());
    let mut named = blocks.filter_map(|block| block.strip_prefix("-- ")?.strip_prefix(name)?.strip_prefix('\n'));
    named.next().unwrap_or_else(|| panic!("the page has no statement called {name}"))
}

/// A table of 20,000 results in 20 batches and 2,000 jobs without one.
async fn filled(database: &TestDatabase) -> PgConnection {
    database.open().await;
    let mut connection = database.connect().await;
    let fill = r#"
        INSERT INTO batches (name) SELECT 'kyc-2026-' || n FROM generate_series(1, 20) AS n;
        INSERT INTO results (job_id, batch, reference, source, status, decision, identity_no, long_term, result, attempts,
                             model_version, created_at, finished_at)
        SELECT gen_random_uuid(), 'kyc-2026-' || n % 20 + 1, 'customer-' || n / 2, n || '.jpg', 'OK',
               CASE n % 50 WHEN 10 THEN 'review' ELSE 'accept' END,
               CASE n % 10000 WHEN 42 THEN '11010519491231002X' ELSE (100000000000000000 + n)::text END, false,
               '{"findings": [{"rule": "region", "severity": "warning"}, {"rule": "monochrome", "severity": "info"}]}',
               1, '1.0.0', now(), now() - interval '1 hour'
        FROM generate_series(0, 19999) AS n;
        INSERT INTO jobs (job_id, batch, source, side, state)
        SELECT gen_random_uuid(), 'kyc-2026-' || n % 20 + 1, n || '.jpg', 'auto', CASE n % 40 WHEN 10 THEN 'dead' ELSE 'sent' END
        FROM generate_series(0, 1999) AS n"#;
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    // As autovacuum does after a while.
    sqlx::raw_sql("VACUUM ANALYZE results, jobs").execute(&mut connection).await.unwrap();
    connection
}

/// Runs a statement of the page, which must use that index, and returns the number of rows.
async fn rows(connection: &mut PgConnection, name: &str, index: &str) -> usize {
    let explain = AssertSqlSafe(format!("EXPLAIN {}", statement(name)));
    let plan = connection.fetch_all(sqlx::raw_sql(explain)).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains(index)), "{name}: {plan:#?}");
    assert!(!plan.iter().any(|line| line.contains("Seq Scan")), "{name}: {plan:#?}");
    connection.fetch_all(sqlx::raw_sql(statement(name))).await.unwrap().len()
}

#[tokio::test]
async fn documented_queries_return_their_rows_through_indexes() {
    let database = TestDatabase::new().await;
    let mut connection = filled(&database).await;
    let connection = &mut connection;
    assert_eq!(rows(connection, "by reference", "results_by_reference").await, 2);
    assert_eq!(rows(connection, "by batch", "results_in_order").await, 1000);
    assert_eq!(rows(connection, "outcomes of a batch", "results_by_outcome").await, 2);
    assert_eq!(rows(connection, "needs review", "results_by_outcome").await, 100);
    assert_eq!(rows(connection, "duplicates of one number", "results_by_identity_no").await, 2);
    assert_eq!(rows(connection, "following", "results_seq_key").await, 1000);
    assert_eq!(rows(connection, "dead letters", "jobs_by_state").await, 50);

    let reasons = connection.fetch_one(sqlx::raw_sql(statement("needs review"))).await.unwrap();
    assert_eq!(reasons.get::<serde_json::Value, _>("reasons"), serde_json::json!(["region"]));
    // This query has to read every row, with an index or without.
    let several = connection.fetch_all(sqlx::raw_sql(statement("numbers with several references"))).await.unwrap();
    assert_eq!(several.len(), 1);
}

/// A page of a batch reads its rows and not those of the batches before it, however the planner estimates them.
#[tokio::test]
async fn page_of_a_batch_reads_no_other() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let mut connection = database.connect().await;
    let fill = "
        INSERT INTO results (job_id, batch, source, status, decision, long_term, result, attempts, model_version,
                             created_at, finished_at)
        SELECT gen_random_uuid(), CASE WHEN n < 20000 THEN 'one' ELSE 'two' END, n || '.jpg', 'OK', 'accept', false, '{}', 1,
               '1.0.0', now(), now() - interval '1 hour'
        FROM generate_series(0, 39999) AS n";
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    for statement in ["VACUUM ANALYZE results", "SELECT pg_stat_reset()"] {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    let filter = ResultFilter { batch: Some("two".into()), ..ResultFilter::default() };
    let page = store.page(&filter, 0, 500).await.unwrap();
    assert_eq!((page.len(), page[0].source.as_str()), (500, "20000.jpg"));
    // Told once its connection is gone.
    drop(store);
    let read = "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'results'";
    let rows = loop {
        sqlx::raw_sql("SELECT pg_stat_clear_snapshot()").execute(&mut connection).await.unwrap();
        match sqlx::query_scalar::<_, i64>(read).fetch_one(&mut connection).await.unwrap() {
            0 => tokio::time::sleep(Duration::from_millis(20)).await,
            rows => break rows,
        }
    };
    assert_eq!(rows, 500);
}

#[tokio::test]
async fn documents_every_column_with_its_type() {
    let database = TestDatabase::new().await;
    let mut connection = filled(&database).await;
    let columns = "SELECT column_name::text, data_type::text FROM information_schema.columns
                   WHERE table_name = 'results' ORDER BY ordinal_position";
    let columns: Vec<(String, String)> = sqlx::query_as(columns).fetch_all(&mut connection).await.unwrap();
    let section = PAGE.split("\n## ").find(|section| section.starts_with("Columns of `results`")).unwrap();
    let cells = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`'));
        Some((cells.next()?.to_owned(), cells.next()?.replace("timestamptz", "timestamp with time zone")))
    });
    assert_eq!(cells.collect::<Vec<_>>(), columns);
}

#[tokio::test]
async fn documented_read_only_role_works() {
    let database = TestDatabase::new().await;
    let mut connection = filled(&database).await;
    let role = format!("reader_{}", std::process::id());
    let run = async |connection: &mut PgConnection, text: String| {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.unwrap();
    };
    run(&mut connection, format!("CREATE ROLE {role} LOGIN PASSWORD 'reading'")).await;
    run(&mut connection, statement("a role that reads").replace("reader", &role)).await;
    let options = database.connect_options().username(&role).password("reading");
    let url = sqlx::ConnectOptions::to_url_lossy(&options).to_string();
    let options: shenfen_store::postgres::PostgresOptions = url.parse().unwrap();
    let reader = options.open(Access::Read).await.unwrap();
    assert_eq!(reader.page(&ResultFilter::default(), 19_990, 100).await.unwrap().len(), 10);
    run(&mut connection, format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
