//! The workers: one file each, named as its queue. [`registry`](crate) is the visible list.
//!
//! A worker is a struct, its constants and one shape of the runtime. Everything around it — connections,
//! batches, inbox, outbox, retries, parking — is the runtime's.

pub mod calendar;
pub mod gateway;
pub mod hold_expiry;
pub mod mail;
pub mod parked;
pub mod partner_gate;
pub mod payments;
pub mod registry;
pub mod reservations;
pub mod retention;
pub mod tickets;
pub mod timeline;
