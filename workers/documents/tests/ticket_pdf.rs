//! The finished file as a reader, a scanner and an auditor see it.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use boxoffice_documents::ticket_pdf::{PAGES_MAX, codes, render, uncovered};
use boxoffice_documents::{Language, RenderError, TicketDocument, TicketPage, token};
use common::{NASTY, TERMS, booking, keys, page, starts_at, worst};
use lopdf::{Document, Object};
use uuid::Uuid;

fn parse(document: &TicketDocument) -> Document {
    Document::load_mem(&render(document).unwrap()).unwrap()
}

fn text(file: &Document, page: u32) -> String {
    file.extract_text(&[page])
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_seat_has_a_page_that_says_what_was_bought() {
    let file = parse(&booking("The Quiet Cartographer"));
    assert_eq!(file.get_pages().len(), 2);
    let first = text(&file, 1);
    for expected in [
        "The Quiet Cartographer",
        "Astor Lichtspiele",
        "Lange Zeile 14, 10437 Berlin",
        "Friday, 27 November 2026",
        "19:30 CET (UTC+01:00)",
        "Ticket 1 of 2",
        "Stalls",
        "€12.50",
        "€27.50",
        "118 minutes",
        "2 × Ticket",
        "includes 7% tax: €0.82",
        "includes 7% tax: €1.80",
        "K7QF-31-12",
        "No entry after the start.",
    ] {
        assert!(
            first.contains(expected),
            "{expected:?} is missing in {first}"
        );
    }
    assert!(text(&file, 2).contains("K7QF-31-13"));
}

#[test]
fn an_admission_without_a_seat_says_so_instead_of_leaving_holes() {
    let mut document = booking("Stalker");
    for page in &mut document.pages {
        (page.row, page.seat) = (String::new(), String::new());
        page.area = "Dance floor".to_owned();
    }
    let page = text(&parse(&document), 1);
    for expected in ["ADMISSION", "General admission", "Dance floor"] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    for missing in ["ROW", "SEAT", "AREA"] {
        assert!(!page.contains(missing), "{missing}: {page}");
    }
}

#[test]
fn greek_cyrillic_and_accents_can_be_copied_out_of_the_page() {
    for title in [
        "Ο Θίασος – Ταξίδι στα Κύθηρα",
        "Сталкер: Їжак і Ёлка",
        "Żółć Žižkov ẞ Ğ Ảnh",
    ] {
        let file = parse(&TicketDocument {
            language: Language::De,
            ..booking(title)
        });
        assert!(
            text(&file, 1).contains(title),
            "{title}: {}",
            text(&file, 1)
        );
        assert!(text(&file, 1).contains("Freitag, 27. November 2026"));
    }
}

#[test]
fn what_the_fonts_lack_is_visibly_replaced_and_bidi_controls_are_gone() {
    let file = parse(&booking("A漢字B \u{202e}evil 🎬"));
    assert!(text(&file, 1).contains("A□□B evil □"), "{}", text(&file, 1));
    assert_eq!(
        uncovered(&booking("A漢字B \u{202e}evil 🎬 漢")).unwrap(),
        ['漢', '字', '🎬'],
        "and said"
    );
    for &(title, ..) in NASTY {
        assert_eq!(uncovered(&booking(title)).unwrap(), [], "{title}");
    }
}

#[test]
fn the_same_facts_give_the_same_bytes_and_other_facts_another_identifier() {
    let first = render(&booking("Stalker")).unwrap();
    assert_eq!(first, render(&booking("Stalker")).unwrap());
    let id = |document: &TicketDocument| parse(document).trailer.get(b"ID").unwrap().clone();
    let other = TicketDocument {
        reference: "OTHER".to_owned(),
        ..booking("Stalker")
    };
    assert_ne!(id(&booking("Stalker")), id(&other));
}

#[test]
fn two_pages_take_at_most_16_kilobytes() {
    for &(title, venue, address) in NASTY {
        for language in Language::ALL {
            let size = render(&TicketDocument {
                language,
                venue_name: venue.to_owned(),
                venue_address: address.to_owned(),
                terms: TERMS.to_owned(),
                ..booking(title)
            })
            .unwrap()
            .len();
            assert!(size <= 16_000, "{title}: {size} bytes");
        }
    }
}

/// Whatever the facts: the largest that a person with bad intentions can make of two pages.
#[test]
fn two_pages_of_every_character_there_is_stay_below_64_kilobytes() {
    let worst = worst(2);
    let size = render(&worst).unwrap().len();
    assert!((20_000..64_000).contains(&size), "{size} bytes");
}

#[test]
fn title_and_language_are_set_and_no_date_is_written() {
    let file = parse(&TicketDocument {
        language: Language::De,
        ..booking("Čapek")
    });
    assert_eq!(
        file.catalog()
            .unwrap()
            .get(b"Lang")
            .unwrap()
            .as_str()
            .unwrap(),
        b"de"
    );
    let info = file.trailer.get(b"Info").unwrap().as_reference().unwrap();
    let info = file.get_dictionary(info).unwrap();
    let title = lopdf::decode_text_string(info.get(b"Title").unwrap()).unwrap();
    assert_eq!(title, "Čapek – K7QF-31");
    assert!(!info.has(b"CreationDate") && !info.has(b"ModDate"));
}

#[test]
fn nothing_in_the_file_acts() {
    fn keys(object: &Object, found: &mut Vec<String>) {
        let dictionary = match object {
            Object::Dictionary(dictionary) => dictionary,
            Object::Stream(stream) => &stream.dict,
            Object::Array(items) => return items.iter().for_each(|item| keys(item, found)),
            _ => return,
        };
        for (key, value) in dictionary {
            found.push(String::from_utf8_lossy(key).into_owned());
            keys(value, found);
        }
    }
    let file = parse(&booking("(Evil) /JavaScript >> endobj (x) Tj"));
    let mut found = Vec::new();
    file.objects
        .values()
        .for_each(|object| keys(object, &mut found));
    assert!(
        found.iter().any(|key| key == "MediaBox"),
        "the walk sees the pages"
    );
    for active in [
        "JavaScript",
        "JS",
        "OpenAction",
        "AA",
        "URI",
        "Launch",
        "EmbeddedFiles",
        "A",
    ] {
        assert!(!found.iter().any(|key| key == active), "/{active}");
    }
}

#[test]
fn every_code_of_a_sample_is_scanned_off_the_page_and_verifies() {
    let keys = keys();
    let document = TicketDocument {
        pages: (1..=40).map(page).collect(),
        ..booking("Stalker")
    };
    let file = parse(&document);
    let mut scanned = Vec::new();
    for page in file.get_pages().into_values() {
        scanned.push(
            token::verify(&scan(&file, page), &keys, starts_at())
                .unwrap()
                .ticket_id,
        );
    }
    assert_eq!(scanned, (1..=40).map(Uuid::from_u128).collect::<Vec<_>>());
    // The checks read them without a camera, and see the same.
    let pdf = render(&document).unwrap();
    let printed: Vec<_> = document
        .pages
        .iter()
        .map(|p| p.qr_payload.clone())
        .collect();
    assert_eq!(codes::read(&pdf).unwrap(), printed);
}

#[test]
fn a_code_with_one_module_turned_over_is_damaged() {
    let document = booking("Stalker");
    let mut file = parse(&document);
    let image = |file: &Document| {
        let depth = |object: &Object| {
            let dict = &object.as_stream().ok()?.dict;
            dict.get(b"BitsPerComponent").ok()?.as_i64().ok()
        };
        let found = file
            .objects
            .iter()
            .find(|(_, object)| depth(object) == Some(1));
        *found.unwrap().0
    };
    let id = image(&file);
    let stream = file.get_object_mut(id).unwrap().as_stream_mut().unwrap();
    let mut bits = stream.get_plain_content().unwrap();
    let middle = bits.len() / 2;
    bits[middle] ^= 0x10;
    stream.set_plain_content(bits);
    let mut bytes = Vec::new();
    file.save_to(&mut bytes).unwrap();
    let error = codes::read(&bytes).unwrap_err().to_string();
    assert!(error.contains("page 1"), "{error}");
    assert!(codes::read(b"%PDF-1.7 nothing").is_err());
}

/// Decodes the one image that the page's content draws, as a camera would see it.
fn scan(file: &Document, page: lopdf::ObjectId) -> String {
    let content = file.get_and_decode_page_content(page).unwrap();
    let drawn = content
        .operations
        .iter()
        .find(|op| op.operator == "Do")
        .unwrap();
    let (resources, ids) = file.get_page_resources(page).unwrap();
    let resources = resources.unwrap_or_else(|| file.get_dictionary(ids[0]).unwrap());
    let images = file.get_dict_in_dict(resources, b"XObject").unwrap();
    let name = drawn.operands[0].as_name().unwrap();
    let image = file
        .get_object(images.get(name).unwrap().as_reference().unwrap())
        .unwrap();
    let image = image.as_stream().unwrap();
    let side = image.dict.get(b"Width").unwrap().as_i64().unwrap() as usize;
    let bits = image.get_plain_content().unwrap();

    let (scale, quiet) = (4, 4);
    let pixels = (side + 2 * quiet) * scale;
    let mut luma = vec![255_u8; pixels * pixels];
    for y in 0..pixels {
        for x in 0..pixels {
            let (column, row) = (
                (x / scale).wrapping_sub(quiet),
                (y / scale).wrapping_sub(quiet),
            );
            let inside = column < side && row < side;
            if inside && bits[row * side.div_ceil(8) + column / 8] & (0x80 >> (column % 8)) == 0 {
                luma[y * pixels + x] = 0;
            }
        }
    }
    rxing::helpers::detect_in_luma(
        luma,
        pixels as u32,
        pixels as u32,
        Some(rxing::BarcodeFormat::QR_CODE),
    )
    .unwrap()
    .getText()
    .to_owned()
}

#[test]
fn a_document_without_tickets_with_too_many_or_with_an_endless_code_is_refused() {
    let with = |pages| {
        render(&TicketDocument {
            pages,
            ..booking("Stalker")
        })
    };
    assert!(matches!(with(vec![]), Err(RenderError::NoTickets)));
    let many = vec![page(1); PAGES_MAX + 1];
    assert!(matches!(
        with(many),
        Err(RenderError::TooManyTickets { .. })
    ));
    let endless = TicketPage {
        qr_payload: "x".repeat(5_000),
        ..page(1)
    };
    assert!(matches!(
        with(vec![endless]),
        Err(RenderError::CodeTooLong { len: 5_000, .. })
    ));
}

#[test]
fn a_place_without_a_number_says_general_admission_instead_of_row_and_seat() {
    for (language, words) in [
        (Language::En, "General admission"),
        (Language::De, "Freie Platzwahl"),
    ] {
        let mut document = TicketDocument {
            language,
            ..booking("Ferrum live")
        };
        document.pages[0].row.clear();
        document.pages[0].seat.clear();
        document.pages[0].area = "Dance floor".to_owned();
        let file = parse(&document);
        let standing = text(&file, 1);
        assert_eq!(
            standing.matches(words).count(),
            2,
            "page and stub: {standing}"
        );
        assert!(standing.contains("Dance floor"), "{standing}");
        assert!(!text(&file, 2).contains(words));
    }
}
