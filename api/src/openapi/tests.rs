use super::*;
use crate::{
    permissions::{Action, Scope},
    submission::{Submission, read_cancellation, read_payment},
    testing::{clock_at, world},
};
use axum::{body::Body, http::Request};
use boxoffice_contracts::Role;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

#[test]
fn the_table_and_the_document_have_the_same_routes_doors_and_roles() {
    let document = document();
    let told: BTreeMap<(String, String), Value> = operations(&document)
        .into_iter()
        .map(|(method, path, operation)| ((method, path), operation))
        .collect();
    let table: BTreeMap<(String, String), &Route> = ROUTES
        .iter()
        .map(|line| ((line.verb.as_str().to_owned(), line.path.to_owned()), line))
        .collect();
    assert_eq!(
        told.keys().collect::<Vec<_>>(),
        table.keys().collect::<Vec<_>>()
    );
    for (route, line) in table {
        let operation = &told[&route];
        let by_role = |roles: &[(Role, Scope)]| -> Value {
            let roles: BTreeMap<&str, &str> = roles
                .iter()
                .map(|(role, scope)| (role.as_str(), scope.as_str()))
                .collect();
            json!(roles)
        };
        let (security, roles) = match line.access {
            Access::Public => (Value::Null, Value::Null),
            Access::Signed => (json!([{"signature": []}]), Value::Null),
            Access::Roles(roles) => (json!([{"bearer": []}]), by_role(roles)),
            Access::RolesOrLink(roles) => (json!([{"bearer": []}, {}]), by_role(roles)),
        };
        assert_eq!(operation["security"], security, "{route:?}");
        assert_eq!(operation["x-roles"], roles, "{route:?}");
        let answers = operation["responses"].as_object().unwrap();
        let is_guarded = matches!(line.access, Access::Roles(_) | Access::RolesOrLink(_));
        for status in ["401", "403"] {
            assert_eq!(answers.contains_key(status), is_guarded, "{route:?}");
        }
        for status in ["429", "500", "503", "504"] {
            assert!(answers.contains_key(status), "{route:?} {status}");
        }
    }
}

#[test]
fn names_are_unique_and_every_parameter_of_a_path_is_described() {
    let document = document();
    let mut names = HashSet::new();
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} names two routes");
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let in_path: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let in_template: Vec<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(in_path, in_template, "{at}");
        for parameter in parameters {
            assert!(parameter.get("example").is_some(), "{at}: {parameter}");
            assert!(parameter["description"].is_string(), "{at}: {parameter}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_no_schema_is_left_over() {
    fn references<'a>(value: &'a Value, found: &mut HashSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = HashSet::new();
    references(&document, &mut found);
    for place in &found {
        let pointer = place.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{place} leads nowhere");
    }
    for kind in ["schemas", "headers", "examples"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let place = format!("#/components/{kind}/{name}");
            let is_outcome =
                kind == "examples" && routes_of(Code::from_text(name).unwrap()).is_empty();
            assert!(
                is_outcome || found.contains(place.as_str()),
                "{place} is left over"
            );
        }
    }
}

#[test]
fn the_codes_are_those_of_the_contracts() {
    let document = document();
    let mut told: Vec<&str> = Vec::new();
    let code = &document["components"]["schemas"]["Code"];
    for entry in code["oneOf"].as_array().unwrap() {
        told.push(entry["const"].as_str().unwrap());
    }
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(told, codes);
}

#[test]
fn what_the_document_says_of_bodies_is_what_is_read() {
    let document = document();
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    let deadline = clock_at(60);
    let mut full = examples::submit();
    full["late_policy"] = examples::submit_places()["late_policy"].clone();
    full["deadline"] = json!(deadline);
    for body in [examples::submit(), examples::submit_places(), full.clone()] {
        Submission::read(body).unwrap();
    }
    read_payment(examples::pay()).unwrap();
    read_cancellation(examples::cancel()).unwrap();

    // What the schema calls required is missed, and every field that it names is known.
    let missed = |problem: crate::Problem, word: &str| -> Vec<String> {
        let mut names: Vec<String> = problem
            .errors
            .into_iter()
            .filter(|error| error.code == word)
            .map(|error| error.pointer.rsplit('/').next().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let mut required: Vec<String> =
        serde_json::from_value(schema("BookingRequest")["required"].clone()).unwrap();
    required.sort();
    let problem = Submission::read(json!({})).unwrap_err();
    assert_eq!(missed(problem.into(), "required"), required);
    for (name, part) in [
        ("BookingRequest", &full),
        ("CustomerRequest", &full["customer"]),
        ("PaymentMethod", &full["payment"]),
    ] {
        let told: Vec<String> = schema(name)["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let mut sent: Vec<String> = part.as_object().unwrap().keys().cloned().collect();
        sent.sort();
        assert_eq!(sent, told, "{name}");
        assert_eq!(schema(name)["additionalProperties"], false, "{name}");
    }
    let mut customer = full.clone();
    customer["customer"] = json!({});
    let mut required: Vec<String> =
        serde_json::from_value(schema("CustomerRequest")["required"].clone()).unwrap();
    required.sort();
    let problem = Submission::read(customer).unwrap_err();
    assert_eq!(missed(problem.into(), "required"), required);
}

#[tokio::test]
async fn it_is_served_as_it_is_checked_in() {
    let world = world();
    let ask = async |tag: &str| {
        let request = Request::get("/openapi.json").header("if-none-match", tag);
        world.ask(request.body(Body::empty()).unwrap()).await
    };
    let answer = ask("\"another\"").await;
    assert_eq!(answer.body["openapi"], "3.1.0");
    assert_eq!(answer.body, document());
    let tag = answer.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(ask(&tag).await.status, 304);

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == *TEXT,
        "docs/openapi.json is stale: run `cargo xtask gen` and commit the result"
    );
}

/// Whatever the document says of an error, a request finds it so: body, media type and code.
#[tokio::test]
async fn requests_that_no_handler_sees_are_refused_as_the_document_says() {
    let world = world();
    let request = |method: &str, path: &str| Request::builder().method(method).uri(path);
    for (request, status, code) in [
        // Beyond the years that a database knows.
        (
            request("GET", "/v1/shows?from=%2B262142-01-01T00:00:00Z"),
            422,
            "validation_failed",
        ),
        (
            request("GET", "/v1/shows?to=-0044-03-15T00:00:00Z"),
            422,
            "validation_failed",
        ),
        (request("GET", "/nothing"), 404, "not_found"),
        (
            request("GET", "/v1/bookings/not-a-uuid"),
            401,
            "unauthenticated",
        ),
        (request("PUT", "/v1/bookings"), 405, "method_not_allowed"),
        (request("TRACE", "/v1/shows"), 405, "method_not_allowed"),
        (request("GET", "/v1/shows/%ff"), 404, "not_found"),
        (
            request("GET", "/v1/shows?limit=x"),
            422,
            "validation_failed",
        ),
        (
            request("GET", "/v1/shows?from=%ff"),
            422,
            "validation_failed",
        ),
        (
            request("GET", "/v1/shows?limit=1&limit=2"),
            422,
            "validation_failed",
        ),
        (
            request("POST", "/v1/webhooks/stripe"),
            400,
            "signature_invalid",
        ),
    ] {
        let request = request.body(Body::empty()).unwrap();
        let at = format!("{} {}", request.method(), request.uri());
        let answer = world.ask(request).await;
        assert_eq!(answer.status, status, "{at}");
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{at}"
        );
        assert_eq!(answer.code(), code, "{at}");
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{at}");
    }
    assert_eq!(
        ROUTES
            .iter()
            .filter(|line| line.action == Action::ListShows)
            .count(),
        1
    );
}
