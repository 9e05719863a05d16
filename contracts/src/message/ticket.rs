//! Commands to the tickets worker, and its answer.

use crate::BookingId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes the ticket document of a booking and stores it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Render {
    pub booking_id: BookingId,
    /// Rises when positions change; a document is stored once per revision.
    #[schemars(range(min = 1))]
    pub revision: u16,
}

/// The document is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rendered {
    pub booking_id: BookingId,
    pub revision: u16,
    /// SHA-256 of the bytes, in hex.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}
