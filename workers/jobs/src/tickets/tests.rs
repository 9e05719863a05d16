use super::*;
use crate::mail::tests::facts;

fn signer() -> TicketSigner {
    TicketSigner::from_seed(1, [7; 32])
}

#[test]
fn a_document_has_one_page_per_ticket_that_admits() {
    let mut facts = facts();
    facts.positions[0].ticket = None;
    facts.positions[0].live = false;
    let document = document::of(&facts, &signer(), &TicketsConfig::default()).unwrap();
    assert_eq!(document.pages.len(), 1);
    assert_eq!(document.pages[0].seat, "2");
    assert_eq!(
        (document.totals.tickets, document.totals.total),
        (1150, 1150)
    );
    assert_eq!(document.reference, facts.reference);
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let bytes = || {
        let document = document::of(&facts(), &signer(), &TicketsConfig::default()).unwrap();
        ticket_pdf::render(&document).unwrap()
    };
    assert_eq!(hash_of(&bytes()), hash_of(&bytes()));
    assert_eq!(hash_of(b"").len(), 64);
}

#[test]
fn the_code_opens_the_door_around_the_show_only() {
    use boxoffice_documents::{TicketKeys, token};
    let mut keys = TicketKeys::new();
    keys.insert(1, signer().public_key()).unwrap();
    let facts = facts();
    let document = document::of(&facts, &signer(), &TicketsConfig::default()).unwrap();
    let admits = |minutes: i64| {
        let at = facts.show.starts_at + chrono::TimeDelta::minutes(minutes);
        token::verify(&document.pages[1].qr_payload, &keys, at).is_ok()
    };
    assert!(!admits(-181) && admits(-180) && admits(0) && admits(223) && !admits(224));
}

/// Of a booking that is paid and has no document.
fn unprinted() -> BookingFacts {
    let mut facts = facts();
    facts.booking.rendered_revision = 0;
    facts
}

#[test]
fn void_or_older_tickets_are_not_printed() {
    assert!(is_wanted(&unprinted(), 1));
    let mut newer = unprinted();
    newer.booking.ticket_revision = 2;
    assert!(!is_wanted(&newer, 1) && is_wanted(&newer, 2));
    let mut void = unprinted();
    void.positions
        .iter_mut()
        .for_each(|position| position.ticket = None);
    assert!(!is_wanted(&void, 1));
    let mut gone = unprinted();
    gone.booking.status = Status::Cancelled;
    assert!(!is_wanted(&gone, 1));
}

#[test]
fn a_document_that_the_booking_has_heard_of_is_not_printed_again() {
    let mut stored = unprinted();
    stored.booking.rendered_revision = 1;
    assert!(!is_wanted(&stored, 1));
    stored.booking.ticket_revision = 2;
    assert!(
        is_wanted(&stored, 2),
        "the next revision is another document"
    );
}

#[test]
fn an_admission_has_its_area_and_neither_row_nor_seat() {
    let mut facts = facts();
    facts.positions[0].seat = None;
    facts.positions[0].area = Some("Dance floor".to_owned());
    let document = document::of(&facts, &signer(), &TicketsConfig::default()).unwrap();
    let page = &document.pages[0];
    assert_eq!((page.row.as_str(), page.seat.as_str()), ("", ""));
    assert_eq!(page.area, "Dance floor");
}
