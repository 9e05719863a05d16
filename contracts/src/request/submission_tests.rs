use super::*;
use serde_json::json;

fn clock_at(secs: i64) -> Instant {
    chrono::DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
}

fn good() -> Value {
    json!({
        "show_id": "c1b7d7f0-1111-5b6e-8e2f-2a3b4c5d6e7f",
        "positions": [{"seat_id": "astor-F-12"}, {"category": "Standing", "count": 2}],
        "customer": {"email": "ada@example.org", "name": "Ada Byron", "locale": "en"},
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut body = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        _ => parent[name] = value,
    }
    body
}

/// Pointer and code of every mistake.
fn wrong(body: Value) -> Vec<(String, &'static str)> {
    let mistakes = Submission::read(body).unwrap_err();
    mistakes
        .0
        .into_iter()
        .map(|error| (error.pointer, error.code))
        .collect()
}

#[test]
fn a_good_body_is_read_whole() {
    let mut body = good();
    body["payment"] = json!({"method": "pm_card_visa"});
    body["late_policy"] = json!("refuse");
    body["deadline"] = json!("2026-11-21T19:40:00+01:00");
    let read = Submission::read(body).unwrap();
    assert_eq!(read.positions.len(), 2);
    assert_eq!(read.late_policy, LatePolicy::Refuse);
    assert_eq!(
        read.deadline.unwrap().to_rfc3339(),
        "2026-11-21T18:40:00+00:00"
    );
    let plain = Submission::read(good()).unwrap();
    assert_eq!(plain.payment, None);
    assert_eq!(plain.late_policy, LatePolicy::SameSeats);
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let found = wrong(json!({
        "show_id": 7,
        "positions": [{"seat_id": "a b"}, {"category": "x"}, {}, {"seat_id": "A1", "count": 1}],
        "customer": {"email": "nobody", "name": "", "phone": "1"},
        "price": 1,
    }));
    for (pointer, code) in [
        ("/show_id", "wrong_type"),
        ("/positions/0/seat_id", "malformed"),
        ("/positions/1/count", "required"),
        ("/positions/2", "required"),
        ("/positions/3/count", "unknown_field"),
        ("/customer/email", "malformed"),
        ("/customer/name", "required"),
        ("/customer/locale", "required"),
        ("/customer/phone", "unknown_field"),
        ("/price", "unknown_field"),
    ] {
        assert!(
            found.contains(&(pointer.to_owned(), code)),
            "{pointer} {code}: {found:?}"
        );
    }
    assert_eq!(found.len(), 10);
}

#[test]
fn what_the_server_decides_cannot_be_sent() {
    for name in [
        "id",
        "booking_id",
        "owner",
        "tenant",
        // A partner's credit is spent through the partner's own door.
        "tender",
        "status",
        "total",
        "price_minor",
        "request_hash",
    ] {
        let found = wrong(with(&format!("/{name}"), json!("x")));
        assert_eq!(found, [(format!("/{name}"), "unknown_field")]);
    }
}

#[test]
fn ten_places_and_no_seat_twice() {
    let seats = |n: usize| {
        (0..n)
            .map(|i| json!({"seat_id": format!("A{i}")}))
            .collect::<Vec<_>>()
    };
    assert!(Submission::read(with("/positions", json!(seats(10)))).is_ok());
    assert_eq!(
        wrong(with("/positions", json!(seats(11)))),
        [("/positions".to_owned(), "out_of_range")]
    );
    assert_eq!(
        wrong(with("/positions", json!([]))),
        [("/positions".to_owned(), "out_of_range")]
    );
    let mut many = seats(5);
    many.push(json!({"category": "Standing", "count": 6}));
    assert_eq!(
        wrong(with("/positions", json!(many))),
        [("/positions".to_owned(), "out_of_range")]
    );

    let twice = with("/positions", json!([{"seat_id": "A1"}, {"seat_id": "A1"}]));
    let problem = Submission::read(twice).unwrap_err();
    assert_eq!(
        super::super::fields::code_of(&problem.0),
        Code::SeatRepeated
    );
    assert_eq!(problem.0[0].pointer, "/positions/1/seat_id");
}

#[test]
fn shapes_of_texts() {
    for (pointer, fine, broken) in [
        (
            "/customer/email",
            &["a@b.co", "ada+x@mail.example.org"][..],
            &[
                "", "a", "@b.co", "a@b", "a b@c.co", "a@b..co", "a@-b.co", "a\n@b.co", ".a@b.co",
            ][..],
        ),
        (
            "/customer/name",
            &["Ada", "李小龍", "O'Brien-Müller", "محمد"],
            &[
                "",
                "  ",
                "a\r\nBcc: x",
                "a\0",
                "a\u{202e}b",
                &"x".repeat(201),
            ],
        ),
        (
            "/customer/locale",
            &["en", "de-AT", "zh-Hant-TW"],
            &["", "e", "english", "de_AT", "de-", "1a"],
        ),
        ("/late_policy", &["same_seats", "refuse"], &["reseat", ""]),
        (
            "/show_id",
            &["c1b7d7f0-1111-5b6e-8e2f-2a3b4c5d6e7f"],
            &["", "7", "astor"],
        ),
    ] {
        for text in fine {
            assert!(
                Submission::read(with(pointer, json!(text))).is_ok(),
                "{pointer} {text}"
            );
        }
        for text in broken {
            assert_eq!(wrong(with(pointer, json!(text)))[0].0, pointer, "{text}");
        }
    }
    for broken in ["card_visa", "pm_", "pm_a b", "4242"] {
        let found = wrong(with("/payment", json!({"method": broken})));
        assert_eq!(found, [("/payment/method".to_owned(), "malformed")]);
    }
}

#[test]
fn rubbish_of_every_type_is_refused_and_never_panics() {
    let rubbish = [
        json!(null),
        json!(1),
        json!(1.5),
        json!("x"),
        json!([]),
        json!([[]]),
        json!({}),
        json!(true),
    ];
    for value in &rubbish {
        assert!(Submission::read(value.clone()).is_err());
        for pointer in [
            "/show_id",
            "/positions",
            "/positions/0",
            "/customer",
            "/customer/email",
        ] {
            assert!(
                Submission::read(with(pointer, value.clone())).is_err(),
                "{pointer} {value}"
            );
        }
    }
}

#[test]
fn a_deadline_lies_ahead_and_not_far() {
    let read = |secs| {
        let body = with("/deadline", json!(clock_at(secs).to_rfc3339()));
        Submission::read(body)
            .unwrap()
            .check_deadline(clock_at(0), 3600)
    };
    assert!(read(1).is_ok());
    assert!(read(3600).is_ok());
    for refused in [-1, 0, 3601] {
        assert_eq!(read(refused).unwrap_err().0[0].pointer, "/deadline");
    }
}

#[test]
fn payments_and_cancellations() {
    assert_eq!(read_payment(json!({})).unwrap(), None);
    assert_eq!(
        read_payment(json!({"method": "pm_x"}))
            .unwrap()
            .unwrap()
            .method,
        "pm_x"
    );
    assert!(read_payment(json!({"amount": 1})).is_err());
    assert!(read_payment(json!([])).is_err());

    let read = read_cancellation(json!({"positions": [3, 1], "reason": "ill"})).unwrap();
    assert_eq!(read.positions, Some(vec![1, 3]));
    assert_eq!(read.reason.as_ref().unwrap().as_str(), "ill");
    assert!(!format!("{read:?}").contains("ill"), "it may say anything");
    assert_eq!(
        read_cancellation(json!({})).unwrap(),
        Cancellation::default()
    );
    for reason in ["", "a\nb", &"x".repeat(201)] {
        assert!(read_cancellation(json!({"reason": reason})).is_err());
    }
    for bad in [
        json!([]),
        json!([0]),
        json!([1, 1]),
        json!(["1"]),
        json!([70000]),
        json!(1),
    ] {
        assert!(
            read_cancellation(json!({"positions": bad})).is_err(),
            "{bad}"
        );
    }
}
