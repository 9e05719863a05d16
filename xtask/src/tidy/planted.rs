//! Bugs can be planted in builds for tests, and in no other.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::product;

/// The crate with the switches, and the feature that brings them.
const CRATE: &str = "boxoffice-contracts";
const FEATURE: &str = "planted";

/// What is shipped, as the image and `cargo xtask up` build it: package by package.
const SHIPPED: [&str; 2] = ["boxoffice", "boxoffice-stripe-sandbox"];

/// Asks cargo which features the shipped programs are built with.
pub(super) fn check(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    for package in SHIPPED {
        let tree = product::cargo()?
            .args(["tree", "--locked", "--offline", "--package", package])
            .args(["--edges", "normal,build", "--prefix", "none", "--no-dedupe"])
            .args(["--format", "{p} features:{f}"])
            .output()
            .context("cargo could not be run")?;
        let said = String::from_utf8_lossy(&tree.stderr);
        ensure!(tree.status.success(), "cargo tree: {said}");
        if has_switches(&String::from_utf8_lossy(&tree.stdout)) {
            findings.push(format!(
                "{package} is built with the feature {FEATURE} of {CRATE}"
            ));
        }
    }
    // All packages at once are built with the features that any of them asks for: the tests' too.
    let image = fs::read_to_string(root.join("infra/docker/Dockerfile"))?;
    if image
        .lines()
        .any(|line| line.contains("cargo") && line.contains("--workspace"))
    {
        findings
            .push("infra/docker/Dockerfile builds the whole workspace, tests included".to_owned());
    }
    Ok(())
}

/// Whether a list of packages with their features has the crate with the feature.
fn has_switches(tree: &str) -> bool {
    let mut lines = tree
        .lines()
        .filter_map(|line| line.split_once(" features:"));
    lines.any(|(package, features)| {
        package.split(' ').next() == Some(CRATE) && features.split(',').any(|on| on == FEATURE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_seen() {
        assert!(has_switches(
            "boxoffice-contracts v0.1.0 (/src/contracts) features:planted\n"
        ));
        assert!(has_switches(
            "a v1 features:\nboxoffice-contracts v0.1.0 features:x,planted"
        ));
        assert!(!has_switches(
            "boxoffice-contracts v0.1.0 (/src/contracts) features:\n"
        ));
        assert!(!has_switches("other v0.1.0 features:planted\n"));
    }
}
