//! The public AsyncAPI parser, as npm has it, locked in `xtask/asyncapi/`. A test asks it what it finds.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{r#gen, install, ui};

/// What tests call, and what decides which packages are there.
const FILES: [&str; 3] = ["check.mjs", "package.json", "package-lock.json"];
/// Holds the lock file that was installed; without it the folder is not whole.
const INSTALLED: &str = "installed";

/// Installs it once, with node where that is missing; later runs need no network. Returns its folder.
pub(crate) fn prepare() -> anyhow::Result<PathBuf> {
    let source = r#gen::root().join("xtask/asyncapi");
    let folder = install::cache()?.join("asyncapi-parser");
    install::ensure_node()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for file in FILES {
        fs::copy(source.join(file), folder.join(file)).with_context(|| file.to_owned())?;
    }
    let lock = fs::read_to_string(source.join("package-lock.json"))?;
    let marker = folder.join(INSTALLED);
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    let step = ui::step("AsyncAPI parser", "");
    step.doing("installing it from npm");
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .context("npm could not be run")?;
    if !output.status.success() {
        bail!(
            "npm could not install the AsyncAPI parser: {}",
            install::explain(&output, "npm.log")?
        );
    }
    fs::write(marker, lock)?;
    step.done("installed");
    Ok(folder)
}
