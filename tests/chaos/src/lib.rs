//! A box office under fire: real processes, real servers, and everything that can happen to them.
//!
//! A [`Stage`](stage::Stage) is the house with servers of its own, each link through a fault proxy. A
//! [`Fault`](fault::Fault) is one thing that happens to it and ends again; the [catalogue](fault::catalogue) has
//! one maker per kind.

#![allow(
    clippy::unwrap_used,
    reason = "a harness of tests: what fails here fails the run"
)]

pub mod diary;
pub mod expected;
pub mod fault;
pub mod faults;
pub mod house;
pub mod judge;
pub mod meter;
pub mod report;
pub mod runner;
pub mod scrape;
pub mod stage;
pub mod workload;
