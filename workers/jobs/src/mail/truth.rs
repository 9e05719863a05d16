//! Whether a mail is still true when it is its turn. Late is fine, wrong is not.

use boxoffice_contracts::{Instant, message::mail::Template};
use boxoffice_saga::{Booking, Capture, IntentState, Status};

/// Whether revision `revision` of `template` may be sent about the booking as it stands now.
#[must_use]
pub fn still_true(template: Template, revision: u16, booking: &Booking, now: Instant) -> bool {
    let status = booking.status;
    match template {
        // Also while some of its positions are being refunded: the others admit.
        Template::Confirmation => {
            let stands = matches!(status, Status::Paid | Status::Completed | Status::Refunding);
            let newest = revision >= booking.mailed_revision;
            stands && newest && booking.positions.iter().any(|position| position.live)
        }
        // A copy of what is true now, whichever revision that is.
        Template::ConfirmationAgain => {
            let stands = matches!(status, Status::Paid | Status::Completed | Status::Refunding);
            stands && booking.positions.iter().any(|position| position.live)
        }
        Template::Expired => status == Status::Expired,
        Template::PaymentFailed => status == Status::PaymentFailed,
        Template::Cancelled => status == Status::Cancelled,
        Template::Refunded => status == Status::Refunded || refunded_minor(booking) > 0,
        Template::Apology => {
            let closing = matches!(
                booking.payment.intent,
                IntentState::Closing | IntentState::Closed
            );
            status == Status::Expired && closing
        }
        Template::PayAgain => match status {
            Status::Confirmed(Capture::Failed { pay_again_until }) => now < pay_again_until,
            Status::Confirmed(Capture::InFlight | Capture::Repaying { .. })
            | Status::Waiting
            | Status::Held
            | Status::Authorizing(_)
            | Status::Paid
            | Status::Completed
            | Status::Cancelling
            | Status::Refunding
            | Status::Rejected
            | Status::PaymentFailed
            | Status::Expired
            | Status::Cancelled
            | Status::Refunded => false,
        },
    }
}

/// Minor units that went back, by our order or without one.
pub(super) fn refunded_minor(booking: &Booking) -> i64 {
    booking.refunded_minor() + booking.payment.refunded_outside_minor
}

#[cfg(test)]
mod tests {
    use super::super::tests::booking;
    use super::*;
    use boxoffice_contracts::{BookingId, OperationId, RefundId};
    use boxoffice_saga::{Phase, booking};

    fn now() -> Instant {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn all_statuses() -> Vec<Status> {
        let later = "2026-11-21T12:10:00Z".parse().unwrap();
        vec![
            Status::Waiting,
            Status::Held,
            Status::Authorizing(Phase::InFlight),
            Status::Confirmed(Capture::InFlight),
            Status::Confirmed(Capture::Failed {
                pay_again_until: later,
            }),
            Status::Confirmed(Capture::Repaying {
                pay_again_until: later,
                phase: Phase::InFlight,
            }),
            Status::Paid,
            Status::Completed,
            Status::Cancelling,
            Status::Refunding,
            Status::Rejected,
            Status::PaymentFailed,
            Status::Expired,
            Status::Cancelled,
            Status::Refunded,
        ]
    }

    #[test]
    fn each_mail_is_true_in_few_states() {
        for (template, states) in [
            (
                Template::Confirmation,
                &["paid", "completed", "refunding"][..],
            ),
            (
                Template::ConfirmationAgain,
                &["paid", "completed", "refunding"],
            ),
            (Template::Expired, &["expired"]),
            (Template::PaymentFailed, &["payment_failed"]),
            (Template::Cancelled, &["cancelled"]),
            (Template::Refunded, &["refunded"]),
            (Template::Apology, &[]),
            (Template::PayAgain, &["confirmed"]),
        ] {
            let holds = |status: &Status| {
                still_true(
                    template,
                    1,
                    &Booking {
                        status: *status,
                        ..booking()
                    },
                    now(),
                )
            };
            let told: Vec<_> = all_statuses()
                .into_iter()
                .filter(holds)
                .map(Status::as_str)
                .collect();
            assert_eq!(told, states, "{template:?}");
        }
    }

    #[test]
    fn a_confirmation_needs_a_ticket_that_admits() {
        let mut none = Booking {
            status: Status::Completed,
            ..booking()
        };
        none.positions
            .iter_mut()
            .for_each(|position| position.live = false);
        assert!(!still_true(Template::Confirmation, 1, &none, now()));
        none.positions[0].live = true;
        assert!(still_true(Template::Confirmation, 1, &none, now()));
        none.mailed_revision = 2;
        assert!(
            !still_true(Template::Confirmation, 1, &none, now()),
            "a newer one is on its way"
        );
        assert!(still_true(Template::Confirmation, 2, &none, now()));
    }

    #[test]
    fn money_that_went_back_is_told_whatever_came_after() {
        let mut some = Booking {
            status: Status::Completed,
            ..booking()
        };
        assert!(!still_true(Template::Refunded, 1, &some, now()));
        let booking = BookingId::derive("house", "s", "k");
        let operation = OperationId::derive(booking, "house", "s", "cancel", "k");
        some.refunds.push(booking::Refund {
            id: RefundId::derive(booking, operation),
            operation_id: Some(operation),
            positions: vec![1],
            amount_minor: 1150,
            state: booking::RefundState::Requested,
        });
        assert!(
            !still_true(Template::Refunded, 1, &some, now()),
            "not before the gateway says so"
        );
        some.refunds[0].state = booking::RefundState::Succeeded;
        assert!(still_true(Template::Refunded, 1, &some, now()));
    }

    #[test]
    fn an_apology_is_for_money_that_could_not_be_honoured() {
        let mut late = Booking {
            status: Status::Expired,
            ..booking()
        };
        for (intent, told) in [
            (IntentState::None, false),
            (IntentState::Open, false),
            (IntentState::Closing, true),
            (IntentState::Closed, true),
            (IntentState::Captured, false),
        ] {
            late.payment.intent = intent;
            assert_eq!(
                still_true(Template::Apology, 1, &late, now()),
                told,
                "{intent:?}"
            );
        }
    }

    #[test]
    fn nobody_is_asked_to_pay_again_when_the_window_has_closed() {
        let failed = Status::Confirmed(Capture::Failed {
            pay_again_until: now(),
        });
        assert!(!still_true(
            Template::PayAgain,
            1,
            &Booking {
                status: failed,
                ..booking()
            },
            now()
        ));
    }
}
