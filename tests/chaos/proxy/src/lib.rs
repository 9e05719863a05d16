//! A TCP proxy that breaks on demand: what happens to a network, at the moment that hurts.
//!
//! One [`Proxy`] stands in front of one server. A [`Mode`] is what the link does as a whole; a [`Rule`] waits for a
//! point of the protocol that flows through it — a publish, a `COMMIT`, a request — and does something to that
//! message alone. What came of it is read from [`Proxy::seen`], never assumed.
//!
//! The protocol is told by the client's first bytes: AMQP 0-9-1, MySQL, HTTP/1.1, or something else, which flows by
//! without points. What is encrypted has no points either, so TLS is off on the links that a test looks into.

mod connection;
mod mode;
mod parse;
mod proxy;
mod rules;
mod seen;

pub use mode::{Flow, Mode};
pub use proxy::Proxy;
pub use rules::{Act, Point, Rule, RuleId};
pub use seen::Seen;
