//! What every worker promises, asked of every worker that there is: the lists are the topology's queues and the
//! registry's roles, so whoever adds a worker finds it here.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{
    Role,
    topology::{QUEUES, lines},
};
use boxoffice_integration::{
    Crowd, Order, PartnerSide, Roles, Setup, Show, World, books, secs, tap::Heard, wait_until,
};
use boxoffice_jobs::registry::ROLES;
use lapin::BasicProperties;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use reqwest::Method;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::sleep;

/// Shows, so that each line has one.
const MANY: usize = 64;

const VISA: &str = "pm_card_visa";

/// Tables in which a delivery leaves no trace when it has been handled before.
///
/// All of them but the watch's own, which count deliveries: a table of a new worker is compared without being named
/// here.
const EVERY_TABLE: &str = "SELECT TABLE_NAME FROM information_schema.TABLES \
                           WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND TABLE_NAME NOT IN \
                           ('alert_notices', 'alerts', 'queue_minutes', 'queue_now', 'queue_work', 'worker_beats') \
                           ORDER BY 1";

/// Where what is promised lies: seats, money, tickets, mails.
const BUSINESS: [&str; 7] = [
    "admissions",
    "claims",
    "ledger_entries",
    "mails",
    "positions",
    "refunds",
    "tickets",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_told_again_changes_nothing() {
    let setup = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("brief").hold(2, 1, 4));
    let many = (0..MANY).map(Show::one_of_many);
    let world = many.fold(setup, Setup::show).start().await;
    let tap = world.vhost.tap().await;
    make_history(&world).await;
    world.settle().await;
    let history = tap.heard();
    assert_is_whole(&history);

    let mut dice = StdRng::seed_from_u64(7);
    let before = Standing::of(&world, None).await;
    // Twice, so that repetitions meet repetitions.
    let mut again = [history.clone(), history.clone()].concat();
    again.shuffle(&mut dice);
    tell(&world, &again).await;
    before.assert_equal(&Standing::of(&world, None).await);

    // Under new names no inbox row stops them: what they are about does.
    let before = Standing::of(&world, Some(&BUSINESS)).await;
    let mut renamed: Vec<Heard> = history.iter().map(Heard::renamed).collect();
    renamed.shuffle(&mut dice);
    tell(&world, &renamed).await;
    before.assert_equal(&Standing::of(&world, Some(&BUSINESS)).await);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_in_any_queue_is_parked_and_its_worker_goes_on() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let fed: Vec<_> = QUEUES
        .iter()
        .filter(|queue| !queue.accepts.is_empty())
        .collect();
    for queue in &fed {
        let known = queue.accepts[0].as_str();
        for (kind, body) in [
            (known, &b"{\"booking_id\":"[..]),
            ("booking.moonrise.v7", b"{}"),
        ] {
            let id = uuid::Uuid::new_v4().to_string();
            let properties = BasicProperties::default()
                .with_type(kind.into())
                .with_message_id(id.into());
            world.vhost.put(queue.name, properties, body).await;
        }
    }
    world.expect_parked(2 * fed.len());
    let mut expected: Vec<String> = fed
        .iter()
        .flat_map(|queue| {
            ["undecodable", "unknown_kind"].map(|code| format!("{} {code}", queue.name))
        })
        .collect();
    expected.sort();
    let query = "SELECT CONCAT(queue, ' ', code) FROM parked_messages ORDER BY 1";
    wait_until("all of it is parked", secs(20), async || {
        books::texts(&world.db, query).await.len() == expected.len()
    })
    .await;
    assert_eq!(books::texts(&world.db, query).await, expected);

    let order = Order::of(&world.show("evening"), &["A-1", "A-2"]).paid_with(VISA);
    world
        .customer("ada")
        .book(order)
        .await
        .until("completed")
        .await;
    world.finish().await;
}

const EACH: [[&str; 1]; ROLES.len()] = {
    let mut each = [[""]; ROLES.len()];
    let mut at = 0;
    while at < each.len() {
        each[at] = [ROLES[at]];
        at += 1;
    }
    each
};

/// Each worker in a process of its own is killed once and asked to end once, while the crowd is there.
#[tokio::test(flavor = "multi_thread")]
async fn every_worker_may_be_killed_or_ended_at_any_time() {
    static APART: [&[&str]; ROLES.len()] = {
        let mut apart: [&[&str]; ROLES.len()] = [&[]; ROLES.len()];
        let mut at = 0;
        while at < apart.len() {
            apart[at] = &EACH[at];
            at += 1;
        }
        apart
    };
    let mut world = World::setup()
        .show(Show::named("premiere").hold(5, 1, 9))
        .roles(Roles::Apart(&APART))
        .start()
        .await;
    world.allow_mail_copies();
    let mut dice = StdRng::seed_from_u64(23);
    let crowd = Crowd {
        clients: 100,
        during: secs(8),
        simple: false,
        seed: 23,
    };
    let rush = world.rush(&world.show("premiere"), crowd);
    let mut turns = [ROLES, ROLES].concat();
    turns.shuffle(&mut dice);
    let mut killed = BTreeSet::new();
    for role in turns {
        // The pace of the faults; nothing waits for it.
        sleep(Duration::from_millis(dice.random_range(50..400))).await;
        let process = world.process(role);
        if killed.insert(role) {
            process.kill();
        } else {
            let status = process.stop().await;
            assert!(status.success(), "{role} ended with {status}");
        }
        process.start();
        process.ready().await;
    }
    let outcomes = rush.end().await;
    assert!(outcomes.contains_key("completed"), "{outcomes:?}");
    world.finish().await;
}

/// Something for every worker: paid, declined, authenticated, cut short, given back, left alone.
async fn make_history(world: &World) {
    let ada = world.customer("ada");
    let (evening, brief) = (world.show("evening"), world.show("brief"));
    let paid = async {
        let booking = ada
            .book(Order::of(&evening, &["A-1", "A-2"]).paid_with(VISA))
            .await;
        booking.until("completed").await;
        let one = booking.cancel(Some(&[1])).await;
        assert_eq!(booking.outcome(one).await, "done");
        booking.until("completed").await;
        booking.cancel(None).await;
        booking.until("refunded").await;
    };
    let declined = async {
        let booking = ada
            .book(Order::of(&evening, &["A-4"]).paid_with("pm_card_chargeDeclined"))
            .await;
        booking
            .wait_for("declined", secs(20), |state| {
                state.status() == "held" && !state.code().is_empty()
            })
            .await;
        booking.pay(VISA).await;
        booking.until("completed").await;
    };
    let refused = async {
        ada.book(Order::of(&brief, &["B-1"]))
            .await
            .until("expired")
            .await;
    };
    let called_off = async {
        let booking = ada.book(Order::of(&evening, &["B-2"])).await;
        booking.until("held").await;
        booking.cancel(None).await;
        booking.until("cancelled").await;
    };
    let authenticated = async {
        let booking = ada
            .book(Order::of(&evening, &["B-3"]).paid_with("pm_card_authenticationRequired"))
            .await;
        booking
            .wait_for("the door", secs(20), |state| {
                state.phase() == "action_required"
            })
            .await;
        let intent = world.gateway.intent(booking.id).await.id;
        world.gateway.authenticate(&intent, true).await;
        booking.until("completed").await;
    };
    let abandoned = async {
        let booking = ada
            .book(Order::of(&brief, &["B-4"]).paid_with("pm_card_authenticationRequired"))
            .await;
        booking.until("expired").await;
    };
    tokio::join!(
        paid,
        declined,
        refused,
        called_off,
        authenticated,
        abandoned,
        each_line(world),
        repair(world)
    );
}

/// Somebody in each line of new submits.
async fn each_line(world: &World) {
    let ada = world.customer("ada");
    let shows: Vec<Show> = (0..MANY)
        .map(|n| world.show(Show::one_of_many(n).slug))
        .collect();
    for line in &lines::SUBMITS {
        let show = shows.iter().find(|show| show.line() == line.name);
        let booking = ada
            .book(Order::of(show.expect("too few shows"), &["A-1"]))
            .await;
        booking.until("held").await;
        booking.cancel(None).await;
        booking.until("cancelled").await;
    }
}

/// A partner's message that staff repair: it books, and cancels what it booked.
async fn repair(world: &World) {
    let acme = PartnerSide::join(world, "acme", 100, 100).await;
    let mut broken = acme.submit("order-1", &world.show("evening"), &["E-1"]);
    broken["source"] = json!("");
    acme.send(&broken).await;
    let reply = acme.reply_to("order-1").await;
    broken["source"] = json!("https://partner.example");
    let path = format!(
        "/v1/backoffice/quarantine/{}/release",
        reply.text("/data/quarantine_id")
    );
    let order = json!({"event": broken, "reason": "the source was missing"});
    let olga = world.someone("olga", Role::Operator);
    let answer = olga.request(Method::POST, &path).json(&order).send().await;
    assert_eq!(answer.unwrap().status().as_u16(), 202);
    let replies = acme.replies("order-1", 2).await;
    assert_eq!(replies[1].text("/data/outcome"), "accepted");
    acme.send(&acme.cancel("cancel-1", acme.booking_of("order-1")))
        .await;
    acme.reply_to("cancel-1").await;
    acme.leave(world).await;
}

/// A queue that the history leaves out is a worker that nothing was proved of.
fn assert_is_whole(history: &[Heard]) {
    let reached: BTreeSet<&str> = history.iter().flat_map(Heard::queues).collect();
    for queue in QUEUES.iter().filter(|queue| !queue.accepts.is_empty()) {
        assert!(
            reached.contains(queue.name),
            "the history has nothing for {}: let make_history do something for it",
            queue.name
        );
    }
}

/// Says messages again, to the workers only.
async fn tell(world: &World, messages: &[Heard]) {
    for heard in messages {
        for queue in heard.queues() {
            let properties = heard.properties.clone();
            world.vhost.put(queue, properties, &heard.body).await;
        }
    }
    world.settle().await;
}

/// What is recorded, here and elsewhere, line by line.
struct Standing(BTreeSet<String>);

impl Standing {
    /// Of every table, or of some.
    async fn of(world: &World, tables: Option<&[&str]>) -> Self {
        let tables = match tables {
            Some(tables) => tables.iter().map(|&table| table.to_owned()).collect(),
            None => books::texts(&world.db, EVERY_TABLE).await,
        };
        let mut lines = BTreeSet::new();
        for table in &tables {
            let columns = format!(
                "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
                 AND TABLE_NAME = '{table}' ORDER BY ORDINAL_POSITION"
            );
            let columns = books::texts(&world.db, &columns).await;
            let columns: Vec<_> = columns
                .iter()
                .map(|column| format!("'{table}.{column}=', COALESCE(HEX({column}), '-')"))
                .collect();
            let columns = columns.join(", ' ', ");
            let rows = format!("SELECT CONCAT({columns}) FROM {table}");
            lines.extend(books::texts(&world.db, &rows).await);
        }
        assert!(lines.len() > tables.len(), "the tables were not read");
        for judged in world.gateway.ledger().await {
            lines.insert(format!("{judged:?}"));
        }
        lines.extend(world.papers().await);
        Self(lines)
    }

    fn assert_equal(&self, after: &Self) {
        let gone: Vec<_> = self.0.difference(&after.0).take(5).collect();
        let new: Vec<_> = after.0.difference(&self.0).take(5).collect();
        assert!(
            gone.is_empty() && new.is_empty(),
            "gone or changed: {gone:#?}\nnew or changed: {new:#?}"
        );
    }
}
