//! A store in memory: transactions take turns, change in place and keep what undoes them. What a primary key or a
//! condition of an UPDATE refuses is refused here.

use crate::{
    settings::Settings,
    sim::{Port, State, short},
};
use boxoffice_contracts::{
    BookingId, Instant, MessageId, Money, OperationId, RefundId, SeatId, ShowId,
};
use boxoffice_runtime::{
    Cause, Failure, Service, Wire,
    simulation::{Key, Outbox, Row, SWEEP_AFTER_SECS, Sent, Store},
};
use boxoffice_saga::Booking;
use boxoffice_store::mysql::{
    claims::{Admission, AdmissionKey, Claim, SeatKey},
    positions::Place,
    shows::Show,
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, HashMap},
    future::pending,
    sync::Arc,
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// The tables.
#[derive(Debug)]
pub struct Data {
    pub show: Show,
    pub categories: Arc<HashMap<SeatId, String>>,
    pub bookings: BTreeMap<BookingId, Booking>,
    pub due: BTreeMap<BookingId, Instant>,
    pub places: BTreeMap<BookingId, Vec<Place>>,
    pub claims: BTreeMap<SeatKey, Claim>,
    pub admissions: BTreeMap<AdmissionKey, Admission>,
    /// By version: what caused the step.
    pub events: BTreeMap<(BookingId, u32), (MessageId, &'static str)>,
    pub operations: BTreeMap<OperationId, &'static str>,
    pub intents: BTreeMap<(BookingId, u16), Intent>,
    pub attempts: BTreeMap<(BookingId, u16), Attempt>,
    pub refunds: BTreeMap<RefundId, Money>,
    /// Valid, or void.
    pub tickets: BTreeMap<(BookingId, u16), bool>,
    pub documents: BTreeMap<(BookingId, u16), ()>,
    pub mails: BTreeMap<(BookingId, &'static str, u16), ()>,
    pub inbox: BTreeMap<Key, ()>,
    pub outbox: BTreeMap<u64, Unsent>,
    pub parked: BTreeMap<(String, MessageId), String>,
    /// Auto increment: never taken back.
    pub(crate) last_row: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    pub amount: Money,
    pub is_closing: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub generation: u16,
    pub method: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Unsent {
    pub message: MessageId,
    pub cause: Option<MessageId>,
    pub wire: Wire,
    pub at: Instant,
}

/// Takes one change back.
type Undo = Box<dyn FnOnce(&mut Data) + Send>;

/// The transaction whose turn it is.
pub struct Open {
    pub number: u64,
    pub process: usize,
    undo: Vec<Undo>,
    pub touched: Vec<BookingId>,
    pub wrote: Vec<MessageId>,
    _turn: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Data {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let epoch = settings.epoch();
        let show = Show {
            id: ShowId(Uuid::from_u128(7)),
            is_fed: false,
            layout_id: Uuid::from_u128(8),
            currency: boxoffice_contracts::Currency::EUR,
            sales_from: epoch - TimeDelta::hours(1),
            sales_until: epoch + TimeDelta::hours(9),
            cancelled: false,
            cancel_until: epoch + TimeDelta::hours(8),
            cancel_fee_minor: 150,
            hold_shown_secs: 20,
            hold_grace_secs: 10,
            hold_cap_secs: 60,
            prices: HashMap::from([("seat".to_owned(), 1_200), ("floor".to_owned(), 900)]),
        };
        let categories = (0..settings.seats).map(|at| (seat(at), "seat".to_owned()));
        let floor = Admission {
            capacity: settings.admissions,
            taken: 0,
        };
        Self {
            categories: Arc::new(categories.collect()),
            admissions: BTreeMap::from([((show.id, "floor".to_owned()), floor)]),
            show,
            bookings: BTreeMap::new(),
            due: BTreeMap::new(),
            places: BTreeMap::new(),
            claims: BTreeMap::new(),
            events: BTreeMap::new(),
            operations: BTreeMap::new(),
            intents: BTreeMap::new(),
            attempts: BTreeMap::new(),
            refunds: BTreeMap::new(),
            tickets: BTreeMap::new(),
            documents: BTreeMap::new(),
            mails: BTreeMap::new(),
            inbox: BTreeMap::new(),
            outbox: BTreeMap::new(),
            parked: BTreeMap::new(),
            last_row: 0,
        }
    }
}

/// A seat by its number.
#[must_use]
pub fn seat(at: usize) -> SeatId {
    SeatId::new(format!("A{}", at + 1)).unwrap_or_else(|_| unreachable!("a short visible name"))
}

impl State {
    /// Undoes the open transaction and gives its turn away.
    pub fn roll_back(&mut self) {
        if let Some(mut open) = self.open.take() {
            for undo in open.undo.drain(..).rev() {
                undo(&mut self.data);
            }
        }
    }

    /// Makes the open transaction count.
    pub(crate) fn commit(&mut self) {
        let Some(open) = self.open.take() else { return };
        for id in &open.touched {
            if let Some(booking) = self.data.bookings.get(id) {
                self.seen.insert(*id, booking.clone());
            }
        }
        self.ledger.written.extend(&open.wrote);
        self.ledger.commits += 1;
        let touched = open.touched.clone();
        drop(open);
        self.committed(&touched);
    }

    /// Writes or deletes a row of the open transaction; what was there before.
    pub fn put<K, V>(
        &mut self,
        of: fn(&mut Data) -> &mut BTreeMap<K, V>,
        key: K,
        value: Option<V>,
    ) -> Option<V>
    where
        K: Ord + Clone + Send + 'static,
        V: Clone + Send + 'static,
    {
        let table = of(&mut self.data);
        let before = match value {
            Some(value) => table.insert(key.clone(), value),
            None => table.remove(&key),
        };
        if let Some(open) = &mut self.open {
            let was = before.clone();
            open.undo.push(Box::new(move |data| {
                match was {
                    Some(was) => of(data).insert(key, was),
                    None => of(data).remove(&key),
                };
            }));
        }
        before
    }
}

/// The store, as one process reaches it.
#[derive(Debug, Clone)]
pub struct SimStore(pub Port);

/// A transaction in memory.
#[derive(Debug)]
pub struct SimTx {
    pub port: Port,
    pub(crate) number: u64,
    pub(crate) outbox: Outbox,
    now: Option<Instant>,
}

pub(crate) fn down(code: &'static str) -> Failure {
    Failure::Down(Service::Database, Cause::new(code, "simulated"))
}

impl Store for SimStore {
    type Tx = SimTx;

    async fn begin(&self) -> Result<SimTx, Failure> {
        let port = &self.0;
        port.step("begins", 0).await;
        if port.sim.state().is_down {
            return Err(down("database_unreachable"));
        }
        let Ok(turn) = Arc::clone(&port.sim.turn).acquire_owned().await else {
            return Err(down("database_closed"));
        };
        if !port.is_alive() {
            drop(turn);
            pending::<()>().await;
            return Err(down("dead"));
        }
        let mut state = port.sim.state();
        state.ledger.transactions += 1;
        let number = state.ledger.transactions;
        state.open = Some(Open {
            number,
            process: port.process,
            undo: Vec::new(),
            touched: Vec::new(),
            wrote: Vec::new(),
            _turn: turn,
        });
        Ok(SimTx {
            port: port.clone(),
            number,
            outbox: Outbox::default(),
            now: None,
        })
    }
}

impl Drop for SimTx {
    fn drop(&mut self) {
        let mut state = self.port.sim.state();
        if state
            .open
            .as_ref()
            .is_some_and(|open| open.number == self.number)
        {
            state.roll_back();
        }
    }
}

impl SimTx {
    /// The state, if this still is the open transaction; a process that died has none.
    pub async fn on<R>(&mut self, act: impl FnOnce(&mut State) -> R) -> R {
        {
            let mut state = self.port.sim.state();
            if state
                .open
                .as_ref()
                .is_some_and(|open| open.number == self.number)
            {
                return act(&mut state);
            }
        }
        pending().await
    }

    /// The clock, after the locks: the same for all of the transaction.
    pub async fn clock(&mut self) -> Result<Instant, Failure> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        self.port.step("reads and locks", self.number).await;
        let (now, failed) = self
            .on(|state| (state.now, state.is_down || state.fault(200)))
            .await;
        if failed {
            return Err(down("database_gone"));
        }
        self.now = Some(now);
        Ok(now)
    }

    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Which of these were handled.
    pub async fn handled(&mut self, key: Key) -> bool {
        self.on(|state| state.data.inbox.contains_key(&key)).await
    }

    /// Deletes rows of the outbox that were confirmed.
    pub async fn delete(&mut self, rows: &[Row]) {
        self.on(|state| {
            for row in rows {
                let there = state.data.outbox.get(&row.id);
                if there.is_some_and(|unsent| unsent.message == row.message_id) {
                    if !state.ledger.arrived.contains(&row.message_id) {
                        state.broke("a row of the outbox is deleted when its message has left");
                    }
                    state.put(|data| &mut data.outbox, row.id, None);
                }
            }
        })
        .await;
    }
}

pub(crate) fn sent(id: u64, row: &Unsent) -> Sent {
    Sent {
        row: Row {
            id,
            message_id: row.message,
        },
        wire: row.wire.clone(),
    }
}

impl State {
    /// Rows of the outbox that nobody has confirmed for a while.
    #[must_use]
    pub fn overdue(&self) -> Vec<Sent> {
        let before = self.now - TimeDelta::seconds(i64::from(SWEEP_AFTER_SECS));
        let rows = self.data.outbox.iter().filter(|(_, row)| row.at < before);
        rows.map(|(id, row)| sent(*id, row)).collect()
    }

    /// The broker was told that this delivery is settled.
    pub fn acknowledged(&mut self, queue: &'static str, id: MessageId) {
        let kept = self.data.inbox.contains_key(&(queue, id))
            || self.data.parked.contains_key(&(queue.to_owned(), id))
            || self.broker.has(id);
        if !kept {
            self.note("judge", "acknowledged too early", short(id));
            self.broke("a message is acknowledged when what replaces it is durable");
        }
    }
}
