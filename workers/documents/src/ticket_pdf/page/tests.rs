//! Nothing runs off the page, whatever the facts are.

use proptest::prelude::*;

use super::super::face::fonts;
use super::super::qr::QUIET_MODULES;
use super::super::{TicketTotals, canvas};
use super::*;
use crate::{Language, Money};

fn document(text: &str, language: Language) -> TicketDocument {
    let page = TicketPage {
        row: text.to_owned(),
        seat: text.to_owned(),
        category: text.to_owned(),
        area: text.to_owned(),
        price: Money::new(i64::MIN, "EUR"),
        tax_included: i64::MIN / 10,
        serial: text.to_owned(),
        qr_payload: "TICKET".to_owned(),
    };
    TicketDocument {
        reference: text.to_owned(),
        language,
        film_title: text.to_owned(),
        running_mins: u16::MAX,
        venue_name: text.to_owned(),
        venue_address: text.to_owned(),
        hall_name: text.to_owned(),
        entrance: text.to_owned(),
        starts_at: "2026-09-30T22:30:00Z".parse().unwrap(),
        zone: chrono_tz::America::Argentina::ComodRivadavia,
        pages: vec![page],
        totals: TicketTotals {
            currency: "EUR".to_owned(),
            tickets: 1,
            fees: 99_999_999,
            total: 1,
            tax_included: 1,
            tax_basis_points: 9_999,
        },
        terms: text.repeat(3),
    }
}

/// Left end, right end and baseline of every text of the page, in points.
fn texts(document: &TicketDocument) -> Vec<(f32, f32, f32, String)> {
    let fonts = fonts().unwrap();
    let code = QrImage::new(&document.pages[0]).unwrap();
    let common = draw_common(document, fonts);
    let own = draw_own(document, &document.pages[0], 0, &code, fonts);
    let mut found = Vec::new();
    for mark in common.iter().chain(&own) {
        if let Mark::Text { x, y, style, text } = mark {
            let Style { face, size, .. } = *style;
            assert_eq!(&face.covered(text), text, "uncovered characters were drawn");
            found.push((*x, x + face.width(text, size), *y, text.clone()));
        }
    }
    found
}

fn assert_inside(document: &TicketDocument) {
    for (left, right, baseline, text) in texts(document) {
        let panel = if left < STUB {
            LEFT - 1.0..MAIN_END + 1.0
        } else {
            STUB_LEFT - 1.0..STUB_END + 1.0
        };
        assert!(
            panel.contains(&left) && panel.contains(&right),
            "{left}..{right}: {text}"
        );
        assert!(
            (6.0..canvas::HEIGHT_MM * 72.0 / 25.4).contains(&baseline),
            "{baseline}: {text}"
        );
    }
}

#[test]
fn long_words_long_sentences_and_nothing_stay_inside() {
    for text in [
        "",
        "W",
        &"W".repeat(3_000),
        &"Wide words ".repeat(300),
        "A-very-long-hyphenated-thing ".repeat(9).as_str(),
    ] {
        for language in Language::ALL {
            assert_inside(&document(text, language));
        }
    }
}

#[test]
fn the_code_is_large_enough_to_scan_and_stands_alone() {
    let document = document("A1", Language::En);
    let mut payload = document.pages[0].clone();
    for len in [1, 162, super::super::qr::PAYLOAD_BYTES_MAX] {
        payload.qr_payload = "x".repeat(len);
        let code = QrImage::new(&payload).unwrap();
        let module = STUB_WIDTH / (code.side + 2 * QUIET_MODULES) as f32;
        let side_mm = module * code.side as f32 * 25.4 / 72.0;
        assert!(side_mm >= 30.0, "{side_mm} mm");
        assert!(module * 25.4 / 72.0 >= 0.4, "{len} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_text_stays_inside(text in "\\PC{0,120}", noise in any::<String>()) {
        assert_inside(&document(&text, Language::En));
        assert_inside(&document(&noise, Language::De));
    }
}
