//! Drawing on one page, in points from its top left corner.

use super::face::Face;

pub(super) const WIDTH_MM: f32 = 210.0;
pub(super) const HEIGHT_MM: f32 = 148.0;
const HEIGHT: f32 = HEIGHT_MM * 72.0 / 25.4;
/// The right edge of the page.
pub(super) const RIGHT: f32 = WIDTH_MM * 72.0 / 25.4;

/// Red, green, blue from 0 to 1. All colours keep their contrast when printed in grey.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Ink(pub f32, pub f32, pub f32);

/// A face, a size in points and a colour.
#[derive(Clone, Copy)]
pub(super) struct Style<'a> {
    pub face: &'a Face,
    pub size: f32,
    pub ink: Ink,
}

/// What was drawn, in points from the lower left corner, as files have them.
pub(super) enum Mark<'a> {
    /// Covered text from the left end of its baseline.
    Text {
        x: f32,
        y: f32,
        style: Style<'a>,
        text: String,
    },
    Rectangle {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
    },
    /// The line to tear along, downwards to the edge.
    Perforation { x: f32, top: f32 },
    /// The code of this number as a square.
    Code {
        number: usize,
        x: f32,
        y: f32,
        side: f32,
    },
}

#[derive(Default)]
pub(super) struct Canvas<'a> {
    marks: Vec<Mark<'a>>,
}

impl<'a> Canvas<'a> {
    /// Writes covered text with its left end at `x` and its baseline at `y`.
    pub(super) fn text(&mut self, x: f32, y: f32, style: Style<'a>, text: &str) {
        if text.is_empty() {
            return;
        }
        self.marks.push(Mark::Text {
            x,
            y: HEIGHT - y,
            style,
            text: text.to_owned(),
        });
    }

    /// The same with its right end at `x`.
    pub(super) fn text_right(&mut self, x: f32, y: f32, style: Style<'a>, text: &str) {
        self.text(x - style.face.width(text, style.size), y, style, text);
    }

    /// The same with its middle at `x`.
    pub(super) fn text_centred(&mut self, x: f32, y: f32, style: Style<'a>, text: &str) {
        self.text(x - style.face.width(text, style.size) / 2.0, y, style, text);
    }

    pub(super) fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        let y = HEIGHT - y - height;
        self.marks.push(Mark::Rectangle {
            x,
            y,
            width,
            height,
            ink,
        });
    }

    /// A hairline across.
    pub(super) fn rule(&mut self, x: f32, y: f32, width: f32, ink: Ink) {
        self.rectangle(x, y, width, 0.6, ink);
    }

    /// The line to tear along.
    pub(super) fn perforation(&mut self, x: f32, y: f32) {
        let top = HEIGHT - y;
        self.marks.push(Mark::Perforation { x, top });
    }

    /// Places a code as a square of `side` points.
    pub(super) fn code(&mut self, number: usize, x: f32, y: f32, side: f32) {
        let y = HEIGHT - y - side;
        self.marks.push(Mark::Code { number, x, y, side });
    }

    pub(super) fn finish(self) -> Vec<Mark<'a>> {
        self.marks
    }
}
