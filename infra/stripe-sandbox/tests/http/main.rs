//! The sandbox over HTTP, one server per test.

mod faults;
mod keys;
mod payments;
mod restart;
mod support;
mod webhooks;
