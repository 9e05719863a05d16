//! What is published of the messages is true: asked of the public parser, the real broker and a real process.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{
    message::CATALOGUE,
    metric::{METRICS, Type},
    partner::kinds::PARTNER_CATALOGUE,
    topology::{QUEUES, VHOST},
};
use boxoffice_integration::{
    Order, Show, World, eventually, secs,
    services::{Place, Services, set},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// What the parser says of a document.
fn parsed(document: &Path) -> Value {
    let parser = PathBuf::from(set("BOXOFFICE_TEST_ASYNCAPI_PARSER"));
    let output = Command::new("node")
        .arg(parser.join("check.mjs"))
        .arg(document)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn errors(answer: &Value) -> Vec<&Value> {
    let all = answer["diagnostics"].as_array().unwrap().iter();
    all.filter(|found| found["severity"] == 0).collect()
}

#[test]
fn the_public_parser_finds_no_error_in_asyncapi() {
    let answer = parsed(&repository("docs/asyncapi.yaml"));
    assert_eq!(errors(&answer), Vec::<&Value>::new());
    assert_eq!(answer["understood"], true);
    let kinds = CATALOGUE.len() + PARTNER_CATALOGUE.len();
    assert_eq!(answer["messages"], kinds);
    let samples = ["contracts/samples", "contracts/samples/partner"]
        .map(|folder| fs::read_dir(repository(folder)).unwrap())
        .into_iter()
        .flatten()
        .filter(|file| file.as_ref().unwrap().path().is_file());
    assert_eq!(answer["examples"], samples.count());
    // All events of the house, and all that a partner gets, have one more each.
    assert_eq!(answer["channels"], kinds + QUEUES.len() + 2);
}

/// The same with one thing broken each: else the test above would prove nothing.
#[test]
fn the_public_parser_finds_what_is_broken() {
    let text = fs::read_to_string(repository("docs/asyncapi.yaml")).unwrap();
    let breaks = [
        ("#/components/schemas/BookingId", "#/$defs/BookingId"),
        (
            "#/components/messages/mail.send.v1",
            "#/components/messages/mail.sent.v1",
        ),
        ("action: receive", "action: obtain"),
        ("is: routingKey", "is: topic"),
        ("template: confirmation", "template: 7"),
        ("runtime_min: 97", "runtime_min: long"),
    ];
    let folder = std::env::temp_dir().join(format!("boxoffice-asyncapi-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (right, wrong) in breaks {
        assert!(text.contains(right), "{right}: nothing to break");
        let broken = folder.join("broken.yaml");
        fs::write(&broken, text.replace(right, wrong)).unwrap();
        let answer = parsed(&broken);
        assert!(!errors(&answer).is_empty(), "{wrong}: {answer}");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// The definitions with another vhost: tests own theirs.
fn definitions(vhost: &str) -> Value {
    let file = repository("infra/docker/rabbitmq/definitions.json");
    let mut all: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    all["vhosts"] = json!([{"name": vhost}]);
    for part in ["exchanges", "queues", "bindings", "policies"] {
        for thing in all[part].as_array_mut().unwrap() {
            assert_eq!(thing["vhost"], VHOST);
            thing["vhost"] = vhost.into();
        }
    }
    all
}

async fn import(place: &Place, definitions: &Value) {
    let body = definitions.to_string();
    place.manage(Method::POST, "/api/definitions", &body).await;
}

/// `boxoffice topology diff`, as a person runs it.
fn diff(services: &Services, place: &Place) -> Output {
    Command::new(services.programs.join("boxoffice"))
        .args(["topology", "diff"])
        .env("BOXOFFICE__AMQP__URL", place.amqp_url())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definitions_are_what_the_topology_asks_for() {
    let services = Services::from_env();
    let place = Place::create(&services).await;
    let all = definitions(&place.name);
    import(&place, &all).await;

    let clean = diff(&services, &place);
    let said = String::from_utf8_lossy(&clean.stdout).into_owned();
    assert!(clean.status.success(), "{said}");
    assert_eq!(said.trim(), "no difference");

    // The diff looks at exchanges and queues; bindings and policies are compared here.
    let found = place
        .manage(Method::GET, &format!("/api/bindings/{}", place.name), "")
        .await;
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(bindings(&found), bindings(&all["bindings"]));
    let path = format!("/api/policies/{}", place.name);
    let policies: Value =
        serde_json::from_str(&place.manage(Method::GET, &path, "").await).unwrap();
    assert_eq!(policies, all["policies"]);
    place.destroy().await;
}

/// Every queue is also bound to the default exchange, by the broker itself.
fn bindings(list: &Value) -> BTreeSet<(String, String, String)> {
    let text = |binding: &Value, name: &str| binding[name].as_str().unwrap().to_owned();
    let all = list.as_array().unwrap().iter();
    all.map(|b| {
        (
            text(b, "source"),
            text(b, "destination"),
            text(b, "routing_key"),
        )
    })
    .filter(|(source, ..)| !source.is_empty())
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_differ_are_told() {
    let services = Services::from_env();
    let place = Place::create(&services).await;
    let mut all = definitions(&place.name);
    let queues = all["queues"].as_array_mut().unwrap();
    queues.retain(|queue| queue["name"] != "tickets");
    let mail = queues.iter_mut().find(|queue| queue["name"] == "mail");
    mail.unwrap()["arguments"]["x-delivery-limit"] = json!(3);
    let bindings = all["bindings"].as_array_mut().unwrap();
    bindings.retain(|binding| binding["destination"] != "tickets");
    import(&place, &all).await;

    let different = diff(&services, &place);
    let said = String::from_utf8_lossy(&different.stdout).into_owned();
    assert!(!different.status.success(), "{said}");
    assert!(said.contains("queue tickets is missing"), "{said}");
    assert!(said.contains("queue mail differs"), "{said}");
    place.destroy().await;
}

/// Samples of the Prometheus text format: name and labels.
fn samples(text: &str) -> Vec<(String, BTreeSet<String>)> {
    let lines = text
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty());
    lines
        .map(|line| {
            let end = line.find(['{', ' ']).unwrap();
            let labels = line[end..]
                .strip_prefix('{')
                .map_or("", |rest| rest.rsplit_once('}').unwrap().0);
            let names = labels
                .split("\",")
                .filter_map(|label| label.split_once("=\""));
            let names = names.map(|(name, _)| name.trim().to_owned());
            (line[..end].to_owned(), names.collect())
        })
        .collect()
}

/// The table of metrics against a process that has sold tickets.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_scraped_stands_in_the_table() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let order = Order::of(&world.show("evening"), &["A-1"]).paid_with("pm_card_visa");
    ada.book(order).await.until("completed").await;

    let text = world.process("all").metrics().await;
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, labels) in samples(&text) {
        let metric = METRICS.iter().find(|metric| {
            let parts: &[&str] = match metric.kind {
                Type::Histogram => &["_bucket", "_sum", "_count"],
                Type::Counter | Type::Gauge => &[""],
            };
            parts
                .iter()
                .any(|part| format!("{}{part}", metric.name) == name)
        });
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the table"));
        let labels: BTreeSet<String> = labels.into_iter().filter(|l| l != "le").collect();
        let expected: BTreeSet<String> = metric.labels.iter().map(ToString::to_string).collect();
        assert_eq!(labels, expected, "{name}");
        found.insert(metric.name, labels);
        let kind = format!("# TYPE {} {}", metric.name, metric.kind.as_str());
        assert!(text.contains(&kind), "{kind}");
        assert!(text.contains(&format!("# HELP {} {}", metric.name, metric.doc)));
    }
    // What every booking moves, and what alerts need from the start.
    for name in [
        "boxoffice_attention_total",
        "boxoffice_decisions_total",
        "boxoffice_http_requests_total",
        "boxoffice_message_wait_seconds",
        "boxoffice_messages_handled_total",
        "boxoffice_outbox_oldest_pending_seconds",
        "boxoffice_parked_open_messages",
    ] {
        assert!(found.contains_key(name), "{name}: {:?}", found.keys());
    }
    world.finish().await;
}

/// The alerts ask the broker's exporter for metrics that it has, under the labels that they use.
#[tokio::test(flavor = "multi_thread")]
async fn the_broker_has_what_the_alerts_ask_for() {
    let services = Services::from_env();
    let place = Place::create(&services).await;
    import(&place, &definitions(&place.name)).await;
    let path = format!(
        "{}/metrics/detailed?vhost={}&family=queue_coarse_metrics&family=queue_consumer_count",
        set("BOXOFFICE_TEST_BROKER_METRICS_URL"),
        place.name
    );
    let alerts = fs::read_to_string(repository("infra/docker/prometheus/alerts.yaml")).unwrap();
    let http = reqwest::Client::new();
    eventually("the exporter knows every queue", secs(30), async || {
        let answer = http.get(&path).send().await.map_err(|e| e.to_string())?;
        let text = answer.text().await.map_err(|e| e.to_string())?;
        for metric in [
            "rabbitmq_detailed_queue_messages",
            "rabbitmq_detailed_queue_consumers",
        ] {
            assert!(alerts.contains(metric), "{metric} is no longer asked for");
            for queue in QUEUES {
                let sample = format!(
                    "{metric}{{vhost=\"{}\",queue=\"{}\"}}",
                    place.name, queue.name
                );
                if !text.contains(&sample) {
                    return Err(format!("{sample} is not in:\n{text}"));
                }
            }
        }
        Ok(())
    })
    .await;
    place.destroy().await;
}
