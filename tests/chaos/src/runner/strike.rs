//! One fault: struck, held, healed, and how long the house needed afterwards.

use super::plan::Planned;
use crate::{meter::Counts, stage::Stage, workload::Crowd};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A heal that fails is tried again: the other lane may have struck what it waits for.
const HEALS: u32 = 3;
const HEAL_AGAIN: Duration = Duration::from_secs(5);
/// Longer than this is "never".
const RECOVERY_MAX: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A line of the timeline. Times are seconds since the run began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Struck {
    pub kind: String,
    pub target: String,
    pub planned_at_s: f64,
    pub struck_at_s: f64,
    /// When it was taken back.
    pub heal_at_s: f64,
    /// When what it concerned was well again.
    pub healed_at_s: f64,
    /// None: ineffective.
    pub effect: Option<String>,
    /// Of the harness: it could not be struck, or not be healed.
    pub trouble: Option<String>,
    /// What clients met from strike to heal.
    pub met: std::collections::BTreeMap<String, u64>,
    /// Without the time in which other faults were under way.
    pub recovered_after_s: Option<f64>,
    /// With it: by the clock.
    pub well_again_after_s: Option<f64>,
}

/// When faults were under way, of all lanes.
#[derive(Debug, Default)]
pub struct UnderWay(Mutex<Vec<(Duration, Option<Duration>)>>);

impl UnderWay {
    fn begin(&self, at: Duration) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((at, None));
        all.len() - 1
    }

    fn end(&self, which: usize, at: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[which].1 = Some(at);
    }

    /// How much of this time a fault was under way, whichever.
    #[must_use]
    pub fn within(&self, from: Duration, until: Duration) -> Duration {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spans: Vec<(Duration, Duration)> = all
            .iter()
            .map(|(begin, end)| ((*begin).max(from), end.unwrap_or(until).min(until)))
            .filter(|(begin, end)| begin < end)
            .collect();
        spans.sort();
        let mut sum = Duration::ZERO;
        let mut seen = from;
        for (begin, end) in spans {
            let begin = begin.max(seen);
            if begin < end {
                sum += end - begin;
                seen = end;
            }
        }
        sum
    }
}

/// Strikes a planned fault and heals it.
pub(super) async fn strike(
    stage: Arc<Stage>,
    crowd: Arc<Crowd>,
    under_way: Arc<UnderWay>,
    planned: Planned,
) -> Struck {
    let now = || crowd.diary.now();
    let mut fault = (planned.kind.make)(&mut StdRng::seed_from_u64(planned.dice));
    let before: Counts = stage.meter.counts();
    let struck_at = now();
    let which = under_way.begin(struck_at);
    let mut trouble = None;
    match fault.strike(&stage).await {
        Ok(()) => sleep(planned.lasts).await,
        Err(error) => trouble = Some(format!("not struck: {error:#}")),
    }
    let heal_at = now();
    for attempt in 1..=HEALS {
        match fault.heal(&stage).await {
            Ok(()) => break,
            Err(error) if attempt == HEALS => trouble = Some(format!("not healed: {error:#}")),
            Err(_) => sleep(HEAL_AGAIN).await,
        }
    }
    let healed_at = now();
    under_way.end(which, healed_at);
    let effect = fault.effect(&stage).await;
    Struck {
        kind: planned.kind.name.to_owned(),
        target: planned.target,
        planned_at_s: planned.at.as_secs_f64(),
        struck_at_s: struck_at.as_secs_f64(),
        heal_at_s: heal_at.as_secs_f64(),
        healed_at_s: healed_at.as_secs_f64(),
        effect: effect.filter(|_| trouble.is_none()),
        trouble,
        met: stage.meter.counts().since(&before).0,
        recovered_after_s: None,
        well_again_after_s: None,
    }
}

/// How long the house needed after a heal, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery {
    pub(super) undisturbed: f64,
    pub(super) by_the_clock: f64,
}

/// From the heal until a probe that came after it is completed and nobody waits any more who waited at the heal.
pub(super) async fn recovery(
    crowd: &Crowd,
    under_way: &UnderWay,
    healed_at: Duration,
) -> Option<Recovery> {
    let begun = Instant::now();
    loop {
        let completed = crowd.first_probe_since(healed_at);
        if let Some(completed) = completed
            && !crowd.waits_since_before(begun)
        {
            // Whoever looks late doesn't make it later: the wait was over when the probe was, or it is now.
            let until = if begun.elapsed() < LOOK_EVERY * 2 {
                completed
            } else {
                crowd.diary.now().max(completed)
            };
            let disturbed = under_way.within(healed_at, until);
            let took = until - healed_at;
            return Some(Recovery {
                undisturbed: took.saturating_sub(disturbed).as_secs_f64(),
                by_the_clock: took.as_secs_f64(),
            });
        }
        if begun.elapsed() > RECOVERY_MAX {
            return None;
        }
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_under_way_is_counted_once() {
        let ms = Duration::from_millis;
        let under_way = UnderWay::default();
        for (begin, end) in [(ms(0), ms(10)), (ms(5), ms(20)), (ms(50), ms(60))] {
            let which = under_way.begin(begin);
            under_way.end(which, end);
        }
        under_way.begin(ms(90));
        assert_eq!(under_way.within(ms(0), ms(100)), ms(40));
        assert_eq!(under_way.within(ms(8), ms(55)), ms(17));
        assert_eq!(under_way.within(ms(20), ms(50)), ms(0));
    }
}
