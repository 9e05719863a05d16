//! What the gate says to partners, as events.

use super::{Gate, check::Refusal};
use boxoffice_contracts::{
    Instant, Kind, MessageId,
    partner::{kinds, reply::PartnerProblem},
};
use boxoffice_runtime::{Cause, Failure};
use serde::Serialize;

/// An event of ours; its sequence is added when it is sent.
pub(crate) fn event<T: Serialize>(
    id: MessageId,
    kind: Kind,
    subject: Option<String>,
    correlation_id: Option<&str>,
    at: Instant,
    data: &T,
) -> Result<Vec<u8>, Failure> {
    let unencodable =
        |error: serde_json::Error| Failure::Park(Cause::new("unencodable", error.to_string()));
    let mut event = kinds::to_partner(kind, id, at, data).map_err(unencodable)?;
    event.subject = subject;
    event.correlationid = correlation_id.map(str::to_owned);
    serde_json::to_vec(&event).map_err(unencodable)
}

/// The problem object of a refusal.
pub(super) fn problem(gate: &Gate, refusal: &Refusal) -> PartnerProblem {
    let code = refusal.code;
    PartnerProblem {
        kind: format!("{}/problems/{code}", gate.base()),
        title: code.title().to_owned(),
        status: code.http_status(),
        detail: refusal.detail.clone(),
        code,
        retryable: code.retryable(),
        retry_after: refusal.retry_after_secs,
        errors: refusal.errors.iter().cloned().map(Into::into).collect(),
    }
}

impl Gate {
    /// What clients call the API by, without the last slash.
    pub(super) fn base(&self) -> &str {
        self.config.public_url.trim_end_matches('/')
    }
}
