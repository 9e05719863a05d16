//! `cargo xtask gen`: writes what derives from the contracts and the saga.

pub(crate) mod alerts;
mod asyncapi;
mod asyncapi_partners;
pub(crate) mod definitions;
mod metrics;
mod schemas;
mod yaml;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use boxoffice_contracts::{
    Code,
    message::CATALOGUE,
    partner::kinds::{self, PARTNER_CATALOGUE},
    topology::{DELIVERY_LIMIT, Exchange, PATIENCE, QUEUES, Queue, RetryTier},
};

use crate::{openapi, ui};

/// Writes schemas, AsyncAPI, OpenAPI, broker definitions, alerts, and the pages on queues, codes, metrics and the
/// saga.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail when a file is missing, stale or left over.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let root = root();
    let mut files = files()?;
    files.push(openapi::file()?);
    if arguments.check {
        let stale = stale(&root, &files)?;
        if !stale.is_empty() {
            bail!(
                "stale: {}. Run `cargo xtask gen` and commit the result",
                stale.join(", ")
            );
        }
        ui::line(&format!("{} generated files are fresh", files.len()));
        return Ok(ExitCode::SUCCESS);
    }
    for (path, content) in &files {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    for left_over in left_over_schemas(&root, &files)? {
        std::fs::remove_file(root.join(left_over))?;
    }
    ui::line(&format!("wrote {} files", files.len()));
    Ok(ExitCode::SUCCESS)
}

/// The repository's root: this file was compiled in it.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Files that are not what they would be generated to.
pub(crate) fn stale(root: &Path, files: &[(String, String)]) -> Result<Vec<String>> {
    let mut stale = left_over_schemas(root, files)?;
    for (path, content) in files {
        if std::fs::read_to_string(root.join(path)).ok().as_deref() != Some(content) {
            stale.push(path.clone());
        }
    }
    Ok(stale)
}

fn left_over_schemas(root: &Path, files: &[(String, String)]) -> Result<Vec<String>> {
    let mut left_over = Vec::new();
    for folder in [SCHEMAS, PARTNER_SCHEMAS] {
        for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten() {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_file() && !files.iter().any(|(path, _)| *path == name) {
                left_over.push(name);
            }
        }
    }
    Ok(left_over)
}

const SCHEMAS: &str = "contracts/schemas";
const PARTNER_SCHEMAS: &str = "contracts/schemas/partner";

/// Every generated file with its content, but for the description of the API: a test of its own compares that.
pub(crate) fn files() -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in CATALOGUE {
        let text = pretty(&entry.document())?;
        files.push((format!("{SCHEMAS}/{}.json", entry.kind), text));
    }
    for entry in PARTNER_CATALOGUE {
        let text = pretty(&entry.document())?;
        files.push((format!("{PARTNER_SCHEMAS}/{}.json", entry.kind), text));
    }
    let envelope = pretty(&kinds::envelope_document())?;
    files.push((
        format!("{PARTNER_SCHEMAS}/{}.json", kinds::ENVELOPE),
        envelope,
    ));
    let mut add = |path: &str, content| files.push((path.to_owned(), content));
    let generated = |value| format!("{GENERATED_YAML}{}", yaml::document(&value));
    add(
        "docs/asyncapi.yaml",
        generated(asyncapi::document(&root())?),
    );
    add(
        "infra/docker/rabbitmq/definitions.json",
        pretty(&definitions::definitions())?,
    );
    add(
        "infra/docker/prometheus/alerts.yaml",
        generated(alerts::rules()),
    );
    files.push(("docs/metrics.md".to_owned(), metrics::page()?));
    files.push(("docs/queues.md".to_owned(), queues()?));
    files.push(("docs/codes.md".to_owned(), codes()?));
    files.push(("docs/sagas/reservation.md".to_owned(), saga()?));
    Ok(files)
}

const GENERATED: &str = "<!-- Written by `cargo xtask gen`; edit the source it derives from. -->\n";

const GENERATED_YAML: &str = "# Written by `cargo xtask gen`; edit the source it derives from.\n";

pub(crate) fn pretty(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

fn queues() -> Result<String> {
    let mut out = format!("# Queues\n\n{GENERATED}\n");
    out.push_str("Source: `contracts/src/topology.rs`. Every queue is a durable quorum queue.\n\n");
    out.push_str("| queue | what its worker does | batch | pace | prefetch | calls | alert at | 99 of 100 done within |\n|---|---|---|---|---|---|---|---|\n");
    for queue in QUEUES {
        writeln!(
            out,
            "| [`{name}`](#{anchor}) | {doc} | {batch} | {pace} ms | {prefetch} | {calls} | {depth} messages or {age} s | {critical} s |",
            name = queue.name,
            anchor = queue.name.replace('.', ""),
            doc = queue.doc,
            batch = queue.batch_max,
            pace = queue.pace.as_millis(),
            prefetch = queue.prefetch,
            calls = queue.calls_max,
            depth = queue.alert.depth_max,
            age = queue.alert.age_max.as_secs(),
            critical = queue.alert.critical_p99.as_secs(),
        )?;
    }
    out.push_str("\n## Exchanges\n\n| exchange | type | what finds no queue |\n|---|---|---|\n");
    for exchange in Exchange::ALL {
        let lost = if exchange.has_alternate() {
            "goes to `unroutable`"
        } else {
            "returns to its publisher"
        };
        writeln!(
            out,
            "| `{}` | {} | {lost} |",
            exchange.name(),
            format!("{:?}", exchange.kind()).to_lowercase()
        )?;
    }
    out.push_str("\n## Waits\n\n| tier | exchange | queue | delay |\n|---|---|---|---|\n");
    for tier in RetryTier::ALL {
        writeln!(
            out,
            "| {tier:?} | `{}` | `{}` | {} s |",
            tier.exchange(),
            tier.queue(),
            tier.delay().as_secs()
        )?;
    }
    writeln!(
        out,
        "\nA message that the broker delivered {DELIVERY_LIMIT} times without an end is dead-lettered to `parked`."
    )?;
    for queue in QUEUES {
        section(&mut out, queue)?;
    }
    Ok(out)
}

fn section(out: &mut String, queue: &Queue) -> Result<()> {
    writeln!(out, "\n## {}\n\n{}\n", queue.name, queue.doc)?;
    if let Some(length) = queue.length_max {
        writeln!(
            out,
            "At most {length} messages; beyond that publishers are refused.\n"
        )?;
    }
    let waits: Vec<String> = queue
        .retry
        .iter()
        .map(|tier| format!("{} s", tier.delay().as_secs()))
        .collect();
    if !waits.is_empty() {
        writeln!(
            out,
            "Waits between attempts: {}. Then it is parked.\n",
            waits.join(", ")
        )?;
    }
    if !queue.patient.is_empty() {
        let kinds: Vec<String> = queue
            .patient
            .iter()
            .map(|kind| format!("`{kind}`"))
            .collect();
        writeln!(
            out,
            "Nobody waits for {}: for up to {} ms they wait for company.\n",
            kinds.join(", "),
            PATIENCE.as_millis()
        )?;
    }
    out.push_str("| from | key |\n|---|---|\n");
    for binding in queue.bindings {
        writeln!(
            out,
            "| `{}` | `{}` |",
            binding.exchange.name(),
            binding.pattern
        )?;
    }
    if !queue.accepts.is_empty() {
        out.push_str("\n| accepts | |\n|---|---|\n");
    }
    for kind in queue.accepts {
        let doc = boxoffice_contracts::message::entry(kind.as_str()).map_or("", |entry| entry.doc);
        writeln!(
            out,
            "| [`{kind}`](../contracts/schemas/{kind}.json) | {doc} |"
        )?;
    }
    Ok(())
}

fn codes() -> Result<String> {
    let mut out = format!(
        "# Codes\n\n{GENERATED}\nSource: `contracts/src/code.rs`. The same code stands in HTTP problems, events and outcomes.\n\n"
    );
    out.push_str("| code | HTTP status | try again | meaning |\n|---|---|---|---|\n");
    for code in Code::ALL {
        let again = if code.retryable() { "yes" } else { "no" };
        writeln!(
            out,
            "| `{code}` | {} | {again} | {} |",
            code.http_status(),
            code.title()
        )?;
    }
    Ok(out)
}

fn saga() -> Result<String> {
    let mut out = format!("# The reservation saga\n\n{GENERATED}\n");
    out.push_str("Printed from `decide` in `workers/saga`, over samples of every state and input.\n\n```mermaid\n");
    out.push_str(&boxoffice_saga::diagram::mermaid());
    out.push_str("```\n");
    Ok(out)
}
