//! The router without services: whatever must be refused, or accepted, before a store is asked.

use super::*;
use crate::{
    permissions::{Access, ROUTES, Verb},
    problem::PROBLEM_JSON,
    testing::{EPOCH_SECS, World, clock_at, world, world_with},
};
use axum::{body::Body, http::Request};
use boxoffice_contracts::{Message, Role};
use boxoffice_runtime::{BrokerState, IntakeError};
use serde_json::{Value, json};

fn body() -> Value {
    json!({
        "show_id": "c1b7d7f0-1111-5b6e-8e2f-2a3b4c5d6e7f",
        "positions": [{"seat_id": "astor-F-12"}],
        "customer": {"email": "ada@example.org", "name": "Ada Byron", "locale": "en"},
    })
}

fn bare(verb: Verb, path: &str) -> axum::http::request::Builder {
    let path = path.replace("{id}", "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11");
    match verb {
        Verb::Get => Request::get(path),
        Verb::Post => Request::post(path),
    }
}

#[tokio::test]
async fn a_booking_is_accepted_when_the_broker_has_it() {
    let world = world();
    let answer = world.post("/v1/bookings", "key-1", &body()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = BookingId::derive("house", "ada", "key-1");
    let location = answer.headers["location"].to_str().unwrap();
    assert!(
        location.starts_with(&format!("/v1/bookings/{id}?proof=")),
        "{location}"
    );
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.body["id"], id.to_string());
    assert_eq!(answer.body["status"], "queued");
    assert_eq!(answer.body["version"], 0);
    assert_eq!(answer.body["deadline"], json!(clock_at(600)));

    let sent = world.intake.sent.lock().unwrap();
    let (envelope, command) = &sent[0];
    let command: Submit = serde_json::from_value(command.clone()).unwrap();
    assert_eq!(envelope.kind, Submit::KIND.as_str());
    assert_eq!(
        envelope.message_id,
        MessageId::of_operation(id, command.operation_id)
    );
    assert_eq!(envelope.correlation_id, Some(id));
    assert_eq!(envelope.deadline, Some(command.deadline));
    assert_eq!(command.owner.subject, "ada");
    assert_eq!(command.request_hash.len(), 64);
}

#[tokio::test]
async fn a_repetition_has_the_same_answer_and_another_body_none() {
    let world = world();
    let first = world.post("/v1/bookings", "key-1", &body()).await;
    let again = world.post("/v1/bookings", "key-1", &body()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.headers["location"], first.headers["location"]);
    let ids: Vec<_> = {
        let sent = world.intake.sent.lock().unwrap();
        sent.iter()
            .map(|(envelope, _)| envelope.message_id)
            .collect()
    };
    assert_eq!(ids[0], ids[1]);

    let mut other = body();
    other["positions"][0]["seat_id"] = json!("astor-F-13");
    let answer = world.post("/v1/bookings", "key-1", &other).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "idempotency_key_reused")
    );
}

#[tokio::test]
async fn without_a_confirm_nothing_is_accepted() {
    let world = world();
    for error in [
        IntakeError::Unroutable,
        IntakeError::Refused,
        IntakeError::TimedOut,
        IntakeError::Blocked,
        IntakeError::Down,
    ] {
        *world.intake.answer.lock().unwrap() = Err(error);
        let answer = world.post("/v1/bookings", "key-1", &body()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (503, "overloaded"),
            "{error}"
        );
        assert_eq!(answer.body["retryable"], true);
        assert!(answer.headers.contains_key("retry-after"));
        assert!(
            answer.body["detail"]
                .as_str()
                .unwrap()
                .contains("same Idempotency-Key")
        );
    }
    *world.intake.answer.lock().unwrap() = Ok(());
    *world.intake.broker.lock().unwrap() = BrokerState::Blocked;
    assert_eq!(
        world.post("/v1/bookings", "key-1", &body()).await.status,
        503
    );
    *world.intake.broker.lock().unwrap() = BrokerState::Up;
    assert_eq!(
        world.post("/v1/bookings", "key-1", &body()).await.status,
        202
    );
    assert_eq!(world.intake.sent.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn every_route_lets_in_the_roles_of_its_line_and_nobody_else() {
    let world = world();
    for route in ROUTES {
        let (Access::Roles(lines) | Access::RolesOrLink(lines)) = route.access else {
            continue;
        };
        let anonymous = world
            .ask(bare(route.verb, route.path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(
            (anonymous.status.as_u16(), anonymous.code()),
            (401, "unauthenticated"),
            "{}",
            route.path
        );
        assert_eq!(anonymous.headers["www-authenticate"], "Bearer");
        for role in Role::ALL {
            let request = bare(route.verb, route.path)
                .header("authorization", format!("Bearer {}", world.token(role)));
            let answer = world.ask(request.body(Body::empty()).unwrap()).await;
            let allowed = lines.iter().any(|(named, _)| *named == role);
            let refused = answer.status == 403 && answer.code() == "forbidden";
            assert_eq!(
                refused, !allowed,
                "{role} at {} is answered {}",
                route.path, answer.status
            );
            assert_ne!(answer.status, 401);
        }
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_a_trace() {
    let world = world();
    let customer = format!("Bearer {}", world.token(Role::Customer));
    let post = |path: &str| {
        Request::post(path)
            .header("authorization", &customer)
            .header("idempotency-key", "k")
    };
    let json = "application/json";
    let cases: Vec<(u16, &str, Request<Body>)> = vec![
        (
            404,
            "not_found",
            Request::get("/v2/x").body(Body::empty()).unwrap(),
        ),
        (
            404,
            "not_found",
            Request::get("/v1/shows/7").body(Body::empty()).unwrap(),
        ),
        (
            405,
            "method_not_allowed",
            Request::delete("/v1/bookings").body(Body::empty()).unwrap(),
        ),
        (
            422,
            "validation_failed",
            Request::get("/v1/shows?limit=0")
                .body(Body::empty())
                .unwrap(),
        ),
        (
            422,
            "validation_failed",
            Request::get("/v1/shows?x=1").body(Body::empty()).unwrap(),
        ),
        (
            503,
            "unavailable",
            Request::get("/v1/shows").body(Body::empty()).unwrap(),
        ),
        (
            415,
            "media_type_unsupported",
            post("/v1/bookings").body(Body::from("{}")).unwrap(),
        ),
        (
            400,
            "body_malformed",
            post("/v1/bookings")
                .header("content-type", json)
                .body(Body::from("{\"a\":"))
                .unwrap(),
        ),
        (
            413,
            "body_too_large",
            post("/v1/bookings")
                .header("content-type", json)
                .body(Body::from("x".repeat(70_000)))
                .unwrap(),
        ),
        (
            400,
            "body_malformed",
            post("/v1/bookings")
                .header("content-type", json)
                .body(Body::from("[".repeat(10_000)))
                .unwrap(),
        ),
        (
            422,
            "validation_failed",
            post("/v1/bookings").body(Body::empty()).unwrap(),
        ),
        (
            404,
            "not_found",
            post("/v1/bookings/x/cancel").body(Body::empty()).unwrap(),
        ),
    ];
    for (status, code, request) in cases {
        let path = request.uri().path().to_owned();
        let answer = world.ask(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{path} {}",
            answer.body
        );
        assert_eq!(answer.headers["content-type"], PROBLEM_JSON);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.body["instance"], path);
        assert_eq!(answer.body["status"], status);
        assert_eq!(
            answer.body["type"],
            format!("http://127.0.0.1:8080/problems/{code}")
        );
        assert_eq!(answer.body["trace_id"].as_str().unwrap().len(), 32);
        if status == 405 {
            assert_eq!(answer.headers["allow"], "POST");
        }
    }
}

#[tokio::test]
async fn a_key_is_required_and_a_card_number_refused_before_anything_is_sent() {
    let world = world();
    let request = Request::post("/v1/bookings")
        .header(
            "authorization",
            format!("Bearer {}", world.token(Role::Customer)),
        )
        .header("content-type", "application/json")
        .body(Body::from(body().to_string()));
    let answer = world.ask(request.unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (400, "idempotency_key_missing")
    );

    let mut carded = body();
    carded["payment"] = json!({"card": {"number": "4242 4242 4242 4242"}});
    let answer = world.post("/v1/bookings", "k", &carded).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "card_number_refused")
    );
    assert_eq!(answer.body["errors"][0]["pointer"], "/payment/card/number");
    assert!(!answer.body.to_string().contains("4242"));
    assert!(world.intake.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_refused_but_not_to_a_repetition() {
    let world = world();
    let mut late = body();
    late["deadline"] = json!(clock_at(-1));
    let answer = world.post("/v1/bookings", "k", &late).await;
    assert_eq!(answer.body["errors"][0]["pointer"], "/deadline");
    late["deadline"] = json!(clock_at(60));
    assert_eq!(
        world.post("/v1/bookings", "k2", &late).await.body["deadline"],
        json!(clock_at(60))
    );
}

#[tokio::test]
async fn one_request_more_than_there_are_places_is_turned_away_at_once() {
    let world = world_with(|config| config.concurrency_max = 1);
    let _taken = world.state.slots.clone().try_acquire_owned().unwrap();
    let answer = world.post("/v1/bookings", "k", &body()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "overloaded"));
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_trace_is_taken_up_and_a_request_id_given_back() {
    let world = world();
    let request = Request::get("/nowhere")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("x-request-id", "req-7");
    let answer = world.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.body["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(answer.headers["x-request-id"], "req-7");
    let request = Request::get("/nowhere").header("x-request-id", "a b\u{9}");
    let answer = world.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["x-request-id"].len(), 32);
}

#[tokio::test]
async fn a_wait_without_an_answer_ends_in_202() {
    let world = world();
    let answer = wait_one_second(&world).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.headers["preference-applied"], "wait=1");
}

async fn wait_one_second(world: &World) -> crate::testing::Answer {
    let request = Request::post("/v1/bookings")
        .header(
            "authorization",
            format!("Bearer {}", world.token(Role::Customer)),
        )
        .header("idempotency-key", "k")
        .header("content-type", "application/json")
        .header("prefer", "wait=1")
        .body(Body::from(body().to_string()));
    world.ask(request.unwrap()).await
}

#[test]
fn tags_are_compared_weakly() {
    let ask = |line: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, line.parse().unwrap());
        none_match(&headers, "W/\"7\"")
    };
    assert!(ask("W/\"7\""));
    assert!(ask("\"6\", \"7\""));
    assert!(!ask("\"77\""));
    assert!(!ask("7"));
    assert_eq!(clock_at(0).timestamp(), EPOCH_SECS);
}

#[tokio::test]
async fn every_answer_of_a_limited_route_says_how_the_client_stands() {
    let world = world_with(|config| {
        config.rate.window_secs = 3_600;
        config.rate.quota_customer = 25;
        config.rate.quota_address = 12;
    });
    let customer = "\"customer\";q=25;w=3600";
    let first = world.post("/v1/bookings", "k", &body()).await;
    assert_eq!(first.status, 202);
    assert_eq!(first.headers["ratelimit-policy"], customer);
    assert_eq!(first.headers["ratelimit"], "\"customer\";r=15;t=144");
    *world.intake.broker.lock().unwrap() = BrokerState::Blocked;
    let second = world.post("/v1/bookings", "k2", &body()).await;
    assert_eq!((second.status.as_u16(), second.code()), (503, "overloaded"));
    assert_eq!(second.headers["ratelimit"], "\"customer\";r=5;t=144");
    let third = world.post("/v1/bookings", "k3", &body()).await;
    assert_eq!((third.status.as_u16(), third.code()), (429, "rate_limited"));
    assert_eq!(third.headers["ratelimit-policy"], customer);
    // Five units are there, five more take so long.
    assert_eq!(third.headers["ratelimit"], "\"customer\";r=0;t=720");
    assert_eq!(third.headers["retry-after"], "720");

    // A token that nobody signed is counted for the address, guesses have an end.
    let guess = || {
        let request = bare(Verb::Post, "/v1/bookings").header("authorization", "Bearer guess");
        world.ask(request.body(Body::empty()).unwrap())
    };
    let refused = guess().await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.headers["ratelimit"], "\"address\";r=2;t=300");
    assert_eq!(guess().await.status, 429);
    // A webhook that isn't signed is refused and not counted.
    let forged = bare(Verb::Post, "/v1/webhooks/stripe").body(Body::empty());
    let forged = world.ask(forged.unwrap()).await;
    assert_eq!(forged.status, 400);
    assert!(!forged.headers.contains_key("ratelimit"));
}

#[tokio::test]
async fn a_link_that_is_forged_or_has_expired_opens_nothing() {
    use boxoffice_store::document_link::LinkedDocument::{TicketsIcs, TicketsPdf};
    let world = world();
    let id = BookingId::derive("house", "ada", "k");
    let links = &world.state.links;
    let ttl = std::time::Duration::from_secs(3_600);
    let ask = async |path: String| {
        let answer = world
            .ask(bare(Verb::Get, &path).body(Body::empty()).unwrap())
            .await;
        let detail = answer.body["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (answer.status.as_u16(), answer.code().to_owned(), detail)
    };
    // Genuine: it comes as far as the database, and there is none here.
    for document in [TicketsPdf, TicketsIcs] {
        let good = links.link(id, document, clock_at(0), ttl);
        assert_eq!(ask(good).await.0, 503);
    }
    let old = links.link(id, TicketsPdf, clock_at(-10_000), ttl);
    let (status, code, detail) = ask(old).await;
    assert_eq!((status, code.as_str()), (404, "not_found"));
    assert!(detail.contains("expired"), "{detail}");
    let good = links.link(id, TicketsPdf, clock_at(0), ttl);
    for forged in [
        good.replace("expires=1", "expires=2"),
        good.replace("tickets.pdf", "tickets.ics"),
        good.split("&sig").next().unwrap().to_owned() + "&signature=",
    ] {
        let (status, _, detail) = ask(forged).await;
        assert_eq!((status, detail.as_str()), (404, ""));
    }
    assert_eq!(ask(good + "&more=1").await.0, 422);
}
