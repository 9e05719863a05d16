//! Which faults strike when: a pure function of the seed and the catalogue.

use crate::fault::Kind;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::{ops::Range, time::Duration};

/// Three faults may be under way at once, one of each lane; never two of one party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Servers die, hang and misbehave.
    Servers,
    /// Our own processes die, stand still, have a wrong clock and are replaced.
    Processes,
    /// Links, the gateway, mails, messages.
    Between,
}

/// A fault that is planned.
#[derive(Debug, Clone)]
pub struct Planned {
    pub lane: Lane,
    /// Since the run began; not before. One whose predecessor is still being healed comes later.
    pub at: Duration,
    pub kind: &'static Kind,
    /// Of the fault's own dice.
    pub dice: u64,
    pub target: String,
    pub lasts: Duration,
}

impl Lane {
    pub const ALL: [Self; 3] = [Self::Servers, Self::Processes, Self::Between];

    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        match kind.name.split('.').next().unwrap_or_default() {
            "gateway" | "smtp" | "net" | "messages" | "message" | "link" => Self::Between,
            "process" | "clock" | "deploy" => Self::Processes,
            _ => Self::Servers,
        }
    }

    /// What a heal is expected to take.
    const fn heal(self) -> Duration {
        match self {
            Self::Servers => Duration::from_millis(2_000),
            Self::Processes | Self::Between => Duration::from_millis(300),
        }
    }

    /// Between a heal and the next strike, in milliseconds. Processes start in a moment: without a rest they would
    /// do nothing else.
    const fn pause_ms(self) -> Range<u64> {
        match self {
            Self::Servers | Self::Between => 300..1_700,
            Self::Processes => 2_000..6_000,
        }
    }
}

/// Draws the faults of a run between two moments. Every kind comes once before any comes twice.
#[must_use]
pub fn draw(seed: u64, kinds: &[&'static Kind], from: Duration, until: Duration) -> Vec<Planned> {
    let mut all = Vec::new();
    for lane in Lane::ALL {
        let kinds: Vec<&'static Kind> = kinds
            .iter()
            .copied()
            .filter(|kind| Lane::of(kind) == lane)
            .collect();
        let mut dice = StdRng::seed_from_u64(seed ^ (lane as u64 + 1).rotate_left(32));
        let mut deck: Vec<&'static Kind> = Vec::new();
        let mut first = true;
        let mut at = from + Duration::from_millis(dice.random_range(0..3_000));
        while at < until && !kinds.is_empty() {
            if deck.is_empty() {
                let copies = |kind: &&'static Kind| if first { 1 } else { kind.weight as usize };
                deck = kinds
                    .iter()
                    .flat_map(|kind| std::iter::repeat_n(*kind, copies(kind)))
                    .collect();
                deck.shuffle(&mut dice);
                // All weights zero: then once was enough.
                if deck.is_empty() {
                    break;
                }
                first = false;
            }
            let Some(kind) = deck.pop() else { break };
            let own: u64 = dice.random();
            let fault = (kind.make)(&mut StdRng::seed_from_u64(own));
            let lasts = fault.lasts();
            let planned = Planned {
                lane,
                at,
                kind,
                dice: own,
                target: fault.target(),
                lasts,
            };
            at += lasts + lane.heal() + Duration::from_millis(dice.random_range(lane.pause_ms()));
            // What can't end in time doesn't begin.
            if planned.at + lasts < until {
                all.push(planned);
            }
        }
    }
    all.sort_by_key(|planned| (planned.at, planned.lane));
    all
}

/// Kinds of the catalogue that a run may use: by prefixes of their names, `only` first, then `except`.
///
/// # Errors
/// A prefix that no kind has.
pub fn choose(
    catalogue: &'static [Kind],
    only: &[String],
    except: &[String],
    journal: bool,
) -> anyhow::Result<Vec<&'static Kind>> {
    for prefix in only.iter().chain(except) {
        let known = catalogue
            .iter()
            .any(|kind| kind.name.starts_with(prefix.as_str()));
        anyhow::ensure!(
            known,
            "no kind begins with {prefix:?}; --list shows all of them"
        );
    }
    let named = |prefixes: &[String], kind: &Kind| {
        prefixes
            .iter()
            .any(|prefix| kind.name.starts_with(prefix.as_str()))
    };
    let mut chosen: Vec<&'static Kind> = catalogue
        .iter()
        .filter(|kind| only.is_empty() || named(only, kind))
        .filter(|kind| !named(except, kind))
        .collect();
    chosen.retain(|kind| journal || !kind.journal);
    anyhow::ensure!(
        !chosen.is_empty(),
        "no kind is left; those that wipe the intake need --journal"
    );
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Fault, stage::Stage};

    struct Nothing(Duration);

    #[async_trait::async_trait]
    impl Fault for Nothing {
        fn kind(&self) -> &'static str {
            "process.nothing"
        }
        fn target(&self) -> String {
            "nobody".to_owned()
        }
        fn lasts(&self) -> Duration {
            self.0
        }
        async fn strike(&mut self, _stage: &Stage) -> anyhow::Result<()> {
            Ok(())
        }
        async fn heal(&mut self, _stage: &Stage) -> anyhow::Result<()> {
            Ok(())
        }
        async fn effect(&mut self, _stage: &Stage) -> Option<String> {
            None
        }
    }

    const fn kind(name: &'static str, weight: u32, journal: bool) -> Kind {
        Kind {
            name,
            weight,
            journal,
            make: |dice| {
                Box::new(Nothing(Duration::from_millis(
                    dice.random_range(500..4_000),
                )))
            },
        }
    }

    static KINDS: [Kind; 4] = [
        kind("broker.wipe", 1, true),
        kind("gateway.hang", 2, false),
        kind("process.kill", 3, false),
        kind("process.stop", 1, false),
    ];

    fn of_seed(seed: u64) -> Vec<Planned> {
        let kinds = choose(&KINDS, &[], &[], false).unwrap();
        draw(
            seed,
            &kinds,
            Duration::from_secs(30),
            Duration::from_secs(600),
        )
    }

    fn words(plan: &[Planned]) -> Vec<String> {
        plan.iter()
            .map(|p| format!("{:?} {} {} {:?}", p.at, p.kind.name, p.dice, p.lasts))
            .collect()
    }

    #[test]
    fn the_same_seed_is_the_same_plan_and_another_is_not() {
        assert_eq!(words(&of_seed(7)), words(&of_seed(7)));
        assert_ne!(words(&of_seed(7)), words(&of_seed(8)));
    }

    #[test]
    fn ten_minutes_hold_enough_faults_and_none_of_a_lane_at_once() {
        let plan = of_seed(1);
        assert!(plan.len() > 200, "{}", plan.len());
        for lane in Lane::ALL {
            let of: Vec<&Planned> = plan.iter().filter(|p| p.lane == lane).collect();
            for pair in of.windows(2) {
                assert!(pair[0].at + pair[0].lasts < pair[1].at);
            }
        }
        assert!(plan.iter().all(|p| p.at >= Duration::from_secs(30)));
        assert!(
            plan.iter()
                .all(|p| p.at + p.lasts < Duration::from_secs(600))
        );
    }

    #[test]
    fn what_wipes_the_intake_needs_the_journal() {
        assert!(of_seed(3).iter().all(|p| !p.kind.journal));
        let only = ["broker.".to_owned()];
        assert!(choose(&KINDS, &only, &[], false).is_err());
        assert_eq!(choose(&KINDS, &only, &[], true).unwrap().len(), 1);
        assert!(choose(&KINDS, &["moon".to_owned()], &[], true).is_err());
    }
}
