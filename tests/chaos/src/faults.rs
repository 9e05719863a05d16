//! The catalogue, by the party that it happens to.

mod broker;
mod clock;
mod consumers;
mod deploy;
mod disk;
mod gateway;
mod messages;
mod mongodb;
mod mysql;
mod net;
mod poison;
mod process;
mod queues;
mod rows;
mod server;
mod smtp;
mod tools;
mod triggers;

use crate::fault::{Fault, Kind};
use rand::rngs::StdRng;
pub use server::Which as Server;
use server::{Away, Way};
use std::time::Duration;

/// Every kind, in no order.
pub(crate) fn all() -> Vec<Kind> {
    [
        broker::KINDS,
        clock::KINDS,
        consumers::KINDS,
        deploy::KINDS,
        disk::KINDS,
        gateway::KINDS,
        messages::KINDS,
        mongodb::KINDS,
        mysql::KINDS,
        net::KINDS,
        poison::KINDS,
        process::KINDS,
        queues::KINDS,
        rows::KINDS,
        server::KINDS,
        smtp::KINDS,
        triggers::KINDS,
    ]
    .concat()
}

/// A server is down for so long, and then there again. Not of the catalogue: for a story about an outage that is
/// longer than all retries of a message together.
#[must_use]
pub fn outage(server: Server, lasts: Duration) -> Box<dyn Fault> {
    Box::new(Away::new("outage", server, Way::Kill, lasts))
}

type Make = fn(&mut StdRng) -> Box<dyn Fault>;

const fn kind(name: &'static str, weight: u32, make: Make) -> Kind {
    Kind {
        name,
        weight,
        journal: false,
        make,
    }
}

/// One that may take accepted intake away.
const fn journal_kind(name: &'static str, weight: u32, make: Make) -> Kind {
    Kind {
        name,
        weight,
        journal: true,
        make,
    }
}
