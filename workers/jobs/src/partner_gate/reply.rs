//! What the gate says to partners, as events.

use super::{Gate, check::Refusal};
use boxoffice_contracts::{
    Instant, MessageId,
    partner::{
        event::CloudEvent,
        reply::{PartnerProblem, SOURCE},
    },
};
use boxoffice_runtime::{Cause, Failure};
use serde::Serialize;

/// An event of ours; its sequence is added when it is sent.
pub(super) fn event<T: Serialize>(
    id: MessageId,
    kind: &str,
    subject: Option<String>,
    correlation_id: Option<&str>,
    at: Instant,
    data: &T,
) -> Result<Vec<u8>, Failure> {
    let unencodable =
        |error: serde_json::Error| Failure::Park(Cause::new("unencodable", error.to_string()));
    let event = CloudEvent {
        specversion: "1.0".to_owned(),
        id: id.to_string(),
        source: SOURCE.to_owned(),
        kind: kind.to_owned(),
        time: at,
        subject,
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        correlationid: correlation_id.map(str::to_owned),
        idempotencykey: None,
        sequence: None,
        expirytime: None,
        traceparent: None,
        data: serde_json::to_value(data).map_err(unencodable)?,
    };
    serde_json::to_vec(&event).map_err(unencodable)
}

/// The problem object of a refusal.
pub(super) fn problem(gate: &Gate, refusal: &Refusal) -> PartnerProblem {
    let code = refusal.code;
    PartnerProblem {
        kind: format!("{}/problems/{code}", gate.base()),
        title: code.title(),
        status: code.http_status(),
        detail: refusal.detail.clone(),
        code,
        retryable: code.retryable(),
        retry_after: refusal.retry_after_secs,
        errors: refusal.errors.clone(),
    }
}

impl Gate {
    /// What clients call the API by, without the last slash.
    pub(super) fn base(&self) -> &str {
        self.config.public_url.trim_end_matches('/')
    }
}
