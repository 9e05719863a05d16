//! The workers: one file each, named as its queue. [`registry`](crate) is the visible list.
//!
//! A worker is a struct, its constants and one shape of the runtime. Everything around it — connections,
//! batches, inbox, outbox, retries, parking — is the runtime's.

pub mod alerts;
pub mod calendar;
mod facts;
pub mod gateway;
pub mod hold_expiry;
mod http;
pub mod invariants;
pub mod mail;
pub mod mender;
pub mod parked;
pub mod partner_feed;
pub mod partner_gate;
pub mod partners;
pub mod payments;
pub mod queue_watch;
pub mod registry;
pub mod reservations;
pub mod retention;
pub mod tickets;
pub mod timeline;
