//! What must hold, whatever happened before: the checks of a running box office.
//!
//! [`check_all`] compares what every party believes: our tables, our documents, the gateway, the mail server, the
//! broker, the clients. It is asked by `boxoffice doctor --check-invariants`, by the worker `invariants`, at the end
//! of every chaos run and of every integration test. docs/invariants.md lists the checks and what each compares.
//!
//! A check that could not be made is a failure of its own kind and never "fine". No line of a report holds personal
//! data: ids, states and amounts.

mod books;
mod catalogue;
pub mod history;
mod legal;
mod linear;
mod outside;
mod page;
mod report;
mod run;
mod snapshot;
mod sources;
mod tally;
mod whole;

pub use catalogue::{Asks, CATALOGUE, Check};
pub use report::{Outcome, Report};
pub use run::check_all;
pub use sources::{
    Accepted, Allowed, Arrived, GatewayBooks, GatewayLedger, Judged, Mail, MailSink, Options,
    QueueBooks, QueueDepth, Sources,
};
