//! The door alone: how many bookings a second are accepted, each confirmed by the broker, while nobody works on them.

use crate::{
    book::Book, catalogue::WIDE, cost::Cost, crowd::Crowd, database::Database, orders::Orders,
    outcome::Outcome, place::Place, queues::Queues,
};
use anyhow::ensure;
use std::sync::Arc;
use tokio::time::Instant;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 20_000)]
    pub(crate) bookings: usize,
    #[arg(long, default_value_t = 2_000)]
    pub(crate) warm_up: usize,
    /// Customers, each with one request at a time.
    #[arg(long, default_value_t = 128)]
    pub(crate) customers: usize,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Arguments {
        bookings,
        warm_up,
        customers,
    } = *arguments;
    let database = Database::connect(&place.mysql).await?;
    let shows = database.shows(WIDE.slug).await?;
    let orders = || Orders::of(&WIDE, shows.clone());
    let wanted = orders().capacity();
    ensure!(wanted >= bookings, "the catalogue holds {wanted} bookings");
    let warm = Crowd::new(place.clone(), orders(), Arc::new(Book::default()));
    warm.storm(warm_up, customers).await?;

    let crowd = Crowd::new(place.clone(), orders(), Arc::new(Book::default()));
    let cost = Cost::look(&place)?;
    let begun = Instant::now();
    crowd.storm(bookings, customers).await?;
    let took = begun.elapsed();
    let bill = cost.until(&Cost::look(&place)?, bookings);
    let queues = Queues::connect(&place.amqp).await?;
    let waiting = queues.submits().await?;
    queues.end().await?;
    ensure!(
        waiting == warm_up + bookings,
        "{} were accepted and {waiting} wait",
        warm_up + bookings
    );
    let mut outcome = Outcome::default();
    outcome.put("accepted_per_s", bookings as f64 / took.as_secs_f64());
    outcome.put_spread("latency.accepted", &crowd.accepted());
    outcome.put("turned_away", crowd.turned_away() as f64);
    outcome.put_bill(&bill);
    outcome.put_memory(&place)?;
    Ok(outcome)
}
