//! The newer servers, MySQL 9 and RabbitMQ 4, from Debian sid: unpacked into a folder, run inside it.
//!
//! apt gets a state of its own, so neither the lists nor the packages of this machine change, and
//! `dpkg-deb -x` runs nobody's install script. Sid moves: what was unpacked stays as it is, its
//! folder named after the day and its versions written down inside; delete it to get newer ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use super::{cache, explain, find, install_packages, is_root, succeeds};
use crate::ui;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The servers, MySQL's client, and what RabbitMQ's shell scripts call.
const PACKAGES: [&str; 11] = [
    "mysql-server-core",
    "mysql-client-core",
    "rabbitmq-server",
    "base-files",
    "coreutils",
    "dash",
    "grep",
    "hostname",
    "libc-bin",
    "mawk",
    "sed",
];
const PREFIX: &str = "sid-";
const VERSIONS: &str = "versions";

/// Run in an empty folder; leaves `root/` and `versions` in it.
const UNPACK_SCRIPT: &str = r#"
set -eu
keyring=$1
shift
mkdir -p lists/partial archives/partial root
: > status
echo "deb [signed-by=$keyring] http://deb.debian.org/debian sid main" > sources.list
cat > apt.conf <<END
Dir::State "$PWD";
Dir::State::status "$PWD/status";
Dir::Cache "$PWD";
Dir::Etc::sourcelist "$PWD/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
END
export APT_CONFIG="$PWD/apt.conf" DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q --yes --download-only --no-install-recommends install "$@"
for archive in archives/*.deb; do
    dpkg-deb -x "$archive" root
done
for package in mysql-server-core rabbitmq-server; do
    dpkg-deb --show --showformat '${Package} ${Version}\n' archives/"$package"_*.deb
done > versions
rm -rf root/usr/share/doc root/usr/share/man root/usr/share/locale
rm -rf lists archives apt.conf sources.list status *.bin
# What the install scripts of base-passwd and base-files would have made.
cp root/usr/share/base-passwd/passwd.master root/etc/passwd
cp root/usr/share/base-passwd/group.master root/etc/group
printf '127.0.0.1 localhost\n::1 localhost\n' > root/etc/hosts
printf 'passwd: files\ngroup: files\nhosts: files\n' > root/etc/nsswitch.conf
"#;

/// Servers that lie in a folder as if it were the root of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Unpacked {
    pub(crate) root: PathBuf,
    /// The day they were unpacked.
    day: String,
    /// Of package and version, a line each.
    versions: String,
}

impl Unpacked {
    /// `MySQL 9.7.4-2 and RabbitMQ 4.3.6-1, from Debian sid on 2026-11-21`.
    pub(crate) fn describe(&self) -> String {
        let version = |package: &str| {
            let mut lines = self.versions.lines();
            lines
                .find_map(|line| line.strip_prefix(package)?.strip_prefix(' '))
                .unwrap_or("of an unknown version")
                .to_owned()
        };
        format!(
            "MySQL {} and RabbitMQ {}, from Debian sid on {}",
            version("mysql-server-core"),
            version("rabbitmq-server"),
            self.day
        )
    }

    fn read(folder: &Path) -> Option<Self> {
        Some(Self {
            root: folder.join("root"),
            day: folder
                .file_name()?
                .to_str()?
                .strip_prefix(PREFIX)?
                .to_owned(),
            versions: fs::read_to_string(folder.join(VERSIONS)).ok()?,
        })
    }
}

/// Says why they can't run here, or where they lie.
pub(crate) fn ensure() -> anyhow::Result<Unpacked> {
    const INSTEAD: &str = "or name running servers of that generation in the environment";
    ensure!(
        is_root(),
        "the newer servers run in a root folder of their own, which only root may enter: \
         run this as root, {INSTEAD}"
    );
    for program in ["unshare", "chroot", "mount"] {
        ensure!(
            find(program).is_some(),
            "the newer servers need `{program}`: install util-linux and mount, {INSTEAD}"
        );
    }
    ensure!(
        succeeds(Command::new("unshare").args(["--mount", "true"])),
        "the newer servers need mounts of their own, and this container may not make any: \
         run it privileged, {INSTEAD}"
    );
    let cache = cache()?;
    if let Some(unpacked) = newest(&cache) {
        return Ok(unpacked);
    }
    for program in ["apt-get", "dpkg-deb"] {
        ensure!(
            find(program).is_some(),
            "the newer servers are unpacked from Debian's packages, and there is no `{program}` \
             here: use Debian or Ubuntu, {INSTEAD}"
        );
    }
    if !Path::new(KEYRING).exists() {
        install_packages(&["debian-archive-keyring"])?;
    }
    unpack(&cache)
}

fn newest(cache: &Path) -> Option<Unpacked> {
    let mut folders: Vec<PathBuf> = fs::read_dir(cache)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort_unstable();
    folders
        .iter()
        .rev()
        .find_map(|folder| Unpacked::read(folder))
}

/// Unpacked beside and renamed: a folder of that name is whole.
fn unpack(cache: &Path) -> anyhow::Result<Unpacked> {
    let step = ui::step("Debian sid", "");
    step.doing("fetching and unpacking MySQL 9 and RabbitMQ 4 (130 MB)");
    let work = cache.join(format!("unfinished-{}", std::process::id()));
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let folder = cache.join(format!("{PREFIX}{}", today()?));
    let unpacked = fetch(&work).and_then(|()| {
        fs::rename(&work, &folder)
            .or_else(|error| {
                // Another run was faster, with the same.
                Unpacked::read(&folder).map(drop).ok_or(error)
            })
            .context("cannot move the unpacked servers into place")?;
        Unpacked::read(&folder).context("the unpacked servers have vanished")
    });
    // A leftover in the cache is no reason to fail.
    let _ = fs::remove_dir_all(&work);
    let unpacked = unpacked?;
    step.done(&unpacked.describe());
    Ok(unpacked)
}

fn fetch(work: &Path) -> anyhow::Result<()> {
    let output = Command::new("/bin/sh")
        .args(["-c", UNPACK_SCRIPT, "unpack", KEYRING])
        .args(PACKAGES)
        .current_dir(work)
        .stdin(Stdio::null())
        .output()
        .context("a shell could not be run")?;
    if !output.status.success() {
        bail!(
            "the newer servers could not be unpacked: {}",
            explain(&output, "sid.log")?
        );
    }
    Ok(())
}

fn today() -> anyhow::Result<String> {
    let output = Command::new("date")
        .args(["-u", "+%F"])
        .output()
        .context("cannot ask `date` for the day")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_folder_is_taken_and_says_its_versions() {
        let cache = std::env::temp_dir().join(format!("xtask-sid-{}", std::process::id()));
        for (folder, versions) in [
            (
                "sid-2026-01-02",
                Some("mysql-server-core 9.6\nrabbitmq-server 4.2\n"),
            ),
            (
                "sid-2026-11-21",
                Some("mysql-server-core 9.7\nrabbitmq-server 4.3\n"),
            ),
            ("sid-2026-12-01", None),
            ("unfinished-7", Some("")),
        ] {
            fs::create_dir_all(cache.join(folder)).unwrap();
            if let Some(versions) = versions {
                fs::write(cache.join(folder).join(VERSIONS), versions).unwrap();
            }
        }
        let found = newest(&cache).unwrap();
        assert!(found.root.ends_with("sid-2026-11-21/root"));
        assert_eq!(
            found.describe(),
            "MySQL 9.7 and RabbitMQ 4.3, from Debian sid on 2026-11-21"
        );
        fs::remove_dir_all(cache).unwrap();
    }
}
