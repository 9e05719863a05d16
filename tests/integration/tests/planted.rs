//! Bugs that are planted one by one into the running product, the smallest trouble that lets each of them bite, and
//! the check that must say so. Every scene is played without the bug too, and then nothing may be wrong.
//!
//! `cargo xtask test -- -E 'binary(planted)'` plays them all and leaves `target/chaos/planted.json`.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

#[path = "planted/broker.rs"]
mod broker;
#[path = "planted/messages.rs"]
mod messages;
#[path = "planted/money.rs"]
mod money;
#[path = "planted/seats.rs"]
mod seats;
#[path = "planted/switch.rs"]
mod switch;

const VISA: &str = "pm_card_visa";
/// Of every tier, so that a message that fails for good is parked within a second.
const RETRIES: (&str, &str) = ("BOXOFFICE__AMQP__RETRY_DELAYS_MS", "50,100,150,200");
