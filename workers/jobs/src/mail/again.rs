//! Orders of mails that were lost on their way to the mail worker.

use boxoffice_contracts::{
    Envelope, Instant, Message as _, message::mail, principal::TENANT_HOUSE, topology::Exchange,
    trace::TraceParent,
};
use boxoffice_runtime::{Cause, Failure, Outgoing, Tx};
use boxoffice_store::mysql::{
    mail_orders::{self, MailOrder},
    mails::{self, MailKey},
};
use std::time::Duration;

/// Orders looked at in one transaction.
const PORTION_MAX: u32 = 200;

/// Sends the orders of mails again that have not ended within `wait`; returns how many rows it found.
///
/// An order keeps its id: where it was only late, its second copy meets the inbox row of the first. One that is being
/// tried again and again by the mail worker is left alone, and so is one that lies with a person.
pub(crate) async fn order_again(tx: &mut Tx, wait: Duration) -> Result<usize, Failure> {
    let forgotten = mail_orders::forget_ended(tx.db(), PORTION_MAX).await?;
    let due = mail_orders::lock_due(tx.db(), PORTION_MAX.into()).await?;
    for (row, order) in &due {
        let now = tx.now().await?;
        let key = MailKey {
            booking: order.booking,
            template: order.template,
            revision: order.revision,
        };
        let tried = mails::leased_until(tx.db(), key).await?;
        if let Some(until) = tried.map(|at| at + wait).filter(|until| *until > now) {
            mail_orders::postpone(tx.db(), row, until).await?;
            continue;
        }
        tx.publish(again(order, now)?);
        mail_orders::sent_again(tx.db(), row, now, wait).await?;
        tracing::info!(
            booking.id = %order.booking,
            message.id = %order.message,
            "a mail was ordered again"
        );
    }
    Ok(usize::try_from(forgotten)
        .unwrap_or(usize::MAX)
        .saturating_add(due.len()))
}

fn again(order: &MailOrder, now: Instant) -> Result<Outgoing, Failure> {
    let message = mail::Send {
        booking_id: order.booking,
        template: order.template,
        revision: order.revision,
    };
    let body = serde_json::to_vec(&message)
        .map_err(|error| Failure::Park(Cause::new("unencodable", error.to_string())))?;
    let trace = TraceParent::root(order.booking.0).child(order.message.0);
    Ok(Outgoing {
        exchange: Exchange::Commands,
        routing_key: message.routing_key().to_owned(),
        envelope: Envelope {
            message_id: order.message,
            kind: mail::Send::KIND.to_string(),
            correlation_id: Some(order.booking),
            causation_id: None,
            sent_at: Some(now),
            trace,
            tenant: TENANT_HOUSE.to_owned(),
            deadline: None,
            attempt: 0,
            replay_of: None,
        },
        body,
        cause: None,
    })
}
