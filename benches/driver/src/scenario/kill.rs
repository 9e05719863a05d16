//! A worker is killed while four fifths of what the house carries come in, and started again at once, as whatever
//! supervises it would: how long until nobody waits longer than before.

use crate::{
    book::Step,
    crew::Crew,
    crowd::{Crowd, STUCK},
    database::Database,
    outcome::Outcome,
    place::Place,
    sale::Sale,
};
use anyhow::{Context as _, ensure};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Who runs, each in a process.
const ROLES: [&str; 6] = [
    "reservations",
    "payments",
    "hold-expiry",
    "tickets",
    "mail",
    "timeline",
];
/// Who is killed, and the step that nobody comes to without them.
const VICTIMS: [(&str, Step); 3] = [
    ("reservations", Step::Held),
    ("payments", Step::Confirmed),
    ("tickets", Step::Completed),
];
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Looked at before the kill, to know what is normal.
const BEFORE: Duration = Duration::from_secs(10);
/// As long as it stays normal again, it is.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Bookings that tell how many the house carries.
    #[arg(long, default_value_t = 3_000)]
    pub(crate) bookings: usize,
    #[arg(long, default_value_t = 0.8)]
    pub(crate) share: f64,
    #[arg(long, default_value_t = 40)]
    pub(crate) secs: u64,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    const UNDER_WAY: usize = 400;
    let sale = Sale::open(&place, arguments.bookings * 5 / 4).await?;
    let database = Database::connect(&place.mysql).await?;
    let crowd = &sale.crowd;
    let mut crew = Crew::of(place);
    for role in ROLES {
        crew.start_worker(role)?;
    }
    let warm_up = arguments.bookings / 4;
    crowd.in_turn(warm_up, UNDER_WAY, Step::Completed).await?;
    let begun = Instant::now();
    crowd
        .in_turn(arguments.bookings, UNDER_WAY, Step::Completed)
        .await?;
    // As in `full`: what the house carries is what it also sends the mails of.
    let all = warm_up + arguments.bookings;
    database.until_mailed(all, STUCK).await?;
    let rate = arguments.bookings as f64 / begun.elapsed().as_secs_f64() * arguments.share;

    let mut outcome = Outcome::default();
    outcome.put("bookings_per_s", rate);
    let mut worst = Duration::ZERO;
    for (victim, step) in VICTIMS {
        let lasts = Duration::from_secs(arguments.secs);
        let (bought, normal) = tokio::join!(
            crowd.at_rate(rate, lasts, Step::Completed),
            kill(&mut crew, crowd, victim, step)
        );
        bought?;
        let took = normal?;
        outcome.put(&format!("{victim}.normal_again_s"), took.as_secs_f64());
        worst = worst.max(took);
    }
    outcome.put("normal_again_s", worst.as_secs_f64());
    crew.stop().await?;
    sale.end().await?;
    Ok(outcome)
}

/// Kills and starts it again; returns how long it took until no more bookings waited for the step than before.
async fn kill(
    crew: &mut Crew,
    crowd: &Crowd,
    victim: &str,
    step: Step,
) -> anyhow::Result<Duration> {
    let waiting = || crowd.submitted().saturating_sub(crowd.book.count(step));
    let (begun, mut before) = (Instant::now(), Vec::new());
    while begun.elapsed() < BEFORE {
        // The first second belongs to the beginning of the load.
        if begun.elapsed() > AGAIN {
            before.push(waiting());
        }
        sleep(LOOK_EVERY).await;
    }
    let usual = usual(before);
    ensure!(
        usual > 0,
        "nobody waits for {}: is there a load?",
        step.name()
    );
    let killed = Instant::now();
    crew.kill(victim).await?;
    crew.start_worker(victim)?;
    let mut since = None;
    loop {
        let (now, left) = (Instant::now(), waiting());
        since = if left > usual {
            None
        } else {
            since.or(Some(now))
        };
        if let Some(since) = since.filter(|since| now - *since >= AGAIN) {
            return Ok(since - killed);
        }
        let too_long = now - killed > STUCK;
        (!too_long)
            .then_some(())
            .with_context(|| format!("{left} bookings wait for {}, {usual} before", step.name()))?;
        sleep(LOOK_EVERY).await;
    }
}

/// As long as the line is nineteen times of twenty: what happens once in ten seconds is not to hide a kill.
fn usual(mut seen: Vec<usize>) -> usize {
    seen.sort_unstable();
    let at = seen.len() * 19 / 20;
    seen.get(at).or(seen.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_line_is_not_the_longest_one() {
        assert_eq!(usual((1..=100).rev().collect()), 96);
        assert_eq!(usual(vec![7]), 7);
        assert_eq!(usual(Vec::new()), 0);
    }
}
