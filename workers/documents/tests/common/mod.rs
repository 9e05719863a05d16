//! Bookings for the tests of ticket documents.

#![allow(dead_code, reason = "each test binary uses its share")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use boxoffice_documents::{
    Language, Money, TicketDocument, TicketKeys, TicketPage, TicketSigner, TicketToken,
    TicketTotals,
};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub(crate) fn starts_at() -> DateTime<Utc> {
    "2026-11-27T18:30:00Z".parse().unwrap()
}

pub(crate) fn signer() -> TicketSigner {
    TicketSigner::from_seed(7, [9; 32])
}

pub(crate) fn keys() -> TicketKeys {
    let mut keys = TicketKeys::new();
    keys.insert(7, signer().public_key()).unwrap();
    keys
}

pub(crate) fn page(n: u128) -> TicketPage {
    let window = starts_at() - TimeDelta::hours(2)..starts_at() + TimeDelta::hours(4);
    let token = TicketToken::new(Uuid::from_u128(n), Uuid::from_u128(1), n as u16, window).unwrap();
    TicketPage {
        row: "F".to_owned(),
        seat: n.to_string(),
        category: "Premium".to_owned(),
        area: "Stalls".to_owned(),
        price: Money::new(1250, "EUR"),
        tax_included: 82,
        serial: format!("K7QF-31-{n}"),
        qr_payload: signer().sign(&token),
    }
}

pub(crate) fn booking(film_title: &str) -> TicketDocument {
    TicketDocument {
        reference: "K7QF-31".to_owned(),
        language: Language::En,
        film_title: film_title.to_owned(),
        running_mins: 118,
        venue_name: "Astor Lichtspiele".to_owned(),
        venue_address: "Lange Zeile 14, 10437 Berlin".to_owned(),
        hall_name: "Astor 1".to_owned(),
        entrance: "B".to_owned(),
        starts_at: starts_at(),
        zone: chrono_tz::Europe::Berlin,
        pages: vec![page(12), page(13)],
        totals: TicketTotals {
            currency: "EUR".to_owned(),
            tickets: 2500,
            fees: 250,
            total: 2750,
            tax_included: 180,
            tax_basis_points: 700,
        },
        terms: "No entry after the start.".to_owned(),
    }
}

/// Titles, venues and terms with as many different characters as their languages have.
pub(crate) const NASTY: &[(&str, &str, &str)] = &[
    (
        "The Quiet Cartographer",
        "Astor Lichtspiele",
        "Lange Zeile 14, 10437 Berlin",
    ),
    (
        "Amélie – Le Fabuleux Destin et les Très Longs Étés d’Hœdic",
        "Cinéma Łódź Žižkov",
        "Náměstí 3, Praha",
    ),
    (
        "Příliš žluťoučký kůň úpěl ďábelské ódy: Nechť již hříšné saxofony",
        "Kino Světozor Žižkov",
        "Vodičkova 41, 110 00 Nové Město",
    ),
    (
        "Zażółć gęślą jaźń – Pchnąć w tę łódź jeża lub ośm skrzyń fig",
        "Kino Pod Baranami, Łódź",
        "Rynek Główny 27, Kraków",
    ),
    (
        "Pijamalı hasta yağız şoföre çabucak güvendi: İstanbul’un Işığı",
        "Kadıköy Sineması Şişli",
        "Osmanağa Mahallesi, Bahariye Cd. No:26",
    ),
    (
        "Đảo của dân ngụ cư và những đứa trẻ lạc loài ở Hà Nội, Huế, Đà Nẵng",
        "Trung tâm Chiếu phim Quốc gia",
        "87 Láng Hạ, Quận Ba Đình, Hà Nội",
    ),
    (
        "Сталкер: Съешь ещё этих мягких французских булок, да выпей чаю",
        "Кинотеатр «Родина» Їжакевич",
        "вул. Інститутська 2, Київ, під’їзд Ґ",
    ),
    (
        "Ο Θίασος – Ταξίδι στα Κύθηρα: Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
        "Κινηματογράφος Δαναός",
        "Λεωφόρος Κηφισίας 109, Αθήνα",
    ),
    (
        "Ὀδύσσεια: Ἄνδρα μοι ἔννεπε, Μοῦσα, πολύτροπον, ὃς μάλα πολλὰ",
        "Θέατρο Ἠλύσια",
        "Ὁδὸς Ἀκαδημίας 7",
    ),
];

/// Of a length that fills its lines.
pub(crate) const TERMS: &str = "Please be seated before the start; latecomers are let in at the first break. No \
    recording. Tickets are valid for the seat and time printed above and can be returned up to two \
    hours before the start in the booking online. Bring proof for reduced tickets.";

/// The largest document that a person with bad intentions can make.
pub(crate) fn worst(pages: u128) -> TicketDocument {
    let every: String = ('!'..'\u{2600}').filter(|c| !c.is_whitespace()).collect();
    let part = |from: usize, count: usize| every.chars().skip(from).take(count).collect::<String>();
    let mut worst = TicketDocument {
        reference: part(0, 40),
        venue_name: part(100, 200),
        venue_address: part(300, 300),
        hall_name: part(600, 200),
        entrance: part(800, 100),
        terms: part(0, 1_500),
        pages: (1..=pages).map(page).collect(),
        ..booking(&part(200, 400))
    };
    for (index, page) in worst.pages.iter_mut().enumerate() {
        page.category = part(900 + 7 * index, 64);
        page.area = part(1_000 + index, 100);
        page.row = part(1_100, 32);
    }
    worst
}
