//! Who may write the audit log by SQL, and who may change it.

use shenfen_store::{Access, Audit, AuditAction, AuditRecord};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use super::server::TestDatabase;

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), String> {
    let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    ran.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn entries_can_be_added_and_never_changed() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let record = AuditRecord {
        tenant: None,
        actor: "someone".into(),
        action: AuditAction::Purge,
        subject: "all".into(),
        amount: None,
        reason: String::new(),
    };
    store.record(&record).await.unwrap();
    let mut owner = database.connect().await;
    for change in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"] {
        let refused = run(&mut owner, change).await.unwrap_err();
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }

    // A role that may add entries, as one that shows results in clear, can do nothing else.
    let role = format!("reader_{}", Uuid::new_v4().simple());
    run(&mut owner, &format!("CREATE ROLE {role} LOGIN PASSWORD 'reading'")).await.unwrap();
    run(&mut owner, &format!("GRANT SELECT ON shenfen_schema TO {role}")).await.unwrap();
    let url = database.connect_options().username(&role).password("reading").to_url_lossy().to_string();
    let open = async || {
        let options: shenfen_store::postgres::PostgresOptions = url.parse().unwrap();
        options.open(Access::Reveal).await.unwrap()
    };
    assert!(open().await.record(&record).await.is_err(), "not without the right to");
    run(&mut owner, &format!("GRANT EXECUTE ON FUNCTION record_audit TO {role}")).await.unwrap();
    assert_eq!(open().await.record(&record).await.unwrap().seq(), 2);
    let mut theirs = PgConnection::connect(&url).await.unwrap();
    for sql in ["SELECT * FROM audit", "DELETE FROM audit", "INSERT INTO audit SELECT * FROM audit"] {
        assert!(run(&mut theirs, sql).await.is_err(), "{sql}");
    }
    drop(theirs);
    run(&mut owner, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    assert_eq!(store.audit_page(0, 10).await.unwrap().len(), 2);
}
