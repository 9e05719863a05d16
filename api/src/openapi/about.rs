//! What the routes do that describe others: documents, codes, keys, messages.

use super::{
    Shapes,
    describe::{ABOUT, Description, with},
    examples,
    parts::{answer, if_none_match, json_body, parameter, string},
};
use crate::{
    catalogue::{Catalogue, CodeEntry},
    ticket_keys::KeySet,
};
use boxoffice_contracts::Code;
use serde_json::json;
use utoipa::openapi::{Content, Response, path::ParameterIn};

pub(super) fn read_description() -> Description {
    Description {
        id: "readDescription",
        tag: ABOUT,
        summary: "This document",
        text: "OpenAPI 3.1.",
        parameters: vec![if_none_match("\"tag\"")],
        body: None,
        answers: vec![
            (
                200,
                with(
                    answer("The document.", &["ETag"]),
                    "application/json",
                    Content::default(),
                ),
            ),
            (304, answer("The client has this document.", &["ETag"])),
        ],
        refusals: &[],
    }
}

pub(super) fn read_docs() -> Description {
    Description {
        id: "readDocs",
        tag: ABOUT,
        summary: "This document as a page",
        text: "For people. Loads nothing from elsewhere.",
        parameters: Vec::new(),
        body: None,
        answers: vec![(
            200,
            with(answer("The page.", &[]), "text/html", Content::default()),
        )],
        refusals: &[],
    }
}

pub(super) fn read_docs_file() -> Description {
    Description {
        id: "readDocsFile",
        tag: ABOUT,
        summary: "What the page loads",
        text: "Scripts, style and icon of the page.",
        parameters: vec![
            parameter(
                "file",
                ParameterIn::Path,
                true,
                string(),
                "Name of the file.",
                json!("start.js"),
            ),
            if_none_match("\"tag\""),
        ],
        body: None,
        answers: vec![
            (200, files()),
            (304, answer("The client has this file.", &["ETag"])),
        ],
        refusals: &[],
    }
}

pub(super) fn list_codes(shapes: &mut Shapes) -> Description {
    Description {
        id: "listCodes",
        tag: ABOUT,
        summary: "The catalogue of codes",
        text: "As JSON, or as a page for browsers.",
        parameters: Vec::new(),
        body: None,
        answers: vec![(200, {
            let example = json!({"codes": [examples::code(Code::SeatsUnavailable), examples::code(Code::Overloaded)]});
            let codes = with(
                answer("Every code.", &[]),
                "application/json",
                json_body(shapes.answer::<Catalogue>(), example),
            );
            with(codes, "text/html", Content::default())
        })],
        refusals: &[],
    }
}

pub(super) fn read_code(shapes: &mut Shapes) -> Description {
    Description {
        id: "readCode",
        tag: ABOUT,
        summary: "What a code means",
        text: "Where the `type` of a problem leads. As JSON, or as a page for browsers.",
        parameters: vec![parameter(
            "code",
            ParameterIn::Path,
            true,
            string(),
            "The code.",
            json!("seats_unavailable"),
        )],
        body: None,
        answers: vec![(200, {
            let code = json_body(
                shapes.answer::<CodeEntry>(),
                examples::code(Code::SeatsUnavailable),
            );
            with(
                with(answer("The code.", &[]), "application/json", code),
                "text/html",
                Content::default(),
            )
        })],
        refusals: &[],
    }
}

pub(super) fn read_keys(shapes: &mut Shapes) -> Description {
    Description {
        id: "readTicketKeys",
        tag: ABOUT,
        summary: "The keys that ticket codes are signed with",
        text: "A JWK set (RFC 7517, RFC 8037). A gate that has it checks codes without asking.",
        parameters: Vec::new(),
        body: None,
        answers: vec![(200, {
            let keys = json_body(shapes.answer::<KeySet>(), examples::ticket_keys());
            with(answer("The keys.", &[]), "application/json", keys)
        })],
        refusals: &[],
    }
}

pub(super) fn read_async_api() -> Description {
    Description {
        id: "readAsyncApi",
        tag: ABOUT,
        summary: "The description of messages",
        text: "AsyncAPI 3.",
        parameters: Vec::new(),
        body: None,
        answers: vec![(200, document("application/yaml"))],
        refusals: &[],
    }
}

pub(super) fn read_schema() -> Description {
    Description {
        id: "readSchema",
        tag: ABOUT,
        summary: "The JSON Schema of a message",
        text: "One for each published kind.",
        parameters: vec![parameter(
            "file",
            ParameterIn::Path,
            true,
            string(),
            "The kind, and `.json`.",
            json!("booking.submit.v1.json"),
        )],
        body: None,
        answers: vec![(200, document("application/schema+json"))],
        refusals: &[],
    }
}

fn document(kind: &str) -> Response {
    with(answer("The document.", &[]), kind, Content::default())
}

fn files() -> Response {
    let file = answer("The file.", &["ETag"]);
    ["text/css", "text/javascript", "image/png"]
        .iter()
        .fold(file, |file, kind| with(file, kind, Content::default()))
}
