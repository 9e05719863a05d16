//! A world of its own for each test: a schema, a virtual host, and eyes into both.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use boxoffice_contracts::{
    BookingId, Envelope, MessageId,
    message::{mail, ticket},
    topology::Exchange,
    trace::TraceParent,
};
use boxoffice_runtime::{
    Broker, BrokerConfig, Call, DatabaseConfig, Decide, Failure, Intended, Job, Publisher, Tx,
    Verdict, Wire, Workers, accepted, clock, declare, pool,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sea_orm_migration::MigratorTrait;
use std::{future::Future, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a test waits for something to become true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) name: String,
    pub(crate) broker: Broker,
    pub(crate) db: DatabaseConnection,
    pub(crate) broker_config: BrokerConfig,
    pub(crate) database_config: DatabaseConfig,
    management: String,
    http: reqwest::Client,
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need RabbitMQ and MySQL, see the top of tests/common/mod.rs")
    })
}

impl World {
    /// The same world seen from another process.
    pub(crate) async fn join(name: &str) -> Self {
        let world = Self::configured(name.to_owned());
        let (broker_config, database_config) = world;
        let broker = Broker::connect_first(&broker_config).await.unwrap();
        let db = pool::connect(&database_config).await.unwrap();
        Self {
            name: name.to_owned(),
            broker,
            db,
            broker_config,
            database_config,
            management: var("BOXOFFICE_TEST_MANAGEMENT_URL"),
            http: reqwest::Client::new(),
        }
    }

    fn configured(name: String) -> (BrokerConfig, DatabaseConfig) {
        let mysql = var("BOXOFFICE_TEST_MYSQL_URL");
        let database_config = DatabaseConfig {
            url: format!("{}/{name}", mysql.trim_end_matches('/')),
            ..DatabaseConfig::default()
        };
        let broker_config = BrokerConfig {
            url: var("BOXOFFICE_TEST_AMQP_URL"),
            connection_name: name.clone(),
            vhost: Some(name),
            retry_delays_ms: [100, 150, 200, 250],
            ..BrokerConfig::default()
        };
        (broker_config, database_config)
    }

    pub(crate) async fn new() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(
                std::env::var("RUST_LOG")
                    .unwrap_or_else(|_| "off,boxoffice_runtime=info".to_owned()),
            )
            .with_test_writer()
            .try_init();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let name = format!("bx_{}", Uuid::new_v4().simple());
        let (mysql, amqp) = (
            var("BOXOFFICE_TEST_MYSQL_URL"),
            var("BOXOFFICE_TEST_AMQP_URL"),
        );
        let management = var("BOXOFFICE_TEST_MANAGEMENT_URL");
        let http = reqwest::Client::new();

        let admin = sea_orm::Database::connect(&mysql).await.unwrap();
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let (broker_config, database_config) = Self::configured(name.clone());
        let db = pool::connect(&database_config).await.unwrap();
        boxoffice_migrations::Migrator::up(&db, None).await.unwrap();
        db.execute_unprepared(
            "CREATE TABLE effects (id BIGINT AUTO_INCREMENT PRIMARY KEY, message_id BINARY(16) NOT NULL, what VARCHAR(64) NOT NULL)",
        )
        .await
        .unwrap();

        let user = amqp.split("://").nth(1).unwrap().split(':').next().unwrap();
        for (path, body) in [
            (format!("vhosts/{name}"), "{}".to_owned()),
            (
                format!("permissions/{name}/{user}"),
                r#"{"configure":".*","write":".*","read":".*"}"#.to_owned(),
            ),
        ] {
            let put = http.put(format!("{management}/api/{path}")).body(body);
            let answer = put
                .header("content-type", "application/json")
                .send()
                .await
                .unwrap();
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
        }
        let broker = Broker::connect_first(&broker_config).await.unwrap();
        declare(&broker).await.unwrap();
        Self {
            name,
            broker,
            db,
            broker_config,
            database_config,
            management,
            http,
        }
    }

    /// Runs roles until the handle is stopped.
    pub(crate) fn run(&self, workers: Workers) -> Running {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let health = workers.health();
        let task = tokio::spawn(async move { workers.run(&[], stopped).await.unwrap() });
        Running { stop, task, health }
    }

    pub(crate) fn workers(&self) -> Workers {
        Workers::new(&self.broker, &self.db).drain(Duration::from_secs(10))
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let sql = format!("SELECT CAST(({sql}) AS SIGNED)");
        let row = self
            .db
            .query_one_raw(Statement::from_string(DbBackend::MySql, sql))
            .await;
        row.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    pub(crate) async fn effects(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM effects").await
    }

    /// Distinct messages that had an effect.
    pub(crate) async fn effective(&self) -> i64 {
        self.count("SELECT COUNT(DISTINCT message_id) FROM effects")
            .await
    }

    /// Ready and unacknowledged messages.
    pub(crate) async fn depth(&self, queue: &str) -> (u64, u64) {
        let value = self.get(&format!("queues/{}/{queue}", self.name)).await;
        let of = |field: &str| value[field].as_u64().unwrap_or(u64::MAX);
        (of("messages_ready"), of("messages_unacknowledged"))
    }

    pub(crate) async fn get(&self, path: &str) -> serde_json::Value {
        let answer = self
            .http
            .get(format!("{}/api/{path}", self.management))
            .send()
            .await
            .unwrap();
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))
    }

    pub(crate) async fn delete(&self, path: &str) {
        let url = format!("{}/api/{path}", self.management);
        self.http
            .delete(url)
            .header("x-reason", "test")
            .send()
            .await
            .unwrap();
    }

    /// Closes connections of this world by the management API; returns how many.
    pub(crate) async fn close_connections(&self, purpose: &str) -> usize {
        let all = self.get("connections").await;
        let mut closed = 0;
        for connection in all.as_array().unwrap() {
            let name = connection["client_properties"]["connection_name"]
                .as_str()
                .unwrap_or("");
            if name.starts_with(&self.name) && name.ends_with(purpose) {
                let id = connection["name"].as_str().unwrap();
                let id = id
                    .replace(' ', "%20")
                    .replace('>', "%3E")
                    .replace(':', "%3A");
                self.delete(&format!("connections/{id}")).await;
                closed += 1;
            }
        }
        closed
    }

    /// A raw connection of the test's own.
    pub(crate) async fn raw(&self) -> lapin::Channel {
        let mut uri: lapin::uri::AMQPUri = self.broker_config.url.parse().unwrap();
        uri.vhost.clone_from(&self.name);
        let properties = lapin::ConnectionProperties::default();
        let connection = lapin::Connection::connect_uri(uri, properties)
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel
            .confirm_select(lapin::options::ConfirmSelectOptions::default())
            .await
            .unwrap();
        std::mem::forget(connection);
        channel
    }

    pub(crate) async fn publish(&self, wires: &[Wire]) {
        let results = Publisher::new(&self.broker).publish(wires).await;
        for result in results {
            result.unwrap();
        }
    }

    pub(crate) async fn end(self) {
        self.broker.close().await;
        self.delete(&format!("vhosts/{}", self.name)).await;
        let drop = format!("DROP DATABASE {}", self.name);
        self.db.execute_unprepared(&drop).await.unwrap();
        self.db.close().await.unwrap();
    }
}

pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    pub(crate) health: boxoffice_runtime::Health,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

pub(crate) fn paused(health: &boxoffice_runtime::Health) -> bool {
    health
        .roles()
        .first()
        .is_some_and(|role| role.state.as_str() == "paused")
}

/// Waits until something is true.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, check: impl FnMut() -> F) {
    until_within(PATIENCE, what, check).await;
}

/// The same, of something that takes its time.
pub(crate) async fn until_within<F: Future<Output = bool>>(
    patience: Duration,
    what: &str,
    mut check: impl FnMut() -> F,
) {
    let since = tokio::time::Instant::now();
    while !check().await {
        assert!(since.elapsed() < patience, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn booking(n: u32) -> BookingId {
    BookingId::derive("house", "toy", &n.to_string())
}

/// Command number `n`, with an id of its own.
pub(crate) fn render(n: u32) -> Wire {
    let (envelope, body) = render_parts(n);
    Wire::new(Exchange::Commands, &envelope, body)
}

pub(crate) fn render_parts(n: u32) -> (Envelope, Vec<u8>) {
    let message = ticket::Render {
        booking_id: booking(n),
        revision: 1,
    };
    let id = MessageId::of_effect(booking(n), 1, 0);
    let trace = TraceParent::root(id.0);
    let envelope = Envelope::root::<ticket::Render>(id, booking(n), clock::now(), trace);
    (envelope, serde_json::to_vec(&message).unwrap())
}

/// A mail command; see [`render`].
pub(crate) fn letter(n: u32) -> Wire {
    let message = mail::Send {
        booking_id: booking(n),
        template: mail::Template::Confirmation,
        revision: 1,
    };
    let id = MessageId::of_effect(booking(n), 2, 0);
    let trace = TraceParent::root(id.0);
    let envelope = Envelope::root::<mail::Send>(id, booking(n), clock::now(), trace);
    Wire::new(
        Exchange::Commands,
        &envelope,
        serde_json::to_vec(&message).unwrap(),
    )
}

pub(crate) async fn effect(tx: &Tx, id: MessageId, what: &str) -> Result<(), Failure> {
    let insert = format!(
        "INSERT INTO effects (message_id, what) VALUES (x'{}','{what}')",
        id.0.simple()
    );
    tx.db().execute_unprepared(&insert).await?;
    Ok(())
}

accepted! { pub(crate) enum Renders { Render(ticket::Render) } }
accepted! { pub(crate) enum Letters { Send(mail::Send) } }

/// What a toy does with a message before it writes its effect.
type Behaviour = Box<dyn Fn(&[Job<Renders>]) -> Result<Option<Verdict>, Failure> + Send + Sync>;

/// Writes one effect row per message and sends a mail command.
pub(crate) struct Toy {
    pub(crate) before: Behaviour,
    pub(crate) mails: bool,
    pub(crate) there: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Toy {
    pub(crate) fn plain() -> Self {
        Self {
            before: Box::new(|_| Ok(None)),
            mails: true,
            there: Box::new(|| true),
        }
    }

    pub(crate) fn before(
        before: impl Fn(&[Job<Renders>]) -> Result<Option<Verdict>, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self {
            before: Box::new(before),
            mails: true,
            there: Box::new(|| true),
        }
    }
}

impl Decide for Toy {
    const QUEUES: &'static [boxoffice_contracts::topology::Queue] =
        &[boxoffice_contracts::topology::TICKETS];
    type Message = Renders;

    async fn decide(&self, tx: &mut Tx, jobs: &[Job<Renders>]) -> Result<Vec<Verdict>, Failure> {
        let special = (self.before)(jobs)?;
        let now = tx.now().await?;
        let mut verdicts = Vec::new();
        for job in jobs {
            if let Some(verdict) = &special {
                verdicts.push(verdict.clone());
                continue;
            }
            effect(tx, job.id(), "decided").await?;
            let Renders::Render(render) = &job.message;
            if self.mails {
                let message = mail::Send {
                    booking_id: render.booking_id,
                    template: mail::Template::Confirmation,
                    revision: 1,
                };
                let id = MessageId::of_answer(job.id(), "mail");
                tx.send(
                    Exchange::Commands,
                    &job.envelope,
                    id,
                    render.booking_id,
                    &message,
                    now,
                )?;
            }
            verdicts.push(Verdict::Done);
        }
        Ok(verdicts)
    }

    async fn probe(&self) -> bool {
        (self.there)()
    }
}

/// Calls a function outside, writes an effect row before and after.
pub(crate) struct ToyCall<F> {
    pub(crate) call: F,
    pub(crate) there: Box<dyn Fn() -> bool + Send + Sync>,
}

impl<F, R> Call for ToyCall<F>
where
    F: Fn(MessageId) -> R + Send + Sync + 'static,
    R: Future<Output = Result<u32, Failure>> + Send,
{
    const QUEUE: boxoffice_contracts::topology::Queue = boxoffice_contracts::topology::MAIL;
    type Message = Letters;
    type Intent = MessageId;
    type Answer = u32;
    type Desk = ();

    async fn intend(
        &self,
        _tx: &mut Tx,
        (): &mut (),
        job: &Job<Letters>,
    ) -> Result<Intended<MessageId>, Failure> {
        Ok(Intended::Call(job.id()))
    }

    async fn call(&self, _job: &Job<Letters>, id: MessageId) -> Result<u32, Failure> {
        (self.call)(id).await
    }

    async fn record(
        &self,
        tx: &mut Tx,
        (): &mut (),
        job: &Job<Letters>,
        answer: u32,
    ) -> Result<(), Failure> {
        effect(tx, job.id(), &format!("answered {answer}")).await
    }

    async fn probe(&self) -> bool {
        (self.there)()
    }
}
