//! `cargo xtask tidy`: what neither the compiler nor a lint can see.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};
use boxoffice_contracts::topology::QUEUES;

use crate::{r#gen, lint, ui};

/// Checks crate edges, generated files, and that every queue and worker is documented.
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
    queues_are_documented(root, &mut findings)?;
    workers_say_why_twice_is_safe(root, &mut findings)?;
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

fn queues_are_documented(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let operations = fs::read_to_string(root.join("docs/OPERATIONS.md")).unwrap_or_default();
    for queue in QUEUES {
        if !operations.contains(&format!("### {}\n", queue.name)) {
            findings.push(format!(
                "docs/OPERATIONS.md has no section `### {}`",
                queue.name
            ));
        }
    }
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
        "boxoffice",
        "contracts",
        "infra",
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
