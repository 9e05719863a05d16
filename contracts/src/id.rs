//! Typed ids. Whatever is derived is a UUIDv5, so that doing a thing twice names it once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Namespace of every UUIDv5 that Boxoffice derives.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f2c_8a54_0d0b_5b7e_9a3d_b0c0_ff1c_e001);

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The 16 bytes that `BINARY(16)` columns hold.
            #[must_use]
            pub fn to_vec(self) -> Vec<u8> {
                self.0.as_bytes().to_vec()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

uuid_id! {
    /// A booking; derived from who submitted it and with which idempotency key.
    BookingId,
    /// A film or another kind of performance.
    FilmId,
    /// A hall of a venue.
    HallId,
    /// One message on the wire. A repetition of the same step has the same id.
    MessageId,
    /// One command of a customer; its outcome is a row that GET lists.
    OperationId,
    /// One refund; derived from the operation that ordered it.
    RefundId,
    /// A performance of a film in a hall at a time.
    ShowId,
    /// An admission that a gate checks.
    TicketId,
    /// A theatre.
    VenueId,
}

/// Derives a UUIDv5 from parts, each prefixed with its length so that no two lists of parts collide.
fn derive(label: &str, parts: &[&[u8]]) -> Uuid {
    let mut bytes = Vec::with_capacity(64);
    for part in std::iter::once(&label.as_bytes()).chain(parts) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &bytes)
}

impl BookingId {
    /// The booking that `subject` of `tenant` asks for with this idempotency key.
    #[must_use]
    pub fn derive(tenant: &str, subject: &str, idempotency_key: &str) -> Self {
        Self(derive(
            "booking",
            &[
                tenant.as_bytes(),
                subject.as_bytes(),
                idempotency_key.as_bytes(),
            ],
        ))
    }
}

impl OperationId {
    /// The operation `kind` that `subject` of `tenant` orders on a booking with this idempotency key.
    #[must_use]
    pub fn derive(
        booking: BookingId,
        tenant: &str,
        subject: &str,
        kind: &str,
        idempotency_key: &str,
    ) -> Self {
        let parts = [
            booking.0.as_bytes(),
            tenant.as_bytes(),
            subject.as_bytes(),
            kind.as_bytes(),
            idempotency_key.as_bytes(),
        ];
        Self(derive("operation", &parts))
    }
}

impl MessageId {
    /// The message of a command from outside.
    #[must_use]
    pub fn of_operation(booking: BookingId, operation: OperationId) -> Self {
        Self(derive(
            "message.operation",
            &[booking.0.as_bytes(), operation.0.as_bytes()],
        ))
    }

    /// Effect number `index` of the step that brought a booking to `version`.
    ///
    /// A repetition of the same step gets the same id, a deliberate re-send (a new version) a new one.
    #[must_use]
    pub fn of_effect(booking: BookingId, version: u32, index: u16) -> Self {
        let parts: [&[u8]; 3] = [
            booking.0.as_bytes(),
            &version.to_be_bytes(),
            &index.to_be_bytes(),
        ];
        Self(derive("message.effect", &parts))
    }

    /// The answer of `kind` to a command, from a worker that keeps no versions.
    #[must_use]
    pub fn of_answer(command: Self, kind: &str) -> Self {
        Self(derive(
            "message.answer",
            &[command.0.as_bytes(), kind.as_bytes()],
        ))
    }

    /// The wake-up for an event of an outside system, such as a Stripe webhook.
    #[must_use]
    pub fn of_outside_event(event_id: &str) -> Self {
        Self(derive("message.outside", &[event_id.as_bytes()]))
    }

    /// The message that a partner calls by `id`.
    #[must_use]
    pub fn of_partner(partner: &str, id: &str) -> Self {
        Self(derive(
            "message.partner",
            &[partner.as_bytes(), id.as_bytes()],
        ))
    }

    /// A message of a partner: what it calls it, and what is in it. Another content under the same id is another
    /// message.
    #[must_use]
    pub fn of_partner_content(partner: &str, id: &str, content: &[u8; 32]) -> Self {
        Self(derive(
            "message.partner.content",
            &[partner.as_bytes(), id.as_bytes(), content],
        ))
    }

    /// The identity of a delivery whose own id is missing or broken: the same bytes give the same id.
    #[must_use]
    pub fn of_content(queue: &str, body: &[u8]) -> Self {
        Self(derive("message.content", &[queue.as_bytes(), body]))
    }
}

impl RefundId {
    /// The refund that an operation orders for a booking.
    #[must_use]
    pub fn derive(booking: BookingId, operation: OperationId) -> Self {
        Self(derive(
            "refund",
            &[booking.0.as_bytes(), operation.0.as_bytes()],
        ))
    }
}

impl TicketId {
    /// The ticket of a position; a re-issue has a higher revision and another id.
    #[must_use]
    pub fn derive(booking: BookingId, position: u16, revision: u16) -> Self {
        Self(derive(
            "ticket",
            &[
                booking.0.as_bytes(),
                &position.to_be_bytes(),
                &revision.to_be_bytes(),
            ],
        ))
    }
}

/// Derives the id of an imported thing from its slug, so that an import repeated is a no-op.
macro_rules! slug_id {
    ($($name:ident => $label:literal),+) => {$(
        impl $name {
            /// The id of the thing that imports name by `slug`.
            #[must_use]
            pub fn from_slug(slug: &str) -> Self {
                Self(derive($label, &[slug.as_bytes()]))
            }
        }
    )+};
}
slug_id!(FilmId => "film", HallId => "hall", ShowId => "show", VenueId => "venue");

/// Derives the id of a thing that a partner publishes from the partner's own.
macro_rules! partner_own_id {
    ($($name:ident => $label:literal),+) => {$(
        impl $name {
            /// The id of what `partner` calls `own_id`.
            #[must_use]
            pub fn of_partner(partner: &str, own_id: &str) -> Self {
                Self(derive($label, &[partner.as_bytes(), own_id.as_bytes()]))
            }
        }
    )+};
}
partner_own_id!(FilmId => "partner.film", ShowId => "partner.show");

/// Identity of a seat within its hall: the `seat_guid` of the seating plan.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct SeatId(#[schemars(length(min = 1, max = 64))] String);

/// Longest seat id that is accepted, in bytes; the column is as wide.
pub const SEAT_ID_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a seat id has 1 to {SEAT_ID_BYTES_MAX} printable ASCII characters without spaces")]
pub struct SeatIdError;

impl SeatId {
    /// # Errors
    /// When the text is empty, too long, or holds anything but visible ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, SeatIdError> {
        let text = text.into();
        let fits = !text.is_empty() && text.len() <= SEAT_ID_BYTES_MAX;
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(SeatIdError)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SeatId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_two_clients_never_meet() {
        assert_ne!(
            BookingId::derive("a", "bc", "k"),
            BookingId::derive("ab", "c", "k")
        );
        assert_ne!(
            BookingId::derive("a", "b", "k"),
            BookingId::derive("a", "b", "k2")
        );
        assert_eq!(
            BookingId::derive("a", "b", "k"),
            BookingId::derive("a", "b", "k")
        );
    }

    #[test]
    fn a_resend_is_a_new_message_and_a_repetition_is_not() {
        let booking = BookingId::derive("t", "s", "k");
        assert_eq!(
            MessageId::of_effect(booking, 3, 0),
            MessageId::of_effect(booking, 3, 0)
        );
        assert_ne!(
            MessageId::of_effect(booking, 3, 0),
            MessageId::of_effect(booking, 4, 0)
        );
        assert_ne!(
            MessageId::of_effect(booking, 3, 0),
            MessageId::of_effect(booking, 3, 1)
        );
    }

    #[test]
    fn seat_ids_are_short_and_visible() {
        assert!(SeatId::new("small-A-1").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(65), "a\n"] {
            assert!(SeatId::new(bad).is_err(), "{bad:?}");
        }
    }
}
