//! Messages that nobody of ours sends: each is kept with its reason, and its neighbours don't notice.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{BookingId, MessageId};
use boxoffice_integration::{Order, Show, World, books, fixture, secs, wait_until};
use boxoffice_runtime::parked;
use futures::future::join_all;
use lapin::BasicProperties;
use serde_json::{Value, json};

/// What is put into a queue, and what must be said about it.
struct Poison {
    queue: &'static str,
    kind: &'static str,
    id: Option<String>,
    body: Vec<u8>,
    code: &'static str,
    /// Part of the reason.
    says: &'static str,
}

/// F29.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_handled_is_parked_with_its_reason_and_its_neighbours_are_done() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let poisons = poisons();
    world.expect_parked(poisons.len());

    let seats = fixture::seats();
    let neighbours = join_all(seats[..6].iter().map(|seat| {
        let order = Order::of(&show, &[seat.as_str()]).paid_with("pm_card_visa");
        async { ada.book(order).await.until("completed").await }
    }));
    let poisoning = async {
        for poison in &poisons {
            let mut properties = BasicProperties::default().with_type(poison.kind.into());
            if let Some(id) = &poison.id {
                properties = properties.with_message_id(id.as_str().into());
            }
            world
                .vhost
                .put(poison.queue, properties, &poison.body)
                .await;
        }
    };
    tokio::join!(neighbours, poisoning);

    let query = "SELECT CONCAT(queue, ' ', code) FROM parked_messages ORDER BY 1";
    let mut expected: Vec<String> = poisons
        .iter()
        .map(|p| format!("{} {}", p.queue, p.code))
        .collect();
    expected.sort();
    wait_until("all of it is parked", secs(20), async || {
        books::texts(&world.db, query).await.len() == expected.len()
    })
    .await;
    assert_eq!(books::texts(&world.db, query).await, expected);
    // Every body is there as it came.
    for poison in &poisons {
        let hex: String = poison
            .body
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        let Poison {
            queue, code, says, ..
        } = poison;
        let found = format!(
            "parked_messages WHERE queue = '{queue}' AND HEX(body) = '{hex}' AND code = '{code}' \
             AND reason LIKE '%{says}%'"
        );
        assert_eq!(books::count(&world.db, &found).await, 1, "{found}");
    }

    // Sent back unchanged it is parked again, under the same key; discarded it is gone from the list.
    let config = boxoffice_runtime::BrokerConfig {
        url: world.amqp_url(),
        ..Default::default()
    };
    let broker = boxoffice_runtime::Broker::connect_first(&config)
        .await
        .unwrap();
    let publisher = boxoffice_runtime::Publisher::new(&broker);
    let id: MessageId = poisons[0].id.as_ref().unwrap().parse().unwrap();
    boxoffice_runtime::replay(&world.db, &publisher, poisons[0].queue, id)
        .await
        .unwrap();
    let failed_twice = "parked_messages WHERE status = 'parked' AND failures = 2 AND replays = 1";
    wait_until("it is parked again", secs(20), async || {
        books::count(&world.db, failed_twice).await == 1
    })
    .await;
    assert!(
        parked::discard(&world.db, poisons[0].queue, id)
            .await
            .unwrap()
    );
    world.expect_parked(poisons.len() - 1);
    broker.close().await;
    world.finish().await;
}

fn poisons() -> Vec<Poison> {
    let nobody = BookingId(uuid::Uuid::new_v4());
    let text = |value: Value| value.to_string().into_bytes();
    let deep = [vec![b'['; 20_000], vec![b']'; 20_000]].concat();
    let render = text(json!({"booking_id": nobody, "revision": 1}));
    let send = text(json!({"booking_id": nobody, "template": "expired", "revision": 1}));
    let captured =
        json!({"booking_id": nobody, "generation": 1, "amount": {"minor": 100, "currency": "EUR"}});
    let poison = |queue, kind, body: &[u8], code, says| Poison {
        queue,
        kind,
        id: Some(uuid::Uuid::new_v4().to_string()),
        body: body.to_vec(),
        code,
        says,
    };
    vec![
        poison(
            "payments",
            "payment.capture.v1",
            &[0xff, 0, 1, 2],
            "undecodable",
            "line 1",
        ),
        poison(
            "reservations",
            "booking.pay.v1",
            b"{\"booking_id\":",
            "undecodable",
            "line 1",
        ),
        poison(
            "reservations.submit",
            "booking.submit.v1",
            &deep,
            "undecodable",
            "line 1",
        ),
        // A field is missing.
        poison(
            "tickets",
            "tickets.render.v1",
            b"{}",
            "undecodable",
            "tickets.render.v1",
        ),
        poison(
            "timeline",
            "booking.moonrise.v7",
            b"{}",
            "unknown_kind",
            "moonrise",
        ),
        // Another queue's kind.
        poison(
            "payments",
            "tickets.render.v1",
            &render,
            "unknown_kind",
            "tickets.render.v1",
        ),
        poison("mail", "", &send, "undecodable", "type is missing"),
        Poison {
            id: None,
            ..poison(
                "mail",
                "mail.send.v1",
                &send,
                "undecodable",
                "message id is missing",
            )
        },
        Poison {
            id: Some("not-a-uuid".to_owned()),
            ..poison(
                "tickets",
                "tickets.render.v1",
                &render,
                "undecodable",
                "not a UUID",
            )
        },
        // Well formed, and impossible: nobody asked for this money, and nobody booked.
        poison(
            "reservations",
            "payment.captured.v1",
            &text(captured),
            "saga_refused",
            "cannot happen",
        ),
        poison("mail", "mail.send.v1", &send, "booking_unknown", ""),
    ]
}
