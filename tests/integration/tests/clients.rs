//! What `docs/clients.md` tells writers of clients, done as it stands there.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{Show, World, secs};
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{process::Command, time::timeout};

const PAGE: &str = include_str!("../../../docs/clients.md");

/// Compiling included.
const EXAMPLE_MAX: std::time::Duration = secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_curl_do_what_the_page_says() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let folder = world.folder.join("curl");
    fs::create_dir_all(&folder).unwrap();
    let script = format!("set -euo pipefail\n{}", blocks("sh").join("\n"));
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(&folder);
    run(&world, bash).await;
    assert!(fs::metadata(folder.join("tickets.pdf")).unwrap().len() > 1_000);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_compiles_against_the_description_and_books_a_seat() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let packages = PathBuf::from(env::var("BOXOFFICE_TEST_CLIENT").unwrap_or_else(|_| {
        panic!("BOXOFFICE_TEST_CLIENT is not set: run the tests with `cargo xtask test`")
    }));
    let folder = world.folder.join("client");
    fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", "tsconfig.json"] {
        fs::copy(packages.join(file), folder.join(file)).unwrap();
    }
    symlink(packages.join("node_modules"), folder.join("node_modules")).unwrap();
    fs::write(folder.join("client.ts"), blocks("ts").concat()).unwrap();

    let description = format!("{}/openapi.json", world.api);
    let mut types = node(&folder, "openapi-typescript/bin/cli.js");
    types.args([description.as_str(), "-o", "api.d.ts"]);
    run(&world, types).await;
    run(&world, node(&folder, "typescript/bin/tsc")).await;
    let mut client = Command::new("node");
    client.arg("out/client.js").current_dir(&folder);
    assert_eq!(run(&world, client).await.trim(), "completed");
    world.finish().await;
}

/// The page's blocks of a language, in order.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let found: Vec<String> = PAGE
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert!(!found.is_empty(), "the page has nothing in {language}");
    found
}

fn node(folder: &Path, program: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(folder.join("node_modules").join(program))
        .current_dir(folder);
    node
}

/// Runs a program as a customer would, and returns what it says.
async fn run(world: &World, mut command: Command) -> String {
    let ada = world.customer("ada");
    command
        .env("API", &world.api)
        .env("TOKEN", ada.token())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(EXAMPLE_MAX, command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}\n{complained}");
    said
}
