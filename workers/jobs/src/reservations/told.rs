//! Events of partners' bookings, as partners are told them: added to their outbox in the transaction of the step.

use boxoffice_contracts::{
    BookingId, Instant, Kind, MessageId,
    message::event::BookingFact,
    partner::{PartnerId, booking::BookingEvent},
};
use boxoffice_runtime::{Failure, Tx};
use boxoffice_store::mysql::{
    partner_events::{self, Names},
    partner_out,
};

/// An event that a partner is to hear of.
#[derive(Debug, Clone)]
pub struct Told {
    pub partner: PartnerId,
    /// The event's own: told twice it is added once.
    pub message_id: MessageId,
    pub kind: Kind,
    pub fact: BookingFact,
}

/// Adds the events in their order. Without any, nothing is asked of the database.
pub(super) async fn write(tx: &Tx, told: &[Told], now: Instant) -> Result<(), Failure> {
    if told.is_empty() {
        return Ok(());
    }
    let bookings: Vec<(BookingId, PartnerId)> = told
        .iter()
        .map(|told| (told.fact.booking_id, told.partner.clone()))
        .collect();
    let names = partner_events::names(tx.db(), &bookings).await?;
    let mut messages = Vec::with_capacity(told.len());
    for told in told {
        if let Some(names) = names.get(&told.fact.booking_id) {
            messages.push(message(told, names)?);
        }
    }
    partner_out::append(tx.db(), &messages, now).await?;
    Ok(())
}

fn message(told: &Told, names: &Names) -> Result<partner_out::NewPartnerOut, Failure> {
    let fact = &told.fact;
    let data = BookingEvent {
        booking_id: fact.booking_id,
        reference: names.reference.clone(),
        show_id: fact.show_id,
        version: fact.version,
        status: fact.status.clone(),
        at: fact.at,
        code: fact.code,
    };
    Ok(partner_events::message(
        &told.partner,
        told.kind,
        told.message_id,
        Some(fact.booking_id),
        names.correlation_id.as_deref(),
        fact.at,
        &data,
    )?)
}
