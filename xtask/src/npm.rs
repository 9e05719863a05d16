//! Programs of others that npm has, each set locked in a folder beside this one, installed once into the cache.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{r#gen, install, ui};

/// A folder with a `package.json` and its lock.
pub(crate) struct Set {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Below the workspace's root.
    pub(crate) source: &'static str,
    /// Below the cache.
    pub(crate) folder: &'static str,
    /// What lies in the source and goes along, the lock included.
    pub(crate) files: &'static [&'static str],
}

/// The public AsyncAPI parser. A test asks it what it finds.
pub(crate) const ASYNCAPI: Set = Set {
    name: "AsyncAPI parser",
    source: "xtask/asyncapi",
    folder: "asyncapi-parser",
    files: &["check.mjs", "package.json", "package-lock.json"],
};

/// What checks and runs the TypeScript of `docs/clients.md`.
pub(crate) const CLIENT: Set = Set {
    name: "TypeScript and OpenAPI types",
    source: "xtask/client",
    folder: "client-example",
    files: &["package.json", "package-lock.json", "tsconfig.json"],
};

/// What a partner's client in TypeScript needs; a test compiles and runs the client against a house of its own.
pub(crate) const PARTNER: Set = Set {
    name: "AMQP client of the partner's example",
    source: "examples/typescript",
    folder: "partner-example",
    files: &["package.json", "package-lock.json"],
};

/// Holds the lock file that was installed; without it the folder is not whole.
const INSTALLED: &str = "installed";

impl Set {
    /// Installs it once, with node where that is missing; later runs need no network. Returns its folder.
    pub(crate) fn prepare(&self) -> anyhow::Result<PathBuf> {
        let source = r#gen::root().join(self.source);
        let folder = install::cache()?.join(self.folder);
        install::ensure_node()?;
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        for file in self.files {
            fs::copy(source.join(file), folder.join(file)).with_context(|| (*file).to_owned())?;
        }
        let lock = fs::read_to_string(source.join("package-lock.json"))?;
        let marker = folder.join(INSTALLED);
        if fs::read_to_string(&marker).is_ok_and(|installed| installed == lock) {
            return Ok(folder);
        }
        let step = ui::step(self.name, "");
        step.doing("installing it from npm");
        let output = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output()
            .context("npm could not be run")?;
        if !output.status.success() {
            bail!(
                "npm could not install {}: {}",
                self.name,
                install::explain(&output, "npm.log")?
            );
        }
        fs::write(marker, lock)?;
        step.done("installed");
        Ok(folder)
    }
}
