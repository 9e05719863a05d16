//! What clients send, as the document shows it. The judges are [`crate::submission`] and its kin; a test holds
//! the two together.

use boxoffice_contracts::{Instant, SeatId, ShowId, message::booking::LatePolicy};
use schemars::JsonSchema;
use serde::Serialize;

/// Text for people: something in it, no control characters, no marks that turn its direction.
pub(super) const TEXT: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]*\
                    [^\\s\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]\
                    [^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]*$";
const EMAIL: &str = "^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\
                     @([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$";
const LOCALE: &str = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$";
const METHOD: &str = "^pm_[A-Za-z0-9_]{1,120}$";

/// Seats of a show, and who the tickets are for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct BookingRequest {
    pub show_id: ShowId,
    /// At most 10 places in all, no seat twice.
    #[schemars(length(min = 1, max = 10))]
    pub positions: Vec<PositionRequest>,
    pub customer: CustomerRequest,
    /// Pays as soon as the seats are held; left out, they are held and paid with a command of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentMethod>,
    /// What to do with money that arrives after the hold lapsed: `same_seats` (when left out) claims them again
    /// if they are free, `refuse` always gives it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_policy: Option<LatePolicy>,
    /// Given up with `deadline_exceeded` when not decided by then. Ten minutes from now when left out, an hour
    /// at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Instant>,
}

/// A seat by its id, or places without numbers by category.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(deny_unknown_fields)]
pub(crate) enum PositionRequest {
    Seat {
        seat_id: SeatId,
    },
    Places {
        #[schemars(length(min = 1, max = 64), regex(pattern = TEXT))]
        category: String,
        #[schemars(range(min = 1, max = 10))]
        count: u8,
    },
}

/// Who the tickets are sent to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CustomerRequest {
    #[schemars(length(min = 3, max = 254), regex(pattern = EMAIL))]
    pub email: String,
    #[schemars(length(min = 1, max = 200), regex(pattern = TEXT))]
    pub name: String,
    /// BCP 47 tag of the language of mails and tickets, such as `de-AT`.
    #[schemars(length(min = 2, max = 35), regex(pattern = LOCALE))]
    pub locale: String,
}

/// A payment method of the gateway, never a card number.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct PaymentMethod {
    #[schemars(regex(pattern = METHOD))]
    pub method: String,
}

/// With a method: pays. Without: begins a payment that the client finishes with the gateway, by the client
/// secret that the owner's GET shows then.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct PaymentRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = METHOD))]
    pub method: Option<String>,
}

/// The whole booking, or the positions that are named.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CancelRequest {
    /// Numbers of positions, none twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10), inner(range(min = 1)), extend("uniqueItems" = true))]
    pub positions: Option<Vec<u16>>,
    /// Why, in the words of who cancels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = TEXT))]
    pub reason: Option<String>,
}

/// An event of the gateway. Everything else in it may be as the gateway likes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GatewayEvent {
    #[schemars(length(min = 1, max = 255))]
    pub id: String,
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 255))]
    pub kind: String,
    pub livemode: bool,
    pub data: serde_json::Map<String, serde_json::Value>,
}
