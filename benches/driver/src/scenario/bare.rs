//! The same publishes, confirms, commits, calls and acknowledgements as a booking of `lean`, and nothing else: no
//! decision is made, nothing is checked, nothing could be mended. What the house carries is told as a share of this.
//!
//! Five queues stand for the five steps of a booking. Each step takes what has gathered within its pace, writes it in
//! one transaction with one statement a table, calls the gateway where the house does, publishes with confirms what
//! follows, forgets the rows of what was confirmed and acknowledges all with one frame.

mod gateway;
mod rows;
mod step;

use crate::{cost::Cost, outcome::Outcome, place::Place, queues::Queues};
use anyhow::ensure;
use gateway::Gateway;
use rows::Rows;
use std::{sync::Arc, time::Duration};
use step::{STEPS, Step};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::Instant,
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 6_000)]
    pub(crate) bookings: usize,
    #[arg(long, default_value_t = 1_000)]
    pub(crate) warm_up: usize,
    #[arg(long, default_value_t = 400)]
    pub(crate) under_way: usize,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let rows = Rows::make(&place.mysql).await?;
    let gateway = Gateway::of(&place)?;
    let (told, mut ended) = mpsc::unbounded_channel();
    let mut steps = JoinSet::new();
    let stop = Arc::new(Notify::new());
    for step in STEPS {
        let working = Step::open(&place.amqp, step, rows.clone(), gateway.clone()).await?;
        let (told, stop) = (told.clone(), Arc::clone(&stop));
        steps.spawn(async move {
            tokio::select! {
                failed = working.work(told) => failed,
                () = stop.notified() => Ok(()),
            }
        });
    }
    let mut door = step::Door::open(&place.amqp).await?;
    let mut outcome = Outcome::default();
    for (bookings, counts) in [(arguments.warm_up, false), (arguments.bookings, true)] {
        let (cost, begun) = (Cost::look(&place)?, Instant::now());
        let (mut submitted, mut done) = (0, 0);
        while done < bookings {
            let free = (bookings - submitted).min(arguments.under_way + done - submitted);
            door.submit(free).await?;
            submitted += free;
            done += tokio::select! {
                some = ended.recv() => some.unwrap_or_default(),
                failed = steps.join_next() => {
                    failed.transpose()?.transpose()?;
                    anyhow::bail!("a step has ended")
                }
                () = tokio::time::sleep(Duration::from_secs(30)) => {
                    anyhow::bail!("{done} of {bookings} are done, and then nothing happened")
                }
            };
        }
        let took = begun.elapsed();
        if counts {
            let bill = cost.until(&Cost::look(&place)?, bookings);
            outcome.put("bookings_per_s", bookings as f64 / took.as_secs_f64());
            outcome.put_bill(&bill);
        }
    }
    stop.notify_waiters();
    while let Some(ended) = steps.join_next().await {
        ended??;
    }
    let queues = Queues::connect(&place.amqp).await?;
    for step in STEPS {
        let left = queues.depth(step.queue).await?;
        ensure!(left == 0, "{left} are left in {}", step.queue);
        queues.delete(step.queue).await?;
    }
    queues.delete(step::EVENTS).await?;
    queues.end().await?;
    rows.drop().await?;
    Ok(outcome)
}
