//! What clients read while others buy: the status of a booking, the map of a hall, and news over open streams.

use crate::{
    book::{Book, Step},
    catalogue::STUDIO,
    cost::Cost,
    crowd::{Accepted, Crowd, STUCK},
    database::Database,
    http::Http,
    news::News,
    orders::Orders,
    outcome::Outcome,
    place::Place,
    spread::Spread,
    watchers::Watchers,
};
use anyhow::ensure;
use hyper::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Bookings of two seats a second that are sold meanwhile: what is told of large sellers at their peaks.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) selling: f64,
    /// Bookings a second until there are enough to be watched.
    #[arg(long, default_value_t = 40.0)]
    pub(crate) opening: f64,
    /// Open streams.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) watchers: usize,
    /// Readers at once, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    pub(crate) readers: usize,
    /// How long each kind is read.
    #[arg(long, default_value_t = 15)]
    pub(crate) secs: u64,
}

/// A page that somebody may read: its path, and whose token it needs.
type Page = (String, Option<String>);

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Arguments {
        selling,
        opening,
        watchers: wanted,
        readers,
        secs,
    } = *arguments;
    let lasts = Duration::from_secs(secs);
    let database = Database::connect(&place.mysql).await?;
    let shows = database.shows(STUDIO.slug).await?;
    let maps: Vec<Page> = shows
        .iter()
        .map(|show| (format!("/v1/shows/{show}/seats"), None))
        .collect();
    let book = Arc::new(Book::default());
    let orders = Orders::of(&STUDIO, shows);
    let (crowd, accepted) = Crowd::telling(place.clone(), orders, Arc::clone(&book));
    let watchers = Watchers::open(&place, accepted, wanted);
    let news = hear(&place, &book, &watchers).await?;

    // Everybody opens a stream who buys, until enough are open.
    let until_open = Duration::from_secs_f64(wanted as f64 / opening + 1.0);
    crowd.at_rate(opening, until_open, Step::Completed).await?;
    let watched = watchers.watched();
    ensure!(
        watched.len() == wanted,
        "{} streams are open",
        watched.len()
    );
    let status = |accepted: Accepted| {
        let token = place.token(accepted.customer).map(str::to_owned);
        (accepted.links.status, token)
    };
    let statuses: Vec<Page> = watched.into_iter().map(status).collect();
    watchers.forget();
    let mut outcome = Outcome::default();
    // With nobody but the watchers, and the buyers.
    crowd.at_rate(selling, lasts, Step::Completed).await?;
    outcome.put_spread("watch", &seen(&watchers, selling, lasts)?);
    for (name, pages) in [("status", statuses), ("map", maps)] {
        watchers.forget();
        let cost = Cost::look(&place)?;
        let read = read_for(&place, Arc::new(pages), readers, lasts);
        let (read, bought) = tokio::join!(read, crowd.at_rate(selling, lasts, Step::Completed));
        let took = read?;
        bought?;
        let bill = cost.until(&Cost::look(&place)?, took.len());
        outcome.put(
            &format!("{name}.per_s"),
            took.len() as f64 / lasts.as_secs_f64(),
        );
        outcome.put_spread(name, &took);
        outcome.put_all(name, Outcome::of_bill(&bill));
        let seen = seen(&watchers, selling, lasts)?;
        outcome.put_spread(&format!("{name}.watch"), &seen);
    }
    book.until(Step::Completed, crowd.accepted().len(), STUCK)
        .await?;
    outcome.put_memory(&place)?;
    news.end().await?;
    Ok(outcome)
}

/// What happens is told to the book and to whoever compares streams with it.
async fn hear(place: &Place, book: &Arc<Book>, watchers: &Watchers) -> anyhow::Result<News> {
    let (book, mut listener) = (Arc::clone(book), watchers.listener());
    let tell = move |fact, step, at| {
        listener(&fact);
        book.told(&fact, step, at);
    };
    News::hear(&place.amqp, &Step::ALL, tell).await
}

/// How late the watchers were, of whom nearly everybody must have read everything.
fn seen(watchers: &Watchers, selling: f64, lasts: Duration) -> anyhow::Result<Spread> {
    let delays = watchers.delays()?;
    let sold = (selling * lasts.as_secs_f64()) as usize;
    ensure!(
        delays.len() >= sold,
        "of {sold} bookings {} steps were read",
        delays.len()
    );
    Ok(delays)
}

/// Reads one page after the other for so long; returns how long each answer took.
async fn read_for(
    place: &Place,
    pages: Arc<Vec<Page>>,
    readers: usize,
    lasts: Duration,
) -> anyhow::Result<Spread> {
    ensure!(!pages.is_empty(), "there is nothing to read");
    let http = Http::new(readers);
    let until = Instant::now() + lasts;
    let mut all = JoinSet::new();
    for reader in 0..readers {
        let (http, pages, api) = (http.clone(), Arc::clone(&pages), place.api.clone());
        all.spawn(async move {
            let mut took = Vec::new();
            for (path, token) in pages.iter().cycle().skip(reader * pages.len() / readers) {
                let asked_at = Instant::now();
                if asked_at >= until {
                    break;
                }
                let answer = http.get(&format!("{api}{path}"), token.as_deref()).await?;
                answer.require(StatusCode::OK)?;
                took.push(asked_at.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut whole = Vec::new();
    while let Some(ended) = all.join_next().await {
        whole.extend(ended??);
    }
    Ok(whole.into_iter().collect())
}
