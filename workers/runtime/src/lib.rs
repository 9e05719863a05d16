//! The messaging runtime: the only crate that knows AMQP and the inbox and outbox tables.
//!
//! It knows no domain word. A worker is a struct, its constants and one of two shapes, [`Decide`] or
//! [`Call`]; everything around it — connections, batches, inbox, outbox, confirms, retries, parking, pausing,
//! draining — is written once, here.

mod amqp;
mod backoff;
mod batch;
pub mod beats;
pub mod beside;
pub mod broker;
mod call;
pub mod clock;
pub mod config;
pub mod controls;
pub mod critical;
pub mod declare;
pub mod decode;
pub mod events;
pub mod failure;
mod filing;
mod finish;
mod flight;
pub mod foreign;
mod gate;
mod guard;
mod hand;
pub mod health;
mod inbox;
pub mod intake;
pub mod job;
mod link;
mod outbox;
mod pace;
mod parked;
pub mod pool;
mod ports;
pub mod prefetch;
pub mod publish;
mod purge;
mod reader;
mod record;
mod relay;
mod rescue;
mod role;
mod settle;
pub mod shape;
#[doc(hidden)]
pub mod simulation;
pub mod spans;
mod sql;
pub mod stored;
mod sweep;
mod tally;
pub mod telemetry;
pub mod together;
pub mod tx;
mod window;
pub mod worker;

pub use beside::Beside;
pub use boxoffice_contracts::{Kind, Message};
pub use broker::{Broker, BrokerError, BrokerState};
pub use config::{BrokerConfig, DatabaseConfig};
pub use declare::{Difference, declare, drift};
pub use decode::{Decode, DecodeError, from_json};
pub use events::{Event, EventStream, Happened};
pub use failure::{Cause, Failure, Service, Verdict};
pub use foreign::{Foreign, ForeignQueue, Incoming};
pub use health::{Health, RoleHealth, RoleState};
pub use inbox::forget_handled;
pub use intake::{IntakeError, IntakePublisher};
pub use job::Job;
pub use publish::{PublishError, Publisher, Wire};
pub use relay::OUTBOX_QUEUE;
pub use shape::{Call, Decide, Intended, Sweep};
pub use together::{Carry, Together};
pub use tx::{Outbox, Outgoing, Tx};
pub use worker::{RunError, Workers};
