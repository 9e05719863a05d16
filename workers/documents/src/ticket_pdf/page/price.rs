//! What the seat and the booking cost, and under which conditions.

use super::*;
use crate::money_text;

const CATEGORY: Look = Look {
    bold: false,
    ink: INK,
    steps: &[(9.5, 1), (8.5, 1), (7.5, 2)],
};
const TAX: Look = Look {
    bold: false,
    ink: QUIET,
    steps: &[(7.0, 1), (6.0, 1), (5.0, 1)],
};
const TERMS: Look = Look {
    bold: false,
    ink: QUIET,
    steps: &[(6.5, 3), (6.0, 4)],
};
const TOP: f32 = 312.0;

impl Sheet<'_> {
    /// Left: what this seat cost.
    pub(super) fn price(&mut self, seat: &TicketPage) {
        const END: f32 = LEFT + 176.0;
        let strong = self.bold(9.5, INK);
        let price = seat.price.text(self.document.language);
        let room = END - LEFT - strong.face.width(&price, strong.size) - 8.0;
        self.label(LEFT, TOP, self.labels.this_ticket);
        // A price of absurd length leaves no room; a category needs some to be drawn at all.
        self.fitted(LEFT, TOP + 14.0, room.max(8.0), CATEGORY, &seat.category);
        self.canvas.text_right(END, TOP + 14.0, strong, &price);
        self.tax(END, TOP + 25.0, seat.tax_included);
    }

    /// Right: what the booking cost.
    pub(super) fn totals(&mut self) {
        let (labels, totals) = (self.labels, &self.document.totals);
        let text = |minor| money_text::format(minor, &totals.currency, self.document.language);
        let (body, strong) = (self.regular(8.5, INK), self.bold(9.5, INK));
        let (tickets, fees, total) = (text(totals.tickets), text(totals.fees), text(totals.total));
        let count = format!("{} × {}", self.document.pages.len(), labels.ticket);
        let mut lines = vec![(count.as_str(), tickets)];
        if totals.fees != 0 {
            lines.push((labels.fees, fees));
        }
        let mut y = TOP;
        for (label, amount) in lines {
            self.canvas.text(COLUMN, y, body, label);
            self.canvas.text_right(MAIN_END, y, body, &amount);
            y += 12.0;
        }
        self.canvas.rule(COLUMN, y - 8.0, COLUMN_WIDTH, RULE);
        y += 4.0;
        self.canvas.text(COLUMN, y, strong, labels.total);
        self.canvas.text_right(MAIN_END, y, strong, &total);
        self.tax(MAIN_END, y + 11.0, totals.tax_included);
    }

    /// The tax in an amount above it, small, ending at `x`.
    fn tax(&mut self, x: f32, y: f32, minor: i64) {
        let totals = &self.document.totals;
        if minor == 0 {
            return;
        }
        let (language, labels) = (self.document.language, self.labels);
        let amount = money_text::format(minor, &totals.currency, language);
        let rate = money_text::percent(totals.tax_basis_points, language);
        let text = format!("{} {rate} {}: {amount}", labels.includes, labels.tax);
        let fitted = self.fit(TAX, COLUMN_WIDTH, &text);
        let style = self.regular(fitted.size, TAX.ink);
        for line in &fitted.lines {
            self.canvas.text_right(x, y, style, line);
        }
    }

    pub(super) fn terms(&mut self) {
        let (face, terms) = (self.face(TERMS.bold), &self.document.terms);
        let fitted = fit(face, terms, TERMS_CHARS_MAX, MAIN_WIDTH, TERMS.steps);
        self.canvas.rule(LEFT, 368.0, MAIN_WIDTH, RULE);
        self.lines(LEFT, 379.0, fitted.size * 1.35, TERMS, &fitted);
    }
}
