//! The look of one ticket: A5 landscape, the show on the left, the stub with the code on the right.

use printpdf::{PdfPage, XObjectId};

use super::canvas::{Canvas, Ink, RIGHT, Style};
use super::face::{Face, Fonts};
use super::fit::{Fitted, Steps, fit};
use super::labels::Labels;
use super::qr::{QUIET_MODULES, QrImage};
use super::{LINE_CHARS_MAX, TERMS_CHARS_MAX, TicketDocument, TicketPage};
use crate::{money_text, time_text};

/// Draws the page of `seat`, the ticket number `index` (from 0) of the document.
pub(super) fn draw(
    document: &TicketDocument,
    seat: &TicketPage,
    index: usize,
    code: &QrImage,
    fonts: &Fonts,
) -> PdfPage {
    let mut sheet = Sheet {
        canvas: Canvas::default(),
        fonts,
        labels: Labels::of(document.language),
        document,
        seat,
    };
    sheet.band(index);
    sheet.title();
    sheet.when_and_where();
    sheet.place();
    sheet.money();
    sheet.terms();
    sheet.stub(index, code);
    sheet.canvas.finish()
}

/// The name under which the code of ticket number `index` is stored in the file.
pub(super) fn code_id(index: usize) -> XObjectId {
    XObjectId(format!("Q{index}"))
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
const STUB: f32 = 416.0;
const STUB_LEFT: f32 = STUB + 17.0;
const STUB_END: f32 = RIGHT - 17.0;
const STUB_WIDTH: f32 = STUB_END - STUB_LEFT;
const STUB_MIDDLE: f32 = (STUB_LEFT + STUB_END) / 2.0;
const BAND_HEIGHT: f32 = 44.0;

const TITLE: Steps = &[(30.0, 1), (26.0, 1), (23.0, 1), (22.0, 2), (19.0, 2), (16.0, 2), (15.0, 3)];
const ONE_LINE: Steps = &[(12.0, 1), (11.0, 1), (10.0, 1), (9.0, 1), (8.0, 1)];
const ADDRESS: Steps = &[(8.5, 1), (7.5, 1), (7.0, 2)];
const BIG: Steps = &[(34.0, 1), (28.0, 1), (22.0, 1), (17.0, 1), (13.0, 2), (10.0, 2)];
const REFERENCE: Steps = &[(17.0, 1), (14.0, 1), (11.0, 1), (9.0, 1), (8.0, 2)];
const SERIAL: Steps = &[(13.0, 1), (11.0, 1), (9.5, 1), (8.0, 2)];
const TERMS: Steps = &[(6.5, 3), (6.0, 4)];

struct Sheet<'a> {
    canvas: Canvas,
    fonts: &'a Fonts,
    labels: &'static Labels,
    document: &'a TicketDocument,
    seat: &'a TicketPage,
}

impl<'a> Sheet<'a> {
    fn band(&mut self, index: usize) {
        self.canvas.rectangle(0.0, 0.0, RIGHT, BAND_HEIGHT, INK);
        self.canvas.rectangle(0.0, BAND_HEIGHT, RIGHT, 3.0, ACCENT);
        let admit_one = self.labels.admit_one;
        let end = self.bold(8.0, PAPER);
        self.canvas.text_right(MAIN_END, 26.5, end, admit_one);
        let room = MAIN_WIDTH - end.face.width(admit_one, end.size) - 16.0;
        self.fitted(LEFT, 28.0, room, PAPER, true, &self.document.venue_name, &[
            (14.0, 1), (12.0, 1), (10.0, 1), (8.0, 1),
        ]);
        let of = format!(
            "{} {} {} {}",
            self.labels.ticket,
            index + 1,
            self.labels.of,
            self.document.pages.len()
        );
        self.canvas.text_right(STUB_END, 27.0, self.bold(10.0, PAPER), &of);
    }

    fn title(&mut self) {
        let fitted = self.fit(true, &self.document.film_title, MAIN_WIDTH, TITLE);
        let leading = fitted.size * 1.16;
        let height = leading * (fitted.lines.len() - 1) as f32 + fitted.size * 0.73;
        // One line or three: the block stands in the middle of the same room.
        let mut y = 88.0 - height / 2.0 + fitted.size * 0.73;
        for line in &fitted.lines {
            self.canvas.text(LEFT, y, self.bold(fitted.size, INK), line);
            y += leading;
        }
        self.canvas.rule(LEFT, 126.0, MAIN_WIDTH, RULE);
    }

    fn when_and_where(&mut self) {
        let TicketDocument { starts_at, zone, language, .. } = *self.document;
        let date = time_text::local_date(starts_at, zone, language);
        let time = time_text::local_time(starts_at, zone, language);
        let right = LEFT + 206.0;
        let right_width = MAIN_END - right;
        self.cell(LEFT, 141.0, 196.0, self.labels.date, &date);
        self.cell(right, 141.0, right_width, self.labels.time, &time);
        self.cell(LEFT, 178.0, 196.0, self.labels.venue, &self.document.venue_name);
        let address = self.fit(false, &self.document.venue_address, 196.0, ADDRESS);
        self.lines(LEFT, 205.0, 9.0, &address, self.regular(address.size, QUIET));
        let has_entrance = !self.document.entrance.is_empty();
        let hall_width = if has_entrance { right_width / 2.0 - 6.0 } else { right_width };
        self.cell(right, 178.0, hall_width, self.labels.hall, &self.document.hall_name);
        if has_entrance {
            let x = right + right_width / 2.0 + 6.0;
            let width = MAIN_END - x;
            self.cell(x, 178.0, width, self.labels.entrance, &self.document.entrance);
        }
    }

    /// Area, row and seat: what is looked for in the dark.
    fn place(&mut self) {
        let (top, height) = (224.0, 68.0);
        let widths = [MAIN_WIDTH - 2.0 * 104.0 - 2.0 * 8.0, 104.0, 104.0];
        let facts = [
            (self.labels.area, &self.seat.area),
            (self.labels.row, &self.seat.row),
            (self.labels.seat, &self.seat.seat),
        ];
        let mut x = LEFT;
        for ((label, value), width) in facts.into_iter().zip(widths) {
            self.canvas.rectangle(x, top, width, height, TINT);
            self.canvas.rectangle(x, top, 3.0, height, ACCENT);
            self.canvas.text(x + 12.0, top + 15.0, self.bold(6.5, QUIET), label);
            let steps = if label == self.labels.area { &BIG[2..] } else { BIG };
            let fitted = self.fit(true, value, width - 20.0, steps);
            let middle = top + 42.0 + fitted.size * 0.365;
            let first = middle - (fitted.lines.len() - 1) as f32 * fitted.size * 0.575;
            let style = self.bold(fitted.size, INK);
            self.lines(x + 12.0, first, fitted.size * 1.15, &fitted, style);
            x += width + 8.0;
        }
    }

    fn money(&mut self) {
        let language = self.document.language;
        let totals = &self.document.totals;
        let text = |minor| money_text::format(minor, &totals.currency, language);
        let labels = self.labels;
        let (body, strong) = (self.regular(8.5, INK), self.bold(9.5, INK));

        // Left: what this seat cost. Right: what the booking cost.
        let price = self.seat.price.text(language);
        let left_end = LEFT + 176.0;
        let room = left_end - LEFT - strong.face.width(&price, 9.5) - 8.0;
        self.canvas.text(LEFT, 310.0, self.bold(6.5, QUIET), &labels.this_ticket.to_uppercase());
        self.fitted(LEFT, 324.0, room, INK, false, &self.seat.category, &[
            (9.5, 1), (8.5, 1), (7.5, 1),
        ]);
        self.canvas.text_right(left_end, 324.0, strong, &price);

        let x = LEFT + 206.0;
        let fees = (totals.fees != 0).then(|| (labels.fees, text(totals.fees)));
        let tickets = (totals.fees != 0).then(|| (labels.tickets, text(totals.tickets)));
        let mut y = 310.0;
        for (label, amount) in [tickets, fees].into_iter().flatten() {
            self.canvas.text(x, y, body, label);
            self.canvas.text_right(MAIN_END, y, body, &amount);
            y += 12.0;
        }
        if y > 310.0 {
            self.canvas.rule(x, y - 8.0, MAIN_END - x, RULE);
            y += 4.0;
        }
        self.canvas.text(x, y, strong, labels.total);
        self.canvas.text_right(MAIN_END, y, strong, &text(totals.total));
        if totals.tax_included != 0 {
            let small = self.regular(7.0, QUIET);
            let tax = format!("{} {}", labels.tax_included, text(totals.tax_included));
            self.canvas.text_right(MAIN_END, y + 11.0, small, &tax);
        }
    }

    fn terms(&mut self) {
        let fitted =
            fit(&self.fonts.regular, &self.document.terms, TERMS_CHARS_MAX, MAIN_WIDTH, TERMS);
        self.canvas.rule(LEFT, 366.0, MAIN_WIDTH, RULE);
        let style = self.regular(fitted.size, QUIET);
        self.lines(LEFT, 377.0, fitted.size * 1.35, &fitted, style);
    }

    fn stub(&mut self, index: usize, code: &QrImage) {
        self.canvas.perforation(STUB, BAND_HEIGHT + 3.0);
        self.canvas.text(STUB_LEFT, 66.0, self.bold(6.5, QUIET), self.labels.booking);
        let reference = self.fit(true, &self.document.reference, STUB_WIDTH, REFERENCE);
        self.lines(STUB_LEFT, 84.0, 10.0, &reference, self.bold(reference.size, INK));

        // The quiet zone belongs to the code: nothing else is drawn inside this square.
        let quiet = STUB_WIDTH * QUIET_MODULES as f32 / (code.side + 2 * QUIET_MODULES) as f32;
        let top = 98.0;
        let side = STUB_WIDTH - 2.0 * quiet;
        self.canvas.image(code_id(index), code.side, STUB_LEFT + quiet, top + quiet, side);

        let below = top + STUB_WIDTH;
        let serial = self.fit(true, &self.seat.serial, STUB_WIDTH, SERIAL);
        for (line, text) in serial.lines.iter().enumerate() {
            let y = below + 11.0 + line as f32 * 10.0;
            self.canvas.text_centred(STUB_MIDDLE, y, self.bold(serial.size, INK), text);
        }
        let hint = self.fit(false, self.labels.show_code, STUB_WIDTH, &[(7.5, 1), (6.5, 1)]);
        for text in &hint.lines {
            let style = self.regular(hint.size, QUIET);
            self.canvas.text_centred(STUB_MIDDLE, below + 34.0, style, text);
        }
        self.stub_place(below + 46.0);
    }

    /// The part that stays with the usher repeats what matters.
    fn stub_place(&mut self, top: f32) {
        self.canvas.rule(STUB_LEFT, top, STUB_WIDTH, RULE);
        let half = STUB_WIDTH / 2.0;
        let facts = [(self.labels.row, &self.seat.row), (self.labels.seat, &self.seat.seat)];
        for (column, (label, value)) in facts.into_iter().enumerate() {
            let x = STUB_LEFT + column as f32 * half;
            self.canvas.text(x, top + 16.0, self.bold(6.5, QUIET), label);
            self.fitted(x, top + 35.0, half - 6.0, INK, true, value, &[
                (18.0, 1), (14.0, 1), (11.0, 1), (8.0, 1),
            ]);
        }
        self.fitted(STUB_LEFT, top + 54.0, STUB_WIDTH, INK, false, &self.seat.area, &[
            (9.0, 1), (8.0, 1), (7.0, 1),
        ]);
        let TicketDocument { starts_at, zone, language, .. } = *self.document;
        let date = time_text::local_date(starts_at, zone, language);
        let when = format!("{date}, {}", time_text::clock(starts_at, zone, language));
        self.fitted(STUB_LEFT, top + 68.0, STUB_WIDTH, QUIET, false, &when, &[
            (7.5, 1), (7.0, 1), (6.5, 1), (6.0, 1), (5.5, 1),
        ]);
        let title = self.fit(true, &self.document.film_title, STUB_WIDTH, &[(8.0, 1), (7.0, 1), (7.0, 2)]);
        self.lines(STUB_LEFT, top + 81.0, 9.0, &title, self.bold(title.size, INK));
    }

    /// A small label with its value below.
    fn cell(&mut self, x: f32, y: f32, width: f32, label: &str, value: &str) {
        self.canvas.text(x, y, self.bold(6.5, QUIET), label);
        self.fitted(x, y + 15.0, width, INK, true, value, ONE_LINE);
    }

    /// Text of one line, as big as the room allows.
    #[expect(clippy::too_many_arguments, reason = "a place, a look and a text; named at no call twice alike")]
    fn fitted(&mut self, x: f32, y: f32, width: f32, ink: Ink, bold: bool, text: &str, steps: Steps) {
        let fitted = self.fit(bold, text, width, steps);
        let style = Style { face: self.face(bold), size: fitted.size, ink };
        self.lines(x, y, fitted.size * 1.2, &fitted, style);
    }

    fn lines(&mut self, x: f32, y: f32, leading: f32, fitted: &Fitted, style: Style<'_>) {
        for (line, text) in fitted.lines.iter().enumerate() {
            self.canvas.text(x, y + line as f32 * leading, style, text);
        }
    }

    fn fit(&self, bold: bool, text: &str, width: f32, steps: Steps) -> Fitted {
        fit(self.face(bold), text, LINE_CHARS_MAX, width, steps)
    }

    fn face(&self, bold: bool) -> &'a Face {
        if bold { &self.fonts.bold } else { &self.fonts.regular }
    }

    fn bold(&self, size: f32, ink: Ink) -> Style<'a> {
        Style { face: &self.fonts.bold, size, ink }
    }

    fn regular(&self, size: f32, ink: Ink) -> Style<'a> {
        Style { face: &self.fonts.regular, size, ink }
    }
}
