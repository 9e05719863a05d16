//! What the mail server does to us.

use super::{kind, tools::between_ms};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use async_trait::async_trait;
use boxoffice_mail_catcher::{Fault as Rule, FaultKind};
use rand::rngs::StdRng;
use std::time::Duration;

pub(super) const KINDS: &[Kind] = &[
    kind("smtp.451", 3, |dice| {
        of(dice, "smtp.451", FaultKind::Greylist451)
    }),
    // Such a mail is undeliverable, and its booking is none the worse.
    kind("smtp.550", 1, |dice| {
        of(dice, "smtp.550", FaultKind::Reject550)
    }),
    kind("smtp.hang", 2, |dice| {
        of(dice, "smtp.hang", FaultKind::HangBefore)
    }),
    kind("smtp.hang_after", 2, |dice| {
        of(dice, "smtp.hang_after", FaultKind::HangAfterData)
    }),
    kind("smtp.slow", 2, |dice| {
        of(dice, "smtp.slow", FaultKind::Slow)
    }),
];

fn of(dice: &mut StdRng, kind: &'static str, what: FaultKind) -> Box<dyn Fault> {
    let mut rule = Rule::new(what);
    if what == FaultKind::Slow {
        let delay = between_ms(dice, 500..2_500);
        rule.delay_ms = u64::try_from(delay.as_millis()).ok();
    }
    Box::new(Misbehaves {
        kind,
        rule,
        lasts: between_ms(dice, 2_000..6_000),
        hits: 0,
    })
}

struct Misbehaves {
    kind: &'static str,
    rule: Rule,
    lasts: Duration,
    hits: u32,
}

#[async_trait]
impl Fault for Misbehaves {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        "mail server".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let mut world = stage.world.lock().await;
        if self.rule.kind == FaultKind::HangAfterData {
            // Kept, and the sender never knew: the repetition has the same id.
            world.allow_mail_copies();
        }
        world.catcher.faults().put(self.rule.clone());
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let world = stage.world.lock().await;
        self.hits += world.catcher.faults().lift(self.rule.kind, None);
        Ok(())
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.hits > 0).then(|| format!("{} times", self.hits))
    }
}
