//! Ticket documents alone, on one thread: pages per second of CPU time, their size, and whether every code of them can
//! be read back and verified.

use crate::{cost::thread_cpu_s, outcome::Outcome};
use anyhow::ensure;
use boxoffice_documents::{
    Language, Money, TicketDocument, TicketKeys, TicketPage, TicketSigner, TicketToken,
    TicketTotals, ticket_pdf, token,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::hint::black_box;
use uuid::Uuid;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Of two pages each.
    #[arg(long, default_value_t = 4_000)]
    pub(crate) documents: usize,
    /// That they are of.
    #[arg(long, default_value_t = 40)]
    pub(crate) shows: usize,
}

/// What stands on tickets: scripts, accents, lengths.
const FILMS: [(&str, &str, &str); 4] = [
    (
        "The Long Queue",
        "Theatre of Measures",
        "Lange Zeile 14, 10437 Berlin",
    ),
    (
        "Сталкер: Реставрация 4K",
        "Кинотеатр «Родина»",
        "вул. Інститутська 2, Київ",
    ),
    (
        "Ο Θίασος – Ταξίδι στα Κύθηρα",
        "Κινηματογράφος Δαναός",
        "Λεωφόρος Κηφισίας 109, Αθήνα",
    ),
    (
        "Amélie – Le Fabuleux Destin et les Très Longs Étés",
        "Cinéma Łódź Žižkov",
        "Náměstí 3, Praha",
    ),
];
const TERMS: &str = "Please be seated before the start; latecomers are let in at the first break. No recording. \
                     Tickets are valid for the seat and time printed above and can be returned up to two hours \
                     before the start in the booking online. Bring proof for reduced tickets.";
const KEY: u8 = 7;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let signer = TicketSigner::from_seed(KEY, [9; 32]);
    let documents = (0..arguments.documents)
        .map(|no| document(no, no % arguments.shows.max(1), &signer))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // Fonts are parsed once in the life of a worker.
    black_box(ticket_pdf::render(&documents[0])?);
    let (rendered, took) = render(&documents)?;
    let strangers = (0..arguments.documents)
        .map(|no| stranger(no, &signer))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (_, took_strangers) = render(&strangers)?;
    let mut keys = TicketKeys::new();
    keys.insert(KEY, signer.public_key())?;
    let pages: usize = documents.iter().map(|document| document.pages.len()).sum();
    let mut verified = 0;
    for (document, pdf) in documents.iter().zip(&rendered) {
        let codes = ticket_pdf::codes::read(pdf)?;
        let right = document.pages.iter().zip(&codes).filter(|(page, code)| {
            page.qr_payload == **code && token::verify(code, &keys, document.starts_at).is_ok()
        });
        verified += right.count();
    }
    ensure!(took > 0.0, "nothing was measured");
    let largest = rendered.iter().map(Vec::len).max().unwrap_or_default();
    let mut outcome = Outcome::default();
    outcome.put("pages_per_cpu_s", pages as f64 / took);
    outcome.put(
        "cpu_per_document_ms",
        took * 1_000.0 / documents.len() as f64,
    );
    outcome.put(
        "first_of_its_show.cpu_per_document_ms",
        took_strangers * 1_000.0 / strangers.len() as f64,
    );
    outcome.put("bytes_max", largest as f64);
    outcome.put("verified_share", verified as f64 / pages as f64);
    Ok(outcome)
}

/// All of them, and the seconds of CPU that it took.
fn render(documents: &[TicketDocument]) -> anyhow::Result<(Vec<Vec<u8>>, f64)> {
    let begun = thread_cpu_s()?;
    let mut rendered = Vec::with_capacity(documents.len());
    for document in documents {
        rendered.push(ticket_pdf::render(document)?);
    }
    Ok((rendered, thread_cpu_s()? - begun))
}

/// Of a show with letters that no ticket before it had together: its fonts are cut for it.
fn stranger(no: usize, signer: &TicketSigner) -> anyhow::Result<TicketDocument> {
    const FIRST: u32 = 0x100;
    const EACH: usize = 64;
    let mut document = document(no, no, signer)?;
    let letters = [no % EACH, EACH + no / EACH % EACH];
    let letters = letters.map(|letter| u32::try_from(letter).ok());
    let letters = letters.into_iter().flatten();
    let film = &mut document.film_title;
    film.extend(letters.filter_map(|letter| char::from_u32(FIRST + letter)));
    Ok(document)
}

fn document(no: usize, show: usize, signer: &TicketSigner) -> anyhow::Result<TicketDocument> {
    let (film, venue, address) = FILMS[show % FILMS.len()];
    let starts_at: DateTime<Utc> = "2026-11-27T18:30:00Z".parse()?;
    let starts_at = starts_at + TimeDelta::hours(i64::try_from(show)?);
    let page = |seat: usize| -> anyhow::Result<TicketPage> {
        let id = Uuid::from_u128((no as u128) << 64 | seat as u128);
        let window = starts_at - TimeDelta::hours(2)..starts_at + TimeDelta::hours(4);
        let of = Uuid::from_u128(show as u128);
        let token = TicketToken::new(id, of, u16::try_from(seat)?, window)?;
        Ok(TicketPage {
            row: (no % 40 + 1).to_string(),
            seat: (no % 25 * 2 + seat).to_string(),
            category: "Standard".to_owned(),
            area: "Stalls".to_owned(),
            price: Money::new(1250, "EUR"),
            tax_included: 82,
            serial: format!("K7QF-{no:04}-{seat}"),
            qr_payload: signer.sign(&token),
        })
    };
    Ok(TicketDocument {
        reference: format!("K7QF-{no:04}"),
        language: Language::En,
        film_title: film.to_owned(),
        running_mins: 118,
        venue_name: venue.to_owned(),
        venue_address: address.to_owned(),
        hall_name: format!("Hall {}", show % 12 + 1),
        entrance: "B".to_owned(),
        starts_at,
        zone: chrono_tz::Europe::Berlin,
        pages: vec![page(1)?, page(2)?],
        totals: TicketTotals {
            currency: "EUR".to_owned(),
            tickets: 2500,
            fees: 250,
            total: 2750,
            tax_included: 180,
            tax_basis_points: 700,
        },
        terms: TERMS.to_owned(),
    })
}
