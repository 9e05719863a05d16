//! From nothing but running servers to the first booking: how long a start takes.

use crate::{
    book::Step, crew::Crew, crowd::STUCK, http::Http, outcome::Outcome, place::Place, sale::Sale,
    spread::Spread,
};
use hyper::StatusCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Everything that a booking needs, in one process.
const WORKERS: &[&str] = &[
    "worker",
    "run",
    "reservations",
    "payments",
    "hold-expiry",
    "tickets",
    "mail",
    "timeline",
];
const LOOK_EVERY: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Starts.
    #[arg(long, default_value_t = 7)]
    pub(crate) times: usize,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let sale = Sale::open(&place, arguments.times).await?;
    let book = sale.book();
    let (mut answers, mut confirmed) = (Spread::default(), Spread::default());
    for no in 1..=arguments.times {
        let mut crew = Crew::of(place.clone());
        let begun = Instant::now();
        crew.start("api", &["api"])?;
        crew.start("workers", WORKERS)?;
        answered(&place, begun).await?;
        answers.add(begun.elapsed());
        sale.crowd.storm(1, 1).await?;
        book.until(Step::Confirmed, no, STUCK).await?;
        let first = book.arrivals(Step::Confirmed).last().copied();
        confirmed.add(first.unwrap_or_else(Instant::now) - begun);
        book.until(Step::Completed, no, STUCK).await?;
        crew.stop().await?;
    }
    let mut outcome = Outcome::default();
    outcome.put("api_answers_ms", answers.quantile_ms(0.5));
    outcome.put("api_answers_max_ms", answers.max_ms());
    outcome.put("first_confirmed_ms", confirmed.quantile_ms(0.5));
    outcome.put("first_confirmed_max_ms", confirmed.max_ms());
    sale.end().await?;
    outcome.put_all("in_one", in_one(&place).await?);
    Ok(outcome)
}

/// The house at its smallest: every role in one process, with nothing to do yet.
async fn in_one(place: &Place) -> anyhow::Result<Outcome> {
    let mut crew = Crew::of(place.clone());
    let begun = Instant::now();
    crew.start("all", &["all"])?;
    answered(place, begun).await?;
    let mut idle = Outcome::default();
    idle.put_memory(&crew.place())?;
    crew.stop().await?;
    Ok(idle)
}

/// Returns when somebody reads the list of shows.
async fn answered(place: &Place, begun: Instant) -> anyhow::Result<()> {
    let url = format!("{}/v1/shows", place.api);
    let http = Http::new(1);
    loop {
        let answer = http.get(&url, None).await;
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => return Ok(()),
            answer => {
                anyhow::ensure!(
                    begun.elapsed() < STUCK,
                    "the API never answered: {answer:?}"
                );
            }
        }
        sleep(LOOK_EVERY).await;
    }
}
