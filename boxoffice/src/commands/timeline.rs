use super::say;
use crate::settings::Settings;
use anyhow::{Context as _, Result, bail};
use boxoffice_contracts::BookingId;
use boxoffice_runtime::pool;
use boxoffice_store::{
    mongo::{self, timelines},
    mysql::bookings,
    timeline::{self, Wanted},
};
use mongodb::Database;
use sea_orm::DatabaseConnection;
use std::process::ExitCode;

/// Make timelines again.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Drop timelines and make them again from the decisions, calls, documents and mails on record.
    ///
    /// Nothing is lost, and doing it twice changes nothing. The worker may run meanwhile: what it writes is what
    /// is written here. Whoever reads a timeline in between may find it shorter.
    #[command(group(clap::ArgGroup::new("which").required(true)))]
    Rebuild {
        /// The timeline of one booking.
        #[arg(long, value_name = "ID", group = "which")]
        booking: Option<BookingId>,
        /// All of them.
        #[arg(long, group = "which")]
        all: bool,
    },
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let Command::Rebuild { booking, all: _ } = arguments.command;
    let db = pool::connect(&settings.mysql).await.context("mysql")?;
    let mongo = &settings.mongodb;
    let documents = mongo::connect(&mongo.url, &mongo.database, "boxoffice timeline").await?;
    match booking {
        Some(booking) => {
            timelines::delete(&documents, booking)
                .await
                .context("mongodb")?;
            let lines = write(&db, &documents, &[booking]).await?;
            if lines == 0 {
                bail!("nothing is on record about a booking {booking}");
            }
            say(&format!("{lines} lines"));
        }
        None => rebuild_all(&db, &documents).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Bookings of one round.
const ROUND: u64 = 500;

/// Rows that are committed after a round has read bring their own event: none is missed.
async fn rebuild_all(db: &DatabaseConnection, documents: &Database) -> Result<()> {
    timelines::drop_all(documents).await.context("mongodb")?;
    let (mut bookings_done, mut lines) = (0_usize, 0_usize);
    let mut after = None;
    loop {
        let ids = bookings::ids_after(db, after, ROUND).await?;
        let Some(last) = ids.last() else {
            break;
        };
        after = Some(*last);
        lines += write(db, documents, &ids).await?;
        bookings_done += ids.len();
        tracing::info!(bookings = bookings_done, lines, "timelines are being made");
    }
    say(&format!("{lines} lines of {bookings_done} bookings"));
    Ok(())
}

async fn write(
    db: &DatabaseConnection,
    documents: &Database,
    bookings: &[BookingId],
) -> Result<usize> {
    let lines = timeline::lines(db, documents, Wanted::all_of(bookings)).await?;
    let refused = timelines::write(documents, &lines)
        .await
        .context("mongodb")?;
    if let Some(refused) = refused.first() {
        bail!(
            "mongodb refused a line of booking {}: error {}",
            refused.booking,
            refused.code
        );
    }
    Ok(lines.len())
}
