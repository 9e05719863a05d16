//! The look of one ticket: A5 landscape, the show on the left, the stub with the code on the right.

mod price;
mod seat;
mod show;
mod stub;
#[cfg(test)]
mod tests;

use super::canvas::{Canvas, Ink, Mark, RIGHT, Style};
use super::face::{Face, Fonts};
use super::fit::{Fitted, Steps, fit};
use super::labels::Labels;
use super::qr::QrImage;
use super::{LINE_CHARS_MAX, TERMS_CHARS_MAX, TicketDocument, TicketPage};

/// Draws what all tickets of the document have in common: it is in the file once, whatever their number.
pub(super) fn draw_common<'a>(document: &'a TicketDocument, fonts: &'a Fonts) -> Vec<Mark<'a>> {
    let mut sheet = Sheet::new(document, fonts);
    sheet.band();
    sheet.title();
    sheet.when_and_where();
    sheet.totals();
    sheet.terms();
    sheet.stub();
    sheet.canvas.finish()
}

/// Draws what is only on the page of `seat`, the ticket number `index` (from 0) of the document.
pub(super) fn draw_own<'a>(
    document: &'a TicketDocument,
    seat: &TicketPage,
    index: usize,
    code: &QrImage,
    fonts: &'a Fonts,
) -> Vec<Mark<'a>> {
    let mut sheet = Sheet::new(document, fonts);
    sheet.number(index);
    sheet.place(seat);
    sheet.price(seat);
    sheet.stub_code(seat, index, code);
    sheet.stub_place(seat);
    sheet.canvas.finish()
}

const INK: Ink = Ink(0.07, 0.10, 0.18);
const QUIET: Ink = Ink(0.36, 0.39, 0.45);
const ACCENT: Ink = Ink(0.70, 0.13, 0.20);
const PAPER: Ink = Ink(1.0, 1.0, 1.0);
const TINT: Ink = Ink(0.95, 0.94, 0.91);
const RULE: Ink = Ink(0.80, 0.79, 0.76);

const LEFT: f32 = 30.0;
const MAIN_END: f32 = 396.0;
const MAIN_WIDTH: f32 = MAIN_END - LEFT;
/// Where the right one of two columns begins.
const COLUMN: f32 = LEFT + 206.0;
const COLUMN_WIDTH: f32 = MAIN_END - COLUMN;
/// Where the ticket is torn.
const STUB: f32 = 416.0;
const STUB_LEFT: f32 = STUB + 17.0;
const STUB_END: f32 = RIGHT - 17.0;
const STUB_WIDTH: f32 = STUB_END - STUB_LEFT;
const BAND_HEIGHT: f32 = 44.0;

/// How a text looks and how it gives way when it is long.
#[derive(Clone, Copy)]
struct Look {
    bold: bool,
    ink: Ink,
    steps: Steps,
}

/// A page being drawn.
struct Sheet<'a> {
    canvas: Canvas<'a>,
    fonts: &'a Fonts,
    labels: &'static Labels,
    document: &'a TicketDocument,
}

impl<'a> Sheet<'a> {
    fn new(document: &'a TicketDocument, fonts: &'a Fonts) -> Sheet<'a> {
        Sheet {
            canvas: Canvas::default(),
            fonts,
            labels: Labels::of(document.language),
            document,
        }
    }

    /// Fits a text into `width` and writes it down from the baseline `y`.
    fn fitted(&mut self, x: f32, y: f32, width: f32, look: Look, text: &str) {
        let fitted = self.fit(look, width, text);
        let leading = fitted.size * 1.18;
        self.lines(x, y, leading, look, &fitted);
    }

    fn lines(&mut self, x: f32, y: f32, leading: f32, look: Look, fitted: &Fitted) {
        let style = Style {
            face: self.face(look.bold),
            size: fitted.size,
            ink: look.ink,
        };
        for (line, text) in fitted.lines.iter().enumerate() {
            self.canvas.text(x, y + line as f32 * leading, style, text);
        }
    }

    /// A small label in capitals.
    fn label(&mut self, x: f32, y: f32, text: &str) {
        self.canvas.text(x, y, self.bold(6.5, QUIET), text);
    }

    /// A label with its value below.
    fn cell(&mut self, x: f32, y: f32, width: f32, label: &str, value: &str) {
        const VALUE: Look = Look {
            bold: true,
            ink: INK,
            steps: &[(12.0, 1), (11.0, 1), (10.0, 1), (9.0, 1), (8.0, 2)],
        };
        self.label(x, y, label);
        self.fitted(x, y + 15.0, width, VALUE, value);
    }

    fn fit(&self, look: Look, width: f32, text: &str) -> Fitted {
        let face = self.face(look.bold);
        fit(face, text, LINE_CHARS_MAX, width, look.steps)
    }

    fn face(&self, bold: bool) -> &'a Face {
        if bold {
            &self.fonts.bold
        } else {
            &self.fonts.regular
        }
    }

    fn bold(&self, size: f32, ink: Ink) -> Style<'a> {
        Style {
            face: &self.fonts.bold,
            size,
            ink,
        }
    }

    fn regular(&self, size: f32, ink: Ink) -> Style<'a> {
        Style {
            face: &self.fonts.regular,
            size,
            ink,
        }
    }
}
