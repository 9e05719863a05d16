//! A document's bytes follow from its facts: what was rendered before leaves no trace.

use super::*;

fn document(title: &str, reference: &str) -> TicketDocument {
    let page = |seat: &str| TicketPage {
        row: "F".to_owned(),
        seat: seat.to_owned(),
        category: "Premium".to_owned(),
        area: "Stalls".to_owned(),
        price: Money::new(1_250, "EUR"),
        tax_included: 82,
        serial: format!("{reference}-{seat}"),
        qr_payload: format!("{reference:0<160}{seat}"),
    };
    TicketDocument {
        reference: reference.to_owned(),
        language: Language::En,
        film_title: title.to_owned(),
        running_mins: 118,
        venue_name: "Astor Lichtspiele".to_owned(),
        venue_address: "Lange Zeile 14, 10437 Berlin".to_owned(),
        hall_name: "Astor 1".to_owned(),
        entrance: "B".to_owned(),
        starts_at: DateTime::from_timestamp(1_795_804_200, 0).unwrap(),
        zone: chrono_tz::Europe::Berlin,
        pages: vec![page("12"), page("13")],
        totals: TicketTotals {
            currency: "EUR".to_owned(),
            tickets: 2_500,
            fees: 250,
            total: 2_750,
            tax_included: 180,
            tax_basis_points: 700,
        },
        terms: "No entry after the start.".to_owned(),
    }
}

fn alone(document: &TicketDocument) -> Vec<u8> {
    render_with(&Kits::new(kits::BYTES_MAX), document).unwrap()
}

#[test]
fn the_bytes_are_the_same_whatever_was_rendered_before() {
    let documents = [
        document("Stalker", "K7QF31XA"),
        document("Stalker", "0ZZB9M2T"),
        document("Ο Θίασος – Ταξίδι στα Κύθηρα", "K7QF31XA"),
        document("Příliš žluťoučký kůň ₴ №", "YYYY2222"),
    ];
    let fresh: Vec<_> = documents.iter().map(alone).collect();
    let warm = Kits::new(kits::BYTES_MAX);
    // Room for one kit or two: most are made again.
    let narrow = Kits::new(40_000);
    for order in [[0, 2, 0, 3, 1], [3, 1, 0, 2, 3], [2, 2, 1, 1, 0]] {
        for at in order {
            for kits in [&warm, &narrow] {
                assert!(
                    render_with(kits, &documents[at]).unwrap() == fresh[at],
                    "{order:?}: {at}"
                );
            }
            assert!(render(&documents[at]).unwrap() == fresh[at]);
        }
    }
}

#[test]
fn threads_that_render_at_once_agree() {
    let documents = [
        document("Stalker", "K7QF31XA"),
        document("Ёлка", "0ZZB9M2T"),
    ];
    let fresh: Vec<_> = documents.iter().map(alone).collect();
    let kits = Kits::new(kits::BYTES_MAX);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (kits, documents, fresh) = (&kits, &documents, &fresh);
            scope.spawn(move || {
                for round in 0..4 {
                    let at = (thread + round) % 2;
                    assert!(render_with(kits, &documents[at]).unwrap() == fresh[at]);
                }
            });
        }
    });
}

#[test]
fn the_bookings_of_a_show_share_their_fonts_and_a_rare_character_has_its_own() {
    let fonts = face::fonts().unwrap();
    let alphabet = |document: &TicketDocument| {
        let own = page::draw_own(
            document,
            &document.pages[1],
            1,
            &qr::QrImage::new(&document.pages[1]).unwrap(),
            fonts,
        );
        let common = page::draw_common(document, fonts);
        Alphabet::of(own.iter().chain(&common))
    };
    let first = alphabet(&document("Stalker", "K7QF31XA"));
    let mut other = document("Stalker", "0ZZB9M2T");
    other.pages[1].row = "Q".to_owned();
    other.pages[1].seat = "145".to_owned();
    other.totals.total = 123_456_789;
    assert_eq!(first, alphabet(&other));

    other.pages[1].row = "Ω".to_owned();
    assert!(alphabet(&other).bold.contains('Ω'));
    let kits = Kits::new(kits::BYTES_MAX);
    render_with(&kits, &document("Stalker", "K7QF31XA")).unwrap();
    let bytes = render_with(&kits, &other).unwrap();
    assert!(bytes == alone(&other));
    let file = lopdf::Document::load_mem(&bytes).unwrap();
    let text = file.extract_text(&[2]).unwrap();
    assert_eq!(text.matches('Ω').count(), 2, "page and stub: {text}");
    assert!(text.contains("No entry after the start."), "{text}");
}
