//! Operators see every queue, hold and release them, and are told when nobody does the work.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use boxoffice_contracts::{Role, topology::QUEUES};
use boxoffice_integration::{
    Customer, Order, Roles, Show, World, books, eventually, secs, wait_until,
};
use boxoffice_jobs::alerts::Signer;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

const VISA: &str = "pm_card_visa";
/// The order is read within a second, and the broker cancels at once.
const OBEYED_WITHIN: Duration = secs(3);
/// Two looks of `queue-watch`, the broker's own five seconds, a beat.
const SEEN_WITHIN: Duration = secs(25);
const QUEUES_PATH: &str = "/v1/backoffice/queues";

async fn get(who: &Customer, path: &str) -> Value {
    let answer = who.get(path).await.unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
    answer.body
}

async fn status_of(who: &Customer, path: &str, body: &Value) -> u16 {
    let request = who.request(reqwest::Method::POST, path).json(body);
    request.send().await.unwrap().status().as_u16()
}

/// Waits until a queue is shown as it should be.
async fn queue_until(
    who: &Customer,
    name: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    eventually(&format!("{name}: {what}"), SEEN_WITHIN, async || {
        let all = get(who, QUEUES_PATH).await;
        let queues = all["queues"].as_array().unwrap();
        let queue = queues.iter().find(|queue| queue["name"] == name).unwrap();
        if is_so(queue) {
            Ok(queue.clone())
        } else {
            Err(queue.to_string())
        }
    })
    .await
}

async fn consumers_until(world: &World, queue: &str, count: u32, within: Duration) {
    wait_until(&format!("{count} consume {queue}"), within, async || {
        world.vhost.consumers(queue).await == count
    })
    .await;
}

/// Runs a command of the back office as an operator would.
fn office(world: &mut World, arguments: &[&str]) -> (i32, String) {
    let output = world.process("all").command(arguments);
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_seen_held_drained_and_released_and_a_restart_keeps_to_it() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let (viewer, operator) = (
        world.someone("vera", Role::Viewer),
        world.someone("otto", Role::Operator),
    );
    let ada = world.customer("ada");
    let show = world.show("evening");

    // Held before anything waits; the viewer may look only.
    let hold = json!({"reason": "MongoDB moves"});
    let path = format!("{QUEUES_PATH}/timeline/pause");
    assert_eq!(status_of(&viewer, &path, &hold).await, 403);
    assert_eq!(status_of(&operator, &path, &json!({})).await, 422);
    let unknown = format!("{QUEUES_PATH}/unroutable/pause");
    assert_eq!(status_of(&operator, &unknown, &hold).await, 404);
    consumers_until(&world, "timeline", 1, secs(5)).await;
    queue_until(&viewer, "timeline", "watched", |queue| {
        queue["depth"]["consumers"] == 1
    })
    .await;
    let (code, said) = office(
        &mut world,
        &[
            "pause",
            "timeline",
            "--reason",
            "MongoDB moves",
            "--as",
            "otto",
        ],
    );
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("the queue timeline is held (pause)"),
        "{said}"
    );
    consumers_until(&world, "timeline", 0, OBEYED_WITHIN).await;

    // Others go on; what is held waits and grows older.
    let booking = ada.book(Order::of(&show, &["A-1"]).paid_with(VISA)).await;
    booking.until("completed").await;
    let waits = queue_until(&viewer, "timeline", "held and deep", |queue| {
        queue["state"] == "held"
            && queue["depth"]["ready"].as_u64() >= Some(3)
            && queue["depth"]["consumers"] == 0
            && queue["oldest_secs"].as_f64() > Some(0.0)
    })
    .await;
    assert_eq!(waits["held"]["by"], "otto", "{waits}");
    assert_eq!(waits["held"]["reason"], "MongoDB moves", "{waits}");
    assert_eq!(waits["alerts"], json!([]), "a hold is no alarm: {waits}");
    assert_eq!(waits["depth"]["unacked"], 0, "{waits}");
    let age = waits["oldest_secs"].as_f64().unwrap();
    assert!(age < 60.0, "no older than the booking: {waits}");

    // A restart keeps to it.
    world.process("all").restart().await;
    let state = |queue: &'static str| {
        let viewer = world.someone("vera", Role::Viewer);
        async move {
            let workers = get(&viewer, "/v1/backoffice/workers").await;
            let roles = workers["roles"].as_array().unwrap();
            let processes = roles
                .iter()
                .flat_map(|role| role["processes"].as_array().unwrap());
            processes
                .filter(|process| process["queue"] == queue)
                .map(|process| process["state"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        }
    };
    eventually("the new process is held", secs(10), async || {
        let states = state("timeline").await;
        let is_held = states.iter().any(|state| state == "held");
        if is_held { Ok(()) } else { Err(states) }
    })
    .await;
    assert_eq!(world.vhost.consumers("timeline").await, 0);

    // Drained: nothing is in hand, so it says so. An order takes the place of the one before.
    let drain = format!("{QUEUES_PATH}/timeline/drain");
    assert_eq!(status_of(&operator, &drain, &hold).await, 200);
    queue_until(&viewer, "timeline", "drained", |queue| {
        queue["state"] == "drained"
    })
    .await;

    // Released; what waited is done, and no attempt was counted.
    let released = office(
        &mut world,
        &[
            "resume",
            "timeline",
            "--reason",
            "it has moved",
            "--format",
            "json",
        ],
    );
    assert_eq!(released.0, 0, "{}", released.1);
    let released: Value = serde_json::from_str(&released.1).unwrap();
    assert_eq!(released["was"]["mode"], "drain");
    consumers_until(&world, "timeline", 1, OBEYED_WITHIN).await;
    queue_until(
        &viewer,
        "timeline",
        "empty again, with its times",
        |queue| {
            queue["depth"]["ready"] == 0
                && queue["state"] == "running"
                && queue["critical"]["messages"].as_u64() >= Some(3)
        },
    )
    .await;
    let path = format!("{QUEUES_PATH}/timeline/history");
    eventually("the minutes tell of it", SEEN_WITHIN, async || {
        let history = get(&viewer, &path).await;
        let minutes = history["minutes"].as_array().unwrap();
        let sum = |field: &str| -> u64 {
            let of_each = minutes.iter().filter_map(|minute| minute[field].as_u64());
            of_each.sum()
        };
        let seen = ["arrived", "delivered", "settled"].map(sum);
        if seen.iter().all(|count| *count >= 3) {
            Ok(())
        } else {
            Err(seen)
        }
    })
    .await;
    let (code, said) = office(&mut world, &["queues", "timeline", "--history"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("arrived") && said.lines().count() >= 2,
        "{said}"
    );

    // Every queue is there, with its limits and its objective.
    let all = get(&viewer, QUEUES_PATH).await;
    assert_eq!(all["stale"], false);
    for queue in QUEUES {
        let queues = all["queues"].as_array().unwrap();
        let shown = queues.iter().find(|shown| shown["name"] == queue.name);
        let shown = shown.unwrap_or_else(|| panic!("{} is missing", queue.name));
        assert_eq!(shown["depth"]["consumers"], 1, "{shown}");
        assert!(shown["critical"]["objective_ms"].is_u64(), "{shown}");
    }
    let audit = "SELECT CONCAT(action, ' ', target, ' ', reason) FROM audit ORDER BY id";
    assert_eq!(
        books::texts(&world.db, audit).await,
        [
            "queue.pause queue:timeline MongoDB moves",
            "queue.drain queue:timeline MongoDB moves",
            "queue.resume queue:timeline it has moved",
        ]
    );
    world.finish().await;
}

/// What the broker says that the consumers of a queue take ahead.
async fn prefetches(world: &World, queue: &str) -> Vec<u64> {
    let path = format!("/api/consumers/{}", world.vhost_name());
    let seen = world.manage(reqwest::Method::GET, &path, "").await;
    let seen: Value = serde_json::from_str(&seen).unwrap_or_default();
    let consumers = seen.as_array().into_iter().flatten();
    let own = consumers.filter(|consumer| consumer["queue"]["name"] == queue);
    own.filter_map(|consumer| consumer["prefetch_count"].as_u64())
        .collect()
}

async fn takes_ahead(world: &World, queue: &str, messages: u64) {
    let what = format!("{queue} is taken {messages} at a time");
    eventually(&what, secs(15), async || {
        match prefetches(world, queue).await {
            seen if seen == [messages] => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

/// Books and pays; comes back when the tickets are there.
async fn buy(world: &World, seat: &str) {
    let order = Order::of(&world.show("evening"), &[seat]).paid_with(VISA);
    let booking = world.customer("ada").book(order).await;
    booking.until("completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_take_as_many_ahead_as_an_operator_says_until_it_is_set_back() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let (viewer, operator) = (
        world.someone("vera", Role::Viewer),
        world.someone("otto", Role::Operator),
    );
    let default = QUEUES.iter().find(|queue| queue.name == "tickets").unwrap();
    let default = u64::from(default.prefetch);
    buy(&world, "A-1").await;
    takes_ahead(&world, "tickets", default).await;

    // Who only looks may not, and what is out of bounds changes nothing.
    let path = format!("{QUEUES_PATH}/tickets/prefetch");
    let few = json!({"prefetch": 3, "reason": "slow disk"});
    assert_eq!(status_of(&viewer, &path, &few).await, 403);
    for wrong in [
        json!({"prefetch": 3}),
        json!({"prefetch": 0, "reason": "x"}),
        json!({"prefetch": 2001, "reason": "x"}),
    ] {
        assert_eq!(status_of(&operator, &path, &wrong).await, 422, "{wrong}");
    }
    let unknown = format!("{QUEUES_PATH}/unroutable/prefetch");
    assert_eq!(status_of(&operator, &unknown, &few).await, 404);
    takes_ahead(&world, "tickets", default).await;

    // Obeyed without a message having to come, and none is lost: bookings go on meanwhile.
    let order = ["workers", "prefetch", "tickets"];
    let because = ["--reason", "slow disk"];
    let (code, said) = office(&mut world, &[&order[..], &["3"], &because].concat());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("takes 3 messages ahead"), "{said}");
    buy(&world, "A-2").await;
    takes_ahead(&world, "tickets", 3).await;
    let shown = queue_until(&viewer, "tickets", "shown", |queue| {
        queue["prefetch"]["messages"] == 3
    })
    .await;
    assert_eq!(shown["prefetch"]["default"], default, "{shown}");
    assert_eq!(shown["prefetch"]["reason"], "slow disk", "{shown}");

    // A process that starts later obeys, too; then it is as it was.
    world.process("all").stop().await;
    world.process("all").start();
    buy(&world, "A-3").await;
    takes_ahead(&world, "tickets", 3).await;
    // With one at a time each message comes alone, and come they do.
    let (code, said) = office(&mut world, &[&order[..], &["1"], &because].concat());
    assert_eq!(code, 0, "{said}");
    takes_ahead(&world, "tickets", 1).await;
    buy(&world, "A-4").await;
    let (code, said) = office(&mut world, &[&order[..], &["default"], &because].concat());
    assert_eq!(code, 0, "{said}");
    takes_ahead(&world, "tickets", default).await;
    buy(&world, "A-5").await;
    let audit = "SELECT CONCAT(action, ' ', target, ' ', reason, ' ', JSON_VALUE(detail, '$.from'), '-', \
                 JSON_VALUE(detail, '$.to')) FROM audit ORDER BY id";
    assert_eq!(
        books::texts(&world.db, audit).await,
        [
            format!("queue.prefetch queue:tickets slow disk {default}-3"),
            "queue.prefetch queue:tickets slow disk 3-1".to_owned(),
            format!("queue.prefetch queue:tickets slow disk 1-{default}"),
        ]
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_a_queue_is_held_and_a_hold_ends_by_itself() {
    let world = World::setup()
        .show(Show::named("brief").hold(2, 1, 6))
        .start()
        .await;
    let operator = world.someone("otto", Role::Operator);
    let path = "/v1/backoffice/workers/hold-expiry/pause";
    let hold = json!({"reason": "the till is being counted", "for": "9s"});
    let ordered = Instant::now();
    let answer = operator
        .request(reqwest::Method::POST, path)
        .json(&hold)
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert!(
        answer["warning"]
            .as_str()
            .unwrap()
            .contains("seats stay taken")
    );
    eventually("hold-expiry is held", secs(6), async || {
        let workers = get(&operator, "/v1/backoffice/workers").await;
        let roles = workers["roles"].as_array().unwrap();
        let role = roles.iter().find(|role| role["role"] == "hold-expiry");
        let role = role.unwrap().clone();
        let is_held = role["processes"][0]["state"] == "held";
        if is_held { Ok(()) } else { Err(role) }
    })
    .await;
    let ada = world.customer("ada");
    let booking = ada.book(Order::of(&world.show("brief"), &["A-1"])).await;
    booking.until("held").await;
    let expired = booking.until("expired").await;
    let waited = ordered.elapsed();
    assert!(waited >= secs(9), "it was held: {waited:?}, {expired:?}");
    world.finish().await;
}

/// What a receiver of webhooks got: id, time, signature, body.
type Received = Arc<Mutex<Vec<(String, String, String, String)>>>;

/// Refuses the first attempt of each alert that is raised, so that a repetition is seen.
async fn receiver() -> (String, Received) {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/pager", listener.local_addr().unwrap());
    let take = async |State(received): State<Received>, headers: HeaderMap, body: String| {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let mut received = received.lock().unwrap();
        let id = header("webhook-id");
        let is_new = received.iter().all(|(known, ..)| *known != id);
        let is_refused = is_new && body.contains("alert.raised");
        let (at, signature) = (header("webhook-timestamp"), header("webhook-signature"));
        received.push((id, at, signature, body));
        if is_refused {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::NO_CONTENT
        }
    };
    let router = Router::new()
        .route("/pager", post(take))
        .with_state(Arc::clone(&received));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, received)
}

fn of_event(received: &Received, event: &str) -> Vec<(String, String, String, String)> {
    let received = received.lock().unwrap();
    let of_event = received.iter().filter(|(.., body)| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["type"] == event && body["data"]["key"] == "no_consumer:tickets"
    });
    of_event.cloned().collect()
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// From the death of the worker to the page.
const TOLD_WITHIN: Duration = secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_worker_is_told_within_thirty_seconds_and_so_is_its_return() {
    let (url, received) = receiver().await;
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[&["tickets"]]))
        .setting("BOXOFFICE__ALERTS__WEBHOOK_URL", &url)
        .setting("BOXOFFICE__ALERTS__WEBHOOK_SECRET", SECRET)
        .setting("BOXOFFICE__ALERTS__MAIL_TO", "ops@house.example")
        .start()
        .await;
    let operator = world.someone("otto", Role::Operator);
    queue_until(&operator, "tickets", "consumed", |queue| {
        queue["depth"]["consumers"] == 1
    })
    .await;

    world.process("tickets").kill();
    let killed = Instant::now();
    let mails = |world: &World, subject: &str| {
        let all = boxoffice_mail_catcher::Query {
            limit: Some(usize::MAX),
            ..Default::default()
        };
        let mails = world.catcher.store().list(&all).into_iter();
        let to_ops = mails.filter(|mail| mail.to == ["ops@house.example"]);
        to_ops
            .filter(|mail| mail.subject.as_deref() == Some(subject))
            .count()
    };
    let page = "[Boxoffice] page: no_consumer tickets";
    wait_until("webhook and mail", TOLD_WITHIN, async || {
        !of_event(&received, "alert.raised").is_empty() && mails(&world, page) == 1
    })
    .await;
    println!("told {:?} after the worker died", killed.elapsed());

    // At least once, under one id, signed.
    wait_until("the refused webhook comes again", secs(15), async || {
        of_event(&received, "alert.raised").len() == 2
    })
    .await;
    let raised = of_event(&received, "alert.raised");
    assert_eq!(raised[0].0, raised[1].0, "one id");
    let signer = Signer::new(SECRET).unwrap();
    for (id, at, signature, body) in &raised {
        assert_eq!(*signature, signer.sign(id, at.parse().unwrap(), body));
    }

    let alerts = get(&operator, "/v1/backoffice/alerts").await;
    let alert = &alerts["alerts"][0];
    assert_eq!(alert["key"], "no_consumer:tickets", "{alerts}");
    let ack = "/v1/backoffice/alerts/no_consumer:tickets/acknowledge";
    let why = json!({"reason": "I look after it"});
    assert_eq!(status_of(&operator, ack, &why).await, 200);
    let check = world.process("api").command(&["queues", "--check"]);
    assert_eq!(check.status.code(), Some(3), "{check:?}");
    let listed = world.process("api").command(&["alerts"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("otto"), "{listed}");

    world.process("tickets").start();
    world.process("tickets").ready().await;
    let over = "[Boxoffice] cleared: no_consumer tickets";
    wait_until("the end is told", TOLD_WITHIN, async || {
        of_event(&received, "alert.cleared").len() == 1 && mails(&world, over) == 1
    })
    .await;
    let check = world.process("api").command(&["queues", "--check"]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let gone = "/v1/backoffice/alerts/no_consumer:tickets/acknowledge";
    assert_eq!(status_of(&operator, gone, &why).await, 404, "it is over");
    world.finish().await;
}
