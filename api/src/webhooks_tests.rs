use super::*;
use crate::testing::{clock_at, world};
use axum::http::Request;

const SECRET: &str = "whsec_1234567890abcdef";

fn sign(secret: &str, secs: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{secs}.{body}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn judge(header: Option<&str>, body: &str) -> Result<(), &'static str> {
    let config = WebhookConfig {
        secrets: vec![Secret::new("whsec_of_yesterday"), Secret::new(SECRET)],
        ..WebhookConfig::default()
    };
    let mut headers = HeaderMap::new();
    if let Some(header) = header {
        headers.insert("stripe-signature", header.parse().unwrap());
    }
    check_signature(
        &config,
        &headers,
        &Bytes::copy_from_slice(body.as_bytes()),
        clock_at(0),
    )
}

#[test]
fn only_our_secrets_sign_only_these_bytes_only_now() {
    let now = clock_at(0).timestamp();
    let body = r#"{"id":"evt_1"}"#;
    let line = |secs: i64, secret: &str| format!("t={secs},v1={}", sign(secret, secs, body));
    assert_eq!(judge(Some(&line(now, SECRET)), body), Ok(()));
    assert_eq!(judge(Some(&line(now, "whsec_of_yesterday")), body), Ok(()));
    assert_eq!(judge(Some(&line(now - 300, SECRET)), body), Ok(()));
    let two = format!(
        "t={now},v1={},v0=x,v1={}",
        "00".repeat(32),
        sign(SECRET, now, body)
    );
    assert_eq!(judge(Some(&two), body), Ok(()));

    assert_eq!(judge(None, body), Err("missing"));
    assert_eq!(judge(Some(&line(now - 301, SECRET)), body), Err("time"));
    assert_eq!(judge(Some(&line(now + 301, SECRET)), body), Err("time"));
    assert_eq!(
        judge(Some(&line(now, "whsec_of_somebody_else")), body),
        Err("signature")
    );
    assert_eq!(
        judge(Some(&line(now, SECRET)), r#"{"id": "evt_1"}"#),
        Err("signature")
    );
    let moved = format!("t={},v1={}", now + 1, sign(SECRET, now, body));
    assert_eq!(judge(Some(&moved), body), Err("signature"));
    for garbled in ["", "t=", "v1=00", "t=x,v1=00", "t=1,t=2"] {
        assert!(judge(Some(garbled), body).is_err(), "{garbled}");
    }
    assert_eq!(
        judge(Some(&format!("t={now},v1=zz")), body),
        Err("signature")
    );
}

#[test]
fn intents_and_bookings_are_found_where_the_gateway_puts_them() {
    let event = |object: serde_json::Value| {
        let raw = serde_json::json!({
            "id": "evt_1", "type": "charge.refunded", "data": {"object": object}, "new_field": [1]
        });
        parse(raw.to_string().as_bytes()).unwrap()
    };
    let id = "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11";
    let intent = event(serde_json::json!({
        "object": "payment_intent", "id": "pi_1", "metadata": {"booking_id": id}
    }));
    assert_eq!(intent.intent(), Some("pi_1"));
    assert_eq!(intent.booking().unwrap().to_string(), id);
    let charge =
        event(serde_json::json!({"object": "charge", "id": "ch_1", "payment_intent": "pi_2"}));
    assert_eq!(charge.intent(), Some("pi_2"));
    assert_eq!(charge.booking(), None);
    for other in [
        serde_json::json!({}),
        serde_json::json!({"id": {"$ne": null}, "metadata": {"booking_id": {"$ne": null}}}),
        serde_json::json!({"object": "customer", "id": "cus_1", "metadata": {"booking_id": "x"}}),
    ] {
        let event = event(other);
        assert_eq!((event.intent(), event.booking()), (None, None));
    }
    assert!(parse(b"[]").is_err());
    assert!(parse(br#"{"id":"","type":"x","data":{}}"#).is_err());
}

#[tokio::test]
async fn a_forged_call_is_refused_before_anything_is_touched() {
    let world = world();
    let ask = |signature: String, body: String| {
        let request = Request::post("/v1/webhooks/stripe").header("stripe-signature", signature);
        world.ask(request.body(Body::from(body)).unwrap())
    };
    let body = r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{}}}"#;
    let answer = ask("t=1,v1=00".to_owned(), body.to_owned()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (400, "signature_invalid")
    );
    assert_eq!(ask("t=1".to_owned(), "x".repeat(70_000)).await.status, 413);

    // Genuine, but the database is away: the gateway must come again.
    let now = clock_at(0).timestamp();
    let answer = ask(
        format!("t={now},v1={}", sign(SECRET, now, body)),
        body.to_owned(),
    )
    .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (503, "unavailable")
    );
    assert!(world.intake.sent.lock().unwrap().is_empty());
}
