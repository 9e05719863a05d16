//! The catalogue of messages.
//!
//! A kind is `area.verb.vN` and equals the schema file, the sample file and, but for lines, the routing key. A published
//! kind is engraved: it may gain an optional field with a default and a new sample, or a `.v2` beside it.

pub mod booking;
pub mod event;
pub mod mail;
pub mod partner;
pub mod payment;
pub mod ticket;

use crate::topology::lines;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// Wire name of a message: schema and sample file have the same name, and the routing key begins with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(&'static str);

impl Kind {
    /// Checked when the program is compiled: `area.verb.vN` in lower case.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        let (mut dots, mut i) = (0, 0);
        while i < bytes.len() {
            match bytes[i] {
                b'.' => dots += 1,
                b'a'..=b'z' | b'_' => {}
                b'0'..=b'9' => assert!(dots == 2, "digits belong to the version"),
                _ => panic!("a kind has lower case letters, underscores and dots"),
            }
            i += 1;
        }
        assert!(dots == 2 && bytes.len() <= 64, "a kind is area.verb.vN");
        Self(name)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A message as code sees it.
pub trait Message:
    Serialize + DeserializeOwned + schemars::JsonSchema + Send + Sync + 'static
{
    const KIND: Kind;

    /// The kind, or the key of the line that the message stands in.
    fn routing_key(&self) -> &'static str {
        Self::KIND.as_str()
    }
}

/// One line of the catalogue.
pub struct Entry {
    pub kind: Kind,
    /// Command or event, and what it means.
    pub doc: &'static str,
    pub schema: fn() -> schemars::Schema,
    /// Decodes a body and encodes it again.
    pub roundtrip: fn(&[u8]) -> Result<Vec<u8>, serde_json::Error>,
}

impl Entry {
    /// The JSON Schema as it is published: in `contracts/schemas/`, by the API, and inside `AsyncAPI`.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        let mut schema = (self.schema)();
        schema.insert(
            "$id".to_owned(),
            format!("urn:boxoffice:{}", self.kind).into(),
        );
        schema.insert("title".to_owned(), self.kind.as_str().into());
        schema.insert("description".to_owned(), self.doc.into());
        schema.to_value()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

macro_rules! catalogue {
    ($($kind:literal $type:ty, $doc:literal $(, by $key:path)?;)+) => {
        $(impl Message for $type {
            const KIND: Kind = Kind::new($kind);
            $(fn routing_key(&self) -> &'static str { $key(self) })?
        })+

        /// Every message, sorted by kind.
        pub const CATALOGUE: &[Entry] = &[$(Entry {
            kind: Kind::new($kind),
            doc: $doc,
            schema: || schemars::schema_for!($type),
            roundtrip: |body| serde_json::to_vec(&serde_json::from_slice::<$type>(body)?),
        }),+];
    };
}

catalogue! {
    "booking.action_required.v1" event::ActionRequired, "Event: the customer must pass 3-D Secure; GET shows how.";
    "booking.attention_needed.v1" event::AttentionNeeded, "Event: a person must look at the booking; the code says why.";
    "booking.cancel.v1" booking::Cancel, "Command: cancel a booking or some of its positions.";
    "booking.cancelled.v1" event::Cancelled, "Event: the booking ended by cancellation; nothing is owed.";
    "booking.completed.v1" event::Completed, "Event: the tickets are valid and their documents made or due.";
    "booking.confirmed.v1" event::Confirmed, "Event: the seats are sold and funds reserved; from here only forward.";
    "booking.declined.v1" event::Declined, "Event: an attempt to pay failed; the hold lives and another may follow.";
    "booking.expired.v1" event::Expired, "Event: the hold lapsed and the seats are free.";
    "booking.held.v1" event::Held, "Event: the seats are held and the price is fixed.";
    "booking.mend.v1" booking::Mend, "Command: staff mend a booking, as far as its state allows.";
    "booking.operation_refused.v1" event::OperationRefused, "Event: a command on the booking was refused; the booking stands.";
    "booking.paid.v1" event::Paid, "Event: the money is captured and the tickets issued.";
    "booking.pay.v1" booking::Pay, "Command: pay a held booking.";
    "booking.payment_failed.v1" event::PaymentFailed, "Event: the booking ended because it could not be paid.";
    "booking.payment_started.v1" event::PaymentStarted, "Event: an attempt to pay is in progress.";
    "booking.positions_cancelled.v1" event::PositionsCancelled, "Event: some positions were cancelled, the others stand.";
    "booking.recorded.v1" event::Recorded, "Event: something was written down that only timelines tell.";
    "booking.refunded.v1" event::Refunded, "Event: the booking ended and its money went back.";
    "booking.rejected.v1" event::Rejected, "Event: the booking was refused; the code says why.";
    "booking.submit.v1" booking::Submit, "Command: book seats of a show.", by lines::key_of;
    "mail.send.v1" mail::Send, "Command: send a mail about a booking, unless it is no longer true.";
    "partner.release.v1" partner::Release, "Command: let a quarantined message of a partner pass the gate again.";
    "payment.action_required.v1" payment::ActionRequired, "Answer: the customer must authenticate the attempt.";
    "payment.authorize.v1" payment::Authorize, "Command: begin an attempt to authorise the booking's total.";
    "payment.authorized.v1" payment::Authorized, "Answer: funds are reserved.";
    "payment.capture.v1" payment::Capture, "Command: take the reserved funds.";
    "payment.capture_failed.v1" payment::CaptureFailed, "Answer: the capture was refused for good.";
    "payment.captured.v1" payment::Captured, "Answer: the funds are taken.";
    "payment.declined.v1" payment::Declined, "Answer: the attempt failed and reserved nothing.";
    "payment.disputed.v1" payment::Disputed, "Answer: the cardholder disputes the charge.";
    "payment.reconcile.v1" payment::Reconcile, "Command: ask the gateway what is true of the booking's intent.";
    "payment.refund.v1" payment::Refund, "Command: give money back.";
    "payment.refund_failed.v1" payment::RefundFailed, "Answer: the refund was refused for good.";
    "payment.refunded.v1" payment::Refunded, "Answer: the money went back.";
    "payment.refunded_outside.v1" payment::RefundedOutside, "Answer: the gateway shows a refund that nobody ordered here.";
    "payment.unknown.v1" payment::Unknown, "Answer: the gateway gave no answer; it must be asked again.";
    "payment.void.v1" payment::Void, "Command: close the intent so that nothing can be authorised or captured any more.";
    "payment.voided.v1" payment::Voided, "Answer: the gateway shows the intent as closed with nothing taken.";
    "payment.webhook.v1" payment::Webhook, "Command: the gateway hinted at news; ask it.";
    "tickets.render.v1" ticket::Render, "Command: make and store the ticket document.";
    "tickets.rendered.v1" ticket::Rendered, "Answer: the ticket document is stored.";
}

/// Looks a kind up by its wire name.
#[must_use]
pub fn entry(kind: &str) -> Option<&'static Entry> {
    CATALOGUE
        .binary_search_by(|entry| entry.kind.as_str().cmp(kind))
        .ok()
        .map(|at| &CATALOGUE[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_and_its_kinds_are_found() {
        assert!(CATALOGUE.is_sorted_by(|a, b| a.kind < b.kind));
        for line in CATALOGUE {
            assert_eq!(entry(line.kind.as_str()).unwrap().kind, line.kind);
        }
        assert!(entry("booking.submit.v9").is_none());
    }

    /// Samples are kept for ever: whatever was published once must decode, and mean the same.
    #[test]
    fn every_sample_ever_published_decodes() {
        let contracts = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let released = std::fs::read_dir(contracts.join("released")).unwrap();
        let mut files: Vec<_> = released
            .map(|version| version.unwrap().path().join("samples"))
            .chain([contracts.join("samples")])
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
            .map(|file| file.unwrap().path())
            // Partners' messages lie in a folder of their own.
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        let mut kinds: Vec<&str> = CATALOGUE.iter().map(|line| line.kind.as_str()).collect();
        for path in files {
            let name = path.file_stem().unwrap().to_str().unwrap();
            // `booking.submit.v1.json`, and `booking.submit.v1.minimal.json` beside it.
            let kind: String = name.split('.').take(3).collect::<Vec<_>>().join(".");
            let line =
                entry(&kind).unwrap_or_else(|| panic!("{name}: a sample of an unknown kind"));
            let body = std::fs::read(&path).unwrap();
            let again = (line.roundtrip)(&body).unwrap_or_else(|e| panic!("{name}: {e}"));
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let again: serde_json::Value = serde_json::from_slice(&again).unwrap();
            for (field, sample) in value.as_object().unwrap() {
                assert_eq!(again.get(field), Some(sample), "{name}: {field}");
            }
            kinds.retain(|k| *k != kind);
        }
        assert!(kinds.is_empty(), "kinds without a sample: {kinds:?}");
    }
}
