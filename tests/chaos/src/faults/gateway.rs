//! What the payment gateway does to us, through the sandbox's list of faults.

use super::{
    kind,
    tools::{between_ms, one_of},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use async_trait::async_trait;
use rand::{Rng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::time::Duration;

/// Calls that move money.
const OPS: &[&str] = &["create", "confirm", "capture", "cancel", "refund"];
/// More often than it can happen while one fault lasts: what is left tells how often it did.
const TIMES_MAX: u32 = 1_000_000;

pub(super) const KINDS: &[Kind] = &[
    kind("gateway.hang", 2, |dice| {
        calls(dice, "gateway.hang", "hang", 1..4)
    }),
    kind("gateway.hang_after", 2, |dice| {
        calls(dice, "gateway.hang_after", "hang_after", 1..4)
    }),
    kind("gateway.reset_after", 3, |dice| {
        calls(dice, "gateway.reset_after", "reset_after", 1..8)
    }),
    kind("gateway.500_after", 3, |dice| {
        calls(dice, "gateway.500_after", "error_500_after", 1..8)
    }),
    kind("gateway.500_before", 2, |dice| {
        calls(dice, "gateway.500_before", "error_500_before", 1..8)
    }),
    kind("gateway.429", 3, |dice| {
        calls(dice, "gateway.429", "error_429", 1..12)
    }),
    kind("gateway.slow", 3, |dice| {
        let ms = dice.random_range(200..2_500);
        asks(
            dice,
            "gateway.slow",
            json!({"op": "any", "kind": "delay", "ms": ms}),
            TIMES_MAX,
        )
    }),
    kind("gateway.decline", 2, |dice| {
        let times = dice.random_range(1..6);
        let fault = json!({"op": "confirm", "kind": "decline"});
        asks(dice, "gateway.decline", fault, times)
    }),
    kind("gateway.webhooks_early", 2, |dice| {
        asks(
            dice,
            "gateway.webhooks_early",
            json!({"op": "webhook", "kind": "early"}),
            TIMES_MAX,
        )
    }),
    kind("gateway.webhooks_duplicated", 2, |dice| {
        let copies = dice.random_range(1..4);
        let fault = json!({"op": "webhook", "kind": "duplicate", "n": copies});
        asks(dice, "gateway.webhooks_duplicated", fault, TIMES_MAX)
    }),
    kind("gateway.webhooks_shuffled", 2, |dice| {
        let ms = dice.random_range(500..5_000);
        let fault = json!({"op": "webhook", "kind": "shuffle", "ms": ms});
        asks(dice, "gateway.webhooks_shuffled", fault, TIMES_MAX)
    }),
    kind("gateway.webhooks_lost", 2, |dice| {
        let fault = json!({"op": "webhook", "kind": "drop"});
        asks(dice, "gateway.webhooks_lost", fault, TIMES_MAX)
    }),
];

fn calls(
    dice: &mut StdRng,
    kind: &'static str,
    what: &str,
    times: std::ops::Range<u32>,
) -> Box<dyn Fault> {
    // Most calls are one of these two; a fault of the others waits longer for its victim.
    let op = if dice.random_bool(0.7) {
        one_of(dice, &["confirm", "capture"])
    } else {
        one_of(dice, OPS)
    };
    let times = dice.random_range(times);
    asks(dice, kind, json!({"op": op, "kind": what}), times)
}

fn asks(dice: &mut StdRng, kind: &'static str, mut fault: Value, times: u32) -> Box<dyn Fault> {
    fault["times"] = json!(times);
    Box::new(Misbehaves {
        kind,
        fault,
        lasts: between_ms(dice, 3_000..8_000),
        hits: 0,
    })
}

struct Misbehaves {
    kind: &'static str,
    fault: Value,
    lasts: Duration,
    hits: u64,
}

#[async_trait]
impl Fault for Misbehaves {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        self.fault["op"].as_str().unwrap_or_default().to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let mut world = stage.world.lock().await;
        if self.kind == "gateway.webhooks_lost" {
            world.allow_lost_webhooks();
        }
        world.gateway.fault(self.fault.clone()).await;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let world = stage.world.lock().await;
        self.hits += world.gateway.lift(&self.fault).await;
        Ok(())
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.hits > 0).then(|| format!("{} times", self.hits))
    }
}
