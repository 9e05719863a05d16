//! The engine of a batch with its ports, for `tests/simulator` alone: it runs what production runs, over a broker
//! and a store in memory. Nothing of the product uses this, and nothing here is stable.

pub use crate::{
    batch::work,
    hand::{Delivered, Hand, suspect},
    inbox::Key,
    outbox::{Row, Sent},
    parked::Parking,
    ports::{Acker, Decides, Host, Publish, Store, Transaction},
    purge::Purger,
    relay::SWEEP_AFTER_SECS,
    role::fail,
    settle::{Settlement, Settler},
    tally::Tally,
    tx::Outbox,
    window::{Ticket, Window},
};
