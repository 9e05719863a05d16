//! The program as an earlier commit built it, for deployments in which two versions run side by side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::{product, ui};

/// Builds `boxoffice` of a commit, once: the result lies in target/older.
pub(crate) fn program(revision: &str, release: bool) -> anyhow::Result<PathBuf> {
    let commit = said(&[
        "rev-parse",
        "--verify",
        "--quiet",
        &format!("{revision}^{{commit}}"),
    ])
    .with_context(|| format!("there is no commit {revision:?} here"))?;
    let folder = product::target()?.join("older");
    let kind = if release { "release" } else { "debug" };
    let kept = folder.join(format!("{commit}-{kind}"));
    let program = kept.join("boxoffice");
    if program.exists() {
        return Ok(program);
    }
    ui::note(&format!("building boxoffice of {revision}"));
    let source = folder.join("source");
    unpack(&commit, &source)?;
    let mut build = product::cargo()?;
    build
        .args([
            "build",
            "--locked",
            "--package",
            "boxoffice",
            "--manifest-path",
        ])
        .arg(source.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.join("build"));
    if release {
        build.arg("--release");
    }
    let status = build.status().context("cargo could not be run")?;
    ensure!(
        status.success(),
        "{revision} does not build: cargo says why above"
    );
    fs::create_dir_all(&kept)?;
    fs::copy(folder.join("build").join(kind).join("boxoffice"), &program)?;
    fs::remove_dir_all(&source)?;
    Ok(program)
}

/// Its files, without touching the checkout.
fn unpack(commit: &str, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    let mut archive = Command::new("git")
        .args(["archive", "--format=tar", commit])
        .stdout(Stdio::piped())
        .spawn()
        .context("git could not be run")?;
    let stream = archive.stdout.take().context("git archive has no output")?;
    let unpacked = Command::new("tar")
        .arg("-x")
        .arg("-C")
        .arg(to)
        .stdin(stream)
        .status()
        .context("tar could not be run")?;
    let archived = archive.wait()?;
    ensure!(
        archived.success() && unpacked.success(),
        "{commit} could not be unpacked"
    );
    Ok(())
}

fn said(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(arguments).output()?;
    ensure!(output.status.success(), "git {arguments:?} failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
