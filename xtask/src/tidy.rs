//! `cargo xtask tidy`: what neither the compiler nor a lint can see.

mod calls;
mod features;
mod image;
mod logs;
mod metrics;
mod planted;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};
use boxoffice_contracts::topology::QUEUES;

use crate::{contracts, r#gen, lint, ui};

/// Checks crate edges, generated files, released contracts, and that queues, alerts, metrics, log events and
/// features are documented as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<ExitCode> {
    let root = r#gen::root();
    let mut findings = findings(&root)?;
    findings.extend(lint::findings_if_installed()?);
    if findings.is_empty() {
        ui::line("tidy");
        return Ok(ExitCode::SUCCESS);
    }
    bail!("untidy:\n  {}", findings.join("\n  "));
}

fn findings(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    edges(root, &mut findings)?;
    for path in r#gen::stale(root, &r#gen::files()?)? {
        findings.push(format!("{path} is stale: run `cargo xtask gen`"));
    }
    findings.extend(contracts::findings(root)?);
    queues_and_alerts_are_documented(root, &mut findings)?;
    what_is_counted_and_logged_is_documented(root, &mut findings)?;
    features::check(root, &mut findings)?;
    workers_say_why_twice_is_safe(root, &mut findings)?;
    image::check(root, &mut findings)?;
    planted::check(root, &mut findings)?;
    sources(root, &mut findings)?;
    Ok(findings)
}

/// What a crate must not depend on; the reason why it is a crate of its own.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "contracts",
        &[
            "tokio",
            "lapin",
            "sea-orm",
            "mongodb",
            "axum",
            "rand",
            "boxoffice-",
        ],
        "contracts are data",
    ),
    (
        "workers/saga",
        &["tokio", "lapin", "sea-orm", "mongodb", "axum", "rand"],
        "the saga is pure",
    ),
    (
        "workers/documents",
        &["tokio", "lapin", "sea-orm", "mongodb", "axum", "rand"],
        "rendering is pure",
    ),
    (
        "workers/runtime",
        &[
            "axum",
            "mongodb",
            "boxoffice-saga",
            "boxoffice-store",
            "boxoffice-jobs",
        ],
        "the runtime knows no domain",
    ),
    (
        "store",
        &["lapin", "axum", "boxoffice-runtime"],
        "the store knows no broker",
    ),
    (
        "invariants",
        &[
            "lapin",
            "axum",
            "boxoffice-api",
            "boxoffice-jobs",
            "boxoffice-runtime",
        ],
        "whoever checks knows neither the broker nor the workers",
    ),
    (
        "api",
        &["lapin", "boxoffice-jobs", "async-stripe", "lettre"],
        "the API only publishes and reads",
    ),
    (
        "xtask",
        &["tokio", "sea-orm", "lapin", "mongodb"],
        "xtask compiles in seconds",
    ),
];

fn edges(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    for (folder, forbidden, reason) in FORBIDDEN {
        let manifest = fs::read_to_string(root.join(folder).join("Cargo.toml"))?;
        let dependencies = manifest
            .split("\n[")
            .find(|section| section.starts_with("dependencies]"))
            .unwrap_or_default();
        for line in dependencies.lines().skip(1) {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if forbidden
                .iter()
                .any(|f| name == *f || (f.ends_with('-') && name.starts_with(f)))
            {
                findings.push(format!(
                    "{folder}/Cargo.toml: {name} is forbidden here: {reason}"
                ));
            }
        }
    }
    Ok(())
}

/// An alert's runbook link leads to the section of its name.
fn queues_and_alerts_are_documented(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let operations = fs::read_to_string(root.join("docs/OPERATIONS.md"))?;
    let sections = QUEUES.iter().map(|queue| queue.name);
    for section in sections.chain(r#gen::alerts::names()) {
        if !operations.contains(&format!("\n### {section}\n")) {
            findings.push(format!("docs/OPERATIONS.md has no section `### {section}`"));
        }
    }
    Ok(())
}

/// Where the product's own code lies; the sandbox and the mail catcher are no part of it.
const PRODUCT: [&str; 7] = [
    "api",
    "boxoffice",
    "contracts",
    "invariants",
    "migrations",
    "store",
    "workers",
];

/// Who may begin a transaction: the one function for all, and those that say why it may be otherwise.
const BEGINS: [&str; 4] = [
    "invariants/src/snapshot.rs",
    "store/src/mysql/import/store.rs",
    "workers/runtime/src/pool.rs",
    "workers/runtime/src/tx.rs",
];

fn what_is_counted_and_logged_is_documented(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let (mut counted, mut events) = (BTreeSet::new(), logs::Events::new());
    for folder in PRODUCT {
        for path in rust_files(&root.join(folder))? {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
            if is_test || name.ends_with("/testing.rs") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            metrics::check(&name, &text, &mut counted, findings);
            logs::collect(&name, &text, &mut events, findings);
            if text.contains("TransactionTrait") && !BEGINS.contains(&name.as_str()) {
                findings.push(format!(
                    "{name} begins transactions by itself: boxoffice_runtime::pool::begin can't be cancelled half-way"
                ));
            }
        }
    }
    metrics::uncounted(&counted, findings);
    let page = fs::read_to_string(root.join("docs/LOGGING.md"))?;
    logs::check(&events, &page, findings);
    Ok(())
}

/// A file of a worker implements one of the runtime's shapes.
fn workers_say_why_twice_is_safe(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    for path in rust_files(&root.join("workers/jobs/src"))? {
        let text = fs::read_to_string(&path)?;
        let is_worker = ["impl Decide for", "impl Call for", "impl Sweep for"]
            .iter()
            .any(|shape| text.lines().any(|line| line.starts_with(shape)));
        if is_worker && !text.contains("Safe to run twice") {
            findings.push(format!(
                "{} doesn't say why it is safe to run twice",
                path.display()
            ));
        }
    }
    Ok(())
}

/// Lines beyond which a file no longer holds one idea.
const LINES_MAX: usize = 600;
/// The same for tests: stories about one thing stand together.
const STORY_LINES_MAX: usize = 800;

fn sources(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let skipped = "#[ign".to_owned() + "ore";
    for folder in [
        "api",
        "benches",
        "boxoffice",
        "contracts",
        "infra",
        "invariants",
        "migrations",
        "store",
        "tests",
        "workers",
        "xtask",
    ] {
        for path in rust_files(&root.join(folder))? {
            let text = fs::read_to_string(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path).display();
            let is_story = path.components().any(|part| part.as_os_str() == "tests");
            let lines_max = if is_story { STORY_LINES_MAX } else { LINES_MAX };
            if text.lines().count() > lines_max {
                findings.push(format!("{name} has more than {lines_max} lines"));
            }
            if text.contains(&skipped) {
                findings.push(format!(
                    "{name} skips a test: a skipped test checks nothing"
                ));
            }
        }
    }
    Ok(())
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry?.path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        assert_eq!(findings(&r#gen::root()).unwrap(), Vec::<String>::new());
    }
}
