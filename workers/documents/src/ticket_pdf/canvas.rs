//! Drawing on one page, in points from its top left corner.

use printpdf::{
    Color, Greyscale, Line, LineDashPattern, LinePoint, Mm, Op, PaintMode, PdfFontHandle, PdfPage,
    Point, Pt, Rect, Rgb, TextItem, XObjectId, XObjectTransform,
};

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

#[derive(Default)]
pub(super) struct Canvas {
    ops: Vec<Op>,
    fill: Option<Ink>,
}

impl Canvas {
    /// Writes covered text with its left end at `x` and its baseline at `y`.
    pub(super) fn text(&mut self, x: f32, y: f32, style: Style<'_>, text: &str) {
        if text.is_empty() {
            return;
        }
        self.fill(style.ink);
        let font = PdfFontHandle::External(style.face.id.clone());
        self.ops.extend([
            Op::StartTextSection,
            Op::SetFont {
                font,
                size: Pt(style.size),
            },
            Op::SetTextCursor { pos: point(x, y) },
            Op::ShowText {
                items: vec![TextItem::Text(text.to_owned())],
            },
            Op::EndTextSection,
        ]);
    }

    /// The same with its right end at `x`.
    pub(super) fn text_right(&mut self, x: f32, y: f32, style: Style<'_>, text: &str) {
        self.text(x - style.face.width(text, style.size), y, style, text);
    }

    /// The same with its middle at `x`.
    pub(super) fn text_centred(&mut self, x: f32, y: f32, style: Style<'_>, text: &str) {
        self.text(x - style.face.width(text, style.size) / 2.0, y, style, text);
    }

    pub(super) fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        self.fill(ink);
        let rectangle = Rect {
            x: round(x),
            y: round(HEIGHT - y - height),
            width: round(width),
            height: round(height),
            mode: Some(PaintMode::Fill),
            winding_order: None,
        };
        self.ops.push(Op::DrawRectangle { rectangle });
    }

    /// A hairline across.
    pub(super) fn rule(&mut self, x: f32, y: f32, width: f32, ink: Ink) {
        self.rectangle(x, y, width, 0.6, ink);
    }

    /// The line to tear along.
    pub(super) fn perforation(&mut self, x: f32, y: f32) {
        let end = |y| LinePoint {
            p: point(x, y),
            bezier: false,
        };
        let line = Line {
            points: vec![end(y), end(HEIGHT)],
            is_closed: false,
        };
        self.ops.extend([
            Op::SetOutlineColor {
                col: Color::Greyscale(Greyscale::new(0.55, None)),
            },
            Op::SetOutlineThickness { pt: Pt(0.8) },
            Op::SetLineDashPattern {
                dash: LineDashPattern::new(0.0, &[3.0, 3.0]),
            },
            Op::DrawLine { line },
        ]);
    }

    /// Places an image of `pixels` by `pixels` as a square of `side` points.
    pub(super) fn image(&mut self, id: XObjectId, pixels: usize, x: f32, y: f32, side: f32) {
        let transform = XObjectTransform {
            translate_x: Some(round(x)),
            translate_y: Some(round(HEIGHT - y - side)),
            dpi: Some(pixels as f32 * 72.0 / side),
            ..XObjectTransform::default()
        };
        self.ops.push(Op::UseXobject { id, transform });
    }

    pub(super) fn finish(self) -> PdfPage {
        PdfPage::new(Mm(WIDTH_MM), Mm(HEIGHT_MM), self.ops)
    }

    fn fill(&mut self, ink: Ink) {
        if self.fill.replace(ink) != Some(ink) {
            let col = Color::Rgb(Rgb {
                r: ink.0,
                g: ink.1,
                b: ink.2,
                icc_profile: None,
            });
            self.ops.push(Op::SetFillColor { col });
        }
    }
}

fn point(x: f32, y: f32) -> Point {
    Point {
        x: round(x),
        y: round(HEIGHT - y),
    }
}

/// Tenths of a point are finer than an eye sees, and half as many digits.
fn round(v: f32) -> Pt {
    Pt((v * 10.0).round() / 10.0)
}
