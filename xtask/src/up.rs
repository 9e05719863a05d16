use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::install::Installed;
use crate::servers::{self, Generation, Given, Scope};
use crate::stack::{self, DEV_BASE, Folder, Group, Manner, Ports, Stack, State};
use crate::{interrupt, product, ui};

const WATCH: Duration = Duration::from_millis(300);

/// Bring up the whole system: servers, migrations, demo data, sandboxes, every role.
///
/// Stays in the foreground and stops everything on Ctrl-C. Running it twice is harmless: the second
/// one prints the addresses. Servers of your own are used instead of private ones when
/// BOXOFFICE__MYSQL__URL, BOXOFFICE__AMQP__URL or BOXOFFICE__MONGODB__URL is set.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Return once everything is ready and leave it running; `cargo xtask down` stops it.
    #[arg(long)]
    detach: bool,
    /// Build with optimisation, as for production: slower to build, faster to run.
    #[arg(long)]
    release: bool,
    /// The ports used are this number plus fixed offsets, such as 80 for the API.
    #[arg(long, value_name = "PORT", default_value_t = DEV_BASE)]
    port_base: u16,
    /// `next`: RabbitMQ 4 and MySQL 9 from Debian sid instead; needs root.
    #[arg(long, value_enum, default_value = "current")]
    servers: Generation,
    /// A second stack beside the first gets another name, and another --port-base.
    #[arg(long, value_name = "NAME", default_value = "dev")]
    profile: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    interrupt::listen()?;
    let folder = Folder::new(&arguments.profile)?;
    let lock = folder.lock()?;
    match State::load(&folder)? {
        Some(state) if state.is_running() => {
            ui::line("already running; nothing was started");
            print_addresses(&state);
            return Ok(ExitCode::SUCCESS);
        }
        Some(state) => clean_up(&folder, state)?,
        None => {}
    }

    let given = Given::from_env(
        "BOXOFFICE__MYSQL__URL",
        "BOXOFFICE__AMQP__URL",
        "BOXOFFICE__AMQP__MANAGEMENT_URL",
        "BOXOFFICE__MONGODB__URL",
    );
    let ports = Ports::at(arguments.port_base)?;
    let installed = servers::prepare(&given, ports, arguments.servers)?;
    let programs = product::build(arguments.release)?;
    interrupt::check()?;

    let stack = Stack::create(folder, ports)?;
    if let Err(error) = start(&stack, &given, &installed, &programs) {
        stack.stop(Manner::Gently)?;
        return Err(error);
    }
    drop(lock);

    print_addresses(&stack.snapshot());
    if arguments.detach {
        ui::line("running in the background; stop it with `cargo xtask down`");
        return Ok(ExitCode::SUCCESS);
    }
    ui::line("Ctrl-C stops everything");
    watch(&stack)
}

fn start(
    stack: &Stack,
    given: &Given,
    installed: &Installed,
    programs: &product::Programs,
) -> anyhow::Result<()> {
    let servers = servers::start(stack, given, installed, Scope::Product)?;
    let environment = product::environment(stack, &servers, programs);
    stack.remember_env(&environment)?;
    product::start_sandboxes(stack, programs, &environment)?;
    product::prepare(stack, programs, &environment, product::DEMO)?;
    product::start_roles(stack, programs, &environment, &[])?;
    stack.mark_ready()
}

/// Until somebody stops it, or something dies.
fn watch(stack: &Stack) -> anyhow::Result<ExitCode> {
    loop {
        thread::sleep(WATCH);
        if interrupt::asked() {
            let _lock = stack.folder.lock()?;
            stack.stop(Manner::Gently)?;
            return Ok(ExitCode::SUCCESS);
        }
        // `down` in another terminal marks the file, and removes it in the end.
        if State::load(&stack.folder)?.is_none_or(|state| state.stopping) {
            ui::line("stopped by `cargo xtask down`");
            return Ok(ExitCode::SUCCESS);
        }
        if let Err(death) = product::check_alive(stack) {
            ui::error(&death.context("bringing everything down"));
            let _lock = stack.folder.lock()?;
            stack.stop(Manner::Gently)?;
            return Ok(ExitCode::FAILURE);
        }
    }
}

/// What an interrupted or half-dead run has left.
pub(crate) fn clean_up(folder: &Folder, state: State) -> anyhow::Result<()> {
    let dead = state.dead();
    if !dead.is_empty() && state.ready {
        ui::note(&format!(
            "an earlier run has lost {}: stopping the rest of it first",
            dead.join(", ")
        ));
    }
    stack::stop(folder, state, Manner::Gently)
}

pub(crate) fn print_addresses(state: &State) {
    let address = |name: &str| state.env.get(name).cloned();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, wherever: Option<String>| {
        if let Some(wherever) = wherever {
            rows.push(vec![what.to_owned(), wherever]);
        }
    };
    row(
        "API",
        address("BOXOFFICE__API__LISTEN").map(|listen| format!("http://{listen}")),
    );
    row(
        "health, metrics",
        address("BOXOFFICE__API__INTERNAL_LISTEN").map(|listen| format!("http://{listen}")),
    );
    for process in state
        .processes
        .iter()
        .filter(|process| process.group == Group::Sandbox)
    {
        row(&process.role, Some(process.address.clone()));
    }
    // Passwords of our own servers open nothing but what is bound to this machine; others' are theirs.
    let ours = |role: &str| state.processes.iter().any(|process| process.role == role);
    let (sql, sql_role) = if ours("mysql") {
        ("MySQL", "mysql")
    } else {
        ("MariaDB", "mariadb")
    };
    for (what, name, role) in [
        (
            "RabbitMQ pages",
            "BOXOFFICE__AMQP__MANAGEMENT_URL",
            "rabbitmq",
        ),
        ("RabbitMQ", "BOXOFFICE__AMQP__URL", "rabbitmq"),
        (sql, "BOXOFFICE__MYSQL__URL", sql_role),
        ("MongoDB", "BOXOFFICE__MONGODB__URL", "mongodb"),
    ] {
        row(
            what,
            address(name).map(|url| {
                if ours(role) {
                    url
                } else {
                    without_password(&url)
                }
            }),
        );
    }
    ui::table(&rows);
}

/// `scheme://user:password@host` → `scheme://user:…@host`. The last `@` before the path counts.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    let Some((user, place)) = rest[..host_end].rsplit_once('@') else {
        return url.to_owned();
    };
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:…@{place}{}", &rest[host_end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            without_password("amqp://ada:p:w@host:5/v"),
            "amqp://ada:…@host:5/v"
        );
        assert_eq!(
            without_password("mongodb://host:1/?a=b@c"),
            "mongodb://host:1/?a=b@c"
        );
    }
}
