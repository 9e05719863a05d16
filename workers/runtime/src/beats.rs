//! What each process says of its roles every few seconds, and how it learns what people have ordered.
//!
//! A few statements per process and beat, however many messages pass: figures are counted in memory.

use crate::{
    controls::{self, Control},
    critical::Times,
    gate::Gate,
    hand::Hand,
    prefetch::{self, Prefetch},
    sql,
    tally::{Minute, Tally},
    telemetry,
};
use boxoffice_contracts::Instant;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often orders are looked for: a hold is obeyed within this and the answer of a cancelled consumer.
const CONTROLS_EVERY: Duration = Duration::from_secs(1);

/// A beat is written with every third look.
const LOOKS_PER_BEAT: u32 = 3;

/// Without a beat for so long a process counts as gone: four beats.
pub const GONE_AFTER: Duration = Duration::from_secs(12);

/// Beats of processes that are gone are shown for a while, then forgotten.
const FORGET_AFTER_SECS: u32 = 600;

/// Minutes of [`work`] that are kept; whoever keeps a longer history has read them by then.
const WORK_MINUTES: u32 = 60;

/// One role of this process as its beats see it.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    pub(crate) role: &'static str,
    pub(crate) queues: Vec<&'static str>,
    pub(crate) hand: Arc<Hand>,
    pub(crate) gate: Arc<Gate>,
}

impl Station {
    fn obey(&self, controls: &[Control]) {
        let holds = controls::holds(controls, self.role, &self.queues);
        for (slot, hold) in holds.iter().enumerate() {
            let queue = self.queues.get(slot).copied().unwrap_or_default();
            let held = if hold.is_some() { 1.0 } else { 0.0 };
            metrics::gauge!(telemetry::HELD, "role" => self.role, "queue" => queue).set(held);
        }
        self.gate.hold(holds);
    }

    fn take_ahead(&self, prefetches: &[Prefetch]) {
        for (slot, queue) in self.queues.iter().enumerate() {
            let wanted = prefetch::of(prefetches, queue);
            self.gate
                .take_ahead(slot, wanted.map(|order| order.prefetch));
        }
    }
}

/// The roles of this process, and what people want of them as it was read last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<Posted>>);

#[derive(Debug, Default)]
struct Posted {
    stations: Vec<Station>,
    controls: Option<Vec<Control>>,
    prefetches: Vec<Prefetch>,
}

impl Board {
    pub(crate) fn add(&self, station: Station) {
        let mut posted = self.posted();
        if let Some(controls) = &posted.controls {
            station.obey(controls);
        }
        station.take_ahead(&posted.prefetches);
        posted.stations.push(station);
    }

    fn obey(&self, controls: Vec<Control>) {
        let mut posted = self.posted();
        for station in &posted.stations {
            station.obey(&controls);
        }
        posted.controls = Some(controls);
    }

    fn take_ahead(&self, prefetches: Vec<Prefetch>) {
        let mut posted = self.posted();
        for station in &posted.stations {
            station.take_ahead(&prefetches);
        }
        posted.prefetches = prefetches;
    }

    fn stations(&self) -> Vec<Station> {
        self.posted().stations.clone()
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue, its counts, and the minutes of them that are to be written.
type Worked = (&'static str, Arc<Tally>, Vec<(i64, Minute)>);

/// Writes the beats and reads the orders of one process.
pub(crate) struct Keeper {
    db: DatabaseConnection,
    board: Board,
    /// `host/pid/random`: unique for ever, and readable.
    process: String,
    stop: CancellationToken,
}

impl Keeper {
    pub(crate) fn new(db: &DatabaseConnection, board: &Board, stop: CancellationToken) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host: String = host.trim().chars().take(60).collect();
        let random = uuid::Uuid::new_v4().simple().to_string();
        Self {
            db: db.clone(),
            board: board.clone(),
            process: format!("{host}/{}/{}", std::process::id(), &random[..8]),
            stop,
        }
    }

    /// Until the process ends; then a last beat says so.
    pub(crate) async fn run(self) {
        let mut looks = interval(CONTROLS_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut look, mut roles, mut told_blind, mut told_mute) = (0, 0, false, false);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.stop.cancelled() => break,
            }
            match self.orders().await {
                Ok((controls, prefetches)) => {
                    told_blind = false;
                    self.board.take_ahead(prefetches);
                    self.board.obey(controls);
                }
                // The last known ones stay; without any, nothing is consumed yet.
                Err(error) if !told_blind => {
                    told_blind = true;
                    tracing::warn!(%error, "orders can't be read");
                }
                Err(_) => {}
            }
            let known = self.board.stations().len();
            if look % LOOKS_PER_BEAT == 0 || known != roles {
                roles = known;
                match self.beat().await {
                    Ok(()) => told_mute = false,
                    Err(error) if !told_mute => {
                        told_mute = true;
                        tracing::warn!(%error, "a beat was not written");
                    }
                    Err(_) => {}
                }
            }
            look += 1;
        }
        if let Err(error) = self.beat().await {
            tracing::debug!(%error, "the last beat was not written");
        }
    }

    async fn orders(&self) -> Result<(Vec<Control>, Vec<Prefetch>), DbErr> {
        let controls = controls::effective(&self.db).await?;
        Ok((controls, prefetch::all(&self.db).await?))
    }

    async fn beat(&self) -> Result<(), DbErr> {
        let stations = self.board.stations();
        if stations.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        let mut work: Vec<Worked> = Vec::new();
        for station in &stations {
            for slot in 0..station.gate.slots() {
                let queue = station.queues.get(slot).copied().unwrap_or_default();
                let tally = station.hand.tally(slot);
                rows.push(self.row(station, slot, queue, tally.as_ref()));
                if let Some(tally) = tally {
                    let minutes = tally.minutes();
                    work.push((queue, tally, minutes));
                }
            }
        }
        let written = self.write(&rows, &work).await;
        if written.is_err() {
            for (_, tally, minutes) in &work {
                tally.give_back(minutes);
            }
        }
        written
    }

    fn row(
        &self,
        station: &Station,
        slot: usize,
        queue: &'static str,
        tally: Option<&Arc<Tally>>,
    ) -> String {
        let standing = tally.map(|tally| tally.standing());
        let in_hand = standing.as_ref().map_or(0, |standing| standing.in_hand);
        let handled = standing.as_ref().map_or(0, |standing| standing.handled);
        let (state, service) = station.gate.state(slot, in_hand);
        format!(
            "({process},'{role}','{queue}',UTC_TIMESTAMP(6),'{state}',{service},{in_hand},{handled},{oldest},{taken})",
            process = sql::text(&self.process),
            role = station.role,
            service = service.map_or("NULL".to_owned(), |service| format!(
                "'{}'",
                service.as_str()
            )),
            oldest = instant(standing.as_ref().and_then(|standing| standing.oldest_at)),
            taken = instant(standing.as_ref().and_then(|standing| standing.taken_at)),
        )
    }

    async fn write(&self, rows: &[String], work: &[Worked]) -> Result<(), DbErr> {
        let beats = format!(
            "INSERT INTO worker_beats (process, role, queue, at, state, service, in_hand, handled_total, \
             oldest_at, taken_at) VALUES {} ON DUPLICATE KEY UPDATE at = VALUES(at), state = VALUES(state), \
             service = VALUES(service), in_hand = VALUES(in_hand), handled_total = VALUES(handled_total), \
             oldest_at = VALUES(oldest_at), taken_at = VALUES(taken_at)",
            rows.join(",")
        );
        self.db.execute_unprepared(&beats).await?;
        let minutes = work.iter().flat_map(|(queue, _, minutes)| {
            minutes.iter().map(move |(number, minute)| {
                format!(
                    "('{queue}',{},{},{},{})",
                    minute_literal(*number),
                    sql::text(&self.process),
                    minute.handled,
                    sql::text(&minute.times.to_text())
                )
            })
        });
        let minutes: Vec<String> = minutes.collect();
        if minutes.is_empty() {
            return Ok(());
        }
        let work = format!(
            "INSERT INTO queue_work (queue, minute, process, handled, times) VALUES {} ON DUPLICATE KEY UPDATE \
             handled = VALUES(handled), times = VALUES(times)",
            minutes.join(",")
        );
        self.db.execute_unprepared(&work).await?;
        Ok(())
    }
}

fn instant(at: Option<Instant>) -> String {
    at.map_or("NULL".to_owned(), |at| {
        format!("'{}'", at.format("%Y-%m-%d %H:%M:%S%.6f"))
    })
}

fn minute_literal(number: i64) -> String {
    let at = chrono::DateTime::from_timestamp(number.saturating_mul(60), 0);
    instant(at)
}

/// What one process said last of one queue of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    pub process: String,
    pub role: String,
    /// Empty for a role without queues.
    pub queue: String,
    pub at: Instant,
    /// By the database's clock.
    pub age: Duration,
    /// `starting`, `running`, `paused` (a service is away), `held`, `draining`, `drained`, `stopped`.
    pub state: String,
    /// The service that is away.
    pub service: Option<String>,
    pub in_hand: u32,
    pub handled_total: u64,
    pub oldest_at: Option<Instant>,
    pub taken_at: Option<Instant>,
}

impl Beat {
    /// Whether its process beats, and the role has not ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.age < GONE_AFTER && self.state != "stopped"
    }
}

/// Every beat that is not forgotten yet, by role, queue and process.
///
/// # Errors
/// When the database can't be asked.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Beat>, DbErr> {
    let ask = "SELECT process, role, queue, at, state, service, in_hand, handled_total, oldest_at, taken_at, \
               CAST(GREATEST(TIMESTAMPDIFF(MICROSECOND, at, UTC_TIMESTAMP(6)), 0) AS SIGNED) AS age \
               FROM worker_beats ORDER BY role, queue, process";
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::MySql, ask))
        .await?;
    rows.iter().map(beat).collect()
}

fn beat(row: &QueryResult) -> Result<Beat, DbErr> {
    let at = |name: &str| -> Result<Option<Instant>, DbErr> {
        let naive: Option<chrono::NaiveDateTime> = row.try_get("", name)?;
        Ok(naive.map(|naive| naive.and_utc()))
    };
    let age: i64 = row.try_get("", "age")?;
    Ok(Beat {
        process: row.try_get("", "process")?,
        role: row.try_get("", "role")?,
        queue: row.try_get("", "queue")?,
        at: at("at")?.unwrap_or_default(),
        age: Duration::from_micros(age.unsigned_abs()),
        state: row.try_get("", "state")?,
        service: row.try_get("", "service")?,
        in_hand: row.try_get("", "in_hand")?,
        handled_total: row.try_get("", "handled_total")?,
        oldest_at: at("oldest_at")?,
        taken_at: at("taken_at")?,
    })
}

/// What all processes finished of a queue within a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub queue: String,
    pub minute: Instant,
    pub handled: u64,
    pub times: Times,
}

/// Minutes from `since` on; a row for each process.
///
/// # Errors
/// When the database can't be asked.
pub async fn work(db: &impl ConnectionTrait, since: Instant) -> Result<Vec<Work>, DbErr> {
    let ask = "SELECT queue, minute, handled, times FROM queue_work WHERE minute >= ?";
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, [since.into()]);
    let rows = db.query_all_raw(ask).await?;
    let row = |row: &QueryResult| {
        let minute: chrono::NaiveDateTime = row.try_get("", "minute")?;
        let times: String = row.try_get("", "times")?;
        Ok(Work {
            queue: row.try_get("", "queue")?,
            minute: minute.and_utc(),
            handled: row.try_get("", "handled")?,
            times: Times::from_text(&times),
        })
    };
    rows.iter().map(row).collect()
}

/// Deletes what is too old to be shown.
///
/// # Errors
/// When the database refuses.
pub async fn forget(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let beats = format!(
        "DELETE FROM worker_beats WHERE at < UTC_TIMESTAMP(6) - INTERVAL {FORGET_AFTER_SECS} SECOND LIMIT 1000"
    );
    db.execute_unprepared(&beats).await?;
    let work = format!(
        "DELETE FROM queue_work WHERE minute < UTC_TIMESTAMP(6) - INTERVAL {WORK_MINUTES} MINUTE LIMIT 1000"
    );
    db.execute_unprepared(&work).await?;
    Ok(())
}
