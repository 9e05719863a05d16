//! Orders of staff in the audit: written with the decision, so that each stands there once and with its outcome.

use boxoffice_contracts::{Code, Envelope, Instant, message::booking::Mend};
use boxoffice_runtime::{Failure, Tx};
use boxoffice_saga::Decision;
use boxoffice_store::mysql::audit::{self, Deed};
use serde_json::json;

/// An order and what came of it.
#[derive(Debug)]
pub struct Entry {
    order: Mend,
    trace_id: String,
    refused: Option<Code>,
}

/// `None` for what is decided later or by a person: then it has no outcome yet.
pub(super) fn entry(order: &Mend, cause: &Envelope, decision: &Decision) -> Option<Entry> {
    let refused = match decision {
        Decision::Advance { .. } => None,
        Decision::Reject { code, .. } | Decision::RejectUnborn { code, .. } => Some(*code),
        Decision::Stay(_) | Decision::Defer(_) | Decision::Refuse(_) => return None,
    };
    Some(Entry {
        order: order.clone(),
        trace_id: format!("{:032x}", cause.trace.trace_id),
        refused,
    })
}

pub(super) async fn write(tx: &Tx, entries: &[Entry], now: Instant) -> Result<(), Failure> {
    for Entry {
        order,
        trace_id,
        refused,
    } in entries
    {
        let action = format!("booking.{}", order.action.as_str());
        let deed = Deed {
            at: now,
            who: &order.by,
            role: order.role,
            action: &action,
            target: &format!("booking:{}", order.booking_id),
            reason: Some(order.reason.as_str()),
            detail: json!({
                "operation_id": order.operation_id,
                "outcome": if refused.is_some() { "refused" } else { "done" },
                "code": refused,
            }),
            trace_id: Some(trace_id.clone()),
        };
        audit::append(tx.db(), &deed).await?;
    }
    Ok(())
}
