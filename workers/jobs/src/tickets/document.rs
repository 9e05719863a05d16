//! From the facts of a booking to the document that is printed.

use boxoffice_contracts::TicketId;
use boxoffice_documents::{
    Language, Money, TicketDocument, TicketPage, TicketSigner, TicketToken, TicketTotals,
    money_text,
};
use boxoffice_store::{
    mysql::show_facts::{BookingFacts, PositionFacts},
    reference::serial,
};
use chrono::TimeDelta;
use chrono_tz::Tz;

/// What is the same on every ticket.
#[derive(Debug, Clone)]
pub struct TicketsConfig {
    /// Printed small on each page; may be empty.
    pub terms: String,
    /// Doors open so long before the start.
    pub admission_before_mins: u32,
    /// The code still opens the door so long after the end.
    pub admission_after_mins: u32,
    /// Rate of the tax that prices contain, 700 for 7 %; 0 prints none.
    pub tax_basis_points: u32,
}

impl Default for TicketsConfig {
    fn default() -> Self {
        Self {
            terms: String::new(),
            admission_before_mins: 180,
            admission_after_mins: 120,
            tax_basis_points: 0,
        }
    }
}

/// The document of all tickets that admit now, in order of their positions.
pub(super) fn of(
    facts: &BookingFacts,
    signer: &TicketSigner,
    config: &TicketsConfig,
) -> Result<TicketDocument, String> {
    let show = &facts.show;
    let zone: Tz = show
        .zone
        .parse()
        .map_err(|_unknown| format!("time zone {:?}", show.zone))?;
    let pages = facts
        .admitted()
        .map(|(position, ticket)| page(facts, position, ticket, signer, config))
        .collect::<Result<Vec<_>, _>>()?;
    let tickets: i64 = facts
        .admitted()
        .map(|(position, _)| position.price_minor)
        .sum();
    let tax_included = pages.iter().map(|page| page.tax_included).sum();
    Ok(TicketDocument {
        reference: facts.reference.clone(),
        language: Language::from_tag(&facts.customer.locale),
        film_title: show.film.clone(),
        running_mins: show.runtime_min,
        venue_name: show.venue.clone(),
        venue_address: show.address.clone(),
        hall_name: show.hall.clone(),
        entrance: show.entrance.clone(),
        starts_at: show.starts_at,
        zone,
        pages,
        totals: TicketTotals {
            currency: facts.booking.currency.to_string(),
            tickets,
            fees: 0,
            total: tickets,
            tax_included,
            tax_basis_points: config.tax_basis_points,
        },
        terms: config.terms.clone(),
    })
}

fn page(
    facts: &BookingFacts,
    position: &PositionFacts,
    ticket: TicketId,
    signer: &TicketSigner,
    config: &TicketsConfig,
) -> Result<TicketPage, String> {
    let show = &facts.show;
    let opens = show.starts_at - TimeDelta::minutes(i64::from(config.admission_before_mins));
    let minutes = i64::from(show.runtime_min) + i64::from(config.admission_after_mins);
    let closes = show.starts_at + TimeDelta::minutes(minutes);
    // Positions count from 1, places in a code from 0.
    let place = position.no.saturating_sub(1);
    let token = TicketToken::new(ticket.0, show.id.0, place, opens..closes)
        .map_err(|error| error.to_string())?;
    // An admission has no seat of its own: without row and seat the page says so.
    let seat = position.seat.as_ref();
    let area = position.area.as_ref().unwrap_or(&position.category);
    Ok(TicketPage {
        row: seat.map(|seat| seat.row.clone()).unwrap_or_default(),
        seat: seat.map(|seat| seat.number.clone()).unwrap_or_default(),
        category: position.category.clone(),
        area: seat.map_or(area, |seat| &seat.zone).clone(),
        price: Money::new(position.price_minor, facts.booking.currency.as_str()),
        tax_included: money_text::tax_included(position.price_minor, config.tax_basis_points),
        serial: serial(ticket),
        qr_payload: signer.sign(&token),
    })
}
