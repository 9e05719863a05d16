//! `cargo xtask contracts`: what was published stays true.
//!
//! `contracts/released/<version>/` holds schemas, samples and topology as they were released. Nothing but
//! `release` writes there; `check`, which is also part of `tidy`, compares today's with the newest of them.

mod compat;
mod snapshot;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use boxoffice_contracts::{message, partner::kinds};

use self::snapshot::Snapshot;
use crate::{r#gen, ui};

/// Compares the contracts with the released ones, or releases them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Fail when a published kind, queue or sample is broken by today's contracts.
    Check,
    /// Write today's contracts to contracts/released/ under the version in Cargo.toml.
    Release,
}

const PARTNER_SAMPLES: &str = "samples/partner";

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let root = r#gen::root();
    let findings = findings(&root)?;
    ensure!(
        findings.is_empty(),
        "published contracts are broken:\n  {}\nPut a `.v2` beside a kind, or a new queue beside a queue",
        findings.join("\n  ")
    );
    match arguments.action {
        Action::Check => match newest(&root)? {
            Some(version) => ui::line(&format!("nothing of {version} is broken")),
            None => ui::line("nothing is released yet"),
        },
        Action::Release => {
            release(&root)?;
            ui::line(&format!(
                "released {VERSION}: commit contracts/released/{VERSION}"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What today's contracts break of the newest release, and samples of any release that no longer decode.
pub(crate) fn findings(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for version in versions(root)? {
        samples_decode(&released(root).join(&version), &mut findings)?;
    }
    if let Some(version) = newest(root)? {
        let old = Snapshot::read(&released(root).join(&version))
            .with_context(|| format!("contracts/released/{version}"))?;
        findings.extend(compat::breakages(&old, &Snapshot::today()?));
    }
    Ok(findings)
}

fn release(root: &Path) -> Result<()> {
    let folder = released(root).join(VERSION);
    if folder.exists() {
        bail!(
            "{VERSION} is released, and a release is never changed: raise `version` in Cargo.toml first"
        );
    }
    if let Some(newest) = newest(root)? {
        ensure!(
            number(&newest) < number(VERSION),
            "{newest} is released: {VERSION} would be older"
        );
    }
    let stale = r#gen::stale(root, &r#gen::files()?)?;
    ensure!(
        stale.is_empty(),
        "run `cargo xtask gen` first: {} is stale",
        stale.join(", ")
    );
    Snapshot::today()?.write(&folder)?;
    for samples in ["samples", PARTNER_SAMPLES] {
        let copies = folder.join(samples);
        fs::create_dir_all(&copies)?;
        for file in fs::read_dir(root.join("contracts").join(samples))? {
            let file = file?;
            if file.path().is_file() {
                fs::copy(file.path(), copies.join(file.file_name()))?;
            }
        }
    }
    Ok(())
}

fn released(root: &Path) -> std::path::PathBuf {
    root.join("contracts/released")
}

/// Released versions, oldest first.
fn versions(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(released(root)).into_iter().flatten() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(
            number(&name).is_some(),
            "contracts/released/{name} is not a version"
        );
        found.push(name);
    }
    found.sort_by_key(|name| number(name));
    Ok(found)
}

fn newest(root: &Path) -> Result<Option<String>> {
    Ok(versions(root)?.pop())
}

/// Versions are compared as numbers: 0.10.0 follows 0.9.0.
fn number(version: &str) -> Option<[u64; 3]> {
    let parts: Option<Vec<u64>> = version.split('.').map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

/// A sample that was published decodes for ever, and nothing of it is lost.
fn samples_decode(release: &Path, findings: &mut Vec<String>) -> Result<()> {
    let ours = |kind: &str, body: &[u8]| Some((message::entry(kind)?.roundtrip)(body));
    decode_folder(&release.join("samples"), ours, findings)?;
    let partner = release.join(PARTNER_SAMPLES);
    if partner.exists() {
        let theirs = |kind: &str, body: &[u8]| Some(kinds::entry(kind)?.roundtrip(body));
        decode_folder(&partner, theirs, findings)?;
    }
    Ok(())
}

/// `roundtrip` decodes a body of a kind and encodes it again; nothing for a kind that nobody knows.
fn decode_folder(
    folder: &Path,
    roundtrip: impl Fn(&str, &[u8]) -> Option<serde_json::Result<Vec<u8>>>,
    findings: &mut Vec<String>,
) -> Result<()> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let kind = name.split('.').take(3).collect::<Vec<_>>().join(".");
        let body = fs::read(&path)?;
        match roundtrip(&kind, &body) {
            None => findings.push(format!("{}: nobody decodes it", path.display())),
            Some(Err(error)) => findings.push(format!("{}: {error}", path.display())),
            Some(Ok(again)) => {
                let sample: serde_json::Value = serde_json::from_slice(&body)?;
                let again: serde_json::Value = serde_json::from_slice(&again)?;
                for lost in lost(&sample, &again) {
                    findings.push(format!("{}: {lost} is lost", path.display()));
                }
            }
        }
    }
    Ok(())
}

/// Fields that did not come back as they were. The `data` of a partner's message may have gained defaults.
fn lost(sample: &serde_json::Value, again: &serde_json::Value) -> Vec<String> {
    let mut found = Vec::new();
    for (field, value) in sample.as_object().into_iter().flatten() {
        match again.get(field) {
            Some(same) if same == value => {}
            Some(data) if field == "data" && data.is_object() => found.extend(lost(value, data)),
            Some(_) | None => found.push(field.clone()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert!(number("0.10.0") > number("0.9.9"));
        assert_eq!(number("0.1"), None);
        assert_eq!(number("draft"), None);
    }

    #[test]
    fn a_sample_that_no_longer_decodes_is_found() {
        let folder = std::env::temp_dir().join(format!("xtask-samples-{}", std::process::id()));
        fs::create_dir_all(folder.join("samples")).unwrap();
        let write = |name: &str, body: &str| {
            fs::write(folder.join("samples").join(name), body).unwrap();
        };
        write("tickets.render.v1.json", r#"{"booking_id": "no"}"#);
        write("tickets.tear.v1.json", "{}");
        let mut found = Vec::new();
        samples_decode(&folder, &mut found).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_partners_sample_that_no_longer_decodes_is_found() {
        let folder = std::env::temp_dir().join(format!("xtask-partner-{}", std::process::id()));
        fs::create_dir_all(folder.join(PARTNER_SAMPLES)).unwrap();
        let root = r#gen::root().join("contracts").join(PARTNER_SAMPLES);
        let good = fs::read_to_string(root.join("show.upsert.v1.json")).unwrap();
        let write = |name: &str, body: &str| {
            fs::write(folder.join(PARTNER_SAMPLES).join(name), body).unwrap();
        };
        write("show.upsert.v1.json", &good);
        let mut found = Vec::new();
        samples_decode(&folder, &mut found).unwrap();
        assert_eq!(found, Vec::<String>::new());
        write(
            "show.upsert.v1.typo.json",
            &good.replace("runtime_min", "runtime"),
        );
        write(
            "show.upsert.v1.other.json",
            &good.replace("show.upsert.v1", "price.upsert.v1"),
        );
        write("show.burn.v1.json", &good);
        samples_decode(&folder, &mut found).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
