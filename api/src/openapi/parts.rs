//! Parts that routes share: parameters, headers, answers, problems.

use boxoffice_contracts::Code;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::{
    AllOfBuilder, Content, Header, ObjectBuilder, Ref, RefOr, Required, Response, Type,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{KnownFormat, SchemaFormat},
};

use crate::problem::PROBLEM_JSON;

/// Headers of answers: name, meaning, an example.
const HEADERS: &[(&str, &str, &str)] = &[
    (
        "Age",
        "What is shown was the present state within these last seconds, 5 at most; absent when it was read just now.",
        "2",
    ),
    (
        "Content-Disposition",
        "Names the file.",
        "inline; filename=\"tickets-7KQ2M8XC.pdf\"",
    ),
    (
        "Content-Location",
        "The address of the booking that is shown.",
        "/v1/bookings/5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11",
    ),
    (
        "ETag",
        "Names what is shown; send it back in If-None-Match.",
        "W/\"6\"",
    ),
    (
        "Location",
        "Where the command can be followed.",
        "/v1/bookings/5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11",
    ),
    (
        "Preference-Applied",
        "How long the service was ready to wait.",
        "wait=10",
    ),
    (
        "RateLimit",
        "What is left of this client's share, and seconds until there is more.",
        "\"customer\";r=590;t=1",
    ),
    (
        "RateLimit-Policy",
        "This client's share: requests, and the seconds that they are counted over.",
        "\"customer\";q=600;w=60",
    ),
    (
        "Retry-After",
        "Seconds after which it is worth to come again.",
        "1",
    ),
    ("WWW-Authenticate", "How to prove who one is.", "Bearer"),
    (
        "X-Request-Id",
        "The client's own id of the request, or the trace id.",
        "4bf92f3577b34da6a3ce929d0e0e4736",
    ),
];

/// On every answer.
const EVERYWHERE: [&str; 3] = ["RateLimit", "RateLimit-Policy", "X-Request-Id"];

pub(super) fn headers() -> BTreeMap<String, RefOr<Header>> {
    let header = |&(name, meaning, example): &(&str, &str, &str)| {
        let kind = if name == "Retry-After" {
            Type::Integer
        } else {
            Type::String
        };
        let mut header = Header::new(ObjectBuilder::new().schema_type(kind).build());
        header.description = Some(meaning.to_owned());
        header.example = Some(
            example
                .parse::<u32>()
                .map_or_else(|_| json!(example), |n| json!(n)),
        );
        (name.to_owned(), RefOr::T(header))
    };
    HEADERS.iter().map(header).collect()
}

/// An answer with these headers, beside those that every answer has.
pub(super) fn answer(text: &str, headers: &[&str]) -> Response {
    let mut response = Response::new(text);
    for name in headers.iter().chain(&EVERYWHERE) {
        let place = Ref::new(format!("#/components/headers/{name}"));
        response
            .headers
            .insert((*name).to_owned(), RefOr::Ref(place));
    }
    response
}

/// A JSON body of a shape, with an example.
pub(super) fn json_body(shape: Ref, example: Value) -> Content {
    let mut content = Content::new(Some(shape));
    content.example = Some(example);
    content
}

/// The answer to a request that is refused with one of these codes.
pub(super) fn problem(status: u16, codes: &[Code]) -> Response {
    let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let titles: Vec<String> = codes
        .iter()
        .map(|code| format!("`{code}`: {}", code.title()))
        .collect();
    let headers: &[&str] = match status {
        401 => &["WWW-Authenticate"],
        409 | 429 | 503 | 504 => &["Retry-After"],
        _ => &[],
    };
    let mut response = answer(&titles.join(" "), headers);
    let of_these = ObjectBuilder::new()
        .property(
            "code",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(names)),
        )
        .required("code");
    let shape = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(of_these);
    let mut content = Content::new(Some(shape));
    for code in codes {
        let place = Ref::new(format!("#/components/examples/{code}"));
        content.examples.insert(code.to_string(), RefOr::Ref(place));
    }
    response
        .content
        .insert(PROBLEM_JSON.to_owned(), content.into());
    response
}

/// An id of the path.
pub(super) fn id(meaning: &str, example: &str) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("uuid".to_owned())));
    parameter(
        "id",
        ParameterIn::Path,
        true,
        schema,
        meaning,
        json!(example),
    )
}

pub(super) fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(crate::idempotency::KEY_LEN_MAX))
        .pattern(Some("^[!-~]+$"));
    let meaning = "Names the command: a random text, the same when the request is repeated.";
    parameter(
        "Idempotency-Key",
        ParameterIn::Header,
        true,
        schema,
        meaning,
        json!(super::examples::KEY),
    )
}

pub(super) fn prefer() -> Parameter {
    let meaning = "`wait=10` waits up to so many seconds, 30 at most, and answers 200 with the state that was \
                   reached; `respond-async` does not wait (RFC 7240).";
    parameter(
        "Prefer",
        ParameterIn::Header,
        false,
        string(),
        meaning,
        json!("wait=10"),
    )
}

pub(super) fn if_none_match(example: &str) -> Parameter {
    let meaning = "The ETag of what the client has: 304 when nothing changed.";
    parameter(
        "If-None-Match",
        ParameterIn::Header,
        false,
        string(),
        meaning,
        json!(example),
    )
}

pub(super) fn proof() -> Parameter {
    let meaning =
        "The proof that a link carries while a booking is queued. Take the link as it is.";
    let schema = string()
        .min_length(Some(1))
        .max_length(Some(crate::params::PROOF_LEN_MAX))
        .pattern(Some("^[A-Za-z0-9._-]+$"));
    query("proof", schema, meaning, json!(super::examples::proof()))
}

/// What a signed link carries in place of a token.
pub(super) fn link() -> [Parameter; 2] {
    let (expires, signature) = super::examples::link_parts();
    let expiry = ObjectBuilder::new().schema_type(Type::Integer);
    [
        query(
            "expires",
            expiry,
            "Of a signed link: until when it opens, in seconds since 1970.",
            json!(expires),
        ),
        query(
            "signature",
            string(),
            "Of a signed link. Take the link as it is.",
            json!(signature),
        ),
    ]
}

pub(super) fn query(name: &str, schema: ObjectBuilder, meaning: &str, example: Value) -> Parameter {
    parameter(name, ParameterIn::Query, false, schema, meaning, example)
}

pub(super) fn parameter(
    name: &str,
    place: ParameterIn,
    is_required: bool,
    schema: ObjectBuilder,
    meaning: &str,
    example: Value,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(if is_required {
            Required::True
        } else {
            Required::False
        })
        .schema(Some(schema))
        .description(Some(meaning))
        .example(Some(example))
        .build()
}

pub(super) fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A whole number within bounds.
pub(super) fn whole(min: u32, max: Option<u32>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(min))
        .maximum(max)
}

pub(super) fn instant() -> ObjectBuilder {
    string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}
