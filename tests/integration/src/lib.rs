//! The harness of the integration tests: a whole box office with servers of its own, and the judge beside it.
//!
//! A [`World`] owns a MySQL schema, a vhost, a MongoDB database, a gateway and a mail server, and starts the
//! product's own program as processes that a test may kill. [`World::finish`] waits until everything has come
//! to rest, compares what every party believes ([`boxoffice_invariants`]), stops the processes in order and takes all away
//! again. A world that is dropped without it fails its test.

#![allow(
    clippy::unwrap_used,
    reason = "a harness of tests: what fails here fails the test"
)]
#![allow(
    clippy::print_stderr,
    reason = "the test runner shows it when a test fails"
)]

pub mod books;
pub mod broker;
pub mod collector;
pub mod customer;
pub mod desk;
pub mod feeder;
pub mod fixture;
pub mod gateway;
pub mod link;
pub mod locks;
pub mod partner;
pub mod partner_side;
pub mod planted;
pub mod private_broker;
pub mod private_mongodb;
pub mod private_mysql;
pub mod private_server;
pub mod process;
pub mod reseller;
pub mod rush;
pub mod services;
pub mod setup;
pub mod tap;
pub mod wait;
pub mod witness;
pub mod world;

pub use boxoffice_fault_proxy::{Act, Flow, Mode, Point, Proxy, Rule, RuleId};
pub use customer::{Answer, Booking, Customer, Order, State};
pub use desk::Desk;
pub use fixture::Show;
pub use link::Link;
pub use partner_side::PartnerSide;
pub use reseller::Reseller;
pub use rush::Crowd;
pub use setup::{Parties, Roles, Setup};
pub use wait::{eventually, secs, wait_until};
pub use world::World;
