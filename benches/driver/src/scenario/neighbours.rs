//! Everybody wants one show, and a few want others meanwhile: how long do those wait until their seats are held?

use super::hot;
use crate::{
    book::{Book, Step},
    catalogue::{HOT, STUDIO},
    crowd::{Crowd, STUCK},
    database::Database,
    news::News,
    orders::Orders,
    outcome::Outcome,
    place::Place,
    queues::Queues,
};
use anyhow::{Context as _, ensure};
use boxoffice_contracts::{ShowId, topology::lines};
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::time::{Instant, sleep};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    hot: hot::Arguments,
    /// Bookings a second for shows in the hot one's line, and as many for all others.
    #[arg(long, default_value_t = 20.0)]
    per_s: f64,
    /// How long they come, once without the rush and once with it.
    #[arg(long, default_value_t = 10)]
    secs: u64,
}

/// Customers of some shows.
struct Neighbours {
    name: &'static str,
    crowd: Arc<Crowd>,
    news: News,
}

const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let database = Database::connect(&place.mysql).await?;
    let shows = database.shows(HOT.slug).await?;
    let hot = *shows.first().context("the catalogue has no hot show")?;
    let line = lines::of(hot).name;
    let others = database.shows(STUDIO.slug).await?;
    let (same, rest): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|show| lines::of(*show).name == line);
    let neighbours = [
        Neighbours::of("same_line", same, &place).await?,
        Neighbours::of("other_lines", rest, &place).await?,
    ];
    let mut outcome = Outcome::default();
    let begun = Instant::now();
    come(&neighbours, arguments).await?;
    for one in &neighbours {
        let calm = one.waits(begun, Instant::now()).await?;
        outcome.put_spread(&format!("calm.{}", one.name), &calm);
    }

    let queues = Queues::connect(&place.amqp).await?;
    let begun = Instant::now();
    let rush = async {
        let (book, turned_away) = (Arc::<Book>::default(), Arc::<AtomicU64>::default());
        hot::everybody(&place, &arguments.hot, hot, &book, &turned_away).await?;
        while queues.submits().await? > 0 {
            ensure!(begun.elapsed() < STUCK, "the line stands");
            sleep(LOOK_EVERY).await;
        }
        Ok(Instant::now())
    };
    let (over, ()) = tokio::try_join!(rush, come(&neighbours, arguments))?;
    outcome.put("rush_s", (over - begun).as_secs_f64());
    for one in &neighbours {
        let waits = one.waits(begun, over).await?;
        outcome.put_spread(&format!("rush.{}", one.name), &waits);
    }
    for one in neighbours {
        one.news.end().await?;
    }
    queues.end().await?;
    Ok(outcome)
}

/// All of them, each at its time.
async fn come(neighbours: &[Neighbours; 2], arguments: &Arguments) -> anyhow::Result<()> {
    let lasts = Duration::from_secs(arguments.secs);
    let [one, other] = neighbours
        .each_ref()
        .map(|neighbours| neighbours.crowd.at_rate(arguments.per_s, lasts, Step::Held));
    tokio::try_join!(one, other)?;
    Ok(())
}

impl Neighbours {
    async fn of(name: &'static str, shows: Vec<ShowId>, place: &Place) -> anyhow::Result<Self> {
        ensure!(!shows.is_empty(), "{name}: no shows");
        let book = Arc::<Book>::default();
        let news = News::listen(&place.amqp, &[Step::Held], Arc::clone(&book)).await?;
        let crowd = Crowd::new(place.clone(), Orders::of(&STUDIO, shows), book);
        Ok(Self { name, crowd, news })
    }

    /// From when they were to be submitted until their seats were held, of those that were meant within this time.
    async fn waits(&self, from: Instant, until: Instant) -> anyhow::Result<crate::spread::Spread> {
        let asked = Instant::now();
        // The hot show's holds are counted, too: only their own say that all of them are there.
        let (book, all) = (&self.crowd.book, self.crowd.submitted());
        while book.spread(Step::Held, from - STUCK, asked).len() < all {
            ensure!(asked.elapsed() < STUCK, "{}: not all are held", self.name);
            sleep(LOOK_EVERY).await;
        }
        Ok(book.spread(Step::Held, from, until))
    }
}
