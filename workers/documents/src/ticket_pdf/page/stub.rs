//! The part beside the perforation: the code, and what the usher needs when it is torn off.

use super::*;
use crate::ticket_pdf::qr::QUIET_MODULES;
use crate::time_text;

const REFERENCE: Look = Look {
    bold: true,
    ink: INK,
    steps: &[(17.0, 1), (14.0, 1), (11.0, 1), (9.0, 1), (8.0, 2)],
};
const SERIAL: Look = Look {
    bold: true,
    ink: INK,
    steps: &[(13.0, 1), (11.0, 1), (9.5, 1), (8.0, 2)],
};
const HINT: Look = Look {
    bold: false,
    ink: QUIET,
    steps: &[(7.5, 1), (6.5, 1)],
};
const NUMBER: Look = Look {
    bold: true,
    ink: INK,
    steps: &[(18.0, 1), (14.0, 1), (11.0, 1), (8.0, 1)],
};
const AREA: Look = Look {
    bold: false,
    ink: INK,
    steps: &[(9.0, 1), (8.0, 1), (7.0, 1)],
};
const WHEN: Look = Look {
    bold: false,
    ink: QUIET,
    steps: &[(7.5, 1), (7.0, 1), (6.5, 1), (6.0, 1), (5.5, 1)],
};
const TITLE: Look = Look {
    bold: true,
    ink: INK,
    steps: &[(8.0, 1), (7.0, 1), (7.0, 2)],
};

const MIDDLE: f32 = (STUB_LEFT + STUB_END) / 2.0;
/// The square of the code with its quiet zone.
const CODE_TOP: f32 = 98.0;
const CODE_END: f32 = CODE_TOP + STUB_WIDTH;
/// Where the facts below the code begin.
const FACTS: f32 = CODE_END + 46.0;

impl Sheet<'_> {
    /// What is the same on every stub of the booking.
    pub(super) fn stub(&mut self) {
        self.canvas.perforation(STUB, BAND_HEIGHT + 3.0);
        self.label(STUB_LEFT, 66.0, self.labels.booking);
        let reference = self.fit(REFERENCE, STUB_WIDTH, &self.document.reference);
        self.lines(STUB_LEFT, 84.0, 10.0, REFERENCE, &reference);
        self.centred(CODE_END + 34.0, HINT, self.labels.show_code);
        self.canvas.rule(STUB_LEFT, FACTS, STUB_WIDTH, RULE);
        let TicketDocument {
            starts_at,
            zone,
            language,
            ..
        } = *self.document;
        let date = time_text::local_date(starts_at, zone, language);
        let when = format!("{date}, {}", time_text::clock(starts_at, zone, language));
        self.fitted(STUB_LEFT, FACTS + 68.0, STUB_WIDTH, WHEN, &when);
        let title = &self.document.film_title;
        self.fitted(STUB_LEFT, FACTS + 81.0, STUB_WIDTH, TITLE, title);
    }

    /// The code and its letters. The quiet zone belongs to the code: nothing else is drawn inside its square.
    pub(super) fn stub_code(&mut self, seat: &TicketPage, index: usize, code: &QrImage) {
        let modules = code.side + 2 * QUIET_MODULES;
        let quiet = STUB_WIDTH * QUIET_MODULES as f32 / modules as f32;
        let side = STUB_WIDTH - 2.0 * quiet;
        let (x, y) = (STUB_LEFT + quiet, CODE_TOP + quiet);
        self.canvas.code(index, x, y, side);
        self.centred(CODE_END + 11.0, SERIAL, &seat.serial);
    }

    pub(super) fn stub_place(&mut self, seat: &TicketPage) {
        let labels = self.labels;
        let half = STUB_WIDTH / 2.0;
        if seat.is_numbered() {
            for (column, label, value) in [
                (0.0, labels.row, &seat.row),
                (half, labels.seat, &seat.seat),
            ] {
                self.label(STUB_LEFT + column, FACTS + 16.0, label);
                self.fitted(STUB_LEFT + column, FACTS + 35.0, half - 6.0, NUMBER, value);
            }
            self.fitted(STUB_LEFT, FACTS + 54.0, STUB_WIDTH, AREA, &seat.area);
        } else {
            self.label(STUB_LEFT, FACTS + 16.0, labels.admission);
            self.fitted(STUB_LEFT, FACTS + 35.0, STUB_WIDTH, NUMBER, &seat.area);
            self.fitted(
                STUB_LEFT,
                FACTS + 54.0,
                STUB_WIDTH,
                AREA,
                labels.free_seating,
            );
        }
    }

    fn centred(&mut self, y: f32, look: Look, text: &str) {
        let fitted = self.fit(look, STUB_WIDTH, text);
        let face = self.face(look.bold);
        let style = Style {
            face,
            size: fitted.size,
            ink: look.ink,
        };
        for (line, text) in fitted.lines.iter().enumerate() {
            self.canvas
                .text_centred(MIDDLE, y + line as f32 * 10.0, style, text);
        }
    }
}
