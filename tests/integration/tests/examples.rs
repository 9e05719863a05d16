//! What lies under `examples/` for partners, run as a partner runs it: the two sample clients, and the certification,
//! which must also see what is wrong.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::Role;
use boxoffice_integration::{Show, World, customer::new_key, partner::PartnerUser, secs};
use serde_json::{Value, json};
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// Compiling included.
const CLIENT_MAX: Duration = secs(90);
/// Fourteen scenarios; each waits half a minute at most for what must come.
const CERTIFICATION_MAX: Duration = secs(300);

/// A partner with credit for whatever the examples book.
async fn partner(world: &World, name: &str) -> PartnerUser {
    let id = world.partner_id(name);
    let user = world
        .add_partner(&id, json!({"rate_per_sec": 100, "burst": 100}))
        .await;
    let credit = json!({"currency": "EUR", "limit_minor": 1_000_000, "reason": "A test."});
    let path = format!("/v1/partners/{id}/credit");
    let admin = world.someone("root", Role::Admin);
    let answer = admin.post(&path, &new_key(), &credit).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    user
}

/// Takes the user away, which is the whole broker's.
async fn leave(world: &World, partner: &PartnerUser) {
    let path = format!("/api/users/{}", partner.user);
    world.manage(reqwest::Method::DELETE, &path, "").await;
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

/// A tool that `cargo xtask test` has installed.
fn tool(name: &str) -> PathBuf {
    PathBuf::from(
        env::var(name)
            .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `cargo xtask test`")),
    )
}

async fn output(mut command: Command, within: Duration) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true);
    timeout(within, command.output()).await.unwrap().unwrap()
}

/// Runs a client to its end; returns what it says.
async fn client(mut command: Command, partner: &PartnerUser) -> String {
    command.env("BOXOFFICE_PARTNER_URL", partner.address());
    let ended = output(command, CLIENT_MAX).await;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}\n{complained}");
    said
}

/// One accepted message, and events up to the end.
fn tells_a_whole_story(said: &str) {
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines.iter().any(|line| line.starts_with("reply accepted ")),
        "{said}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("event booking.held.v1 ")),
        "{said}"
    );
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with("event booking.completed.v1 "),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_in_python_books_two_seats() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let acme = partner(&world, "snake").await;
    let mut python = Command::new(tool("BOXOFFICE_TEST_PARTNER_PYTHON"));
    python.arg(example("python/partner.py")).args([
        &world.show("evening").id.to_string(),
        "A-1",
        "A-2",
    ]);
    tells_a_whole_story(&client(python, &acme).await);
    leave(&world, &acme).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_in_typescript_compiles_and_books_two_seats() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let acme = partner(&world, "type").await;
    let packages = tool("BOXOFFICE_TEST_PARTNER_NODE");
    let folder = world.folder.join("typescript");
    fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", "tsconfig.json", "partner.ts"] {
        fs::copy(example("typescript").join(file), folder.join(file)).unwrap();
    }
    symlink(packages.join("node_modules"), folder.join("node_modules")).unwrap();
    let mut compiler = Command::new("node");
    compiler
        .arg(folder.join("node_modules/typescript/bin/tsc"))
        .current_dir(&folder);
    let compiled = output(compiler, CLIENT_MAX).await;
    let complaints = String::from_utf8_lossy(&compiled.stdout);
    assert!(compiled.status.success(), "{complaints}");
    let mut node = Command::new("node");
    node.arg(folder.join("out/partner.js")).args([
        &world.show("evening").id.to_string(),
        "A-1",
        "A-2",
    ]);
    tells_a_whole_story(&client(node, &acme).await);
    leave(&world, &acme).await;
    world.finish().await;
}

/// What the certification said, and its report.
struct Verdict {
    code: Option<i32>,
    said: String,
    report: Value,
}

impl Verdict {
    /// Names of the scenarios that ended so.
    fn scenarios(&self, passed: bool) -> Vec<&str> {
        let all = self.report["scenarios"].as_array().unwrap();
        all.iter()
            .filter(|scenario| scenario["passed"] == passed)
            .map(|scenario| scenario["name"].as_str().unwrap())
            .collect()
    }
}

/// Runs a program that certifies, with these arguments more.
async fn certify(world: &World, partner: &PartnerUser, program: &Path, more: &[&str]) -> Verdict {
    let report = world.folder.join("certification.json");
    let mut python = Command::new(tool("BOXOFFICE_TEST_PARTNER_PYTHON"));
    python
        .arg(program)
        .args(["--show", &world.show("evening").id.to_string(), "--json"])
        .arg(&report)
        .args(more)
        .env("PYTHONPATH", example("certification"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BOXOFFICE_AMQP_URL", partner.address())
        .env("BOXOFFICE_API", &world.api)
        .env(
            "BOXOFFICE_TOKEN",
            world.system_of(partner.id.as_str()).token(),
        );
    let ended = output(python, CERTIFICATION_MAX).await;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let complained = String::from_utf8_lossy(&ended.stderr).into_owned();
    let report = fs::read(&report).unwrap_or_else(|_| panic!("no report: {said}\n{complained}"));
    Verdict {
        code: ended.status.code(),
        said,
        report: serde_json::from_slice(&report).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_keeps_the_rules_is_certified() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let acme = partner(&world, "good").await;
    let program = example("certification/certify.py");
    let verdict = certify(&world, &acme, &program, &[]).await;
    assert_eq!(
        verdict.scenarios(false),
        Vec::<&str>::new(),
        "{}",
        verdict.said
    );
    assert_eq!(verdict.scenarios(true).len(), 14, "{}", verdict.said);
    assert!(
        verdict.said.ends_with("PASSED: 14 of 14 scenarios\n"),
        "{}",
        verdict.said
    );
    assert_eq!(verdict.report["passed"], true);
    assert_eq!(verdict.report["partner"], acme.id.as_str());
    assert_eq!(verdict.code, Some(0));
    leave(&world, &acme).await;
    world.finish().await;
}

/// A certificate that everybody gets is none: clients that break one rule each, and what must be seen of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_breaks_a_rule_fails() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let acme = partner(&world, "bad").await;
    for (name, rule, only, code) in [
        (
            "no proof of the sender",
            "changes['user_id'] = None",
            "a booking completes",
            "sender_unproved",
        ),
        (
            "another id with each repetition",
            "event['id'] = str(uuid.uuid4())",
            "a repetition is harmless",
            "two bookings",
        ),
        (
            "a field that the house doesn't know",
            "event['data']['seat_colour'] = 'red'",
            "a booking completes",
            "validation_failed",
        ),
    ] {
        let program = world.folder.join("careless.py");
        let text = format!(
            "import sys, uuid, certify\n\
             class Careless(certify.Door):\n    \
                 def publish(self, event, key=None, **changes):\n        \
                     {rule}\n        \
                     return super().publish(event, key, **changes)\n\
             certify.Door = Careless\n\
             sys.exit(certify.main())\n"
        );
        fs::write(&program, text).unwrap();
        let verdict = certify(&world, &acme, &program, &["--only", only]).await;
        assert_eq!(verdict.code, Some(1), "{name}: {}", verdict.said);
        assert_eq!(verdict.report["passed"], false, "{name}");
        assert_eq!(verdict.scenarios(false), [only], "{name}: {}", verdict.said);
        assert!(
            verdict.said.contains("FAILED: 0 of 1 scenarios"),
            "{}",
            verdict.said
        );
        let detail = verdict.report["scenarios"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(code), "{name}: {detail}");
    }
    leave(&world, &acme).await;
    world.finish().await;
}
