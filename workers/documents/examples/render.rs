//! Writes the ticket document of a sample booking of two tickets, to be looked at.
//!
//! `cargo run -p boxoffice-documents --example render -- /tmp/ticket.pdf [de]`

use boxoffice_documents::ticket_pdf;
use boxoffice_documents::{
    Language, Money, TicketDocument, TicketPage, TicketSigner, TicketToken, TicketTotals,
};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "ticket.pdf".to_owned());
    let language = Language::from_tag(&args.next().unwrap_or_default());
    std::fs::write(path, ticket_pdf::render(&booking(language)?)?)?;
    Ok(())
}

fn booking(language: Language) -> Result<TicketDocument, Failure> {
    let starts_at = "2026-11-27T18:30:00Z".parse()?;
    let signer = TicketSigner::from_seed(7, [9; 32]);
    let page = |seat: u32| -> Result<TicketPage, Failure> {
        let id = Uuid::from_u128(u128::from(seat));
        let window =
            starts_at - chrono::TimeDelta::hours(2)..starts_at + chrono::TimeDelta::hours(4);
        let token = TicketToken::new(id, Uuid::from_u128(0x5403), seat as u16, window)?;
        Ok(TicketPage {
            row: "F".to_owned(),
            seat: seat.to_string(),
            category: "Premium".to_owned(),
            area: "Stalls".to_owned(),
            price: Money::new(1250, "EUR"),
            tax_included: 82,
            serial: format!("K7QF-M2XW-{seat:02}"),
            qr_payload: signer.sign(&token),
        })
    };
    Ok(TicketDocument {
        reference: "K7QF-M2XW".to_owned(),
        language,
        film_title: "Сталкер: Reštaurované 4K".to_owned(),
        running_mins: 118,
        venue_name: "Astor Lichtspiele".to_owned(),
        venue_address: "Lange Zeile 14, 10437 Berlin".to_owned(),
        hall_name: "Astor 1".to_owned(),
        entrance: "B, 1st floor".to_owned(),
        starts_at,
        zone: chrono_tz::Europe::Berlin,
        pages: vec![page(12)?, page(13)?],
        totals: TicketTotals { currency: "EUR".to_owned(), tickets: 2500, fees: 250, total: 2750, tax_included: 180, tax_basis_points: 700 },
        terms: "Please be seated before the start; latecomers are let in at the first break. No recording. \
                Tickets are valid for the seat and time printed above and can be returned up to two hours \
                before the start in the booking online. Bring proof for reduced tickets."
            .to_owned(),
    })
}
