//! Where things lie.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

const PROFILE_LENGTH_MAX: usize = 32;

/// `.boxoffice/<profile>`.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    profile: String,
    path: PathBuf,
}

/// Held while a stack is being changed.
pub(crate) struct Lock {
    _file: File,
}

impl Folder {
    pub(crate) fn new(profile: &str) -> anyhow::Result<Self> {
        let plain =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        ensure!(
            (1..=PROFILE_LENGTH_MAX).contains(&profile.len()) && profile.chars().all(plain),
            "a profile is named with a-z, 0-9 and -, not {profile:?}"
        );
        Ok(Self {
            profile: profile.to_owned(),
            path: workspace()?.join(".boxoffice").join(profile),
        })
    }

    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn create(&self) -> anyhow::Result<()> {
        for path in [self.logs(), self.path.join("data"), self.path.join("conf")] {
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        Ok(())
    }

    /// Refuses when another xtask is starting or stopping the same stack. Makes the folder, which
    /// is its owner's alone: databases and passwords lie in it.
    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .with_context(|| format!("cannot create {}", self.path.display()))?;
        let path = self.path.join("lock");
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another `cargo xtask` is at work on the stack {:?}: wait for it, or stop it",
                    self.profile
                )
            }
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock the stack's folder"),
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("stack.json")
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.path.join("secrets.json")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub(crate) fn log(&self, role: &str) -> PathBuf {
        self.logs().join(format!("{role}.log"))
    }

    pub(crate) fn data(&self, role: &str) -> PathBuf {
        self.path.join("data").join(role)
    }

    pub(crate) fn conf(&self, role: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join("conf").join(role);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    /// The stack runs no more.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        remove(fs::remove_file(self.state())).context("cannot remove stack.json")
    }

    /// Deletes data, configuration and secrets; logs stay, for what went wrong.
    pub(crate) fn purge(&self) -> anyhow::Result<()> {
        for path in [self.path.join("data"), self.path.join("conf")] {
            remove(fs::remove_dir_all(&path))
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        remove(fs::remove_file(self.secrets())).context("cannot remove secrets.json")
    }
}

/// The root of this checkout.
pub(crate) fn workspace() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("xtask lies outside its workspace")
}

fn remove(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_cannot_leave_its_folder() {
        for bad in ["", "../x", "a/b", "Dev", "a b"] {
            assert!(Folder::new(bad).is_err(), "{bad:?}");
        }
        assert!(
            Folder::new("dev")
                .unwrap()
                .state()
                .ends_with(".boxoffice/dev/stack.json")
        );
    }
}
