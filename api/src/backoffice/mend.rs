//! `POST /v1/backoffice/bookings/{id}/actions`: staff order something to be done about a booking.
//!
//! A command like a customer's: published with confirm, answered 202, its outcome listed by GET. Who, what and why
//! stand in the audit, written by the worker in the transaction of the decision.

use super::{house_reach, reason};
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json,
    commands::Order,
    fields::{Fields, Mistakes, text},
    idempotency,
    layers::{Slot, Trace},
    look::Look,
    params::Id,
};
use axum::{extract::State, http::HeaderMap, response::Response};
use boxoffice_contracts::{
    BookingId, Code, Role,
    message::booking::{CancelReason, Mend, MendAction},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to be done, and why.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MendRequest {
    /// One of those that the booking's story offers.
    pub action: MendAction,
    /// In your own words; kept with the decision and in the audit.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// Orders an action.
///
/// Safe to send twice: the key names the operation, and its message has the same id every time.
pub(crate) async fn order(
    State(state): State<AppState>,
    mut caller: Caller,
    Trace(trace): Trace,
    slot: Slot,
    Id(id): Id<BookingId>,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Response, Problem> {
    let hash = idempotency::request_hash(&body);
    let (action, reason) = read_order(body)?;
    let role = caller.principal.role;
    if !may_order(role, action) {
        return Err(Problem::because(
            Code::Forbidden,
            "Support orders tickets and their mail only.",
        ));
    }
    caller.reach = house_reach(&caller);
    let by = caller.principal.owner.clone();
    let look = Look {
        state,
        caller,
        id,
        proof: None,
    };
    Order {
        kind: "mend",
        look,
        trace,
        slot,
        headers,
        hash,
    }
    .give(|operation_id, deadline| Mend {
        booking_id: id,
        operation_id,
        action,
        by,
        role,
        reason,
        deadline,
    })
    .await
}

/// Support helps customers to their tickets; money and seats are for those who answer for them.
const fn may_order(role: Role, action: MendAction) -> bool {
    !matches!(role, Role::Support)
        || matches!(action, MendAction::RenderTickets | MendAction::MailTickets)
}

/// # Errors
/// 422 with everything that is wrong.
fn read_order(body: Value) -> Result<(MendAction, CancelReason), Problem> {
    let mut mistakes = Mistakes::default();
    let mut found = None;
    if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
        let action = |word: String| {
            MendAction::from_text(&word).ok_or(("malformed", "is not an action that there is"))
        };
        let action = fields.required("action", &mut mistakes, text(action));
        let reason = reason(&mut fields, &mut mistakes);
        let is_long = |reason: &String| reason.chars().count() > CancelReason::CHARS_MAX;
        if reason.as_ref().is_some_and(is_long) {
            mistakes.add("/reason", ("out_of_range", "is too long"));
        }
        fields.finish(&mut mistakes);
        found = action.zip(reason);
    }
    mistakes.refuse()?;
    let (action, reason) = found.ok_or_else(|| Problem::new(Code::ValidationFailed))?;
    Ok((action, reason.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{body::Body, http::Request};
    use serde_json::json;

    #[test]
    fn an_order_says_what_and_why_and_nothing_else() {
        let fine = json!({"action": "nudge", "reason": "The gateway is back."});
        let (action, reason) = read_order(fine).unwrap();
        assert_eq!(action, MendAction::Nudge);
        assert_eq!(reason.as_str(), "The gateway is back.");
        let long = "x".repeat(201);
        for (body, pointer, word) in [
            (json!({"reason": "x"}), "/action", "required"),
            (
                json!({"action": "burn", "reason": "x"}),
                "/action",
                "malformed",
            ),
            (json!({"action": "nudge"}), "/reason", "required"),
            (
                json!({"action": "nudge", "reason": " "}),
                "/reason",
                "required",
            ),
            (
                json!({"action": "nudge", "reason": long}),
                "/reason",
                "out_of_range",
            ),
            (
                json!({"action": "nudge", "reason": "x", "by": "eve"}),
                "/by",
                "unknown_field",
            ),
        ] {
            let problem = read_order(body.clone()).unwrap_err();
            let found = &problem.errors[0];
            assert_eq!(
                (found.pointer.as_str(), found.code),
                (pointer, word),
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn support_orders_tickets_and_mail_only() {
        let world = world();
        let id = BookingId::derive("house", "ada", "k");
        for role in [Role::Support, Role::Operator, Role::Admin] {
            for action in MendAction::ALL {
                let body = json!({"action": action, "reason": "asked by phone"});
                let request = Request::post(format!("/v1/backoffice/bookings/{id}/actions"))
                    .header("authorization", format!("Bearer {}", world.token(role)))
                    .header("idempotency-key", "k")
                    .header("content-type", "application/json")
                    .body(Body::from(body.to_string()));
                let answer = world.ask(request.unwrap()).await;
                let hers = matches!(action, MendAction::RenderTickets | MendAction::MailTickets);
                // There is no database here: who may order gets as far as that.
                let expected = if role == Role::Support && !hers {
                    "forbidden"
                } else {
                    "unavailable"
                };
                assert_eq!(answer.code(), expected, "{role} {action:?}");
            }
        }
        assert!(world.intake.sent.lock().unwrap().is_empty());
    }
}
