//! Who comes: customers at a rate that doesn't wait for the house, partners, and a probe every second.

mod door;
mod ended;
mod partner;
mod visit;
mod wish;

pub use ended::Ended;
pub use partner::Line;
pub use wish::{Again, Course, Follow, Secure, Wish};

use crate::{
    diary::Diary,
    house::{FIELD_CLIENTS, HOT_CLIENTS, WIDE_CLIENTS},
    stage::Stage,
};
use boxoffice_contracts::BookingId;
use boxoffice_invariants::Accepted;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Client;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// Visits under way at most: an open door, but not an overload.
const UNDER_WAY_MAX: usize = 450;
/// Customers of a hot show come in groups, in one moment.
const HOT_GROUP: usize = 10;
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBES_MAX: usize = 20;
/// Of a hundred visits, so many are a partner's.
const PARTNERS_PERCENT: u32 = 6;

/// What all visitors share.
pub struct Crowd {
    pub stage: Arc<Stage>,
    pub diary: Arc<Diary>,
    pub http: Client,
    /// Distinguishes the keys of this run.
    pub run: String,
    pub lines: Vec<Arc<Line>>,
    seed: u64,
    accepted: Mutex<Vec<Accepted>>,
    /// Clients that wait for the house, and since when.
    waiting: Mutex<BTreeMap<u32, Instant>>,
    ended: Mutex<Vec<Ended>>,
    under_way: AtomicUsize,
    /// Accepted submits, customers' and partners'.
    taken: AtomicUsize,
    /// Visits that didn't happen, because too many were under way.
    turned_away: AtomicUsize,
    closed: AtomicBool,
}

impl Crowd {
    #[must_use]
    pub fn new(
        stage: Arc<Stage>,
        diary: Arc<Diary>,
        lines: Vec<Arc<Line>>,
        seed: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            stage,
            diary,
            http: Client::new(),
            run: uuid::Uuid::new_v4().simple().to_string(),
            lines,
            seed,
            accepted: Mutex::default(),
            waiting: Mutex::default(),
            ended: Mutex::default(),
            under_way: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// Lets them come at so many a second until told to stop, then waits for all of them.
    pub async fn come(self: Arc<Self>, per_sec: f64, mut stop: watch::Receiver<bool>) {
        let mut dice = StdRng::seed_from_u64(self.seed);
        let mut visits = JoinSet::new();
        let mut probes = interval(PROBE_EVERY);
        probes.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let probing = Arc::new(AtomicUsize::new(0));
        let mut next = Instant::now();
        let mut sold = Sold::default();
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.changed() => break,
                _ = probes.tick() => {
                    if probing.load(Ordering::Relaxed) < PROBES_MAX {
                        probing.fetch_add(1, Ordering::Relaxed);
                        let (crowd, probing) = (Arc::clone(&self), Arc::clone(&probing));
                        let wish = Wish::probe(&self.stage.shows.probe);
                        visits.spawn(async move {
                            let ended = visit::visit(Arc::clone(&crowd), wish, true).await;
                            probing.fetch_sub(1, Ordering::Relaxed);
                            crowd.bid_farewell(ended);
                        });
                    }
                }
                () = tokio::time::sleep_until(next) => {
                    let group = self.group(&mut sold, &mut dice);
                    // Everybody of a group comes now; the next group later by as many.
                    let pause = -(1.0 - dice.random::<f64>()).ln() / per_sec * group.len() as f64;
                    next += Duration::from_secs_f64(pause);
                    // After a stall nobody catches up: who would have come did not.
                    next = next.max(Instant::now());
                    for (wish, line) in group {
                        if self.under_way.load(Ordering::Relaxed) >= UNDER_WAY_MAX {
                            self.turned_away.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        self.under_way.fetch_add(1, Ordering::Relaxed);
                        let crowd = Arc::clone(&self);
                        visits.spawn(async move {
                            let ended = match line {
                                Some(line) => partner::visit(Arc::clone(&crowd), wish, line).await,
                                None => visit::visit(Arc::clone(&crowd), wish, false).await,
                            };
                            crowd.under_way.fetch_sub(1, Ordering::Relaxed);
                            crowd.bid_farewell(ended);
                        });
                    }
                }
                Some(ended) = visits.join_next(), if !visits.is_empty() => ended.unwrap(),
            }
        }
        while let Some(ended) = visits.join_next().await {
            ended.unwrap();
        }
    }

    /// Who comes next, to which show.
    fn group(&self, sold: &mut Sold, dice: &mut StdRng) -> Vec<(Wish, Option<Arc<Line>>)> {
        let shows = &self.stage.shows;
        let hot = dice.random_bool(0.4 / (0.6 * HOT_GROUP as f64 + 0.4));
        let (shows, came, most, count) = match (hot, dice.random_range(0..3)) {
            (true, _) => (&shows.hot, &mut sold.hot, HOT_CLIENTS, HOT_GROUP),
            (false, 0) => (&shows.field, &mut sold.field, FIELD_CLIENTS, 1),
            (false, _) => (&shows.wide, &mut sold.wide, WIDE_CLIENTS, 1),
        };
        let show = &shows[(*came / most).min(shows.len() - 1)];
        *came += count;
        let one = |dice: &mut StdRng| {
            let wish = Wish::draw(show, dice);
            let partner = dice.random_range(0..100) < PARTNERS_PERCENT && !self.lines.is_empty();
            let which = dice.random_range(0..self.lines.len().max(1));
            (wish, partner.then(|| Arc::clone(&self.lines[which])))
        };
        (0..count).map(|_| one(dice)).collect()
    }

    /// A command was answered with 202.
    fn took(&self, body: &Value, booking: BookingId, kind: &str) {
        if let Some(accepted) = visit::accepted(body, booking, kind) {
            self.note(accepted);
        }
    }

    fn note(&self, accepted: Accepted) {
        if accepted.kind == "submit" {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        lock(&self.accepted).push(accepted);
    }

    fn waits(&self, client: u32) {
        lock(&self.waiting).insert(client, Instant::now());
    }

    fn moved(&self, client: u32) {
        lock(&self.waiting).remove(&client);
    }

    fn bid_farewell(&self, ended: Ended) {
        lock(&self.ended).push(ended);
    }

    /// Whether somebody waits for the house who did so before this moment.
    #[must_use]
    pub fn waits_since_before(&self, moment: Instant) -> bool {
        let first = lock(&self.waiting).values().min().copied();
        first.is_some_and(|since| since < moment)
    }

    /// Of probes that came at or after this, when the first one was completed.
    #[must_use]
    pub fn first_probe_since(&self, since: Duration) -> Option<Duration> {
        let ended = lock(&self.ended);
        let fresh = ended
            .iter()
            .filter(|visit| visit.probe && visit.came_at >= since && visit.status == "completed");
        fresh.filter_map(|visit| visit.ended_at).min()
    }

    #[must_use]
    pub fn accepted(&self) -> Vec<Accepted> {
        lock(&self.accepted).clone()
    }

    #[must_use]
    pub fn ended(&self) -> Vec<Ended> {
        lock(&self.ended).clone()
    }

    /// Accepted submits, visits under way, visits that didn't happen.
    #[must_use]
    pub fn numbers(&self) -> (usize, usize, usize) {
        let of = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        (of(&self.taken), of(&self.under_way), of(&self.turned_away))
    }

    /// Whoever is still there gives up.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// Visits to each sort of show so far.
#[derive(Debug, Default)]
struct Sold {
    hot: usize,
    wide: usize,
    field: usize,
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
