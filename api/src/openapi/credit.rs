//! The routes about partners' credit.

use super::{
    Shapes,
    describe::{Description, json_request, with},
    partners::PARTNERS,
    parts::{answer, json_body, parameter, string},
};
use crate::backoffice::credit::{CreditView, PartnerCreditView};
use boxoffice_contracts::{Code, Currency, Instant};
use chrono::{DateTime, TimeDelta};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::{
    Response,
    path::{Parameter, ParameterIn},
};

/// How much a partner may owe in one currency.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CreditRequest {
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// Minor units. Below what is used, nothing more is authorised until enough is refunded.
    #[schemars(range(min = 0, max = 1_000_000_000_000_000_u64))]
    pub limit_minor: u64,
    /// Why, for the audit.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

const PARTNER: &str = "acme-tickets";

pub(super) fn read(shapes: &mut Shapes) -> Description {
    Description {
        id: "readPartnerCredit",
        tag: PARTNERS,
        summary: "How a partner's credit stands",
        text: "Limit, reserved and used, in every currency that a limit was ever set in.",
        parameters: vec![partner()],
        body: None,
        answers: vec![(200, credit(shapes))],
        refusals: &[Code::Unavailable],
    }
}

pub(super) fn set(shapes: &mut Shapes) -> Description {
    let example = json!({
        "currency": "EUR", "limit_minor": 5_000_000, "reason": "Contract of November."
    });
    Description {
        id: "setPartnerCredit",
        tag: PARTNERS,
        summary: "Set how much a partner may owe",
        text: "In one currency. What is reserved and used stays; the change is in the audit.",
        parameters: vec![partner()],
        body: Some(json_request::<CreditRequest>(shapes, example, true)),
        answers: vec![(200, credit(shapes))],
        refusals: &[Code::Unavailable],
    }
}

fn credit(shapes: &mut Shapes) -> Response {
    let body = json_body(shapes.answer::<PartnerCreditView>(), example());
    with(
        answer("The partner's credit.", &[]),
        "application/json",
        body,
    )
}

fn partner() -> Parameter {
    let schema = string().pattern(Some("^[a-z0-9][a-z0-9-]{1,30}[a-z0-9]$"));
    parameter(
        "id",
        ParameterIn::Path,
        true,
        schema,
        "The partner.",
        json!(PARTNER),
    )
}

fn example() -> Value {
    let updated_at: Instant = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_285_800);
    let view = PartnerCreditView {
        partner_id: PARTNER.to_owned(),
        credits: vec![CreditView {
            currency: Currency::EUR,
            limit_minor: 5_000_000,
            reserved_minor: 4_000,
            used_minor: 1_260_000,
            available_minor: 3_736_000,
            updated_at,
        }],
    };
    json!(view)
}
