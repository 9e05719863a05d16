//! Two that want the same row in the same moment: ten thousand times, and exactly one of them gets it.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{
    BookingId, Envelope, Instant, MessageId, OperationId,
    message::booking::{Pay, PaymentMethod},
    topology::Exchange,
    trace::TraceParent,
};
use boxoffice_integration::{Order, Roles, Show, World, books, secs, wait_until};
use boxoffice_runtime::{Broker, BrokerConfig, Publisher, Wire, clock};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

const RACES: usize = 10_000;
/// The holds end one after the other during this time, and the payments come just before.
const DURING: Duration = secs(20);
/// Until the first hold ends: the rows are written and the publisher stands.
const AHEAD: Duration = secs(12);
/// Every second payment comes within so much of the end of its hold, before or after.
const CLOSE_MS: i64 = 500;
/// The others come earlier by up to so much, for machines that are behind.
const EARLY_MAX_MS: i64 = 4_000;
/// Either side wins so often at least, or there was no race.
const WINS_MIN: usize = 200;
/// Rows of one statement.
const CHUNK: usize = 500;

struct Race {
    booking: BookingId,
    operation: OperationId,
    /// Of the hold, its grace included.
    ends: Instant,
    published: Instant,
}

/// A hold ends and its customer pays: the booking is expired, its seat free and the payment refused; or it is being
/// paid, its seat claimed and one authorisation ordered. The decisions are those of the workers `reservations` and
/// `hold-expiry` as they run in production, on the rows of MySQL; the payments worker stands still, for no gateway
/// takes ten thousand orders in a minute.
#[tokio::test(flavor = "multi_thread")]
async fn f55_of_expiry_and_payment_exactly_one_wins_ten_thousand_times() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[
            &["reservations"],
            // F58: three who look for the same ends.
            &["hold-expiry"],
            &["alerts", "hold-expiry"],
            &["mender", "hold-expiry"],
            &["payments", "mail", "tickets"],
        ]))
        // Nothing is asked again while nobody answers.
        .setting("BOXOFFICE__SAGA__AUTHORIZE_ANSWER_SECS", "3600")
        .setting("BOXOFFICE__SAGA__RESEND_SECS", "3600")
        .setting("BOXOFFICE__SAGA__RESEND_MAX_SECS", "3600")
        .start()
        .await;
    world.process("payments").kill();
    let ada = world.customer("ada");
    let model = ada.book(Order::of(&world.show("evening"), &["A-1"])).await;
    model.until("held").await;
    let tap = world.vhost.tap().await;

    let races = races(clock::now() + AHEAD);
    copy(&world, model.id, &races).await;
    let broker = Broker::connect_first(&BrokerConfig {
        url: world.amqp_url(),
        connection_name: "races".to_owned(),
        ..BrokerConfig::default()
    })
    .await
    .unwrap();
    assert!(clock::now() < races[0].published, "the rows took too long");
    publish(&Publisher::new(&broker), &races).await;
    let decided = format!(
        "bookings WHERE status <> 'held' AND id <> x'{}'",
        model.id.0.simple()
    );
    wait_until("every hold has ended", secs(60), async || {
        books::count(&world.db, &decided).await == RACES as u64
            && books::count(&world.db, "operations WHERE kind = 'pay'").await == RACES as u64
    })
    .await;
    let orders = books::count(&world.db, "bookings WHERE status = 'authorizing'").await;
    wait_until("all orders have left", secs(20), async || {
        let heard = tap.heard();
        let ordered = heard.iter().filter(|one| one.kind == AUTHORIZE).count();
        ordered as u64 >= orders && books::count(&world.db, "outbox").await == 0
    })
    .await;
    let mut ordered: BTreeMap<Uuid, usize> = BTreeMap::new();
    for one in tap.heard().iter().filter(|one| one.kind == AUTHORIZE) {
        let body: Value = serde_json::from_slice(&one.body).unwrap();
        let booking = body["booking_id"].as_str().unwrap().parse().unwrap();
        *ordered.entry(booking).or_default() += 1;
    }
    judge(&world, &races, &ordered).await;
    broker.close().await;
    world.discard().await;
}

const AUTHORIZE: &str = "payment.authorize.v1";

fn races(first: Instant) -> Vec<Race> {
    let mut dice = StdRng::seed_from_u64(55);
    let step = DURING / u32::try_from(RACES).unwrap();
    let mut races: Vec<Race> = (0..RACES)
        .map(|number| {
            let ends = first + step * u32::try_from(number).unwrap();
            let early = if number % 2 == 0 {
                dice.random_range(-CLOSE_MS..CLOSE_MS)
            } else {
                dice.random_range(CLOSE_MS..EARLY_MAX_MS)
            };
            let booking = BookingId(Uuid::from_u128(dice.random()));
            Race {
                booking,
                operation: OperationId(Uuid::from_u128(dice.random())),
                ends,
                published: after(ends, -early),
            }
        })
        .collect();
    races.sort_by_key(|race| race.published);
    races
}

fn after(at: Instant, millis: i64) -> Instant {
    let by = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { at - by } else { at + by }
}

/// Ten thousand bookings like the one that was made, each with a seat of its own and its own end.
async fn copy(world: &World, model: BookingId, races: &[Race]) {
    let saga = books::texts(
        &world.db,
        &format!(
            "SELECT CAST(saga AS CHAR) FROM bookings WHERE id = x'{}'",
            model.0.simple()
        ),
    )
    .await;
    let saga: Value = serde_json::from_str(&saga[0]).unwrap();
    let sql = async |text: &str| world.db.execute_unprepared(text).await.unwrap();
    sql("CREATE TABLE copies (id BINARY(16) PRIMARY KEY, seat VARCHAR(64), ends DATETIME(6), saga JSON)").await;
    for (chunk, races) in races.chunks(CHUNK).enumerate() {
        let mut values: Vec<sea_orm::Value> = Vec::new();
        for (number, race) in races.iter().enumerate() {
            let seat = format!("R-{}", chunk * CHUNK + number);
            let mut saga = saga.clone();
            saga["id"] = json!(race.booking);
            saga["positions"][0]["seat_id"] = json!(seat);
            saga["hold"]["expires_at"] = json!(race.ends);
            saga["hold"]["grace_until"] = json!(race.ends);
            // Or whoever pays in time would be ended by the cap: another race.
            saga["hold"]["cap_at"] = json!(race.ends + secs(3_600));
            values.push(race.booking.0.into());
            values.push(seat.into());
            values.push(race.ends.naive_utc().into());
            values.push(saga.to_string().into());
        }
        let rows = vec!["(?, ?, ?, ?)"; races.len()].join(", ");
        let insert = format!("INSERT INTO copies VALUES {rows}");
        let insert = Statement::from_sql_and_values(DbBackend::MySql, insert, values);
        world.db.execute_raw(insert).await.unwrap();
    }
    let of = format!("copies c JOIN bookings b ON b.id = x'{}'", model.0.simple());
    for statement in [
        format!(
            "INSERT INTO claims SELECT b.show_id, c.seat, c.id, l.position, l.epoch, l.state FROM {of} \
             JOIN claims l ON l.booking_id = b.id"
        ),
        format!(
            "INSERT INTO positions (booking_id, no, show_id, seat_id, category, price_minor, retained_minor, live) \
             SELECT c.id, p.no, p.show_id, c.seat, p.category, p.price_minor, p.retained_minor, p.live FROM {of} \
             JOIN positions p ON p.booking_id = b.id"
        ),
        format!(
            "INSERT INTO bookings (id, tenant, subject, request_hash, show_id, status, phase, version, code, \
             attention, currency, total_minor, captured_minor, refunded_minor, hold_expires_at, wake_at, \
             customer_email, customer_name, customer_locale, saga, created_at, updated_at) \
             SELECT c.id, b.tenant, b.subject, b.request_hash, b.show_id, b.status, b.phase, b.version, b.code, \
             b.attention, b.currency, b.total_minor, b.captured_minor, b.refunded_minor, c.ends, c.ends, \
             b.customer_email, b.customer_name, b.customer_locale, c.saga, b.created_at, b.updated_at FROM {of}"
        ),
    ] {
        let done = sql(&statement).await;
        assert_eq!(done.rows_affected(), RACES as u64, "{statement}");
    }
}

/// Each payment in its moment; none waits for the confirm of another.
async fn publish(publisher: &Publisher, races: &[Race]) {
    let mut races = races.iter().peekable();
    let mut publishing = JoinSet::new();
    while races.peek().is_some() {
        let now = clock::now();
        let mut wires = Vec::new();
        while let Some(race) = races.next_if(|race| race.published <= now) {
            wires.push(payment(race));
        }
        if !wires.is_empty() {
            publishing.spawn(insist(publisher.clone(), wires));
        }
        sleep(Duration::from_millis(5)).await;
    }
    while let Some(published) = publishing.join_next().await {
        published.unwrap();
    }
}

/// Until all are confirmed; what comes twice has its id.
async fn insist(publisher: Publisher, mut wires: Vec<Wire>) {
    while !wires.is_empty() {
        let results = publisher.publish(&wires).await;
        let unconfirmed = wires.into_iter().zip(results);
        wires = unconfirmed
            .filter_map(|(wire, result)| result.is_err().then_some(wire))
            .collect();
    }
}

fn payment(race: &Race) -> Wire {
    let pay = Pay {
        booking_id: race.booking,
        operation_id: race.operation,
        payment: Some(PaymentMethod {
            method: "pm_card_visa".to_owned(),
        }),
        // In time, however late it comes.
        accepted_at: race.ends - secs(5),
        deadline: race.ends + secs(600),
    };
    let id = MessageId::of_operation(race.booking, race.operation);
    let trace = TraceParent::root(id.0);
    let envelope = Envelope::root::<Pay>(id, race.booking, race.published, trace);
    Wire::new(
        Exchange::Intake,
        &envelope,
        serde_json::to_vec(&pay).unwrap(),
    )
}

/// Compares everything that tells who won, race by race.
async fn judge(world: &World, races: &[Race], ordered: &BTreeMap<Uuid, usize>) {
    let query = "SELECT CONCAT_WS(' ', LOWER(HEX(c.id)), b.status, \
         (SELECT COUNT(*) FROM claims l WHERE l.booking_id = c.id AND l.seat_id = c.seat), \
         (SELECT COUNT(*) FROM payment_attempts a WHERE a.booking_id = c.id), \
         (SELECT COUNT(*) FROM booking_events e WHERE e.booking_id = c.id AND e.to_status = 'expired' AND e.from_status <> 'expired'), \
         (SELECT COUNT(*) FROM booking_events e WHERE e.booking_id = c.id AND e.to_status = 'authorizing' AND e.from_status <> 'authorizing'), \
         (SELECT GROUP_CONCAT(o.outcome) FROM operations o WHERE o.booking_id = c.id AND o.kind = 'pay')) \
         FROM copies c JOIN bookings b ON b.id = c.id";
    let rows = books::texts(&world.db, query).await;
    assert_eq!(rows.len(), races.len());
    let (mut paying, mut expired) = (0, 0);
    for row in &rows {
        let (id, story) = row.split_once(' ').unwrap();
        let orders = ordered.get(&id.parse().unwrap()).copied().unwrap_or(0);
        match (story, orders) {
            ("authorizing 1 1 0 1 done", 1) => paying += 1,
            ("expired 0 0 1 0 refused", 0) => expired += 1,
            _ => panic!("nobody won, or both: {row}, {orders} orders"),
        }
    }
    assert_eq!(paying + expired, RACES);
    assert!(
        paying >= WINS_MIN && expired >= WINS_MIN,
        "{paying} were paid and {expired} expired: no race"
    );
}
