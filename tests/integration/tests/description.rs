//! The API answers what its description says, and nothing else: schemathesis walks the one against the other.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{Order, Show, World, secs};
use serde_json::{Value, json};
use std::{env, fs, path::PathBuf, process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// For all walks together; alone on a machine they take a third of it.
const WALK_MAX: Duration = secs(90);
/// Requests per route that are made up, beside those at the edges of each parameter.
const MADE_UP: &str = "10";

const EVENTS: &str = "/v1/bookings/{id}/events";

/// What is right by its form may be refused for what only the service knows: a key that was used, a deadline that
/// has passed, a signature that nobody but the gateway can make, a cursor that was never given out, a number of
/// thirty digits, a change that only staff may order. A link with a forged signature is answered like the link of a booking that never was, with 404.
const SETTINGS: &str = r#"
[[operations]]
include-name = "GET /v1/bookings/{id}/tickets.pdf"
checks.ignored_auth.enabled = false
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "404", "409", "422"]

[[operations]]
include-name = "GET /v1/bookings/{id}/tickets.ics"
checks.ignored_auth.enabled = false
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "404", "409", "422"]

[[operations]]
include-name = "GET /v1/bookings/{id}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "404", "409", "422"]

[[operations]]
include-name = "GET /v1/shows"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

[[operations]]
include-method = "POST"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "422"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_over_the_description_finds_no_error_and_no_answer_that_it_lacks() {
    let world = World::setup()
        .show(Show::named("evening"))
        .setting("BOXOFFICE__API__POLL_SECS_MAX", "1")
        .start()
        .await;
    let walk = Walk::prepare(&world).await;
    let all = async {
        // A stream of a booking that there is never ends, and ids are learned from answers: apart.
        walk.finds_nothing(&["--exclude-path", EVENTS]).await;
        walk.finds_nothing(&["--include-path", EVENTS]).await;
        walk.notices_what_is_missing().await;
    };
    timeout(WALK_MAX, all).await.unwrap();
    world.finish().await;
}

/// The description with ids that the running API knows, and who asks.
struct Walk {
    program: String,
    folder: PathBuf,
    api: String,
    token: String,
    document: Value,
}

impl Walk {
    async fn prepare(world: &World) -> Self {
        let program = env::var("BOXOFFICE_TEST_SCHEMATHESIS").unwrap_or_else(|_| {
            panic!("BOXOFFICE_TEST_SCHEMATHESIS is not set: run the tests with `cargo xtask test`")
        });
        let ada = world.customer("ada");
        let show = world.show("evening");
        let booking = ada
            .book(Order::of(&show, &["A-1"]).paid_with("pm_card_visa"))
            .await;
        booking.until("completed").await;

        let url = format!("{}/openapi.json", world.api);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        // The examples' show and booking become those that are there.
        let example = |path: &str| {
            let id = &document["paths"][path]["get"]["parameters"][0]["example"];
            id.as_str().unwrap().to_owned()
        };
        let text = text
            .replace(&example("/v1/shows/{id}"), &show.id.to_string())
            .replace(&example("/v1/bookings/{id}"), &booking.id.to_string());
        let mut document: Value = serde_json::from_str(&text).unwrap();
        let events = &mut document["paths"][EVENTS]["get"]["parameters"][0]["example"];
        *events = json!(uuid::Uuid::nil());

        let folder = world.folder.join("walk");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("schemathesis.toml"), SETTINGS).unwrap();
        Self {
            program,
            folder,
            api: world.api.clone(),
            token: ada.token().to_owned(),
            document,
        }
    }

    async fn finds_nothing(&self, paths: &[&str]) {
        let (found_nothing, said) = self.run(&self.document, paths).await;
        assert!(found_nothing, "{paths:?}: {said}");
        assert!(
            said.contains("Fuzzing"),
            "{paths:?}: nothing was walked: {said}"
        );
    }

    /// The walk can fail: an answer that is taken out of the description is found.
    async fn notices_what_is_missing(&self) {
        let path = "/v1/shows/{id}";
        let mut document = self.document.clone();
        let answers = &mut document["paths"][path]["get"]["responses"];
        answers.as_object_mut().unwrap().remove("404").unwrap();
        let (found_nothing, said) = self.run(&document, &["--include-path", path]).await;
        assert!(!found_nothing, "{said}");
        assert!(said.contains("Undocumented status code"), "{said}");
    }

    async fn run(&self, document: &Value, paths: &[&str]) -> (bool, String) {
        let file = self.folder.join("openapi.json");
        fs::write(&file, document.to_string()).unwrap();
        let output = Command::new(&self.program)
            .current_dir(&self.folder)
            .arg("run")
            .arg(&file)
            .args(["--url", &self.api])
            .args(["--header", &format!("Authorization: Bearer {}", self.token)])
            .args(["--phases", "examples,coverage,fuzzing"])
            .args(["--max-examples", MADE_UP, "--seed", "1"])
            .args(["--generation-database", "none", "--warnings", "off"])
            // One worker: Python 3.11 can't parse in two threads at once.
            .args(["--request-timeout", "10", "--workers", "1"])
            .args(["--continue-on-failure", "--no-color"])
            .args(paths)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }
}
