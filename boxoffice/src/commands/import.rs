use super::say;
use crate::settings::Settings;
use anyhow::{Context as _, Result};
use boxoffice_runtime::{clock, pool};
use boxoffice_store::{
    mongo,
    mysql::import::{self, HoldRules},
};
use std::{path::PathBuf, process::ExitCode};

/// Load venues, halls, films and shows from files. Running it again changes nothing.
///
/// A file is taken whole or refused whole, with a list of what is wrong and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A folder with venues.json, films.json, shows.json and the plans that they name.
    All { folder: PathBuf },
    /// A hall of a venue: its plan in the seating-plan JSON of pretix.
    Hall {
        /// venues.json, in which the hall is described.
        #[arg(long)]
        venues: PathBuf,
        /// Slug of the hall there.
        #[arg(long)]
        slug: String,
        file: PathBuf,
    },
    /// A file of films.
    Films { file: PathBuf },
    /// A file of shows, counted from today.
    Shows { file: PathBuf },
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let db = pool::connect(&settings.mysql).await.context("mysql")?;
    let documents = mongo::connect(
        &settings.mongodb.url,
        &settings.mongodb.database,
        "boxoffice import",
    )
    .await?;
    let (holds, now) = (HoldRules::default(), clock::now());
    match arguments.what {
        What::All { folder } => {
            let read = |file: &str| std::fs::read(folder.join(file));
            let imported = import::import_all(&db, Some(&documents), read, holds, now).await?;
            say(&format!("venues: {}", imported.venues));
            say(&format!("halls:  {}", imported.halls));
            say(&format!("films:  {}", imported.films));
            say(&format!("shows:  {}", imported.shows));
        }
        What::Hall { venues, slug, file } => {
            let plan = read(&file)?;
            let venues = import::read_venues(&read(&venues)?)?;
            let found = venues.iter().find_map(|venue| {
                Some((venue, venue.halls.iter().find(|hall| hall.slug == slug)?))
            });
            let (venue, hall) = found.with_context(|| format!("no hall {slug:?} in the venues"))?;
            import::import_venues(&db, std::slice::from_ref(venue)).await?;
            let report =
                import::import_hall(&db, Some(&documents), venue, hall, &plan, now).await?;
            say(&format!("halls:  {report}"));
        }
        What::Films { file } => say(&format!(
            "films:  {}",
            import::import_films(&db, &read(&file)?).await?
        )),
        What::Shows { file } => {
            say(&format!(
                "shows:  {}",
                import::import_shows(&db, &read(&file)?, holds, now).await?
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &PathBuf) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| file.display().to_string())
}
