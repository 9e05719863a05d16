//! The roles of a process: registered in a visible list, started together, stopped in order.

use crate::{
    Broker, BrokerError, Call, Decide, Difference, Sweep,
    backoff::Backoff,
    batch,
    beats::{Board, Keeper},
    beside::Beside,
    call, declare, filing,
    health::{Health, RoleState},
    publish::Publisher,
    purge::Purger,
    relay::{Full, Relay},
    rescue,
    role::Env,
    sweep,
};
use boxoffice_contracts::topology::{PARKED, Queue};
use futures::future::BoxFuture;
use sea_orm::DatabaseConnection;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long messages in hand may take when the process is told to stop; then they are given back. With all that follows
/// a process ends within the 30 s that supervisors wait before they kill.
pub const DRAIN: Duration = Duration::from_secs(20);

/// Why roles did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("there is no role {unknown:?}; there are {known}")]
    UnknownRole { unknown: String, known: String },
    #[error("the broker's topology is not what these roles need (boxoffice topology declare): {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Topology(Vec<Difference>),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

type Launch = Box<dyn FnOnce(Env) -> BoxFuture<'static, ()> + Send + Sync>;

struct Registered {
    name: &'static str,
    queues: Vec<&'static Queue>,
    launch: Launch,
}

/// The roles of a program.
///
/// ```no_run
/// # async fn f(broker: boxoffice_runtime::Broker, db: sea_orm::DatabaseConnection) {
/// let workers = boxoffice_runtime::Workers::new(&broker, &db).file_parked();
/// let stop = tokio_util::sync::CancellationToken::new();
/// workers.run(&[], stop).await.unwrap();
/// # }
/// ```
pub struct Workers {
    broker: Broker,
    db: DatabaseConnection,
    health: Health,
    drain: Duration,
    roles: Vec<Registered>,
}

impl Workers {
    #[must_use]
    pub fn new(broker: &Broker, db: &DatabaseConnection) -> Self {
        Self {
            broker: broker.clone(),
            db: db.clone(),
            health: Health::default(),
            drain: DRAIN,
            roles: Vec::new(),
        }
    }

    /// Registers a worker that decides, under the name of its first queue.
    #[must_use]
    pub fn decide<W: Decide>(self, worker: W) -> Self {
        const { assert!(!W::QUEUES.is_empty(), "a worker has a queue") };
        let name = W::QUEUES[0].name;
        let worker = Arc::new(worker);
        let launch: Launch = Box::new(move |env| Box::pin(batch::run(name, worker, env)));
        self.register(name, W::QUEUES.iter().collect(), launch)
    }

    /// Registers a worker that decides, with work beside its queues that ends when it is told to stop.
    #[must_use]
    pub fn decide_beside<W, F, B>(self, worker: W, beside: F) -> Self
    where
        W: Decide,
        F: FnOnce(Beside) -> B + Send + Sync + 'static,
        B: Future<Output = ()> + Send + 'static,
    {
        const { assert!(!W::QUEUES.is_empty(), "a worker has a queue") };
        let name = W::QUEUES[0].name;
        let worker = Arc::new(worker);
        let launch: Launch = Box::new(move |env| {
            let beside = beside(Beside::new(&env));
            Box::pin(async move {
                tokio::join!(batch::run(name, worker, env), beside);
            })
        });
        self.register(name, W::QUEUES.iter().collect(), launch)
    }

    /// Registers a worker that calls, under the name of its queue.
    #[must_use]
    pub fn call<W: Call>(self, worker: W) -> Self {
        let queue = const { &W::QUEUE };
        let worker = Arc::new(worker);
        let launch: Launch = Box::new(move |env| Box::pin(call::run(queue.name, worker, env)));
        self.register(queue.name, vec![queue], launch)
    }

    /// Registers a sweep.
    #[must_use]
    pub fn sweep<S: Sweep>(self, sweep: S) -> Self {
        let sweep = Arc::new(sweep);
        let launch: Launch = Box::new(move |env| Box::pin(sweep::run(S::NAME, sweep, env)));
        self.register(S::NAME, Vec::new(), launch)
    }

    /// Registers the role that files parked messages, and sends again what found no queue.
    #[must_use]
    pub fn file_parked(self) -> Self {
        let launch: Launch = Box::new(|env| {
            Box::pin(async move {
                tokio::join!(filing::run(env.clone()), rescue::run(env));
            })
        });
        self.register(filing::ROLE, vec![const { &PARKED }], launch)
    }

    /// How long messages in hand may take at the end, if not [`DRAIN`].
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    fn register(mut self, name: &'static str, queues: Vec<&'static Queue>, launch: Launch) -> Self {
        self.roles.push(Registered {
            name,
            queues,
            launch,
        });
        self
    }

    /// Names of all roles, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.roles.iter().map(|role| role.name).collect()
    }

    /// What the roles are doing; to be taken before [`Workers::run`].
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Runs the named roles, all if none is named, until `stop`; then finishes what is in hand.
    ///
    /// Connections stay open: close the broker afterwards.
    ///
    /// # Errors
    /// When a role is unknown, or what it needs of the broker is missing or different.
    pub async fn run(self, roles: &[String], stop: CancellationToken) -> Result<(), RunError> {
        let known = self.names();
        for role in roles {
            if !known.contains(&role.as_str()) {
                return Err(RunError::UnknownRole {
                    unknown: role.clone(),
                    known: known.join(", "),
                });
            }
        }
        let wanted: Vec<Registered> = self
            .roles
            .into_iter()
            .filter(|role| roles.is_empty() || roles.iter().any(|name| name == role.name))
            .collect();
        for role in &wanted {
            self.health.set(role.name, RoleState::Starting);
        }
        if !check(&self.broker, &wanted, &stop).await? {
            return Ok(());
        }

        let (kill, closing) = (CancellationToken::new(), CancellationToken::new());
        let (tasks, engines, keepers) =
            (TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
        let board = Board::default();
        let env = Env {
            broker: self.broker.clone(),
            db: self.db.clone(),
            purger: Purger::start(&self.db, &keepers, closing.clone()),
            health: self.health.clone(),
            tasks: tasks.clone(),
            board: board.clone(),
            stop: stop.clone(),
            kill: kill.clone(),
        };
        let relay = Relay {
            db: self.db.clone(),
            publisher: Publisher::new(&self.broker),
            tasks: tasks.clone(),
            stop: closing.clone(),
            full: Full::default(),
        };
        keepers.spawn(relay.run());
        keepers.spawn(Keeper::new(&self.db, &board, closing.clone()).run());
        for role in wanted {
            engines.spawn((role.launch)(env.clone()));
        }
        drop(env);
        engines.close();
        keepers.close();
        tasks.close();

        stop.cancelled().await;
        tracing::info!("stopping: finishing what is in hand");
        if timeout(self.drain, engines.wait()).await.is_err() {
            tracing::warn!(
                drain_secs = self.drain.as_secs(),
                "not finished in time: given back"
            );
        }
        kill.cancel();
        closing.cancel();
        let rest = async {
            engines.wait().await;
            keepers.wait().await;
            tasks.wait().await;
        };
        if timeout(END, rest).await.is_err() {
            tracing::warn!("tasks left behind at the end");
        }
        Ok(())
    }
}

/// Whether asking again would be answered alike: a right that is missing, a declaration that differs. Not when the
/// broker ends, or somebody closes our connection: connection-forced and internal-error of AMQP 0-9-1.
fn is_lasting(error: &lapin::Error) -> bool {
    const PASSING: [u16; 2] = [320, 541];
    match error.kind() {
        lapin::ErrorKind::ProtocolError(said) => !PASSING.contains(&said.get_id()),
        _ => false,
    }
}

/// How long the last steps may take after the drain.
const END: Duration = Duration::from_secs(2);

/// Whether the broker has what the roles need; waits for the broker itself. `false` when told to stop.
async fn check(
    broker: &Broker,
    wanted: &[Registered],
    stop: &CancellationToken,
) -> Result<bool, RunError> {
    let queues: Vec<&Queue> = wanted
        .iter()
        .flat_map(|role| role.queues.iter().copied())
        .collect();
    let mut backoff = Backoff::connection();
    loop {
        let drift = async {
            broker.consuming_link().up().await;
            declare::drift(broker, &queues).await
        };
        let checked = tokio::select! {
            checked = drift => checked,
            () = stop.cancelled() => return Ok(false),
        };
        match checked {
            Ok(differences) if differences.is_empty() => return Ok(true),
            Ok(differences) => return Err(RunError::Topology(differences)),
            Err(BrokerError::Amqp(error)) if is_lasting(&error) => {
                return Err(RunError::Broker(BrokerError::Amqp(error)));
            }
            Err(error) => tracing::warn!(%error, "topology can't be checked yet"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
