//! Messages that nobody of ours sends: each is kept with its reason, and its neighbours don't notice.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::BookingId;
use boxoffice_integration::{Order, Show, World, books, fixture, secs, wait_until};
use futures::future::join_all;
use lapin::BasicProperties;
use serde_json::{Value, json};
use tokio::task::block_in_place;

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

    // What would fail for certain is not sent back; archived it is gone from the list.
    let id = poisons[0].id.as_ref().unwrap().as_str();
    let parked = |verb: &str| {
        let arguments = [
            "parked",
            verb,
            poisons[0].queue,
            id,
            "--reason",
            "rubbish",
            "--yes",
        ];
        block_in_place(|| world.processes["all"].command(&arguments))
    };
    let retried = parked("retry");
    assert_eq!(retried.status.code(), Some(3));
    let said = String::from_utf8(retried.stderr).unwrap();
    assert!(said.contains("undecodable"), "{said}");
    assert!(parked("archive").status.success());
    world.expect_parked(poisons.len() - 1);
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
