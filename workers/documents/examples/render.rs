//! Renders a sample booking of two tickets, writes it to the given path and says what such bookings cost.
//!
//! `cargo run --release -p boxoffice-documents --example render -- /tmp/ticket.pdf [de]`

use boxoffice_documents::ticket_pdf;
use boxoffice_documents::{
    Language, Money, TicketDocument, TicketPage, TicketSigner, TicketToken, TicketTotals,
};
use uuid::Uuid;

const DOCUMENTS: u32 = 1_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "ticket.pdf".to_owned());
    let language = Language::from_tag(&args.next().unwrap_or_default());
    let bytes = ticket_pdf::render(&booking(0, language)?)?;
    std::fs::write(&path, &bytes)?;

    let documents: Vec<_> = (0..DOCUMENTS)
        .map(|n| booking(n, language))
        .collect::<Result<_, _>>()?;
    let (each, size_max) = measure(&documents)?;
    report(&format!(
        "{path}: {} bytes (largest {size_max}); {:.3} ms CPU per document of 2 pages, {:.0} pages per CPU second",
        bytes.len(),
        each * 1e3,
        2.0 / each
    ));

    // Each of another show, with characters that none before it had together: nothing is known of its fonts.
    let strangers: Vec<_> = (0..DOCUMENTS)
        .map(|n| stranger(n, language))
        .collect::<Result<_, _>>()?;
    let (each, size_max) = measure(&strangers)?;
    report(&format!(
        "the first of its show: largest {size_max} bytes; {:.3} ms CPU per document",
        each * 1e3
    ));
    Ok(())
}

/// CPU seconds per document, and the bytes of the largest.
fn measure(documents: &[TicketDocument]) -> Result<(f64, usize), Failure> {
    let start = cpu_seconds()?;
    let mut size_max = 0;
    for document in documents {
        size_max = size_max.max(std::hint::black_box(ticket_pdf::render(document)?).len());
    }
    let each = (cpu_seconds()? - start) / documents.len() as f64;
    Ok((each, size_max))
}

fn stranger(n: u32, language: Language) -> Result<TicketDocument, Failure> {
    let mut document = booking(n, language)?;
    let letters = [0x100 + n % 32, 0x120 + n / 32].map(char::from_u32);
    document.film_title.extend(letters.into_iter().flatten());
    Ok(document)
}

#[expect(
    clippy::print_stdout,
    reason = "a measuring program speaks to its caller"
)]
fn report(line: &str) {
    println!("{line}");
}

/// CPU time of this thread so far; the machine is shared, so wall time would measure others.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = stat
        .split_whitespace()
        .next()
        .ok_or("no schedstat")?
        .parse()?;
    Ok(nanoseconds / 1e9)
}

const FILMS: [(&str, &str, &str); 4] = [
    (
        "The Quiet Cartographer",
        "Astor Lichtspiele",
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

fn booking(n: u32, language: Language) -> Result<TicketDocument, Failure> {
    let (film, venue, address) = FILMS[n as usize % FILMS.len()];
    let starts_at = "2026-11-27T18:30:00Z".parse()?;
    let signer = TicketSigner::from_seed(7, [9; 32]);
    let page = |seat: u32| -> Result<TicketPage, Failure> {
        let id = Uuid::from_u128(u128::from(n) << 64 | u128::from(seat));
        let window =
            starts_at - chrono::TimeDelta::hours(2)..starts_at + chrono::TimeDelta::hours(4);
        let token = TicketToken::new(id, Uuid::from_u128(0x5403), seat as u16, window)?;
        Ok(TicketPage {
            row: char::from(b'A' + (n % 20) as u8).to_string(),
            seat: (seat + n % 25).to_string(),
            category: "Premium".to_owned(),
            area: "Stalls".to_owned(),
            price: Money::new(1250, "EUR"),
            tax_included: 82,
            serial: format!("K7QF-{n:04}-{seat:02}"),
            qr_payload: signer.sign(&token),
        })
    };
    Ok(TicketDocument {
        reference: format!("K7QF-{n:04}"),
        language,
        film_title: film.to_owned(),
        running_mins: 118,
        venue_name: venue.to_owned(),
        venue_address: address.to_owned(),
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
