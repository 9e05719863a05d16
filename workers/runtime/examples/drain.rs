//! How fast a backlog drains: `cargo run --release --example drain -- 20000`.
//!
//! Each message costs one inbox row, one row of the worker's own and one message that follows. Needs the
//! same variables as the tests.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring tool for developers"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Toy, World, render};
use std::time::Instant;

#[tokio::main]
async fn main() {
    let messages: u32 = std::env::args()
        .nth(1)
        .map_or(10_000, |n| n.parse().unwrap());
    let world = World::new().await;
    let since = Instant::now();
    for chunk in (0..messages).map(render).collect::<Vec<_>>().chunks(1_000) {
        world.publish(chunk).await;
    }
    println!(
        "published {:.0}/s",
        f64::from(messages) / since.elapsed().as_secs_f64()
    );
    let since = Instant::now();
    let running = world.run(world.workers().decide(Toy::plain()));
    while world.count("SELECT COUNT(*) FROM inbox").await < i64::from(messages) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    println!(
        "decided {:.0}/s",
        f64::from(messages) / since.elapsed().as_secs_f64()
    );
    while world.count("SELECT COUNT(*) FROM outbox").await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    println!(
        "sent and deleted {:.0}/s",
        f64::from(messages) / since.elapsed().as_secs_f64()
    );
    running.stop().await;
    world.end().await;
}
