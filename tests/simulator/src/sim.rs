//! The house in one thread: what all its processes share, the clock, the scheduler's waits, and its crashes.
//!
//! Every call of a port waits for a time that the seed draws, on the paused clock of one tokio runtime: the order of
//! these waits is the schedule. A crash changes the number of a process's life; ports of a former life never answer.

use crate::{
    broker::Broker,
    chance::Chance,
    gateway::Gateway,
    promises::Ledger,
    settings::Settings,
    store::{Data, Open},
};
use boxoffice_contracts::{BookingId, Instant, MessageId};
use boxoffice_saga::Booking;
use chrono::TimeDelta;
use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Notify, Semaphore},
    time::sleep,
};

/// Processes of the house. The API and its clients do not crash: what they could lose is their memory of a 202.
pub const PROCESSES: [&str; 5] = [
    "reservations-1",
    "reservations-2",
    "payments",
    "paper",
    "clock",
];

#[derive(Debug)]
pub struct Sim {
    state: Mutex<State>,
    began: tokio::time::Instant,
    /// Transactions take turns.
    pub turn: Arc<Semaphore>,
    pub died: [Notify; PROCESSES.len()],
    /// Something is in a queue.
    pub arrived: Notify,
}

#[derive(Debug)]
pub struct State {
    pub chance: Chance,
    pub settings: Settings,
    /// Faults may happen.
    pub faults: bool,
    pub lives: [u32; PROCESSES.len()],
    /// Connections to the broker, by number.
    pub connections: [u32; PROCESSES.len()],
    pub broker: Broker,
    pub data: Data,
    pub open: Option<Open>,
    /// The store is away.
    pub is_down: bool,
    pub gateway: Gateway,
    pub ledger: Ledger,
    /// Committed bookings, as a GET shows them.
    pub seen: BTreeMap<BookingId, Booking>,
    /// The first promise that was broken.
    pub broken: Option<String>,
    pub trace: Trace,
    pub now: Instant,
    at_ms: u64,
}

/// What happened: always as a hash, as lines when somebody will read them.
#[derive(Debug, Default)]
pub struct Trace {
    pub hash: u64,
    pub steps: u64,
    pub lines: Option<Vec<String>>,
}

impl Trace {
    fn take(&mut self, at_ms: u64, actor: &str, what: &str, detail: u64) {
        let mut hash = self.hash ^ 0xcbf2_9ce4_8422_2325;
        for byte in actor.bytes().chain(what.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.hash = (hash ^ at_ms ^ detail.rotate_left(32)).wrapping_mul(0x0100_0000_01b3);
        self.steps += 1;
        if let Some(lines) = &mut self.lines {
            let (secs, ms) = (at_ms / 1000, at_ms % 1000);
            lines.push(format!(
                "{secs:>5}.{ms:03}  {actor:<15} {what} {detail:016x}"
            ));
        }
    }
}

impl Sim {
    #[must_use]
    pub fn new(seed: u64, settings: Settings, told: bool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                chance: Chance::new(seed),
                faults: true,
                lives: [0; PROCESSES.len()],
                connections: [0; PROCESSES.len()],
                broker: Broker::default(),
                data: Data::new(&settings),
                open: None,
                is_down: false,
                gateway: Gateway::default(),
                ledger: Ledger::default(),
                seen: BTreeMap::new(),
                broken: None,
                trace: Trace {
                    lines: told.then(Vec::new),
                    ..Trace::default()
                },
                now: settings.epoch(),
                at_ms: 0,
                settings,
            }),
            began: tokio::time::Instant::now(),
            turn: Arc::new(Semaphore::new(1)),
            died: Default::default(),
            arrived: Notify::new(),
        })
    }

    /// The state, with its clock set.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at_ms = self.began.elapsed().as_millis() as u64;
        if state.at_ms != at_ms {
            state.at_ms = at_ms;
            state.now = state.settings.epoch() + TimeDelta::milliseconds(at_ms.cast_signed());
        }
        state
    }

    /// Ends a process where it stands: its transaction is rolled back, its messages go back to their queues.
    pub fn crash(&self, state: &mut State, process: usize) {
        state.note(PROCESSES[process], "CRASH", u64::from(state.lives[process]));
        state.ledger.crashes += 1;
        state.lives[process] += 1;
        if state
            .open
            .as_ref()
            .is_some_and(|open| open.process == process)
        {
            state.roll_back();
        }
        self.cut(state, process);
        self.died[process].notify_one();
    }

    /// Ends a process's connection to the broker.
    pub fn cut(&self, state: &mut State, process: usize) {
        state.note(PROCESSES[process], "connection cut", 0);
        state.connections[process] += 1;
        let lost = state.settings.is(crate::Planted::NoRequeue);
        state.broker.give_back(process, lost);
        self.arrived.notify_waiters();
    }

    /// A port for the life that begins now.
    pub fn port(self: &Arc<Self>, process: usize) -> Port {
        let life = self.state().lives[process];
        Port {
            sim: Arc::clone(self),
            process,
            life,
        }
    }
}

impl State {
    /// Puts down that something happened.
    pub fn note(&mut self, actor: &str, what: &str, detail: u64) {
        self.trace.take(self.at_ms, actor, what, detail);
    }

    /// Puts down that a promise was broken; the first one counts.
    pub fn broke(&mut self, promise: impl Into<String>) {
        let promise = promise.into();
        self.note("judge", &promise, 0);
        self.broken.get_or_insert(promise);
    }

    /// Whether a fault happens that happens once in so many times.
    pub fn fault(&mut self, times: u64) -> bool {
        self.faults
            && self
                .chance
                .one_in(times * 10 / self.settings.harshness.max(1))
    }
}

/// What a process reaches the outside through.
#[derive(Debug, Clone)]
pub struct Port {
    pub sim: Arc<Sim>,
    pub process: usize,
    life: u32,
}

impl Port {
    #[must_use]
    pub fn name(&self) -> &'static str {
        PROCESSES[self.process]
    }

    pub fn is_alive(&self) -> bool {
        self.sim.state().lives[self.process] == self.life
    }

    /// Waits for what the seed draws. The process may end here; then it never comes back.
    pub async fn step(&self, what: &'static str, detail: u64) {
        if !self.is_alive() {
            pending::<()>().await;
        }
        let wait = {
            let mut state = self.sim.state();
            state.note(self.name(), what, detail);
            if state.fault(60) {
                state.chance.millis(100, 4_000)
            } else {
                state.chance.millis(0, 12)
            }
        };
        sleep(wait).await;
        let alive = {
            let mut state = self.sim.state();
            let alive = state.lives[self.process] == self.life;
            if alive && state.fault(150) {
                self.sim.crash(&mut state, self.process);
                false
            } else {
                alive
            }
        };
        if !alive {
            pending::<()>().await;
        }
    }
}

/// Enough of an id to tell it from others in a trace.
#[must_use]
pub fn short(id: MessageId) -> u64 {
    id.0.as_u64_pair().0
}
