//! The stable codes of everything that can be refused: the same over HTTP, in events and in replies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $status:literal, $retryable:literal;)+) => {
        /// Why something was refused. The text is stable; clients may branch on it. The list grows: whoever
        /// reads it must take a code that it doesn't know.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[schemars(extend("x-open" = true))]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The status when an HTTP request is answered with this code.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// Whether the same request may succeed later.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => $retryable),+ }
            }

            /// One sentence for the catalogue and for `title`.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),+ }
            }

            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

codes! {
    /// The seats are taken.
    SeatsUnavailable = "seats_unavailable", 409, true;
    /// A seat id is not part of the show's hall.
    SeatUnknown = "seat_unknown", 422, false;
    /// The same seat is asked for twice.
    SeatRepeated = "seat_repeated", 422, false;
    /// The show does not exist.
    ShowNotFound = "show_not_found", 404, false;
    /// The show's sale has not begun.
    SalesNotOpen = "sales_not_open", 409, true;
    /// The show's sale has ended.
    SalesClosed = "sales_closed", 409, false;
    /// The show was cancelled.
    ShowCancelled = "show_cancelled", 409, false;
    /// The show has no price for a category that was asked for.
    CategoryUnknown = "category_unknown", 422, false;
    /// The command was not handled before its deadline.
    DeadlineExceeded = "deadline_exceeded", 409, true;
    /// The hold has ended.
    HoldExpired = "hold_expired", 409, false;
    /// A payment is already in progress.
    PaymentInProgress = "payment_in_progress", 409, true;
    /// The booking is already paid.
    AlreadyPaid = "already_paid", 409, false;
    /// All attempts to pay are used up.
    AttemptsExhausted = "attempts_exhausted", 409, false;
    /// The card was declined.
    CardDeclined = "card_declined", 402, true;
    /// The credit of the partner does not cover the booking.
    PartnerCreditExhausted = "partner_credit_exhausted", 402, true;
    /// The caller may not pay in this way.
    TenderRefused = "tender_refused", 403, false;
    /// The payment could not be captured.
    CaptureFailed = "capture_failed", 409, false;
    /// The gateway reports another amount or currency than the booking's.
    AmountMismatch = "amount_mismatch", 409, false;
    /// The booking has ended.
    BookingEnded = "booking_ended", 409, false;
    /// A cancellation is already in progress.
    CancelInProgress = "cancel_in_progress", 409, true;
    /// A ticket of the booking was already scanned.
    TicketUsed = "ticket_used", 409, false;
    /// It is too late to cancel.
    CancelTooLate = "cancel_too_late", 409, false;
    /// The state of the booking does not allow this action now.
    ActionNotAllowed = "action_not_allowed", 409, false;
    /// A position does not exist or is already cancelled.
    PositionUnknown = "position_unknown", 422, false;
    /// The header Idempotency-Key is missing or malformed.
    IdempotencyKeyMissing = "idempotency_key_missing", 400, false;
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, false;
    /// The request is malformed; `errors` points at the fields.
    ValidationFailed = "validation_failed", 422, false;
    /// The body is not JSON or not of the announced type.
    BodyMalformed = "body_malformed", 400, false;
    /// The body is larger than allowed.
    BodyTooLarge = "body_too_large", 413, false;
    /// The address of the request is longer than allowed.
    UriTooLong = "uri_too_long", 414, false;
    /// The head of the request is larger than allowed.
    HeadTooLarge = "head_too_large", 431, false;
    /// The head of the request is not HTTP.
    HeadMalformed = "head_malformed", 400, false;
    /// The media type is not supported.
    MediaTypeUnsupported = "media_type_unsupported", 415, false;
    /// A card number does not belong here.
    CardNumberRefused = "card_number_refused", 422, false;
    /// There is no valid credential.
    Unauthenticated = "unauthenticated", 401, false;
    /// The role does not allow this.
    Forbidden = "forbidden", 403, false;
    /// Not found, or not yours.
    NotFound = "not_found", 404, false;
    /// The method is not allowed here.
    MethodNotAllowed = "method_not_allowed", 405, false;
    /// A message of this number or a later one was taken already.
    SequenceOutdated = "sequence_outdated", 409, false;
    /// Messages from there on are no longer kept; ask for a snapshot.
    SequenceGone = "sequence_gone", 410, false;
    /// The hall does not exist.
    HallUnknown = "hall_unknown", 422, false;
    /// The currency is not the venue's.
    CurrencyMismatch = "currency_mismatch", 422, false;
    /// The show has bookings: hall, start and film stay.
    ShowInUse = "show_in_use", 409, false;
    /// More places are taken than that.
    CapacityBelowTaken = "capacity_below_taken", 409, true;
    /// The document is not ready yet.
    DocumentNotReady = "document_not_ready", 409, true;
    /// The id belongs to a partner already.
    PartnerExists = "partner_exists", 409, false;
    /// The partner was removed, and its id is not given out again.
    PartnerRemoved = "partner_removed", 409, false;
    /// Two credentials live already: one must end before the next is made.
    CredentialsLive = "credentials_live", 409, true;
    /// Too many requests from this client.
    RateLimited = "rate_limited", 429, true;
    /// Nothing was accepted; retry with the same idempotency key.
    Overloaded = "overloaded", 503, true;
    /// A part of the service is not reachable.
    Unavailable = "unavailable", 503, true;
    /// The request took too long.
    Timeout = "timeout", 504, true;
    /// The signature of a webhook is not valid.
    SignatureInvalid = "signature_invalid", 400, false;
    /// What is to be changed is not in a state that allows it.
    StateConflict = "state_conflict", 409, false;
    /// Whoever proposed something can't approve it.
    OwnProposal = "own_proposal", 403, false;
    /// The sender could not be proved: the message has no user id of this partner.
    SenderUnproved = "sender_unproved", 403, false;
    /// There is no such kind of message, or not in this version.
    KindUnknown = "kind_unknown", 422, false;
    /// The partner sends more than its quota.
    QuotaExceeded = "quota_exceeded", 429, true;
    /// The quarantined message was released or rejected already.
    QuarantineClosed = "quarantine_closed", 409, false;
    /// An error of ours; it is recorded under the trace id.
    InternalError = "internal_error", 500, true;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_text_everywhere() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            assert!((400..600).contains(&code.http_status()), "{code}");
            assert!(code.title().ends_with('.'), "{code}");
        }
    }
}
