//! What happens to links as a whole.

use super::{
    kind,
    tools::{between_ms, house_ready, one_of},
};
use crate::{
    fault::{Fault, Kind},
    stage::{Link, Stage},
};
use async_trait::async_trait;
use boxoffice_fault_proxy::{Flow, Mode, Seen};
use rand::{Rng as _, rngs::StdRng, seq::SliceRandom as _};
use std::time::Duration;
use tokio::time::sleep;

pub(super) const KINDS: &[Kind] = &[
    kind("net.blackhole", 5, |dice| {
        let lasts = between_ms(dice, 1_000..12_000);
        link(dice, "net.blackhole", Mode::Blackhole(Flow::Both), lasts)
    }),
    kind("net.blackhole_one_way", 5, |dice| {
        let flow = one_of(dice, &[Flow::Up, Flow::Down]);
        let lasts = between_ms(dice, 1_000..12_000);
        link(dice, "net.blackhole_one_way", Mode::Blackhole(flow), lasts)
    }),
    kind("net.reset", 5, |dice| {
        let lasts = between_ms(dice, 0..4_000);
        link(dice, "net.reset", Mode::Reset, lasts)
    }),
    kind("net.half_close", 4, |dice| {
        let flow = one_of(dice, &[Flow::Up, Flow::Down]);
        let lasts = between_ms(dice, 500..4_000);
        link(dice, "net.half_close", Mode::HalfClose(flow), lasts)
    }),
    kind("net.delay", 5, |dice| {
        let mode = Mode::Delay {
            flow: Flow::Both,
            delay: between_ms(dice, 20..400),
            jitter: between_ms(dice, 1..20),
        };
        let lasts = between_ms(dice, 3_000..10_000);
        link(dice, "net.delay", mode, lasts)
    }),
    kind("net.throttle", 4, |dice| {
        let mode = Mode::Throttle {
            flow: one_of(dice, &[Flow::Up, Flow::Down, Flow::Both]),
            bytes_per_sec: dice.random_range(1_000..20_000),
        };
        let lasts = between_ms(dice, 3_000..8_000);
        link(dice, "net.throttle", mode, lasts)
    }),
    kind("net.cut_after", 4, |dice| {
        let mode = Mode::CutAfter {
            flow: one_of(dice, &[Flow::Up, Flow::Down]),
            bytes: dice.random_range(1..4_000),
        };
        let lasts = between_ms(dice, 1_000..5_000);
        link(dice, "net.cut_after", mode, lasts)
    }),
    kind("net.swizzle", 2, |dice| Box::new(Swizzle::made(dice))),
];

fn link(dice: &mut StdRng, kind: &'static str, mode: Mode, lasts: Duration) -> Box<dyn Fault> {
    Box::new(Bad {
        kind,
        link: one_of(dice, &Link::ALL),
        mode,
        lasts,
        before: Seen::default(),
        seen: None,
    })
}

/// One link behaves badly.
struct Bad {
    kind: &'static str,
    link: Link,
    mode: Mode,
    lasts: Duration,
    before: Seen,
    seen: Option<String>,
}

#[async_trait]
impl Fault for Bad {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        format!("{}: {:?}", self.link.as_str(), self.mode)
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.before = stage.links[&self.link].seen();
        stage.links[&self.link].set(self.mode);
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let proxy = &stage.links[&self.link];
        self.seen = difference(&self.before, &proxy.seen());
        proxy.set(Mode::Pass);
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.clone()
    }
}

/// What the link's proxy did meanwhile.
fn difference(before: &Seen, after: &Seen) -> Option<String> {
    let cut = after.cut.saturating_sub(before.cut);
    let held = after.bytes_held.saturating_sub(before.bytes_held);
    match (cut, held) {
        (0, 0) => None,
        (0, held) => Some(format!("{held} bytes were late")),
        (cut, 0) => Some(format!("{cut} connections cut")),
        (cut, held) => Some(format!("{cut} connections cut, {held} bytes were late")),
    }
}

/// Links are stopped one by one and freed in another order.
struct Swizzle {
    stop: Vec<Link>,
    free: Vec<Link>,
    step: Duration,
    before: Vec<Seen>,
    held: Vec<Link>,
}

impl Swizzle {
    fn made(dice: &mut StdRng) -> Self {
        let mut stop = Link::ALL.to_vec();
        stop.shuffle(dice);
        stop.truncate(dice.random_range(3..=Link::ALL.len()));
        let mut free = stop.clone();
        free.shuffle(dice);
        Self {
            stop,
            free,
            step: between_ms(dice, 200..1_500),
            before: Vec::new(),
            held: Vec::new(),
        }
    }
}

#[async_trait]
impl Fault for Swizzle {
    fn kind(&self) -> &'static str {
        "net.swizzle"
    }

    fn target(&self) -> String {
        let names: Vec<&str> = self.stop.iter().map(|link| link.as_str()).collect();
        names.join(", ")
    }

    fn lasts(&self) -> Duration {
        self.step
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        for link in &self.stop {
            let proxy = &stage.links[link];
            self.before.push(proxy.seen());
            proxy.set(Mode::Blackhole(Flow::Both));
            // The order in time is the fault.
            sleep(self.step).await;
        }
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        for (link, before) in self.stop.iter().zip(&self.before) {
            if difference(before, &stage.links[link].seen()).is_some() {
                self.held.push(*link);
            }
        }
        for link in &self.free {
            stage.links[link].set(Mode::Pass);
            sleep(self.step).await;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (!self.held.is_empty()).then(|| format!("{} links held something back", self.held.len()))
    }
}
