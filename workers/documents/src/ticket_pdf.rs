//! The tickets of a booking as one PDF: one page per seat, readable on paper, on a phone and in grey.
//!
//! Same facts, same bytes: identifiers come from the booking reference and no date is written.

mod alphabet;
mod canvas;
pub mod codes;
mod content;
mod deflate;
mod face;
mod file;
mod fit;
mod kit;
mod kits;
mod labels;
mod objects;
mod page;
mod qr;
mod slim;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use self::alphabet::Alphabet;
use self::kits::Kits;
use crate::{Language, Money, RenderError, clean_text};

/// The facts of all tickets of a booking.
#[derive(Debug, Clone)]
pub struct TicketDocument {
    /// The booking reference people read to each other.
    pub reference: String,
    pub language: Language,
    pub film_title: String,
    /// Printed below the title; 0 is not.
    pub running_mins: u16,
    pub venue_name: String,
    pub venue_address: String,
    pub hall_name: String,
    /// Which door; may be empty.
    pub entrance: String,
    pub starts_at: DateTime<Utc>,
    /// Where the show starts: times are printed as on the clock at the venue.
    pub zone: Tz,
    /// One page each, in this order.
    pub pages: Vec<TicketPage>,
    pub totals: TicketTotals,
    /// Conditions printed small; may be empty.
    pub terms: String,
}

/// One seat.
#[derive(Debug, Clone)]
pub struct TicketPage {
    /// Empty, as the seat, for an admission without a place of its own.
    pub row: String,
    pub seat: String,
    /// What was bought: `Premium`, `Standard, reduced`.
    pub category: String,
    /// The part of the hall: `Stalls`, `Balcony left`.
    pub area: String,
    pub price: Money,
    /// Contained in the price, in minor units; not printed when zero.
    pub tax_included: i64,
    /// The code in letters, printed below the QR code for the day the scanner is broken.
    pub serial: String,
    /// What the QR code says, see [`crate::token`].
    pub qr_payload: String,
}

/// What the whole booking cost, in the minor units of one currency.
#[derive(Debug, Clone)]
pub struct TicketTotals {
    pub currency: String,
    pub tickets: i64,
    /// Not printed when zero.
    pub fees: i64,
    pub total: i64,
    /// Contained in `total`; not printed when zero.
    pub tax_included: i64,
    /// The rate of that tax: 700 is 7 %.
    pub tax_basis_points: u32,
}

impl TicketPage {
    fn is_numbered(&self) -> bool {
        !(self.row.is_empty() && self.seat.is_empty())
    }
}

/// Renders all pages of the document.
///
/// Text that is too long shrinks, then wraps, then ends in an ellipsis; a character the fonts
/// don't have becomes `□`, so nothing runs off the page or vanishes without a trace.
pub fn render(document: &TicketDocument) -> Result<Vec<u8>, RenderError> {
    static KITS: LazyLock<Kits> = LazyLock::new(|| Kits::new(kits::BYTES_MAX));
    render_with(&KITS, document)
}

fn render_with(kits: &Kits, document: &TicketDocument) -> Result<Vec<u8>, RenderError> {
    check(document)?;
    let fonts = face::fonts()?;
    let mut codes = Vec::with_capacity(document.pages.len());
    let mut pages = Vec::with_capacity(document.pages.len());
    for (index, seat) in document.pages.iter().enumerate() {
        let code = qr::QrImage::new(seat)?;
        pages.push(page::draw_own(document, seat, index, &code, fonts));
        codes.push(code);
    }
    let common = page::draw_common(document, fonts);
    let alphabet = Alphabet::of(pages.iter().flatten().chain(&common));
    let kit = kits.get(alphabet, fonts)?;
    let drawn = file::Drawn { common, pages };
    file::write(&meta(document), &kit, &drawn, &codes)
}

/// Characters of the facts that the fonts don't have and `□` was printed for, in their order, each once.
///
/// Empty for a document that says all it should. What is cut off by length is looked at too.
pub fn uncovered(document: &TicketDocument) -> Result<Vec<char>, RenderError> {
    let fonts = face::fonts()?;
    let whole = [
        &document.reference,
        &document.film_title,
        &document.venue_name,
        &document.venue_address,
        &document.hall_name,
        &document.entrance,
        &document.terms,
    ];
    let seats = document.pages.iter().flat_map(|page| {
        [
            &page.row,
            &page.seat,
            &page.category,
            &page.area,
            &page.serial,
        ]
    });
    let mut missing = Vec::new();
    for text in whole.into_iter().chain(seats) {
        for c in clean_text::line(text, TERMS_CHARS_MAX).chars() {
            if !fonts.both_have(c) && !missing.contains(&c) {
                missing.push(c);
            }
        }
    }
    Ok(missing)
}

/// More seats than any booking may hold.
pub const PAGES_MAX: usize = 200;
/// Title and other lines are looked at up to here.
const LINE_CHARS_MAX: usize = 400;
const TERMS_CHARS_MAX: usize = 2_000;

fn check(document: &TicketDocument) -> Result<(), RenderError> {
    match document.pages.len() {
        0 => Err(RenderError::NoTickets),
        count if count > PAGES_MAX => Err(RenderError::TooManyTickets {
            count,
            max: PAGES_MAX,
        }),
        _ => Ok(()),
    }
}

fn meta(document: &TicketDocument) -> file::Meta {
    let title = clean_text::line(&document.film_title, LINE_CHARS_MAX);
    let reference = clean_text::line(&document.reference, LINE_CHARS_MAX);
    file::Meta {
        title: format!("{title} – {reference}"),
        author: clean_text::line(&document.venue_name, LINE_CHARS_MAX),
        language: document.language,
        // Two documents are the same one if they are of the same booking and its tickets.
        identity: std::iter::once(reference.as_str())
            .chain(document.pages.iter().map(|page| page.serial.as_str()))
            .collect::<Vec<_>>()
            .join("/"),
    }
}
