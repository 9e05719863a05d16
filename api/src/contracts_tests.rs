//! What the door says of messages is what is published.

use super::ASYNCAPI;
use crate::testing::world;
use axum::{body::Body, http::Request};
use boxoffice_contracts::{
    message::CATALOGUE,
    partner::kinds::{self, PARTNER_CATALOGUE},
};
use tower::ServiceExt as _;

#[tokio::test]
async fn asyncapi_and_schemas_are_served() {
    let world = world();
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let answer = crate::router(world.state.clone()).oneshot(get("/asyncapi.yaml"));
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/yaml");
    let body = axum::body::to_bytes(answer.into_body(), 1 << 22).await;
    assert_eq!(body.unwrap(), ASYNCAPI.as_bytes());
    let ours = CATALOGUE
        .iter()
        .map(|entry| (entry.kind.to_string(), entry.document()));
    let partners = PARTNER_CATALOGUE
        .iter()
        .map(|entry| (format!("partner/{}", entry.kind), entry.document()));
    let envelope = ("partner/cloudevent".to_owned(), kinds::envelope_document());
    for (name, document) in ours.chain(partners).chain([envelope]) {
        let answer = world.ask(get(&format!("/schemas/{name}.json"))).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.headers["content-type"], "application/schema+json");
        assert_eq!(answer.body, document);
    }
    for unknown in [
        "booking.submit.v9.json",
        "booking.submit.v1",
        "x",
        "..%2Fx.json",
        "partner/booking.pay.v1.json",
        "partner/show.upsert.v1",
        "partner.json",
    ] {
        let answer = world.ask(get(&format!("/schemas/{unknown}"))).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"));
    }
}
