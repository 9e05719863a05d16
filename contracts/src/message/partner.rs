//! Commands on what partners sent.

use crate::{Instant, Owner};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use uuid::Uuid;

/// Lets a quarantined message pass the gate's checks again, repaired or as it came.
///
/// What the broker proved of the sender stays proved; everything else is checked anew.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub quarantine_id: Uuid,
    #[schemars(length(min = 3, max = 32))]
    pub partner_id: String,
    /// The repaired `CloudEvent`; without one the message is taken as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
    /// Who of the staff says so.
    pub released_by: Owner,
    pub released_at: Instant,
}

/// The repaired message may hold personal data.
impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release")
            .field("quarantine_id", &self.quarantine_id)
            .field("partner_id", &self.partner_id)
            .field("repaired", &self.event.is_some())
            .finish_non_exhaustive()
    }
}
