//! A hundred seats, and everybody wants one of them.

use crate::{
    book::{Book, Step},
    catalogue::HOT,
    cost::Cost,
    crowd::{COME_AGAIN, STUCK, id_of},
    database::Database,
    http::Http,
    news::News,
    orders,
    outcome::Outcome,
    place::Place,
};
use anyhow::{Context as _, ensure};
use boxoffice_contracts::ShowId;
use hyper::StatusCode;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Customers, one seat each.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) customers: usize,
    /// Requests that are unanswered at once.
    #[arg(long, default_value_t = 256)]
    pub(crate) at_once: usize,
    /// Of the seats that they choose.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let book = Arc::new(Book::default());
    let news = News::listen(
        &place.amqp,
        &[Step::Held, Step::Rejected],
        Arc::clone(&book),
    )
    .await?;
    let database = Database::connect(&place.mysql).await?;
    let shows = database.shows(HOT.slug).await?;
    let show = *shows.first().context("the catalogue has no hot show")?;
    let cost = Cost::look(&place)?;
    let begun = Instant::now();
    let turned_away = Arc::<AtomicU64>::default();
    let arrived = everybody(&place, arguments, show, &book, &turned_away).await?;
    let accepted = begun.elapsed();
    let winners = winners(&book, arguments.customers).await?;
    let answered = begun.elapsed();
    let bill = cost.until(&Cost::look(&place)?, arguments.customers);

    let mut outcome = Outcome::default();
    outcome.put("accepted_s", accepted.as_secs_f64());
    outcome.put("answered_s", answered.as_secs_f64());
    let held = book.arrivals(Step::Held);
    let last = held.last().copied().unwrap_or(begun);
    outcome.put("last_winner_s", (last - begun).as_secs_f64());
    outcome.put("winners", winners as f64);
    outcome.put("turned_away", turned_away.load(Ordering::Relaxed) as f64);
    outcome.put("fairness", fairness(&arrived, &book));
    outcome.put_bill(&bill);
    let seats = HOT.seats();
    let sold = database
        .count(
            "SELECT COUNT(*) FROM claims c JOIN shows s ON s.id = c.show_id WHERE s.slug LIKE 'hot-%'",
        )
        .await?;
    ensure!(
        sold == seats as i64 && winners == seats,
        "{winners} winners and {sold} seats sold, of {seats}"
    );
    news.end().await?;
    Ok(outcome)
}

/// Submits all; returns their ids in the order in which the house accepted them.
pub(super) async fn everybody(
    place: &Place,
    arguments: &Arguments,
    show: ShowId,
    book: &Arc<Book>,
    turned_away: &Arc<AtomicU64>,
) -> anyhow::Result<Vec<Uuid>> {
    let mut dice = StdRng::seed_from_u64(arguments.seed);
    let http = Http::new(arguments.at_once);
    let doors = Arc::new(Semaphore::new(arguments.at_once));
    let url = format!("{}/v1/bookings", place.api);
    let mut all = JoinSet::new();
    for no in 0..arguments.customers {
        let seat = HOT.seat(dice.random_range(0..HOT.seats()));
        let body = orders::submit(show, &[json!({ "seat_id": seat })]);
        let token = place.token(no).map(str::to_owned);
        let (http, url, book) = (http.clone(), url.clone(), Arc::clone(book));
        let turned_away = Arc::clone(turned_away);
        let door = Arc::clone(&doors).acquire_owned().await?;
        all.spawn(async move {
            let asked_at = Instant::now();
            let key = Uuid::new_v4().to_string();
            // Who is turned away comes again, as every client would.
            let answer = loop {
                let answer = http
                    .post(&url, token.as_deref(), &key, body.clone())
                    .await?;
                if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                    break answer;
                }
                turned_away.fetch_add(1, Ordering::Relaxed);
                sleep(answer.retry_after_s.map_or(COME_AGAIN, Duration::from_secs)).await;
            };
            let id = id_of(&answer.require(StatusCode::ACCEPTED)?)?;
            book.submitted(id, asked_at);
            drop(door);
            anyhow::Ok((Instant::now(), id))
        });
    }
    let mut arrived = Vec::with_capacity(arguments.customers);
    while let Some(one) = all.join_next().await {
        arrived.push(one??);
    }
    arrived.sort_unstable();
    Ok(arrived.into_iter().map(|(_, id)| id).collect())
}

/// Waits until everybody knows; returns how many have a seat.
async fn winners(book: &Book, customers: usize) -> anyhow::Result<usize> {
    loop {
        let held = book.count(Step::Held);
        let rejected = book.count(Step::Rejected);
        if held + rejected >= customers {
            return Ok(held);
        }
        book.until(Step::Rejected, rejected + 1, STUCK).await?;
    }
}

/// Spearman's correlation between the order in which customers came and the order in which they were answered: 1 is
/// first come, first served; 0 is a lottery.
fn fairness(arrived: &[Uuid], book: &Book) -> f64 {
    let answered = book.order_of(&[Step::Held, Step::Rejected]);
    let n = arrived.len() as f64;
    let differences = arrived.iter().enumerate().filter_map(|(came, id)| {
        let answered = *answered.get(id)?;
        Some((came as f64 - answered as f64).powi(2))
    });
    1.0 - 6.0 * differences.sum::<f64>() / (n * (n * n - 1.0))
}
