//! The description of the HTTP API. The product prints it, because its types need what xtask does without.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::product;

/// `docs/openapi.json`: its path and its content.
pub(crate) fn file() -> Result<(String, String)> {
    let output = product::cargo()?
        .args(["run", "--quiet", "--package", "boxoffice", "--", "openapi"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be run")?;
    ensure!(
        output.status.success(),
        "the product could not print its API: it says why above"
    );
    Ok((
        "docs/openapi.json".to_owned(),
        String::from_utf8(output.stdout)?,
    ))
}
