use crate::{
    office::{Office, OfficeArgs, Table, show},
    settings::Settings,
};
use anyhow::Result;
use boxoffice_contracts::{Role, partner::PartnerId};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What the house lets a partner owe: see how it stands, set the limit.
///
/// A partner's bookings are paid by its credit: reserved when the seats are held, used when they are sold, free again
/// when they are cancelled. What would exceed the limit is declined with `partner_credit_exhausted`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    office: OfficeArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Limit, reserved and used in every currency.
    Show {
        /// As `boxoffice partner show` names it.
        id: PartnerId,
    },
    /// Set the limit in one currency. What is reserved and used stays.
    Set {
        id: PartnerId,
        /// Three capital letters, such as EUR.
        currency: String,
        /// Minor units: 5000000 are 50,000.00 EUR. 0 stops new bookings on credit.
        limit_minor: u64,
        /// Why, for the audit.
        #[arg(long)]
        reason: String,
    },
}

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitCode> {
    let office = Office::open(&arguments.office, settings, Role::Admin)?;
    let answer = match &arguments.command {
        Command::Show { id } => office.get(&format!("/v1/partners/{id}/credit"))?,
        Command::Set {
            id,
            currency,
            limit_minor,
            reason,
        } => {
            let body = json!({"currency": currency, "limit_minor": limit_minor, "reason": reason});
            office.post(&format!("/v1/partners/{id}/credit"), &body)?
        }
    };
    show(arguments.office.format, &answer, table);
    Ok(ExitCode::SUCCESS)
}

fn table(answer: &Value) -> Table {
    let headings = ["currency", "limit", "reserved", "used", "available"];
    let mut table = Table::new(&headings, "no credit");
    for credit in answer["credits"].as_array().into_iter().flatten() {
        let amount = |name: &str| credit[name].as_i64().unwrap_or_default().to_string();
        table.row(vec![
            credit["currency"].as_str().unwrap_or_default().to_owned(),
            amount("limit_minor"),
            amount("reserved_minor"),
            amount("used_minor"),
            amount("available_minor"),
        ]);
    }
    table
}
