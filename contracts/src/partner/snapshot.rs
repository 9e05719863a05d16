//! What a partner asks for when it lost its own view: all of its live bookings as they are now.

use crate::{BookingId, Code, Instant, ShowId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bookings of one snapshot at most; the last message of it says how to ask for the next.
pub const BOOKINGS_MAX: u32 = 500;

/// Asks for a snapshot.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRequest {
    /// Where the former snapshot ended, as its last message says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<BookingId>,
}

/// A booking that hasn't ended, as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotBooking {
    /// Which snapshot it belongs to.
    pub snapshot_id: String,
    pub booking_id: BookingId,
    /// What the partner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub show_id: ShowId,
    /// The same as in events: an event of a higher version is newer.
    pub version: u32,
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// When it came to this version.
    pub at: Instant,
}

/// The snapshot ends here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotComplete {
    pub snapshot_id: String,
    /// How many bookings it told.
    pub bookings: u32,
    /// There are more: ask again with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<BookingId>,
    pub at: Instant,
}
