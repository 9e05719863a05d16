//! The catalogue of what partners send and get.
//!
//! A kind names a message within this contract: `booking.submit.v1` here is not the house's own message of that
//! name. Its schema is that of the `CloudEvent`'s `data`. What was published is engraved, as the house's own is.

use super::{booking, event::CloudEvent, feed, reply, snapshot};
use crate::{Instant, Kind, MessageId};
use serde_json::Value;
use std::fmt;

/// Who sends a kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Direction {
    /// The partner, to its `in`.
    FromPartner,
    /// The house, to the partner's `out`.
    ToPartner,
}

/// One line of the catalogue.
pub struct PartnerEntry {
    pub kind: Kind,
    pub direction: Direction,
    /// Command, feed, reply, event or notice, and what it means.
    pub doc: &'static str,
    schema: fn() -> schemars::Schema,
    /// Decodes the `data` of a message and encodes it again.
    roundtrip: fn(Value) -> serde_json::Result<Value>,
}

/// `source` of what the house says.
pub const SOURCE: &str = "urn:boxoffice";

impl PartnerEntry {
    /// The JSON Schema of `data` as it is published.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut schema = (self.schema)();
        schema.insert("$id".to_owned(), schema_urn(self.kind.as_str()).into());
        schema.insert("title".to_owned(), self.kind.as_str().into());
        schema.insert("description".to_owned(), self.doc.into());
        schema.to_value()
    }

    /// Decodes a whole message and encodes it again.
    ///
    /// # Errors
    /// When the envelope, its kind or the data isn't what the catalogue says.
    pub fn roundtrip(&self, message: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut event: CloudEvent = serde_json::from_slice(message)?;
        if event.kind != self.kind.as_str() {
            let said = format!("type is {:?}", event.kind);
            return Err(serde::de::Error::custom(said));
        }
        event.data = (self.roundtrip)(event.data)?;
        serde_json::to_vec(&event)
    }
}

impl fmt::Debug for PartnerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// The JSON Schema of the envelope that every kind stands in.
#[must_use]
pub fn envelope_document() -> Value {
    let mut schema = schemars::schema_for!(CloudEvent);
    schema.insert("$id".to_owned(), schema_urn(ENVELOPE).into());
    schema.insert("title".to_owned(), ENVELOPE.into());
    schema.to_value()
}

/// Name of the envelope's schema, beside the kinds'.
pub const ENVELOPE: &str = "cloudevent";

/// Name of the schema of a kind, as `dataschema` says it.
#[must_use]
pub fn schema_urn(kind: &str) -> String {
    format!("urn:boxoffice:partner:{kind}")
}

/// A message of the house to a partner, without its `sequence`.
///
/// # Errors
/// When the data can't be encoded.
pub fn to_partner(
    kind: Kind,
    id: MessageId,
    time: Instant,
    data: &impl serde::Serialize,
) -> serde_json::Result<CloudEvent> {
    Ok(CloudEvent {
        specversion: "1.0".to_owned(),
        id: id.to_string(),
        source: SOURCE.to_owned(),
        kind: kind.as_str().to_owned(),
        time,
        subject: None,
        datacontenttype: Some("application/json".to_owned()),
        dataschema: Some(schema_urn(kind.as_str())),
        correlationid: None,
        idempotencykey: None,
        sequence: None,
        expirytime: None,
        traceparent: None,
        data: serde_json::to_value(data)?,
    })
}

macro_rules! catalogue {
    ($($name:ident = $kind:literal $direction:ident $type:ty, $doc:literal;)+) => {
        $(#[doc = $doc] pub const $name: Kind = Kind::new($kind);)+

        /// Every message, sorted by kind.
        pub const PARTNER_CATALOGUE: &[PartnerEntry] = &[$(PartnerEntry {
            kind: $name,
            direction: Direction::$direction,
            doc: $doc,
            schema: || schemars::schema_for!($type),
            roundtrip: |data| serde_json::to_value(serde_json::from_value::<$type>(data)?),
        }),+];
    };
}

catalogue! {
    BOOKING_ACTION_REQUIRED = "booking.action_required.v1" ToPartner booking::BookingEvent, "Event: the customer must pass 3-D Secure; GET shows how.";
    BOOKING_ATTENTION_NEEDED = "booking.attention_needed.v1" ToPartner booking::BookingEvent, "Event: a person of the house must look at the booking.";
    BOOKING_CANCEL = "booking.cancel.v1" FromPartner booking::Cancel, "Command: cancel a booking or some of its positions.";
    BOOKING_CANCELLED = "booking.cancelled.v1" ToPartner booking::BookingEvent, "Event: the booking ended by cancellation; nothing is owed.";
    BOOKING_COMPLETED = "booking.completed.v1" ToPartner booking::BookingEvent, "Event: the tickets are valid and their documents made or due.";
    BOOKING_CONFIRMED = "booking.confirmed.v1" ToPartner booking::BookingEvent, "Event: the seats are sold and funds reserved; from here only forward.";
    BOOKING_DECLINED = "booking.declined.v1" ToPartner booking::BookingEvent, "Event: an attempt to pay failed; the hold lives and another may follow.";
    BOOKING_EXPIRED = "booking.expired.v1" ToPartner booking::BookingEvent, "Event: the hold lapsed and the seats are free.";
    BOOKING_HELD = "booking.held.v1" ToPartner booking::BookingEvent, "Event: the seats are held and the price is fixed.";
    BOOKING_OPERATION_REFUSED = "booking.operation_refused.v1" ToPartner booking::BookingEvent, "Event: a command on the booking was refused; the booking stands.";
    BOOKING_PAID = "booking.paid.v1" ToPartner booking::BookingEvent, "Event: the money is captured and the tickets issued.";
    BOOKING_PAYMENT_FAILED = "booking.payment_failed.v1" ToPartner booking::BookingEvent, "Event: the booking ended because it could not be paid.";
    BOOKING_PAYMENT_STARTED = "booking.payment_started.v1" ToPartner booking::BookingEvent, "Event: an attempt to pay is in progress.";
    BOOKING_POSITIONS_CANCELLED = "booking.positions_cancelled.v1" ToPartner booking::BookingEvent, "Event: some positions were cancelled, the others stand.";
    BOOKING_REFUNDED = "booking.refunded.v1" ToPartner booking::BookingEvent, "Event: the booking ended and its money went back.";
    BOOKING_REJECTED = "booking.rejected.v1" ToPartner booking::BookingEvent, "Event: the booking was refused; the code says why.";
    BOOKING_SUBMIT = "booking.submit.v1" FromPartner booking::Submit, "Command: book seats of a show.";
    INVENTORY_UPSERT = "inventory.upsert.v1" FromPartner feed::InventoryUpsert, "Feed: how many places without numbers a show sells.";
    PARTNER_ALIVE = "partner.alive.v1" ToPartner reply::Alive, "Notice: the door is open; sent every few seconds.";
    PARTNER_REPLY = "partner.reply.v1" ToPartner reply::Reply, "Reply: whether a message was accepted, and if not, why.";
    PARTNER_WARNED = "partner.warned.v1" ToPartner reply::Warned, "Notice: a limit is near or was passed.";
    PRICE_UPSERT = "price.upsert.v1" FromPartner feed::PriceUpsert, "Feed: the prices of a show. What is booked already keeps its price.";
    RESYNC_REQUESTED = "resync.requested.v1" ToPartner feed::ResyncRequested, "Notice: numbers of an entity never arrived; send its present state.";
    SHOW_UPSERT = "show.upsert.v1" FromPartner feed::ShowUpsert, "Feed: a show, by the partner's own id.";
    SNAPSHOT_BOOKING = "snapshot.booking.v1" ToPartner snapshot::SnapshotBooking, "Event: a live booking as it is now, because a snapshot was asked for.";
    SNAPSHOT_COMPLETE = "snapshot.complete.v1" ToPartner snapshot::SnapshotComplete, "Event: a snapshot ends.";
    SNAPSHOT_REQUEST = "snapshot.request.v1" FromPartner snapshot::SnapshotRequest, "Command: tell all live bookings again.";
}

/// Looks a kind up by its wire name.
#[must_use]
pub fn entry(kind: &str) -> Option<&'static PartnerEntry> {
    PARTNER_CATALOGUE
        .binary_search_by(|entry| entry.kind.as_str().cmp(kind))
        .ok()
        .map(|at| &PARTNER_CATALOGUE[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message as _, message, topology::roles};

    #[test]
    fn the_catalogue_is_sorted_and_its_kinds_are_found() {
        assert!(PARTNER_CATALOGUE.is_sorted_by(|a, b| a.kind < b.kind));
        for line in PARTNER_CATALOGUE {
            assert_eq!(entry(line.kind.as_str()).unwrap().kind, line.kind);
        }
        assert!(entry("booking.submit.v9").is_none());
        // What only timelines look at is no news for partners.
        assert!(entry(message::event::Recorded::KIND.as_str()).is_none());
    }

    /// Partners hear of every event of the house but that one, under its own name.
    #[test]
    fn every_event_of_a_booking_is_told() {
        for line in message::CATALOGUE {
            if roles::exchange_of(line.kind) != crate::topology::Exchange::Events
                || line.kind == message::event::Recorded::KIND
            {
                continue;
            }
            let told = entry(line.kind.as_str());
            assert_eq!(
                told.map(|told| told.direction),
                Some(Direction::ToPartner),
                "{}",
                line.kind
            );
        }
    }

    #[test]
    fn every_kind_from_a_partner_may_be_published_by_it() {
        for line in PARTNER_CATALOGUE {
            if line.direction == Direction::FromPartner {
                let area = line.kind.as_str().split('.').next().unwrap();
                let allowed = super::super::broker::Permissions::active(&"acme".parse().unwrap());
                assert!(allowed.topic_write.contains(area), "{}", line.kind);
            }
        }
    }

    /// Samples are kept for ever: whatever was published once must decode, and mean the same.
    #[test]
    fn every_sample_ever_published_decodes() {
        let contracts = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let released = std::fs::read_dir(contracts.join("released")).unwrap();
        let files = released
            .map(|version| version.unwrap().path().join("samples/partner"))
            .chain([contracts.join("samples/partner")])
            .filter(|folder| folder.exists())
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
            .map(|file| file.unwrap().path());
        let mut kinds: Vec<&str> = PARTNER_CATALOGUE.iter().map(|e| e.kind.as_str()).collect();
        for path in files {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let kind: String = name.split('.').take(3).collect::<Vec<_>>().join(".");
            let line =
                entry(&kind).unwrap_or_else(|| panic!("{name}: a sample of an unknown kind"));
            let body = std::fs::read(&path).unwrap();
            let again = line
                .roundtrip(&body)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let sample: Value = serde_json::from_slice(&body).unwrap();
            let again: Value = serde_json::from_slice(&again).unwrap();
            for part in [&sample, &sample["data"]] {
                let same = if std::ptr::eq(part, &sample) {
                    &again
                } else {
                    &again["data"]
                };
                for (field, value) in part.as_object().unwrap() {
                    // `data` gains defaults; its fields are compared one by one.
                    assert!(
                        field == "data" || same.get(field) == Some(value),
                        "{name}: {field}"
                    );
                }
            }
            if line.direction == Direction::FromPartner {
                super::super::check::check(&kind, &sample["data"])
                    .unwrap_or_else(|wrong| panic!("{name}: {wrong:?}"));
            }
            kinds.retain(|k| *k != kind);
        }
        assert!(kinds.is_empty(), "kinds without a sample: {kinds:?}");
    }
}
