//! The door while nobody works, up to a line of a million; and what a booking costs when the line is short or long.

use crate::{
    book::{Book, Step},
    catalogue::WIDE,
    cost::Cost,
    crew::Crew,
    crowd::{Crowd, STUCK},
    database::Database,
    news::News,
    orders::Orders,
    outcome::Outcome,
    place::Place,
    queues::Queues,
};
use anyhow::{Context as _, ensure};
use std::sync::Arc;
use tokio::time::Instant;

/// Of a booking, in its order.
const STEPS: [Step; 4] = [Step::Held, Step::Confirmed, Step::Paid, Step::Completed];
const ROLES: [&str; 4] = ["reservations", "payments", "hold-expiry", "tickets"];

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Lengths of the line, shortest first.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1000,10000,100000,1000000"
    )]
    pub(crate) backlogs: Vec<usize>,
    /// Bookings that are completed of a line that is longer.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) measured: usize,
    /// Customers, each with one request at a time.
    #[arg(long, default_value_t = 256)]
    pub(crate) customers: usize,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let database = Database::connect(&place.mysql).await?;
    let orders = Orders::of(&WIDE, database.shows(WIDE.slug).await?);
    let longest = arguments.backlogs.iter().max().copied().unwrap_or_default();
    ensure!(
        orders.capacity() > longest + arguments.backlogs.len() * arguments.measured,
        "the catalogue holds {} bookings: too few",
        orders.capacity()
    );
    let queues = Queues::connect(&place.amqp).await?;
    let crowd = Crowd::new(place.clone(), orders, Arc::default());
    let mut outcome = Outcome::default();
    for backlog in &arguments.backlogs {
        let there = queues.submits().await?;
        let missing = backlog.saturating_sub(there);
        fill(
            &place,
            &crowd,
            missing,
            arguments.customers,
            *backlog,
            &mut outcome,
        )
        .await?;
        let measured = arguments.measured.min(*backlog);
        drain(&place, &queues, *backlog, measured, &mut outcome).await?;
    }
    // Nobody is to wait until a million is sold; who was left in the line was never promised more than to be told.
    queues.purge_submits().await?;
    // The shortest line once more: a machine that has become slower meanwhile is not to look like a line that is long.
    if let Some(shortest) = arguments.backlogs.iter().min().copied() {
        let mut again = Outcome::default();
        let customers = arguments.customers;
        fill(&place, &crowd, shortest, customers, shortest, &mut again).await?;
        let measured = arguments.measured.min(shortest);
        drain(&place, &queues, shortest, measured, &mut again).await?;
        outcome.put_all("again", again);
        let name = format!("backlog_{shortest}.cpu_ms");
        let both = outcome.mean(&[&name, &format!("again.{name}")]);
        outcome.put(
            "shortest.cpu_ms",
            both.context("a short line was not measured")?,
        );
    }
    queues.end().await?;
    Ok(outcome)
}

/// All steps of all bookings.
fn steps(book: &Book) -> usize {
    STEPS.into_iter().map(|step| book.count(step)).sum()
}

/// Lengthens the line, and tells how fast it was let grow.
async fn fill(
    place: &Place,
    crowd: &Arc<Crowd>,
    missing: usize,
    customers: usize,
    backlog: usize,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    if missing == 0 {
        return Ok(());
    }
    let name = format!("backlog_{backlog}");
    let (cost, begun) = (Cost::look(place)?, Instant::now());
    crowd.storm(missing, customers).await?;
    let took = begun.elapsed();
    let bill = cost.until(&Cost::look(place)?, missing);
    let rate = missing as f64 / took.as_secs_f64();
    outcome.put(&format!("{name}.accepted_per_s"), rate);
    outcome.put(&format!("{name}.accepted_cpu_ms"), bill.cpu_ms);
    Ok(())
}

/// Lets the workers come until so many are completed, and tells what each cost.
async fn drain(
    place: &Place,
    queues: &Queues,
    backlog: usize,
    measured: usize,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let name = format!("backlog_{backlog}");
    let book = Arc::new(Book::default());
    let news = News::listen(&place.amqp, &Step::ALL, Arc::clone(&book)).await?;
    let mut crew = Crew::of(place.clone());
    for role in ROLES {
        crew.start_worker(role)?;
    }
    let all = crew.place();
    // The first tenth warms up: connections, statements, plans.
    let first = measured / 10;
    book.until(Step::Completed, first, STUCK).await?;
    let (cost, begun) = (Cost::look(&all)?, Instant::now());
    let (before, steps_before) = (book.count(Step::Completed), steps(&book));
    book.until(Step::Completed, measured, STUCK).await?;
    let (after, took) = (book.count(Step::Completed), begun.elapsed());
    let completed = after - before;
    // Of a short line most are held before the first tenth is completed: what counts is the steps that were made.
    let made = (steps(&book) - steps_before) / STEPS.len();
    let bill = cost.until(&Cost::look(&all)?, made);
    outcome.put(&format!("{name}.cpu_ms"), bill.cpu_ms);
    outcome.put_all(&name, Outcome::of_bill(&bill));
    outcome.put(
        &format!("{name}.bookings_per_s"),
        completed as f64 / took.as_secs_f64(),
    );
    let mut deep = Outcome::default();
    deep.put_memory(&all)?;
    outcome.put_all(if backlog >= 1_000_000 { "deep" } else { &name }, deep);
    let rejected = book.count(Step::Rejected);
    ensure!(rejected == 0, "{rejected} bookings were rejected");
    crew.stop().await?;
    if backlog <= measured {
        // What the last ones left is done before the line is filled again.
        let left = queues.submits().await?;
        ensure!(left == 0, "{left} are left of {backlog}");
    }
    news.end().await
}
