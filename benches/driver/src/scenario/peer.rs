//! The same work at a peer: as many bookings as it carries, and the show that everybody wants.
//!
//! A peer has no events to listen to, so its tables are asked how far it is. That is one short statement every
//! [`LOOK_EVERY`], which its database is charged with.

use crate::{
    catalogue::{HOT, WIDE},
    cost::Cost,
    crowd::STUCK,
    database::Database,
    http::Http,
    outcome::Outcome,
    place::Place,
};
use anyhow::ensure;
use hyper::{StatusCode, body::Bytes};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

const CONNECTIONS: usize = 256;
const LOOK_EVERY: Duration = Duration::from_millis(100);
const CONFIRMED: &str = "SELECT COUNT(*) FROM bookings WHERE status = 'confirmed'";
const DECIDED: &str = "SELECT COUNT(*) FROM bookings";
const SOLD: &str = "SELECT COUNT(*) FROM claims WHERE show_id = 'hot'";

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 1_500)]
    pub(crate) bookings: usize,
    #[arg(long, default_value_t = 200)]
    pub(crate) warm_up: usize,
    /// Bookings that are under way at once: more would only wait.
    #[arg(long, default_value_t = 400)]
    pub(crate) under_way: usize,
    /// Instead: so many customers for one seat each of the hot show.
    #[arg(long)]
    pub(crate) hot: Option<usize>,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let peer = Peer {
        database: Database::connect(&place.mysql).await?,
        http: Http::new(CONNECTIONS),
        url: format!("{}/bookings", place.api),
        place,
    };
    match arguments.hot {
        Some(customers) => peer.hot(customers).await,
        None => peer.pipeline(arguments).await,
    }
}

struct Peer {
    place: Place,
    database: Database,
    http: Http,
    url: String,
}

impl Peer {
    async fn pipeline(&self, arguments: &Arguments) -> anyhow::Result<Outcome> {
        let Arguments {
            bookings,
            warm_up,
            under_way,
            ..
        } = *arguments;
        let mut idle = Outcome::default();
        idle.put_memory(&self.place)?;
        self.in_turn(0, warm_up, under_way).await?;
        let (cost, counters) = (Cost::look(&self.place)?, self.database.counters().await?);
        let begun = Instant::now();
        self.in_turn(warm_up, bookings, under_way).await?;
        let took = begun.elapsed();
        let bill = cost.until(&Cost::look(&self.place)?, bookings);
        let mut outcome = Outcome::default();
        outcome.put_all("idle", idle);
        outcome.put("bookings_per_s", bookings as f64 / took.as_secs_f64());
        outcome.put("seconds", took.as_secs_f64());
        outcome.put_bill(&bill);
        let counters = counters.until(&self.database.counters().await?, bookings);
        for (name, each) in counters {
            outcome.put(name, each);
        }
        outcome.put_memory(&self.place)?;
        Ok(outcome)
    }

    /// `count` bookings after the first `done`, of which never many more than `under_way` are unfinished.
    async fn in_turn(&self, done: usize, count: usize, under_way: usize) -> anyhow::Result<()> {
        let mut submitting = JoinSet::new();
        let (mut confirmed, mut since) = (done, Instant::now());
        for no in done..done + count {
            while no >= confirmed + under_way {
                sleep(LOOK_EVERY).await;
                let now = usize::try_from(self.database.count(CONFIRMED).await?)?;
                if now != confirmed {
                    (confirmed, since) = (now, Instant::now());
                }
                ensure!(
                    since.elapsed() < STUCK,
                    "{confirmed} are confirmed, and then nothing happened"
                );
            }
            let seats = WIDE.pair(no % WIDE.pairs());
            let show = WIDE.show(no / WIDE.pairs());
            submitting.spawn(self.submit(show, seats.to_vec()));
            while let Some(ended) = submitting.try_join_next() {
                ended??;
            }
        }
        while let Some(ended) = submitting.join_next().await {
            ended??;
        }
        let all = i64::try_from(done + count)?;
        self.database.until(CONFIRMED, all, STUCK).await
    }

    async fn hot(&self, customers: usize) -> anyhow::Result<Outcome> {
        let mut dice = StdRng::seed_from_u64(1);
        let doors = Arc::new(Semaphore::new(CONNECTIONS));
        let cost = Cost::look(&self.place)?;
        let begun = Instant::now();
        let mut all = JoinSet::new();
        for _ in 0..customers {
            let seat = HOT.seat(dice.random_range(0..HOT.seats()));
            let door = Arc::clone(&doors).acquire_owned().await?;
            let submit = self.submit(HOT.slug.to_owned(), vec![seat]);
            all.spawn(async move {
                let _door = door;
                submit.await
            });
        }
        while let Some(ended) = all.join_next().await {
            ended??;
        }
        let accepted = begun.elapsed();
        let wanted = i64::try_from(customers)?;
        self.database.until(DECIDED, wanted, STUCK).await?;
        let answered = begun.elapsed();
        let bill = cost.until(&Cost::look(&self.place)?, customers);
        let sold = self.database.count(SOLD).await?;
        ensure!(
            sold == HOT.seats() as i64,
            "{sold} of {} seats are sold",
            HOT.seats()
        );
        let mut outcome = Outcome::default();
        outcome.put("accepted_s", accepted.as_secs_f64());
        outcome.put("answered_s", answered.as_secs_f64());
        outcome.put_bill(&bill);
        Ok(outcome)
    }

    /// One booking, until it is accepted.
    fn submit(
        &self,
        show: String,
        seats: Vec<String>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
        let (http, url) = (self.http.clone(), self.url.clone());
        let order = json!({
            "id": Uuid::new_v4(), "show_id": show, "seats": seats,
            "email": "ada@example.com", "name": "Ada Byron",
        });
        async move {
            let body = Bytes::from(order.to_string());
            loop {
                let answer = http.post(&url, None, "", body.clone()).await?;
                if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                    answer.require(StatusCode::ACCEPTED)?;
                    return Ok(());
                }
                sleep(LOOK_EVERY).await;
            }
        }
    }
}
