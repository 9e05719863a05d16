use super::booking::{moment, status, text};
use crate::{
    office::{Office, OfficeArgs, Table, show},
    settings::Settings,
};
use anyhow::Result;
use boxoffice_contracts::Role;
use serde_json::{Value, json};
use std::process::ExitCode;

/// List bookings that somebody should look at, longest first.
///
/// Those that are longer in their state than it lasts when everything works (`overdue`), and those that are marked for
/// a person, each with what its state allows: `boxoffice booking act ID ACTION --reason …` orders it. Many overdue
/// ones at once mean that a worker or the gateway stands; see OPERATIONS, "A booking is stuck".
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    office: OfficeArgs,
}

const PAGE: usize = 200;

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitCode> {
    let office = Office::open(&arguments.office, settings, Role::Viewer)?;
    let mut bookings = Vec::new();
    let mut cursor = String::new();
    while bookings.len() < arguments.limit {
        let limit = PAGE.min(arguments.limit - bookings.len());
        let mut page = office.get(&format!("/v1/backoffice/stuck?limit={limit}{cursor}"))?;
        if let Value::Array(more) = page["bookings"].take() {
            bookings.extend(more);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    show(
        arguments.office.format,
        &json!({"bookings": bookings}),
        table,
    );
    Ok(ExitCode::SUCCESS)
}

fn table(answer: &Value) -> Table {
    let mut table = Table::new(
        &["since", "why", "status", "waits for", "actions", "id"],
        "nothing is stuck",
    );
    for stuck in answer["bookings"].as_array().into_iter().flatten() {
        let booking = &stuck["booking"];
        let actions = stuck["actions"].as_array().into_iter().flatten();
        let actions: Vec<String> = actions.map(|action| text(&action["action"])).collect();
        table.row(vec![
            moment(&stuck["since"]),
            text(&stuck["why"]),
            status(booking),
            text(&booking["waits_for"]),
            actions.join(" "),
            text(&booking["id"]),
        ]);
    }
    table
}
