//! What the seat and the booking cost, and under which conditions.

use super::*;
use crate::money_text;

const CATEGORY: Look = Look {
    bold: false,
    ink: INK,
    steps: &[(9.5, 1), (8.5, 1), (7.5, 2)],
};
const TERMS: Look = Look {
    bold: false,
    ink: QUIET,
    steps: &[(6.5, 3), (6.0, 4)],
};
const TOP: f32 = 310.0;

impl Sheet<'_> {
    /// Left what this seat cost, right what the booking cost.
    pub(super) fn price(&mut self) {
        const END: f32 = LEFT + 176.0;
        let strong = self.bold(9.5, INK);
        let price = self.seat.price.text(self.document.language);
        let room = END - LEFT - strong.face.width(&price, strong.size) - 8.0;
        self.label(LEFT, TOP, self.labels.this_ticket);
        // A price of absurd length leaves no room; a category needs some to be drawn at all.
        self.fitted(
            LEFT,
            TOP + 14.0,
            room.max(8.0),
            CATEGORY,
            &self.seat.category,
        );
        self.canvas.text_right(END, TOP + 14.0, strong, &price);
        self.totals();
    }

    fn totals(&mut self) {
        let (labels, totals) = (self.labels, &self.document.totals);
        let text = |minor| money_text::format(minor, &totals.currency, self.document.language);
        let (body, strong) = (self.regular(8.5, INK), self.bold(9.5, INK));
        let (tickets, fees, total) = (text(totals.tickets), text(totals.fees), text(totals.total));
        let tax = format!("{} {}", labels.tax_included, text(totals.tax_included));
        let mut y = TOP;
        if totals.fees != 0 {
            for (label, amount) in [(labels.tickets, tickets), (labels.fees, fees)] {
                self.canvas.text(COLUMN, y, body, label);
                self.canvas.text_right(MAIN_END, y, body, &amount);
                y += 12.0;
            }
            self.canvas.rule(COLUMN, y - 8.0, COLUMN_WIDTH, RULE);
            y += 4.0;
        }
        self.canvas.text(COLUMN, y, strong, labels.total);
        self.canvas.text_right(MAIN_END, y, strong, &total);
        if totals.tax_included != 0 {
            let small = self.regular(7.0, QUIET);
            self.canvas.text_right(MAIN_END, y + 11.0, small, &tax);
        }
    }

    pub(super) fn terms(&mut self) {
        let (face, terms) = (self.face(TERMS.bold), &self.document.terms);
        let fitted = fit(face, terms, TERMS_CHARS_MAX, MAIN_WIDTH, TERMS.steps);
        self.canvas.rule(LEFT, 366.0, MAIN_WIDTH, RULE);
        self.lines(LEFT, 377.0, fitted.size * 1.35, TERMS, &fitted);
    }
}
