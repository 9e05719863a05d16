//! The visible list of what partners may say: each kind, and how its `data` is read.
//!
//! A new kind is a line here, a variant of [`Order`], and an arm where orders are carried out.

use boxoffice_contracts::{
    BookingId, Message,
    message::booking,
    partner::event::CloudEvent,
    request::{
        RequestHash,
        fields::{Fields, Mistakes, text},
        request_hash,
        submission::{Cancellation, Submission, short, uuid},
    },
};

/// What a partner wants, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Submit(SubmitOrder),
    Cancel(CancelOrder),
}

/// The body of `POST /v1/bookings` without `payment`, and what the partner calls the booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubmitOrder {
    pub submission: Submission,
    pub reference: Option<String>,
    pub hash: RequestHash,
}

/// The body of `POST …/cancel`, and which booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CancelOrder {
    pub booking: BookingId,
    pub cancellation: Cancellation,
    pub hash: RequestHash,
}

type Read = fn(&mut Fields, RequestHash, &mut Mistakes) -> Option<Order>;

/// A kind that the gate takes.
pub(super) struct Known {
    pub kind: &'static str,
    /// Whether it is the state of something, whose states are numbered by the partner.
    pub sequenced: bool,
    read: Read,
}

/// Every kind, sorted. THE PLACE WHERE KINDS OF FEEDS JOIN: `show.upsert.v1`, `inventory.upsert.v1`,
/// `price.upsert.v1`, `snapshot.request.v1`.
pub(super) const KINDS: &[Known] = &[
    Known {
        kind: booking::Cancel::KIND.as_str(),
        sequenced: false,
        read: cancel,
    },
    Known {
        kind: booking::Submit::KIND.as_str(),
        sequenced: false,
        read: submit,
    },
];

const REFERENCE_CHARS_MAX: usize = 64;

/// The kind of this name.
pub(super) fn find(kind: &str) -> Option<&'static Known> {
    KINDS.iter().find(|known| known.kind == kind)
}

/// The versions that are known of a kind, for who sent another one: `v1`.
pub(super) fn versions(kind: &str) -> Vec<&'static str> {
    let Some((family, _)) = kind.rsplit_once('.') else {
        return Vec::new();
    };
    KINDS
        .iter()
        .filter_map(|known| known.kind.strip_prefix(family)?.strip_prefix('.'))
        .collect()
}

impl Known {
    /// Reads `data`.
    pub(super) fn read(&self, event: &CloudEvent, mistakes: &mut Mistakes) -> Option<Order> {
        let hash = request_hash(&event.data);
        let mut fields = Fields::of(event.data.clone(), "/data".to_owned(), mistakes)?;
        let order = (self.read)(&mut fields, hash, mistakes);
        fields.finish(mistakes);
        order
    }
}

fn submit(fields: &mut Fields, hash: RequestHash, mistakes: &mut Mistakes) -> Option<Order> {
    let reference = fields.optional(
        "reference",
        mistakes,
        text(|reference| short(reference, REFERENCE_CHARS_MAX)),
    );
    let submission = Submission::take(fields, mistakes)?;
    Some(Order::Submit(SubmitOrder {
        submission,
        reference,
        hash,
    }))
}

fn cancel(fields: &mut Fields, hash: RequestHash, mistakes: &mut Mistakes) -> Option<Order> {
    let booking = fields.required("booking_id", mistakes, text(uuid));
    let cancellation = Cancellation::take(fields, mistakes);
    Some(Order::Cancel(CancelOrder {
        booking: BookingId(booking?),
        cancellation,
        hash,
    }))
}
