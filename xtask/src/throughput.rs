//! `cargo xtask throughput`: how many bookings per second the running stack carries from submit to confirmed.

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    demo::{Place, client::Client, stories},
    ui,
};

/// Submit bookings of two seats each as fast as they are accepted, and time them to `confirmed`.
///
/// Run it on a fresh release stack with the in-process gateway, so that neither a compiler nor a sandbox is
/// measured, and without limits for customers: `BOXOFFICE__API__RATE__QUOTA_CUSTOMER=0
/// BOXOFFICE__GATEWAY__KIND=instant cargo xtask up --release --detach --profile bench --port-base 29000`, then
/// `cargo xtask throughput --profile bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name of the running stack.
    #[arg(long, value_name = "NAME", default_value = "bench")]
    profile: String,
    /// How many bookings; each takes two seats that nobody else asks for.
    #[arg(long, default_value_t = 1_500)]
    bookings: usize,
    /// Clients at once.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// How often; each run takes other seats.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// No progress for so long and the run is given up.
const STUCK: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let place = Place::find(&arguments.profile)?;
    let tokens = place.tokens("load", arguments.clients)?;
    let first = Client::new(&place.api, tokens.first().context("no tokens")?);
    let pairs = pairs(&first, arguments.bookings * arguments.runs)?;
    let mut rates = Vec::new();
    for (number, orders) in pairs.chunks(arguments.bookings).enumerate() {
        let rate = one(&place, &tokens, orders)?;
        ui::line(&format!(
            "run {}: {} bookings, {rate:.0} per second",
            number + 1,
            orders.len()
        ));
        rates.push(rate);
    }
    rates.sort_by(f64::total_cmp);
    let median = rates.get(rates.len() / 2).context("no runs")?;
    ui::line(&format!(
        "median: {median:.0} bookings per second from submit to confirmed"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Bodies of submits, each for two free seats of its own.
fn pairs(client: &Client, count: usize) -> Result<Vec<Value>> {
    let shows = Mutex::new(Vec::new());
    stories::show(client, |show| {
        shows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(show.clone());
        false
    });
    let mut orders = Vec::with_capacity(count);
    for show in shows.into_inner().unwrap_or_else(PoisonError::into_inner) {
        for pair in stories::free_seats(client, &show)?.chunks_exact(2) {
            if orders.len() == count {
                return Ok(orders);
            }
            orders.push(stories::order(&show["id"], pair, Some("pm_card_visa")));
        }
    }
    bail!(
        "only {} pairs of seats are free; ask for fewer bookings or start a fresh stack",
        orders.len()
    );
}

fn one(place: &Place, tokens: &[String], orders: &[Value]) -> Result<f64> {
    let before = confirmed(place)?;
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| -> Result<()> {
        let clients: Vec<_> = tokens
            .iter()
            .map(|token| {
                let next = &next;
                scope.spawn(move || -> Result<()> {
                    let client = Client::new(&place.api, token);
                    while let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let key = uuid::Uuid::new_v4().to_string();
                        client.post("/v1/bookings", &key, order)?.accepted()?;
                    }
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            match client.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("a client panicked"),
            }
        }
        Ok(())
    })?;
    ui::line(&format!(
        "  accepted after {:.2} s",
        begun.elapsed().as_secs_f64()
    ));
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let now = confirmed(place)? - before;
        if now >= orders.len() {
            return Ok(orders.len() as f64 / begun.elapsed().as_secs_f64());
        }
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
        if since.elapsed() > STUCK {
            bail!(
                "{now} of {} were confirmed, and then nothing happened",
                orders.len()
            );
        }
        thread::sleep(POLL);
    }
}

/// Bookings that were confirmed since the reservations worker started, by its own count.
fn confirmed(place: &Place) -> Result<usize> {
    let text = ureq::get(&format!("{}/metrics", place.reservations))
        .call()
        .context("the metrics of the reservations worker")?
        .body_mut()
        .read_to_string()?;
    let count = text
        .lines()
        .filter(|line| line.starts_with("boxoffice_decisions_total{"))
        .filter(|line| {
            line.contains("input=\"authorized\"") && line.contains("decision=\"advance\"")
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum::<f64>();
    Ok(count as usize)
}
