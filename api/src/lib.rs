//! The HTTP door: authenticate, validate, derive the id, publish with confirm, answer 202.
//!
//! Absent on purpose: it writes no booking row and decides nothing about a booking.
//! Reads go to MySQL and MongoDB; every route is a line of [`permissions::ROUTES`].

pub mod auth;
mod backoffice;
pub mod config;
pub mod documents;
pub mod intake;
pub mod journal;
pub mod openapi;
pub mod permissions;
pub mod problem;
pub mod serve;
pub mod state;
pub mod ticket_keys;
pub mod token;
pub mod watch;

mod alternatives;
mod backlog;
mod body;
mod bookings;
mod catalogue;
mod client;
mod commands;
mod contracts;
mod cors;
mod docs;
mod follow;
mod idempotency;
mod internal;
mod kept;
mod layers;
mod limits;
mod look;
mod params;
mod partner;
mod prefer;
mod router;
mod seats;
mod shows;
mod timeline;
mod view;
mod waiters;
mod webhooks;
mod words;

#[cfg(test)]
mod testing;

use boxoffice_contracts::request::{fields, submission};
use boxoffice_store::status_link as proof;
pub use config::ApiConfig;
pub use documents::{Documents, MongoDocuments};
pub use intake::{BrokerIntake, Intake};
pub use internal::router as internal_router;
pub use journal::{IntakeConfig, Journal};
pub use problem::Problem;
pub use router::router;
pub use serve::serve;
pub use state::{AppState, Parts};
pub use watch::{Hint, hints};
