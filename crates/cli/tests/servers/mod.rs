//! The program with a database and queues for a single test, on the shared servers.

use std::env;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use shenfen_core::{Job, JobId, PictureResult, RequestedSide, Tenant};
use shenfen_queue::{Broker, Consumer, ConsumerSettings, Image, Message, Outgoing, Publisher, Route, Topology};
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, Finished, NewJob, Outcome, PostgresStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use uuid::Uuid;

use crate::program::{Place, Ran};

/// Long enough that no job counts as lost.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// "a secret picture" in base64.
pub(crate) const SECRET_PICTURE: &str = "YSBzZWNyZXQgcGljdHVyZ";

/// Longest wait for anything that must happen.
const SOON: Duration = Duration::from_secs(30);

/// A working folder, a database and queues of a test's own. The database is dropped at the end.
pub(crate) struct Bench {
    pub(crate) place: Place,
    database: String,
    prefix: String,
    runtime: Runtime,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let name = format!("shenfen_test_{}", Uuid::new_v4().simple());
        let bench = Bench {
            place: Place::new(),
            database: database_server().database(&name).to_url_lossy().to_string(),
            prefix: name.clone(),
            runtime: runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        };
        bench.runtime.block_on(tell_server(format!("CREATE DATABASE {name}")));
        bench
    }

    /// The program with broker and database in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.shenfen(arguments);
        command.env("SHENFEN_BROKER", broker_url()).env("SHENFEN_QUEUE_PREFIX", &self.prefix);
        command.env("SHENFEN_DATABASE", &self.database);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// The broker's address with another password.
    pub(crate) fn url_with_password(&self, password: &str) -> String {
        let url = broker_url();
        format!("amqp://guest:{password}@{}", url.rsplit_once('@').unwrap().1)
    }

    /// Runs a part of the test with direct access to database and broker.
    pub(crate) fn block_on<T>(&self, part: impl AsyncFnOnce(PostgresStore, Broker) -> T) -> T {
        self.runtime.block_on(async {
            let store = self.database.parse::<PostgresOptions>().unwrap().open(Access::Work).await.unwrap();
            part(store, self.broker()).await
        })
    }

    /// The oldest job in the queue, taken from it.
    pub(crate) fn take_job(&self) -> Message {
        self.runtime.block_on(async {
            let (consumer, mut deliveries) = Consumer::start(self.broker(), ConsumerSettings { prefetch: 1 });
            let delivery = timeout(SOON, deliveries.recv()).await.unwrap().unwrap();
            let message = Message::parse(&delivery.body, delivery.message_id.as_deref()).unwrap();
            let _ = delivery.ack().await;
            consumer.stop().await;
            message
        })
    }

    fn broker(&self) -> Broker {
        Broker { topology: Topology::new(self.prefix.as_str()).unwrap(), ..Broker::new(broker_url().parse().unwrap()) }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.runtime.block_on(tell_server(format!("DROP DATABASE {} WITH (FORCE)", self.prefix)));
    }
}

fn database_server() -> PgConnectOptions {
    let server = env::var("SHENFEN_TEST_DATABASE")
        .unwrap_or_else(|_| panic!("these tests need a PostgreSQL server: run scripts/test, which starts one"));
    server.parse().unwrap()
}

fn broker_url() -> String {
    env::var("SHENFEN_TEST_BROKER")
        .unwrap_or_else(|_| panic!("these tests need a RabbitMQ broker: run scripts/test, which starts one"))
}

async fn tell_server(statement: String) {
    let mut connection = PgConnection::connect_with(&database_server()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A job with a picture of this content.
pub(crate) fn message(batch: &str, picture: &[u8]) -> Message {
    let image = Image::Inline(picture.to_vec());
    Message::new(batch.to_owned(), Some("customer-42".to_owned()), RequestedSide::Auto, image)
}

/// The job of a message, as the store records it.
pub(crate) fn job_of(message: &Message) -> Job {
    Job {
        tenant: message.tenant,
        id: message.job_id,
        batch: message.batch.clone(),
        reference: message.reference.clone(),
        source: "message".to_owned(),
        side: RequestedSide::Auto,
    }
}

/// A job of a backfill.
pub(crate) fn picture_job(batch: &str, source: &str) -> NewJob {
    let (batch, source) = (batch.to_owned(), source.to_owned());
    let id = JobId::of_picture(&batch, &source, None);
    NewJob {
        job: Job { tenant: Tenant::DEFAULT, id, batch, reference: None, source, side: RequestedSide::Auto },
        picture: "a message".to_owned(),
    }
}

/// The job's end at its first attempt.
pub(crate) fn finished(job: &Job, outcome: Outcome) -> Finished {
    Finished { job: job.clone(), attempt: 1, outcome }
}

/// The result of a picture without a card.
pub(crate) fn no_card() -> PictureResult {
    let result = json!({
        "status": "FAIL", "message": {}, "cards": [], "findings": [], "decision": "reject",
        "model": {"name": "made up", "version": "1", "sha256": ""},
        "elapsed_ms": {"decode": 0.0, "locate": 0.0, "recognise": 0.0, "total": 0.0},
    });
    serde_json::from_value(result).unwrap()
}

/// Publishes a dead letter.
pub(crate) async fn bury(broker: &Broker, body: Vec<u8>, reason: &str, failures: u32) {
    let publisher = Publisher::new(broker.clone());
    let reason = Some(reason.to_owned());
    publisher.publish(&Outgoing { route: Route::Dead, body, message_id: None, failures, reason }).await.unwrap();
    publisher.close().await;
}
