//! Every route with every role, over HTTP and with real tokens: let in, or refused exactly so. Routes are those of
//! [`ROUTES`]: a new one joins by itself.

use super::{Access, ROUTES, Route, Verb};
use crate::{
    problem::PROBLEM_JSON,
    testing::{Answer, World, world_with},
};
use axum::{body::Body, http::Request};
use boxoffice_contracts::Role;
use futures::future::join_all;

/// What stands in a path for a parameter.
const SAMPLES: &[(&str, &str)] = &[
    ("id", "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11"),
    ("file", "booking.submit.v1.json"),
    ("code", "not_found"),
    ("key", "queue_depth:mail"),
    ("message_id", "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11"),
    ("name", "mail"),
    ("queue", "mail"),
    ("role", "mail"),
];

/// The path with samples for its parameters.
fn sample(route: &Route) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
        None => part.to_owned(),
        Some(name) => {
            let found = SAMPLES.iter().find(|(known, _)| *known == name);
            let (_, text) = found.unwrap_or_else(|| {
                panic!(
                    "{} {}: no sample for {{{name}}}; add one to SAMPLES",
                    route.verb.as_str(),
                    route.path
                )
            });
            (*text).to_owned()
        }
    };
    route
        .path
        .split('/')
        .map(part)
        .collect::<Vec<_>>()
        .join("/")
}

/// A request that no handler takes for a good one: whoever is refused must be refused before that shows.
async fn ask(world: &World, route: &Route, role: Option<Role>) -> Answer {
    let mut request = Request::builder()
        .method(route.verb.as_str())
        .uri(sample(route));
    if let Some(role) = role {
        let token = format!("Bearer {}", world.token(role));
        request = request.header("authorization", token);
    }
    let body = match route.verb {
        Verb::Get => Body::empty(),
        Verb::Post => {
            request = request.header("content-type", "application/json");
            Body::from("{")
        }
    };
    world.ask(request.body(body).unwrap()).await
}

/// Status and code that the table of routes promises; `None`: let in.
fn promised(route: &Route, role: Option<Role>) -> Option<(u16, &'static str)> {
    match (route.access, role) {
        (Access::Public, _) => None,
        (Access::Signed, _) => Some((400, "signature_invalid")),
        // Whoever shows neither a token nor a link.
        (Access::Roles(_) | Access::RolesOrLink(_), None) => Some((401, "unauthenticated")),
        (Access::Roles(lines) | Access::RolesOrLink(lines), Some(role)) => {
            let named = lines.iter().any(|(named, _)| *named == role);
            (!named).then_some((403, "forbidden"))
        }
    }
}

#[tokio::test]
async fn every_route_lets_every_role_in_or_refuses_it_exactly_so() {
    let world = world_with(|config| {
        config.rate.quota_customer = 1_000_000;
        config.rate.quota_business = 1_000_000;
        config.rate.quota_address = 1_000_000;
    });
    let roles: Vec<Option<Role>> = std::iter::once(None).chain(Role::ALL.map(Some)).collect();
    let (mut refused, mut admitted) = (0, 0);
    for route in ROUTES {
        let answers = join_all(roles.iter().map(|role| ask(&world, route, *role))).await;
        for (role, answer) in roles.iter().zip(answers) {
            let who = role.map_or("anybody", Role::as_str);
            let at = format!("{} {} as {who}", route.verb.as_str(), route.path);
            let Some((status, code)) = promised(route, *role) else {
                let met = answer.status.as_u16();
                assert!(
                    !matches!(met, 401 | 403 | 405),
                    "{at}: {met} {}",
                    answer.body
                );
                admitted += 1;
                continue;
            };
            assert_eq!(answer.status.as_u16(), status, "{at}: {}", answer.body);
            assert_eq!(answer.headers["content-type"], PROBLEM_JSON, "{at}");
            assert_eq!(answer.code(), code, "{at}");
            assert_eq!(answer.body["retryable"], false, "{at}");
            let asks_for_token = answer.headers.get("www-authenticate");
            let asked = asks_for_token.map(|value| value.to_str().unwrap());
            assert_eq!(asked, (status == 401).then_some("Bearer"), "{at}");
            refused += 1;
        }
    }
    assert!(refused > ROUTES.len() && admitted > ROUTES.len());
    assert!(
        world.intake.sent.lock().unwrap().is_empty(),
        "nothing was asked for properly, so nothing is published"
    );
}

/// What is no token of ours is none, whichever role it claims.
#[tokio::test]
async fn a_token_of_another_house_opens_nothing() {
    let (world, other) = (world_with(|_| {}), world_with(|_| {}));
    for route in ROUTES {
        if !matches!(route.access, Access::Roles(_) | Access::RolesOrLink(_)) {
            continue;
        }
        let token = other.token(Role::Admin);
        let request = Request::builder()
            .method(route.verb.as_str())
            .uri(sample(route))
            .header("authorization", format!("Bearer {token}"));
        let answer = world.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.code(), "unauthenticated", "{}", route.path);
    }
}
