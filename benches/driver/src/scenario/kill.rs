//! A worker is killed while four fifths of what the house carries come in, and started again at once, as whatever
//! supervises it would: how long until nobody waits longer than before.

use crate::{
    book::{Book, Step},
    catalogue::WIDE,
    crew::Crew,
    crowd::Crowd,
    database::Database,
    news::News,
    orders::Orders,
    outcome::Outcome,
    place::Place,
};
use anyhow::{Context as _, ensure};
use std::{sync::Arc, time::Duration};
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
    let database = Database::connect(&place.mysql).await?;
    let orders = Orders::of(&WIDE, database.shows(WIDE.slug).await?);
    let book = Arc::new(Book::default());
    let news = News::listen(&place.amqp, &Step::ALL, Arc::clone(&book)).await?;
    let crowd = Crowd::new(place.clone(), orders, Arc::clone(&book));
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
    let rate = arguments.bookings as f64 / begun.elapsed().as_secs_f64() * arguments.share;

    let mut outcome = Outcome::default();
    outcome.put("bookings_per_s", rate);
    let mut worst = Duration::ZERO;
    for (victim, step) in VICTIMS {
        let lasts = Duration::from_secs(arguments.secs);
        let (bought, normal) = tokio::join!(
            crowd.at_rate(rate, lasts, Step::Completed),
            kill(&mut crew, &crowd, victim, step)
        );
        bought?;
        let took = normal?;
        outcome.put(&format!("{victim}.normal_again_s"), took.as_secs_f64());
        worst = worst.max(took);
    }
    outcome.put("normal_again_s", worst.as_secs_f64());
    let rejected = book.count(Step::Rejected);
    ensure!(rejected == 0, "{rejected} bookings were rejected");
    crew.stop().await?;
    news.end().await?;
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
    let (begun, mut usual) = (Instant::now(), 0);
    while begun.elapsed() < BEFORE {
        // The first second belongs to the beginning of the load.
        if begun.elapsed() > AGAIN {
            usual = usual.max(waiting());
        }
        sleep(LOOK_EVERY).await;
    }
    ensure!(
        usual > 0,
        "nobody waits for {}: is there a load?",
        step.name()
    );
    let killed = Instant::now();
    crew.kill(victim).await?;
    crew.start_worker(victim)?;
    let (mut most, mut since) = (0, None);
    loop {
        let (now, left) = (Instant::now(), waiting());
        most = most.max(left);
        since = if left > usual {
            None
        } else {
            since.or(Some(now))
        };
        if let Some(since) = since.filter(|since| now - *since >= AGAIN) {
            ensure!(most > usual, "nobody noticed that {victim} was killed");
            return Ok(since - killed);
        }
        let too_long = now - killed > crate::crowd::STUCK;
        (!too_long)
            .then_some(())
            .with_context(|| format!("{left} bookings wait for {}, {usual} before", step.name()))?;
        sleep(LOOK_EVERY).await;
    }
}
