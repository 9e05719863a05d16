//! The on-sale: 200 clients, one seat each, for 40 seats.

use std::{collections::BTreeMap, thread, time::Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Place, client::Client, headline, stories};
use crate::ui;

const CLIENTS: usize = 200;
/// Slug prefix of the show with the small hall.
const SHOW: &str = "rush";

pub(crate) fn storm(place: &Place) -> Result<()> {
    headline("The on-sale: 200 clients, one seat each");
    let tokens = place.tokens(&format!("rush-{}", uuid::Uuid::new_v4().simple()), CLIENTS)?;
    let first = Client::new(&place.api, tokens.first().context("no tokens")?);
    let show = stories::show(&first, |show| {
        show["slug"]
            .as_str()
            .is_some_and(|slug| slug.starts_with(SHOW))
            && free_seats(&first, show) == 40
    })
    .context(
        "no show `rush` with 40 free seats is left; `cargo xtask down --purge` starts afresh",
    )?;
    let seats: Vec<String> = stories::free_seats(&first, &show)?;
    let begun = Instant::now();
    let outcomes: Vec<(String, Result<Value>)> = thread::scope(|scope| {
        let clients: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(index, token)| {
                let seat = seats[index % seats.len()].clone();
                let show = show["id"].clone();
                scope.spawn(move || {
                    let outcome = book(&place.api, token, &show, &seat);
                    (seat, outcome)
                })
            })
            .collect();
        clients
            .into_iter()
            .filter_map(|client| client.join().ok())
            .collect()
    });
    report(outcomes, begun)
}

fn free_seats(client: &Client, show: &Value) -> usize {
    stories::free_seats(client, show).map_or(0, |seats| seats.len())
}

fn book(api: &str, token: &str, show: &Value, seat: &str) -> Result<Value> {
    let client = Client::new(api, token);
    let order = stories::order(show, &[seat], Some("pm_card_visa"));
    let location = client
        .post("/v1/bookings", &uuid::Uuid::new_v4().to_string(), &order)?
        .accepted()?;
    client.follow(
        &location,
        |_| {},
        |state| {
            matches!(
                state["status"].as_str(),
                Some("completed" | "rejected" | "expired" | "payment_failed")
            )
        },
    )
}

fn report(outcomes: Vec<(String, Result<Value>)>, begun: Instant) -> Result<()> {
    let mut winners: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for (seat, outcome) in outcomes {
        let state = outcome?;
        if state["status"] == json!("completed") {
            *winners.entry(seat).or_default() += 1;
        } else {
            *refused
                .entry(state["code"].as_str().unwrap_or("?").to_owned())
                .or_default() += 1;
        }
    }
    let sold: usize = winners.len();
    let twice = winners.values().filter(|count| **count > 1).count();
    let lost: usize = refused.values().sum();
    for (code, count) in &refused {
        ui::line(&format!("  {count} times: {code}"));
    }
    ui::line(&format!(
        "  every client had its answer after {:.1} s",
        begun.elapsed().as_secs_f32()
    ));
    ui::line(&format!("{sold} sold, {lost} refused, {twice} sold twice"));
    if (sold, lost, twice) != (40, CLIENTS - 40, 0) {
        bail!("expected 40 sold, {} refused, 0 sold twice", CLIENTS - 40);
    }
    Ok(())
}
