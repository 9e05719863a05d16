use super::say;
use crate::settings::Settings;
use anyhow::{Context as _, Result};
use boxoffice_runtime::{clock, pool};
use boxoffice_store::{
    mongo,
    mysql::import::{HoldRules, Import, ImportError, Imported, Mode, Refusal},
    reading::{PROBLEMS_MAX, advice},
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Load venues, halls, films and shows from files. Running it again changes nothing.
///
/// Everything is stored or nothing is. What is refused is listed: where it stands, what is wrong, and what to
/// do about it. A hall whose plan changed gets a new version; shows keep the one that they were sold with.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Do everything and take it back: tells what would be stored, or refused.
    #[arg(long, global = true)]
    dry_run: bool,
    /// How to tell what happened.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One object, for programs.
    Json,
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
        /// Slug of the hall there; `venue.hall` where two venues have one of that name.
        #[arg(long)]
        slug: String,
        file: PathBuf,
    },
    /// A file of films.
    Films { file: PathBuf },
    /// A file of shows, counted from today.
    Shows { file: PathBuf },
}

/// Exit code of a file that was refused, as sysexits.h has it (EX_DATAERR).
const EXIT_REFUSED: u8 = 65;

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let Arguments {
        what,
        dry_run,
        format,
    } = arguments;
    let mode = if dry_run { Mode::DryRun } else { Mode::Store };
    let outcome = match read(&what) {
        Ok(import) => store(&import, mode, &settings).await?,
        Err(ImportError::Refused(refusals)) => Err(refusals),
        Err(error) => return Err(error.into()),
    };
    match (&outcome, format) {
        (Ok(imported), Format::Text) => tell(imported, mode),
        (Err(refusals), Format::Text) => explain(refusals),
        (Ok(imported), Format::Json) => {
            let mut told = serde_json::to_value(imported)?;
            told["outcome"] = json!(if dry_run { "dry_run" } else { "imported" });
            say(&told.to_string());
        }
        (Err(refusals), Format::Json) => say(&refused(refusals).to_string()),
    }
    Ok(match outcome {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_REFUSED),
    })
}

/// Before any server is asked: a bad file is told without them.
fn read(what: &What) -> Result<Import, ImportError> {
    match what {
        What::All { folder } => Import::folder(|file| std::fs::read(folder.join(file))),
        What::Hall { venues, slug, file } => {
            let (venues_bytes, plan) = (open(venues)?, open(file)?);
            Import::hall((&name(venues), &venues_bytes), slug, (&name(file), &plan))
        }
        What::Films { file } => Import::films(&name(file), &open(file)?),
        What::Shows { file } => Import::shows(&name(file), &open(file)?),
    }
}

async fn store(
    import: &Import,
    mode: Mode,
    settings: &Settings,
) -> Result<Result<Imported, Vec<Refusal>>> {
    let db = pool::connect(&settings.mysql).await.context("mysql")?;
    let documents = mongo::connect(
        &settings.mongodb.url,
        &settings.mongodb.database,
        "boxoffice import",
    )
    .await?;
    let (holds, now) = (HoldRules::default(), clock::now());
    match import.store(&db, Some(&documents), holds, now, mode).await {
        Ok(imported) => Ok(Ok(imported)),
        Err(ImportError::Refused(refusals)) => Ok(Err(refusals)),
        Err(error) => Err(error.into()),
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn open(path: &Path) -> Result<Vec<u8>, ImportError> {
    std::fs::read(path).map_err(|error| ImportError::unreadable(&name(path), &error))
}

fn tell(imported: &Imported, mode: Mode) {
    say(&format!("venues: {}", imported.venues));
    say(&format!("halls:  {}", imported.halls));
    for layout in &imported.layouts {
        let stored = if layout.is_new { "new" } else { "as before" };
        let (hall, version) = (&layout.hall, layout.version);
        let (seats, places) = (layout.seats, layout.places);
        let places = if places == 0 {
            String::new()
        } else {
            format!(", {places} places without numbers")
        };
        say(&format!(
            "        {hall}: version {version}, {stored}: {seats} seats{places}"
        ));
    }
    say(&format!("films:  {}", imported.films));
    say(&format!("shows:  {}", imported.shows));
    if !imported.passed_over.is_empty() {
        say("passed over, as nobody here knows these fields (a slip of the pen?):");
    }
    for passed in &imported.passed_over {
        say(&printable(&format!("  {} {}", passed.file, passed.pointer)));
    }
    if mode == Mode::DryRun {
        say("This was a dry run: nothing was stored.");
    }
}

fn explain(refusals: &[Refusal]) {
    let mut count = 0;
    for Refusal { file, problems } in refusals {
        say(&printable(&format!("{file} is refused:")));
        for problem in problems {
            let pointer = match problem.pointer.as_str() {
                "" => "the whole file",
                pointer => pointer,
            };
            say(&printable(&format!("  {pointer}")));
            say(&printable(&format!(
                "      {}: {}",
                problem.code, problem.detail
            )));
            say(&format!("      → {}", advice(problem.code)));
        }
        if problems.len() == PROBLEMS_MAX {
            say(&format!("  only the first {PROBLEMS_MAX} are listed"));
        }
        count += problems.len();
    }
    let problems = if count == 1 { "problem" } else { "problems" };
    say(&format!(
        "Nothing was stored. Mend the {count} {problems} and run the same command again; --dry-run tries without storing."
    ));
}

fn refused(refusals: &[Refusal]) -> serde_json::Value {
    let files: Vec<_> = refusals
        .iter()
        .map(|Refusal { file, problems }| {
            let problems: Vec<_> = problems
                .iter()
                .map(|problem| {
                    json!({
                        "pointer": problem.pointer,
                        "code": problem.code,
                        "detail": problem.detail,
                        "advice": advice(problem.code),
                    })
                })
                .collect();
            json!({ "file": file, "problems": problems })
        })
        .collect();
    json!({ "outcome": "refused", "files": files })
}

/// What files say can't move the cursor of a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
