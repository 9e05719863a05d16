//! Telling the saga. One answer per kind to a message, so that a repetition has the same id.

use super::{Order, standing::Reply};
use boxoffice_contracts::{
    BookingId, Code, Instant, Message, MessageId, message::payment, topology::Exchange,
};
use boxoffice_runtime::{Failure, Job, Tx};
use boxoffice_store::mysql::refunds::{Refund, RefundState};

/// Tells the saga.
pub(super) fn tell(
    tx: &mut Tx,
    job: &Job<Order>,
    booking_id: BookingId,
    reply: Reply,
    now: Instant,
) -> Result<(), Failure> {
    match reply {
        Reply::Authorized(attempt, amount) => {
            let message = payment::Authorized {
                booking_id,
                attempt,
                amount,
            };
            send(tx, job, booking_id, None, &message, now)
        }
        Reply::ActionRequired(attempt) => {
            let message = payment::ActionRequired {
                booking_id,
                attempt,
            };
            send(tx, job, booking_id, None, &message, now)
        }
        Reply::Declined(attempt, code) => {
            let message = payment::Declined {
                booking_id,
                attempt,
                code,
            };
            send(tx, job, booking_id, None, &message, now)
        }
        Reply::Unknown(attempt) => {
            let message = payment::Unknown {
                booking_id,
                attempt,
            };
            send(tx, job, booking_id, None, &message, now)
        }
        Reply::Captured(generation, amount) => {
            let message = payment::Captured {
                booking_id,
                generation,
                amount,
            };
            send(tx, job, booking_id, None, &message, now)
        }
        Reply::CaptureFailed(generation) => {
            let code = Code::CaptureFailed;
            let message = payment::CaptureFailed {
                booking_id,
                generation,
                code,
            };
            send(tx, job, booking_id, None, &message, now)
        }
        Reply::Voided(generation) => {
            let message = payment::Voided {
                booking_id,
                generation,
            };
            send(tx, job, booking_id, None, &message, now)
        }
    }
}

/// Tells the saga how a refund ended; one that is pending is looked at again when the saga asks.
pub(super) fn tell_refund(
    tx: &mut Tx,
    job: &Job<Order>,
    refund: &Refund,
    now: Instant,
) -> Result<(), Failure> {
    let (booking_id, refund_id) = (refund.booking, refund.id);
    match refund.state {
        RefundState::Succeeded => {
            let message = payment::Refunded {
                booking_id,
                refund_id,
                amount: refund.amount,
            };
            send(tx, job, booking_id, Some(refund), &message, now)
        }
        RefundState::Failed => {
            let message = payment::RefundFailed {
                booking_id,
                refund_id,
                code: Code::InternalError,
            };
            send(tx, job, booking_id, Some(refund), &message, now)
        }
        RefundState::Requested | RefundState::Pending => Ok(()),
    }
}

pub(super) fn tell_dispute(
    tx: &mut Tx,
    job: &Job<Order>,
    booking_id: BookingId,
    now: Instant,
) -> Result<(), Failure> {
    send(
        tx,
        job,
        booking_id,
        None,
        &payment::Disputed { booking_id },
        now,
    )
}

/// One answer per kind to a message; one per refund when it is about refunds.
pub(super) fn send<M: Message>(
    tx: &mut Tx,
    job: &Job<Order>,
    booking: BookingId,
    about: Option<&Refund>,
    message: &M,
    now: Instant,
) -> Result<(), Failure> {
    let id = match about {
        None => MessageId::of_answer(job.id(), M::KIND.as_str()),
        Some(refund) => {
            MessageId::of_answer(job.id(), &format!("{}:{}", M::KIND.as_str(), refund.id))
        }
    };
    tx.send(Exchange::Commands, &job.envelope, id, booking, message, now)
}
