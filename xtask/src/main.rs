//! `cargo xtask`: everything that is done with this repository besides writing it.
//!
//! A subcommand is one file with its arguments and one `run`; [`Command`] is the list of them.
//! Underneath: `stack/` knows processes, ports and where things lie, `servers/` the three foreign
//! servers, `product.rs` our own programs, `ui.rs` is the only place that prints.

mod bench;
mod chaos;
mod contracts;
mod demo;
mod down;
mod r#gen;
mod install;
mod interrupt;
mod lint;
mod logs;
mod npm;
mod older;
mod openapi;
mod probe;
mod product;
mod pypi;
mod servers;
mod services;
mod stack;
mod status;
mod test;
mod throughput;
mod tidy;
mod ui;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs, tests and inspects boxoffice on this machine.
///
/// Start with `cargo xtask up`: it installs what is missing, starts private servers with their own
/// ports and data under .boxoffice/, builds, migrates, and prints the addresses. Whatever already
/// runs on this machine is left alone; `cargo xtask down` stops all of it again.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Arguments),
    Down(down::Arguments),
    Status(status::Arguments),
    Logs(logs::Arguments),
    Test(test::Arguments),
    Demo(demo::Arguments),
    Gen(r#gen::Arguments),
    Contracts(contracts::Arguments),
    Tidy(tidy::Arguments),
    Lint(lint::Arguments),
    Throughput(throughput::Arguments),
    Bench(bench::Arguments),
    Chaos(chaos::Arguments),
    Services(services::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Down(arguments) => down::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Logs(arguments) => logs::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Gen(arguments) => r#gen::run(&arguments),
        Command::Contracts(arguments) => contracts::run(&arguments),
        Command::Tidy(arguments) => tidy::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Throughput(arguments) => throughput::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
        Command::Services(arguments) => services::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        ui::error(&error);
        ExitCode::FAILURE
    })
}
