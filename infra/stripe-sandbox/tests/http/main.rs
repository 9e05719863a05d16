//! The sandbox over HTTP, one server per test.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod faults;
mod keys;
mod payments;
mod restart;
mod support;
mod webhooks;
