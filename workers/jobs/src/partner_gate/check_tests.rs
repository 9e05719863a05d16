use super::*;
use serde_json::{Value, json};

fn acme() -> PartnerId {
    "acme".parse().unwrap()
}

fn submit() -> Value {
    json!({
        "specversion": "1.0",
        "id": "order-7",
        "source": "https://acme.example/sales",
        "type": "booking.submit.v1",
        "time": "2026-11-21T18:30:00Z",
        "correlationid": "c-7",
        "data": {
            "show_id": "c1b7d7f0-1111-5b6e-8e2f-2a3b4c5d6e7f",
            "positions": [{"seat_id": "astor-F-12"}, {"category": "Standing", "count": 2}],
            "customer": {"email": "ada@example.org", "name": "Ada Byron", "locale": "en"},
            "reference": "A-77",
        },
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut event = submit();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

fn without(pointer: &str) -> Value {
    let mut event = submit();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap();
    parent.as_object_mut().unwrap().remove(name);
    event
}

fn ask(body: &[u8], content_type: Option<&str>, user_id: Option<&str>) -> Examined {
    let raw = Raw {
        body,
        by: Way::Exchange {
            routing_key: "booking.submit.v1",
            content_type,
            user_id,
            message_id: Some("property-7"),
            correlation_id: Some("story-7"),
        },
    };
    examine(&acme(), raw)
}

fn of(event: &Value) -> Examined {
    ask(
        event.to_string().as_bytes(),
        Some(CONTENT_TYPE),
        Some("acme.1"),
    )
}

/// Outcome, code, and pointer and word of every mistake.
fn refused(examined: Examined) -> (Outcome, Code, Vec<(String, &'static str)>) {
    let refusal = examined.result.unwrap_err();
    let errors = refusal.errors.into_iter();
    let errors = errors.map(|error| (error.pointer, error.code)).collect();
    (refusal.outcome, refusal.code, errors)
}

#[test]
fn a_good_message_is_understood_whole() {
    let examined = of(&submit());
    assert_eq!(examined.known, Some("booking.submit.v1"));
    assert_eq!(examined.label.correlation_id.as_deref(), Some("c-7"));
    let understood = examined.result.unwrap();
    let Order::Submit(order) = understood.order else {
        panic!("not a submit");
    };
    assert_eq!(order.reference.as_deref(), Some("A-77"));
    assert_eq!(order.submission.positions.len(), 2);
    assert_eq!(order.hash, request_hash(&submit()["data"]));
    let charset = ask(
        submit().to_string().as_bytes(),
        Some("Application/CloudEvents+JSON; charset=UTF-8"),
        Some("acme.65535"),
    );
    assert!(charset.result.is_ok());
}

/// What is wrong first is told, in the order of the checks.
#[test]
fn the_checks_stand_in_their_order() {
    let large = vec![b' '; MESSAGE_BYTES_MAX + 1];
    let good = submit().to_string();
    let other = with("/type", json!("booking.submit.v2")).to_string();
    for (body, content_type, user_id, code) in [
        (&large[..], None, None, Code::BodyTooLarge),
        (b"{", None, None, Code::MediaTypeUnsupported),
        (
            b"{",
            Some("application/json"),
            Some("acme.1"),
            Code::MediaTypeUnsupported,
        ),
        (
            b"{",
            Some("application/cloudevents+json; charset=latin1"),
            Some("acme.1"),
            Code::MediaTypeUnsupported,
        ),
        (b"{", Some(CONTENT_TYPE), None, Code::SenderUnproved),
        (
            good.as_bytes(),
            Some(CONTENT_TYPE),
            None,
            Code::SenderUnproved,
        ),
        (
            good.as_bytes(),
            Some(CONTENT_TYPE),
            Some("acme"),
            Code::SenderUnproved,
        ),
        (
            good.as_bytes(),
            Some(CONTENT_TYPE),
            Some("acme-2.1"),
            Code::SenderUnproved,
        ),
        (
            good.as_bytes(),
            Some(CONTENT_TYPE),
            Some("other.1"),
            Code::SenderUnproved,
        ),
        (
            good.as_bytes(),
            Some(CONTENT_TYPE),
            Some("boxoffice"),
            Code::SenderUnproved,
        ),
        (
            b"{",
            Some(CONTENT_TYPE),
            Some("acme.1"),
            Code::BodyMalformed,
        ),
        (
            b"[]",
            Some(CONTENT_TYPE),
            Some("acme.1"),
            Code::ValidationFailed,
        ),
        (
            b"{\"id\":1,\"id\":1}",
            Some(CONTENT_TYPE),
            Some("acme.1"),
            Code::BodyMalformed,
        ),
        (
            other.as_bytes(),
            Some(CONTENT_TYPE),
            Some("acme.1"),
            Code::ValidationFailed,
        ),
    ] {
        let (outcome, found, _) = refused(ask(body, content_type, user_id));
        assert_eq!(
            (outcome, found),
            (Outcome::Quarantined, code),
            "{user_id:?}"
        );
    }
}

#[test]
fn every_mistake_of_the_envelope_is_told_with_its_place() {
    let long = "x".repeat(129);
    for (event, place, word) in [
        (without("/specversion"), "/specversion", "required"),
        (
            with("/specversion", json!("0.3")),
            "/specversion",
            "malformed",
        ),
        (without("/id"), "/id", "required"),
        (with("/id", json!("")), "/id", "malformed"),
        (with("/id", json!(long)), "/id", "malformed"),
        (with("/id", json!("a b")), "/id", "malformed"),
        (with("/id", json!(7)), "/id", "wrong_type"),
        (without("/source"), "/source", "required"),
        (with("/source", json!("a b")), "/source", "malformed"),
        (without("/type"), "/type", "required"),
        (with("/type", json!("show.upsert.v1")), "/type", "mismatch"),
        (without("/time"), "/time", "required"),
        (with("/time", json!("yesterday")), "/time", "malformed"),
        (
            with("/datacontenttype", json!("text/xml")),
            "/datacontenttype",
            "malformed",
        ),
        (
            with("/correlationid", json!("a\nb")),
            "/correlationid",
            "malformed",
        ),
        (
            with("/idempotencykey", json!("é")),
            "/idempotencykey",
            "malformed",
        ),
        (with("/sequence", json!(0)), "/sequence", "out_of_range"),
        (with("/sequence", json!(-1)), "/sequence", "wrong_type"),
        (with("/sequence", json!("7")), "/sequence", "wrong_type"),
        (
            with("/expirytime", json!("soon")),
            "/expirytime",
            "malformed",
        ),
        (
            with("/traceparent", json!("00-x")),
            "/traceparent",
            "malformed",
        ),
        (without("/data"), "/data", "required"),
        (with("/data", json!([])), "/data", "wrong_type"),
        (
            with("/partner", json!("other")),
            "/partner",
            "unknown_field",
        ),
        (
            with("/data_base64", json!("e30=")),
            "/data_base64",
            "unknown_field",
        ),
    ] {
        let (outcome, code, errors) = refused(of(&event));
        assert_eq!(
            (outcome, code),
            (Outcome::Quarantined, Code::ValidationFailed),
            "{place}"
        );
        assert_eq!(errors, [(place.to_owned(), word)], "{event}");
    }
}

#[test]
fn every_mistake_of_the_data_is_told_with_its_place() {
    let twice = json!([{"seat_id": "A-1"}, {"seat_id": "A-1"}]);
    let seats: Vec<Value> = (0..11)
        .map(|n| json!({"seat_id": format!("A-{n}")}))
        .collect();
    for (event, code, place, word) in [
        (
            without("/data/show_id"),
            Code::ValidationFailed,
            "/data/show_id",
            "required",
        ),
        (
            with("/data/show_id", json!("x")),
            Code::ValidationFailed,
            "/data/show_id",
            "malformed",
        ),
        (
            with("/data/positions", json!([])),
            Code::ValidationFailed,
            "/data/positions",
            "out_of_range",
        ),
        (
            with("/data/positions", json!(seats)),
            Code::ValidationFailed,
            "/data/positions",
            "out_of_range",
        ),
        (
            with("/data/positions", json!([{}])),
            Code::ValidationFailed,
            "/data/positions/0",
            "required",
        ),
        (
            with("/data/positions", twice),
            Code::SeatRepeated,
            "/data/positions/1/seat_id",
            "seat_repeated",
        ),
        (
            with("/data/customer/email", json!("no")),
            Code::ValidationFailed,
            "/data/customer/email",
            "malformed",
        ),
        (
            with("/data/payment", json!({"method": "visa"})),
            Code::ValidationFailed,
            "/data/payment/method",
            "malformed",
        ),
        (
            with("/data/tenant", json!("house")),
            Code::ValidationFailed,
            "/data/tenant",
            "unknown_field",
        ),
        (
            with("/data/reference", json!("x".repeat(65))),
            Code::ValidationFailed,
            "/data/reference",
            "out_of_range",
        ),
        (
            with("/data/customer/name", json!("4242 4242 4242 4242")),
            Code::CardNumberRefused,
            "/data/customer/name",
            "card_number_refused",
        ),
    ] {
        let (outcome, found, errors) = refused(of(&event));
        assert_eq!((outcome, found), (Outcome::Quarantined, code), "{place}");
        assert_eq!(errors, [(place.to_owned(), word)], "{event}");
    }
}

#[test]
fn an_unknown_kind_or_version_says_what_is_known() {
    let ask = |kind: &str| {
        let event = with("/type", json!(kind)).to_string();
        let raw = Raw {
            body: event.as_bytes(),
            by: Way::Exchange {
                routing_key: kind,
                content_type: Some(CONTENT_TYPE),
                user_id: Some("acme.1"),
                message_id: None,
                correlation_id: None,
            },
        };
        examine(&acme(), raw)
    };
    let examined = ask("booking.submit.v9");
    assert_eq!(examined.known, None);
    let refusal = examined.result.unwrap_err();
    assert_eq!(refusal.code, Code::KindUnknown);
    assert!(refusal.detail.unwrap().contains("v1"));
    let (outcome, code, errors) = refused(ask("moon.rise.v1"));
    assert_eq!((outcome, code), (Outcome::Quarantined, Code::KindUnknown));
    assert_eq!(errors, [("/type".to_owned(), "unknown")]);
}

#[test]
fn the_same_message_has_one_identity_however_it_is_written() {
    let one = of(&submit()).identity;
    let spaced = serde_json::to_string_pretty(&submit()).unwrap();
    assert_eq!(
        ask(spaced.as_bytes(), Some(CONTENT_TYPE), Some("acme.2")).identity,
        one
    );
    assert_ne!(of(&with("/id", json!("order-8"))).identity, one);
    assert_ne!(of(&with("/data/reference", json!("B"))).identity, one);
    let theirs = examine(
        &"acme-2".parse().unwrap(),
        Raw {
            body: submit().to_string().as_bytes(),
            by: Way::Exchange {
                routing_key: "booking.submit.v1",
                content_type: Some(CONTENT_TYPE),
                user_id: Some("acme-2.1"),
                message_id: None,
                correlation_id: None,
            },
        },
    );
    assert_ne!(theirs.identity, one);
    // What fails before its body is read is another message when that is mended.
    let body = submit().to_string();
    let wrong_type = ask(body.as_bytes(), Some("text/plain"), Some("acme.1"));
    assert_ne!(wrong_type.identity, one);
    assert_ne!(
        wrong_type.identity,
        ask(body.as_bytes(), Some(CONTENT_TYPE), None).identity
    );
    let again = ask(body.as_bytes(), Some("text/plain"), Some("acme.1"));
    assert_eq!(again.identity, wrong_type.identity);
}

#[test]
fn a_broken_message_is_labelled_as_far_as_it_can_be_read() {
    let examined = of(&without("/data"));
    assert_eq!(examined.label.event_id.as_deref(), Some("order-7"));
    assert_eq!(examined.label.correlation_id.as_deref(), Some("c-7"));
    let smuggled = of(&with("/correlationid", json!("4242424242424242")));
    assert_eq!(smuggled.label, Label::default());
}

#[test]
fn what_comes_out_of_quarantine_needs_no_proof_but_everything_else() {
    let identity = MessageId::of_partner("acme", "quarantine");
    let examine = |body: &[u8]| {
        examine(
            &acme(),
            Raw {
                body,
                by: Way::Quarantine { identity },
            },
        )
    };
    let good = examine(submit().to_string().as_bytes());
    assert_eq!(good.identity, identity);
    assert!(good.result.is_ok());
    let (outcome, code, _) = refused(examine(b"{"));
    assert_eq!((outcome, code), (Outcome::Quarantined, Code::BodyMalformed));
}

/// A reply that names nothing can't be matched: the properties stand in, if they are fit to be echoed.
#[test]
fn what_is_not_read_is_named_by_its_properties() {
    let text = submit().to_string();
    for (body, content_type, user_id) in [
        (text.as_bytes(), Some("text/plain"), Some("acme.1")),
        (text.as_bytes(), Some(CONTENT_TYPE), None),
        (&b"{\"id\":"[..], Some(CONTENT_TYPE), Some("acme.1")),
    ] {
        let label = ask(body, content_type, user_id).label;
        assert_eq!(label.event_id.as_deref(), Some("property-7"));
        assert_eq!(label.correlation_id.as_deref(), Some("story-7"));
    }
    assert_eq!(of(&submit()).label.event_id.as_deref(), Some("order-7"));

    let unread = |message_id: Option<&str>| {
        let by = Way::Exchange {
            routing_key: "booking.submit.v1",
            content_type: None,
            user_id: None,
            message_id,
            correlation_id: message_id,
        };
        examine(&acme(), Raw { body: b"{}", by })
    };
    let long = "x".repeat(129);
    for unfit in [
        None,
        Some(""),
        Some("two words"),
        Some(&*long),
        Some("4242-4242-4242-4242"),
    ] {
        assert_eq!(unread(unfit).label, Label::default(), "{unfit:?}");
    }
    // Two messages are two, also where only their properties tell them apart.
    assert_ne!(unread(Some("a")).identity, unread(Some("b")).identity);
}
