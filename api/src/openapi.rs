//! The description of the API: OpenAPI 3.1, built from the table of routes, from the types of the answers and
//! from the catalogue of codes.
//!
//! [`describe`] says what the table can't; a route without a description does not compile. Schemas come from
//! the same derive that publishes the messages' schemas: 3.1 speaks JSON Schema 2020-12.

mod about;
mod bodies;
mod credit;
mod describe;
mod desk;
mod examples;
mod mending;
mod partner;
mod partners;
mod parts;
mod quarantine;
mod queues;

use crate::{
    bookings::{none_match, put},
    permissions::{Access, ROUTES, Route, Verb},
    problem::ProblemBody,
};
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use boxoffice_contracts::Code;
use describe::{Description, describe};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::LazyLock};
use utoipa::openapi::{
    Components, HttpMethod, Info, License, OpenApi, OpenApiBuilder, Paths, Ref, Server, Tag,
    extensions::Extensions,
    path::Operation,
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};

/// The document as it is served, and as `docs/openapi.json` has it.
pub static TEXT: LazyLock<String> = LazyLock::new(|| {
    #[allow(clippy::expect_used, reason = "a constant document that a test builds")]
    let text = serde_json::to_string_pretty(&document()).expect("a document of plain values");
    text + "\n"
});

static TAG: LazyLock<String> =
    LazyLock::new(|| format!("\"{}\"", hex::encode(&Sha256::digest(TEXT.as_bytes())[..8])));

/// Names of the ways to prove who one is.
const BEARER: &str = "bearer";
const SIGNATURE: &str = "signature";

const INTRODUCTION: &str = include_str!("openapi/introduction.md");

/// `GET /openapi.json`.
pub(crate) async fn read(headers: HeaderMap) -> Response {
    let mut response = if none_match(&headers, &TAG) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = TEXT.as_str().into_response();
        put(&mut response, header::CONTENT_TYPE, "application/json");
        response
    };
    put(&mut response, header::ETAG, &TAG);
    put(&mut response, header::CACHE_CONTROL, "public, max-age=300");
    response
}

/// The routes that answer a request with this code, as `POST /v1/bookings`.
pub(crate) fn routes_of(code: Code) -> Vec<String> {
    static REFUSALS: LazyLock<Vec<(String, BTreeSet<Code>)>> = LazyLock::new(|| {
        let mut shapes = Shapes::new();
        let route = |line: &Route| {
            let name = format!("{} {}", line.verb.as_str(), line.path);
            (name, refusals(line, &describe(line.action, &mut shapes)))
        };
        ROUTES.iter().map(route).collect()
    });
    let answering = REFUSALS.iter().filter(|(_, codes)| codes.contains(&code));
    answering.map(|(route, _)| route.clone()).collect()
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut shapes = Shapes::new();
    let mut paths = Paths::new();
    for line in ROUTES {
        let method = match line.verb {
            Verb::Get => HttpMethod::Get,
            Verb::Post => HttpMethod::Post,
        };
        paths.add_path_operation(line.path, vec![method], operation(line, &mut shapes));
    }
    shapes.answer::<ProblemBody<'_>>();
    let document = OpenApiBuilder::new()
        .info(info())
        .servers(Some([Server::new("/")]))
        .tags(Some(describe::TAGS.map(|(name, text)| {
            let mut tag = Tag::new(name);
            tag.description = Some(text.to_owned());
            tag
        })))
        .paths(paths)
        .components(Some(components()))
        .build();
    let mut document = value_of(&document);
    document["components"]["schemas"] = Value::Object(shapes.take());
    sorted(document)
}

fn info() -> Info {
    let mut info = Info::new("Boxoffice", env!("CARGO_PKG_VERSION"));
    info.description = Some(INTRODUCTION.to_owned());
    let mut license = License::new(env!("CARGO_PKG_LICENSE"));
    license.identifier = Some(env!("CARGO_PKG_LICENSE").to_owned());
    info.license = Some(license);
    info
}

fn components() -> Components {
    let mut components = Components::new();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "An EdDSA token of this house. Its role must be one that the route names in `x-roles`; the word \
             beside the role says whose bookings it reaches: `own`, those of its `venue`, or the whole `tenant`.",
        ))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    let signature = ApiKeyValue::with_description(
        "Stripe-Signature",
        "HMAC-SHA256 of the time and the raw body, made with the secret of the endpoint.",
    );
    components.add_security_scheme(SIGNATURE, SecurityScheme::ApiKey(ApiKey::Header(signature)));
    components.headers = parts::headers();
    components.examples = examples::problems();
    components
}

fn operation(line: &Route, shapes: &mut Shapes) -> Operation {
    let description = describe(line.action, shapes);
    let codes = refusals(line, &description);
    let mut operation = Operation::new();
    operation.operation_id = Some(description.id.to_owned());
    operation.tags = Some(vec![description.tag.to_owned()]);
    operation.summary = Some(description.summary.to_owned());
    operation.description = Some(description.text.to_owned());
    if !description.parameters.is_empty() {
        operation.parameters = Some(description.parameters.into_iter().map(Into::into).collect());
    }
    operation.request_body = description.body.map(|body| body.content.into());
    operation.security = match line.access {
        Access::Public => None,
        Access::Signed => Some(vec![SecurityRequirement::new(SIGNATURE, [""; 0])]),
        Access::Roles(_) => Some(vec![SecurityRequirement::new(BEARER, [""; 0])]),
        // Whoever has a signed link shows it in the query and needs no token.
        Access::RolesOrLink(_) => Some(vec![
            SecurityRequirement::new(BEARER, [""; 0]),
            SecurityRequirement::default(),
        ]),
    };
    if let Access::Roles(roles) | Access::RolesOrLink(roles) = line.access {
        let roles: Map<String, Value> = roles
            .iter()
            .map(|(role, scope)| (role.to_string(), scope.as_str().into()))
            .collect();
        operation.extensions = Some(Extensions::from_iter([("x-roles", Value::Object(roles))]));
    }
    for (status, answer) in description.answers {
        operation
            .responses
            .responses
            .insert(status.to_string(), answer.into());
    }
    let statuses: BTreeSet<u16> = codes.iter().map(|code| code.http_status()).collect();
    for status in statuses {
        let codes: Vec<Code> = codes
            .iter()
            .copied()
            .filter(|code| code.http_status() == status)
            .collect();
        let answer = parts::problem(status, &codes);
        operation
            .responses
            .responses
            .insert(status.to_string(), answer.into());
    }
    operation
}

/// What a request can be refused with: what the door and the reading of a body answer, and the route's own.
fn refusals(line: &Route, description: &Description) -> BTreeSet<Code> {
    let mut codes = BTreeSet::from([
        Code::InternalError,
        Code::Overloaded,
        Code::RateLimited,
        Code::Timeout,
    ]);
    if matches!(line.access, Access::Roles(_) | Access::RolesOrLink(_)) {
        codes.extend([Code::Unauthenticated, Code::Forbidden]);
    }
    if line.path.contains('{') {
        codes.insert(Code::NotFound);
    }
    if let Some(body) = &description.body {
        codes.insert(Code::BodyTooLarge);
        if body.is_json {
            codes.extend([
                Code::BodyMalformed,
                Code::MediaTypeUnsupported,
                Code::ValidationFailed,
                Code::CardNumberRefused,
            ]);
        }
    }
    codes.extend(description.refusals);
    codes
}

/// The schemas that the document refers to, each under the name of its type.
pub(crate) struct Shapes {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Shapes {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            requests: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
        }
    }

    /// The shape of a body that clients send.
    fn request<T: JsonSchema>(&mut self) -> Ref {
        self.requests.subschema_for::<T>();
        Ref::from_schema_name(T::schema_name())
    }

    /// The shape of a body that clients get.
    fn answer<T: JsonSchema>(&mut self) -> Ref {
        self.answers.subschema_for::<T>();
        Ref::from_schema_name(T::schema_name())
    }

    fn take(mut self) -> Map<String, Value> {
        let mut all = self.answers.take_definitions(true);
        all.extend(self.requests.take_definitions(true));
        all
    }
}

fn value_of(document: &OpenApi) -> Value {
    #[allow(clippy::expect_used, reason = "a constant document that a test builds")]
    serde_json::to_value(document).expect("a document of plain values")
}

/// Fields in the order of their names, whatever order another crate made JSON objects keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(
                fields
                    .into_iter()
                    .map(|(name, field)| (name, sorted(field)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

#[cfg(test)]
#[path = "openapi/tests.rs"]
mod tests;
