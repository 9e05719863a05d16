//! Area, row and seat: what is looked for in the dark.

use super::*;

const NUMBER: Look = Look {
    bold: true,
    ink: INK,
    steps: &[
        (34.0, 1),
        (28.0, 1),
        (22.0, 1),
        (17.0, 1),
        (13.0, 2),
        (10.0, 2),
    ],
};
const AREA: Look = Look {
    bold: true,
    ink: INK,
    steps: &[(22.0, 1), (17.0, 1), (13.0, 2), (10.0, 2)],
};

const TOP: f32 = 226.0;
const HEIGHT: f32 = 68.0;
const NUMBER_WIDTH: f32 = 104.0;
const GAP: f32 = 8.0;

impl Sheet<'_> {
    pub(super) fn place(&mut self, seat: &TicketPage) {
        let labels = self.labels;
        if !seat.is_numbered() {
            // An admission: whoever comes first chooses.
            self.plate(LEFT, MAIN_WIDTH, AREA, labels.admission, &seat.area);
            let style = self.regular(8.5, QUIET);
            let end = LEFT + MAIN_WIDTH - 12.0;
            self.canvas
                .text_right(end, TOP + 15.0, style, labels.free_seating);
            return;
        }
        let area_width = MAIN_WIDTH - 2.0 * (NUMBER_WIDTH + GAP);
        let row_x = LEFT + area_width + GAP;
        self.plate(LEFT, area_width, AREA, labels.area, &seat.area);
        self.plate(row_x, NUMBER_WIDTH, NUMBER, labels.row, &seat.row);
        let seat_x = row_x + NUMBER_WIDTH + GAP;
        self.plate(seat_x, NUMBER_WIDTH, NUMBER, labels.seat, &seat.seat);
    }

    fn plate(&mut self, x: f32, width: f32, look: Look, label: &str, value: &str) {
        self.canvas.rectangle(x, TOP, width, HEIGHT, TINT);
        self.canvas.rectangle(x, TOP, 3.0, HEIGHT, ACCENT);
        self.label(x + 12.0, TOP + 15.0, label);
        let fitted = self.fit(look, width - 20.0, value);
        let leading = fitted.size * 1.15;
        let middle = TOP + 42.0 + fitted.size * 0.365;
        let first = middle - (fitted.lines.len() - 1) as f32 * leading / 2.0;
        self.lines(x + 12.0, first, leading, look, &fitted);
    }
}
