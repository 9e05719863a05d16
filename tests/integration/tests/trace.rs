//! One trace from the request over the broker, the workers, the gateway and the documents to the mail server.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Order, Roles, Show, World,
    collector::{Collector, flaws, names},
    eventually, secs,
};

/// Each worker in a process of its own: what joins their spans has gone through the broker.
const APART: Roles = Roles::Apart(&[
    &["reservations"],
    &["payments"],
    &["tickets"],
    &["mail"],
    &["timeline"],
]);

/// Steps of a booking that goes well.
const STEPS: [&str; 13] = [
    "POST /v1/bookings",
    "send boxoffice.intake",
    "create boxoffice.commands",
    "create boxoffice.events",
    "process payments",
    "process reservations",
    "process tickets",
    "process mail",
    "process timeline",
    "POST /payment_intents",
    "POST /payment_intents/{id}/confirm",
    "POST /payment_intents/{id}/capture",
    "SMTP send",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_a_booking_is_one_tree() {
    let collector = Collector::start().await;
    let world = World::setup()
        .show(Show::named("evening"))
        .roles(APART)
        .setting("BOXOFFICE__TRACE__OTLP_ENDPOINT", &collector.endpoint)
        .start()
        .await;
    let show = world.show("evening");
    let submitted = format!("process {}", show.line());
    let order = Order::of(&show, &["A-1", "A-2"]).paid_with("pm_card_visa");
    let booking = world.customer("ada").book(order).await;
    booking.until("completed").await;
    world.mail(booking.id, "confirmation").await;

    let id = booking.id.to_string();
    let spans = eventually("the whole tree", secs(20), async || {
        let spans = collector.trace_of(&id);
        let names = names(&spans);
        let missing: Vec<_> = STEPS
            .into_iter()
            .chain([submitted.as_str()])
            .filter(|step| !names.contains_key(*step))
            .collect();
        let flaws = flaws(&spans);
        if missing.is_empty() && flaws.is_empty() {
            Ok(spans)
        } else {
            Err(format!(
                "missing: {missing:?}; {flaws:#?}; there: {names:#?}"
            ))
        }
    })
    .await;

    let one = |name: &str| {
        spans
            .iter()
            .find(|one| one.span.name == name)
            .unwrap()
            .clone()
    };
    let below = |child: &str, parent: &str| {
        let (child, parent) = (one(child), one(parent));
        assert_eq!(
            child.span.parent_span_id, parent.span.span_id,
            "{} hangs below {}",
            child.span.name, parent.span.name
        );
    };
    below("send boxoffice.intake", "POST /v1/bookings");
    below(&submitted, "send boxoffice.intake");
    below("SMTP send", "process mail");
    assert_eq!(one("process payments").role, "payments");
    assert_eq!(one("POST /v1/bookings").role, "api");
    // What is told is what happened, not whom it happened to.
    let all = format!("{:?}", collector.all());
    for secret in ["ada@", "sk_test", "pm_card", "_secret_"] {
        assert!(!all.contains(secret), "{secret} is in the spans");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_nothing_up() {
    let world = World::setup()
        .show(Show::named("evening"))
        // Nobody listens on the port of discard.
        .setting("BOXOFFICE__TRACE__OTLP_ENDPOINT", "http://127.0.0.1:9")
        .start()
        .await;
    let order = Order::of(&world.show("evening"), &["A-1"]).paid_with("pm_card_visa");
    world
        .customer("ada")
        .book(order)
        .await
        .until("completed")
        .await;
    world.finish().await;
}
