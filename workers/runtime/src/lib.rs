//! The messaging runtime: the only crate that knows AMQP and the inbox and outbox tables.
//!
//! It knows no domain word. A worker is a struct, its constants and one of two shapes, [`Decide`] or
//! [`Call`]; everything around it — connections, batches, inbox, outbox, confirms, retries, parking, pausing,
//! draining — is written once, here.

mod amqp;
mod backoff;
pub mod broker;
pub mod clock;
pub mod config;
pub mod declare;
pub mod decode;
pub mod failure;
pub mod intake;
pub mod job;
pub mod pool;
pub mod publish;
pub mod shape;
pub mod stored;
pub mod telemetry;
pub mod tx;

pub use boxoffice_contracts::{Kind, Message};
pub use broker::{Broker, BrokerError, BrokerState};
pub use config::{BrokerConfig, DatabaseConfig};
pub use declare::{Difference, declare, drift};
pub use decode::{Decode, DecodeError, from_json};
pub use failure::{Cause, Failure, Service, Verdict};
pub use intake::{IntakeError, IntakePublisher};
pub use job::Job;
pub use publish::{PublishError, Publisher, Wire};
pub use shape::{Call, Decide, Intended, Sweep};
pub use tx::{Outgoing, Tx};
