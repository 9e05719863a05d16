//! What happens at one point of a protocol: a lost answer, a confirm that never comes.

use super::{
    kind,
    tools::{between_ms, house_ready, one_of},
};
use crate::{
    fault::{Fault, Kind},
    stage::{Link, Stage},
};
use async_trait::async_trait;
use boxoffice_fault_proxy::{Act, Point, Rule, RuleId};
use rand::{Rng as _, rngs::StdRng};
use std::time::Duration;

const BROKER: &[Link] = &[Link::ApiBroker, Link::WorkersBroker];
/// Calls whose answer is worth money.
const CALLS: &[&str] = &["/confirm", "/capture", "/cancel", "POST /v1/refunds"];

pub(super) const KINDS: &[Kind] = &[
    kind("mysql.lost_commit", 5, |dice| {
        at(
            dice,
            "mysql.lost_commit",
            &[Link::WorkersMysql],
            Point::MysqlCommit,
            Act::LoseAnswer,
        )
    }),
    kind("mysql.commit_reset", 3, |dice| {
        at(
            dice,
            "mysql.commit_reset",
            &[Link::WorkersMysql],
            Point::MysqlCommit,
            Act::Reset,
        )
    }),
    kind("mysql.slow_begin", 4, |dice| {
        let hold = Act::Hold(between_ms(dice, 500..6_000));
        at(
            dice,
            "mysql.slow_begin",
            &[Link::WorkersMysql],
            Point::MysqlBegin,
            hold,
        )
    }),
    kind("broker.lost_confirm", 4, |dice| {
        at(
            dice,
            "broker.lost_confirm",
            BROKER,
            Point::AmqpConfirm,
            Act::Drop,
        )
    }),
    kind("broker.lost_answer", 3, |dice| {
        at(
            dice,
            "broker.lost_answer",
            BROKER,
            Point::AmqpPublish,
            Act::LoseAnswer,
        )
    }),
    kind("broker.lost_publish", 3, |dice| {
        at(
            dice,
            "broker.lost_publish",
            BROKER,
            Point::AmqpPublish,
            // No network loses a part of a stream and keeps the rest: confirms would be those of other messages.
            Act::Reset,
        )
    }),
    kind("broker.lost_ack", 3, |dice| {
        at(
            dice,
            "broker.lost_ack",
            &[Link::WorkersBroker],
            Point::AmqpClientAck,
            Act::Reset,
        )
    }),
    kind("broker.lost_delivery", 3, |dice| {
        at(
            dice,
            "broker.lost_delivery",
            &[Link::WorkersBroker],
            Point::AmqpDeliver,
            Act::Reset,
        )
    }),
    kind("gateway.lost_answer", 4, |dice| {
        // Most calls are one of the first two.
        let call = if dice.random_bool(0.8) {
            one_of(dice, &CALLS[..2])
        } else {
            one_of(dice, CALLS)
        };
        let point = Point::Http(call.to_owned());
        at(
            dice,
            "gateway.lost_answer",
            &[Link::WorkersGateway],
            point,
            Act::LoseAnswer,
        )
    }),
    kind("gateway.lost_webhook_answer", 2, |dice| {
        let point = Point::Http("webhooks".to_owned());
        at(
            dice,
            "gateway.lost_webhook_answer",
            &[Link::GatewayApi],
            point,
            Act::LoseAnswer,
        )
    }),
];

fn at(
    dice: &mut StdRng,
    kind: &'static str,
    links: &[Link],
    point: Point,
    act: Act,
) -> Box<dyn Fault> {
    Box::new(Triggered {
        kind,
        link: one_of(dice, links),
        rule: Rule {
            at: point,
            act,
            times: dice.random_range(1..5),
        },
        lasts: between_ms(dice, 2_000..6_000),
        armed: None,
        hits: 0,
    })
}

struct Triggered {
    kind: &'static str,
    link: Link,
    rule: Rule,
    lasts: Duration,
    armed: Option<RuleId>,
    hits: u32,
}

#[async_trait]
impl Fault for Triggered {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        format!("{}: {:?}", self.link.as_str(), self.rule.at)
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.armed = Some(stage.links[&self.link].arm(self.rule.clone()));
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        if let Some(id) = self.armed.take() {
            self.hits += stage.links[&self.link].disarm(id);
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.hits > 0).then(|| format!("{} times", self.hits))
    }
}
