//! The messaging runtime: the only crate that knows AMQP and the inbox and outbox tables.
//!
//! It knows no domain word. A worker is a struct, its constants and one of two shapes, [`Decide`] or
//! [`Call`]; everything around it — connections, batches, inbox, outbox, confirms, retries, parking, pausing,
//! draining — is written once, here.

pub mod decode;
pub mod failure;
pub mod job;
pub mod shape;
pub mod tx;

pub use boxoffice_contracts::{Kind, Message};
pub use decode::{Decode, DecodeError, from_json};
pub use failure::{Cause, Failure, Service, Verdict};
pub use job::Job;
pub use shape::{Call, Decide, Intended, Sweep};
pub use tx::{Outgoing, Tx};
