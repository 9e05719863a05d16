//! The visible list of what partners may say: each kind, and what its `data` becomes.
//!
//! Schemas and the judge of `data` stand in the contracts. A new kind is a line there and one here, and a variant of
//! [`Order`] if neither bookings nor feeds are meant.

use boxoffice_contracts::{
    BookingId, Kind,
    message::booking::Tender,
    partner::{
        booking::PartnerTender,
        check::{Checked, check},
        event::CloudEvent,
        kinds as contract,
    },
    request::{
        RequestHash,
        fields::Mistakes,
        request_hash,
        submission::{Cancellation, Submission},
    },
};

/// What a partner wants, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Submit(SubmitOrder),
    Cancel(CancelOrder),
    /// A state of something of the partner's, or a wish for a snapshot: see [`crate::partner_feed`].
    Feed,
}

/// What `POST /v1/bookings` takes, who pays, and what the partner calls the booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubmitOrder {
    pub submission: Submission,
    pub tender: Tender,
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

/// A kind that the gate takes.
pub(super) struct Known {
    pub kind: &'static str,
    /// Whether it is the state of something, whose states are numbered by the partner.
    pub sequenced: bool,
}

const fn known(kind: Kind, sequenced: bool) -> Known {
    Known {
        kind: kind.as_str(),
        sequenced,
    }
}

/// Every kind, sorted.
pub(super) const KINDS: &[Known] = &[
    known(contract::BOOKING_CANCEL, false),
    known(contract::BOOKING_SUBMIT, false),
    known(contract::INVENTORY_UPSERT, true),
    known(contract::PRICE_UPSERT, true),
    known(contract::SHOW_UPSERT, true),
    known(contract::SNAPSHOT_REQUEST, false),
];

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
        match check(self.kind, &event.data) {
            Ok(checked) => Some(order(checked, hash)),
            Err(wrong) => {
                mistakes.0.extend(wrong);
                None
            }
        }
    }
}

fn order(checked: Checked, hash: RequestHash) -> Order {
    match checked {
        Checked::Submit(data) => {
            let tender = match data.tender() {
                PartnerTender::PartnerCredit => Tender::PartnerCredit,
                PartnerTender::Card => Tender::Card,
            };
            Order::Submit(SubmitOrder {
                tender,
                reference: data.reference,
                submission: Submission {
                    show_id: data.show_id,
                    positions: data.positions,
                    customer: data.customer,
                    payment: data.payment,
                    late_policy: data.late_policy,
                    deadline: None,
                },
                hash,
            })
        }
        Checked::Cancel(data) => Order::Cancel(CancelOrder {
            booking: data.booking_id,
            cancellation: Cancellation {
                positions: data.positions,
                reason: data.reason,
            },
            hash,
        }),
        Checked::Show(_) | Checked::Price(_) | Checked::Inventory(_) | Checked::Snapshot(_) => {
            Order::Feed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::partner::kinds::{Direction, PARTNER_CATALOGUE};

    #[test]
    fn what_the_contract_lets_partners_send_is_taken() {
        let published: Vec<&str> = PARTNER_CATALOGUE
            .iter()
            .filter(|entry| entry.direction == Direction::FromPartner)
            .map(|entry| entry.kind.as_str())
            .collect();
        let taken: Vec<&str> = KINDS.iter().map(|known| known.kind).collect();
        assert_eq!(taken, published);
    }
}
