//! What is played, when and where.

use super::*;
use crate::time_text;

const VENUE: Look = Look {
    bold: true,
    ink: PAPER,
    steps: &[(14.0, 1), (12.0, 1), (10.0, 1), (8.0, 1)],
};
const TITLE: Look = Look {
    bold: true,
    ink: INK,
    steps: &[
        (30.0, 1),
        (26.0, 1),
        (23.0, 1),
        (22.0, 2),
        (19.0, 2),
        (16.0, 2),
        (15.0, 3),
    ],
};
const ZONE: Look = Look {
    bold: false,
    ink: QUIET,
    steps: &[(8.5, 1), (7.5, 1), (6.5, 1), (6.0, 2)],
};
const ADDRESS: Look = Look {
    bold: false,
    ink: QUIET,
    steps: &[(8.5, 1), (7.5, 1), (7.0, 2)],
};

impl Sheet<'_> {
    /// The dark band on top: whose ticket it is.
    pub(super) fn band(&mut self) {
        self.canvas.rectangle(0.0, 0.0, RIGHT, BAND_HEIGHT, INK);
        self.canvas.rectangle(0.0, BAND_HEIGHT, RIGHT, 3.0, ACCENT);
        let (labels, style) = (self.labels, self.bold(8.0, PAPER));
        self.canvas
            .text_right(MAIN_END, 27.5, style, labels.admit_one);
        let room = MAIN_WIDTH - style.face.width(labels.admit_one, style.size) - 16.0;
        self.fitted(LEFT, 28.0, room, VENUE, &self.document.venue_name);
    }

    /// Which one of the booking it is.
    pub(super) fn number(&mut self, index: usize) {
        let labels = self.labels;
        let (number, count) = (index + 1, self.document.pages.len());
        let of = format!("{} {number} {} {count}", labels.ticket, labels.of);
        self.canvas
            .text_right(STUB_END, 27.5, self.bold(10.0, PAPER), &of);
    }

    pub(super) fn title(&mut self) {
        let fitted = self.fit(TITLE, MAIN_WIDTH, &self.document.film_title);
        let leading = fitted.size * 1.16;
        let capital = fitted.size * 0.73;
        // One line or three: the block stands in the middle of the same room.
        let height = leading * (fitted.lines.len() - 1) as f32 + capital;
        self.lines(LEFT, 84.0 - height / 2.0 + capital, leading, TITLE, &fitted);
        if self.document.running_mins > 0 {
            let text = format!("{} {}", self.document.running_mins, self.labels.minutes);
            let style = self.regular(8.5, QUIET);
            let y = 84.0 + height / 2.0 + 16.0;
            self.canvas.text(LEFT, y.min(122.0), style, &text);
        }
        self.canvas.rule(LEFT, 128.0, MAIN_WIDTH, RULE);
    }

    pub(super) fn when_and_where(&mut self) {
        const WIDTH: f32 = 196.0;
        let (labels, document) = (self.labels, self.document);
        let TicketDocument {
            starts_at,
            zone,
            language,
            ..
        } = *document;
        let date = time_text::local_date(starts_at, zone, language);
        self.cell(LEFT, 143.0, WIDTH, labels.date, &date);
        self.label(COLUMN, 143.0, labels.time);
        let time = time_text::local_time(starts_at, zone, language);
        let (clock, zone) = time.split_once(' ').unwrap_or((&time, ""));
        let large = self.bold(20.0, INK);
        self.canvas.text(COLUMN, 164.0, large, clock);
        let end = large.face.width(clock, large.size) + 6.0;
        self.fitted(COLUMN + end, 164.0, COLUMN_WIDTH - end, ZONE, zone);
        self.cell(LEFT, 180.0, WIDTH, labels.venue, &document.venue_name);
        self.fitted(LEFT, 207.0, WIDTH, ADDRESS, &document.venue_address);
        if document.entrance.is_empty() {
            self.cell(
                COLUMN,
                180.0,
                COLUMN_WIDTH,
                labels.hall,
                &document.hall_name,
            );
        } else {
            let half = COLUMN_WIDTH / 2.0 - 5.0;
            self.cell(COLUMN, 180.0, half, labels.hall, &document.hall_name);
            self.cell(
                MAIN_END - half,
                180.0,
                half,
                labels.entrance,
                &document.entrance,
            );
        }
    }
}
