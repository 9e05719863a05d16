//! The two embedded faces: parsed once, measured from a table.

use std::sync::OnceLock;

use printpdf::{FontId, ParsedFont, PdfFont};

use crate::RenderError;

/// Shown for a character the fonts don't have. In both faces.
pub(super) const REPLACEMENT: char = '□';

/// A face and the advances of its characters.
pub(super) struct Face {
    pub bold: bool,
    pub id: FontId,
    pub font: PdfFont,
    /// By code point, in font units; 0 for what the face doesn't have.
    advances: Vec<u16>,
    /// By code point; 0 for what the face doesn't have.
    glyphs: Vec<u16>,
    units_per_em: f32,
}

pub(super) struct Fonts {
    pub regular: Face,
    pub bold: Face,
}

impl Fonts {
    /// Whether the character is drawn as itself wherever it stands.
    pub(super) fn both_have(&self, c: char) -> bool {
        self.regular.advance(c).is_some() && self.bold.advance(c).is_some()
    }
}

/// The fonts, parsed at the first call.
pub(super) fn fonts() -> Result<&'static Fonts, RenderError> {
    static FONTS: OnceLock<Option<Fonts>> = OnceLock::new();
    FONTS
        .get_or_init(|| {
            Some(Fonts {
                regular: Face::parse(
                    false,
                    "BXREGU",
                    include_bytes!("../../fonts/DejaVuSans.subset.ttf"),
                )?,
                bold: Face::parse(
                    true,
                    "BXBOLD",
                    include_bytes!("../../fonts/DejaVuSans-Bold.subset.ttf"),
                )?,
            })
        })
        .as_ref()
        .ok_or(RenderError::Font)
}

/// All code points of the subset lie below.
pub(super) const CODE_POINTS: u32 = 0x2600;

impl Face {
    /// `id` names the face in the file and must have six capitals: it becomes the subset's tag.
    fn parse(bold: bool, id: &str, bytes: &[u8]) -> Option<Face> {
        let font = ParsedFont::from_bytes(bytes, 0, &mut Vec::new())?;
        let glyphs: Vec<u16> = (0..CODE_POINTS)
            .map(|code_point| font.lookup_glyph_index(code_point).unwrap_or_default())
            .collect();
        let advance = |&glyph: &u16| match glyph {
            0 => 0,
            glyph => font.get_horizontal_advance(glyph),
        };
        let advances: Vec<u16> = glyphs.iter().map(advance).collect();
        let units_per_em = f32::from(font.pdf_font_metrics.units_per_em);
        let face = Face {
            bold,
            id: FontId(id.to_owned()),
            font: PdfFont::new(font),
            advances,
            glyphs,
            units_per_em,
        };
        face.advance(REPLACEMENT).is_some().then_some(face)
    }

    fn advance(&self, c: char) -> Option<f32> {
        match self.advances.get(c as usize) {
            Some(&advance) if advance > 0 => Some(f32::from(advance)),
            _ => None,
        }
    }

    /// What files call it.
    pub(super) fn name(&self) -> &str {
        &self.id.0
    }

    /// The number of a character in the face.
    pub(super) fn glyph(&self, c: char) -> u16 {
        self.glyphs.get(c as usize).copied().unwrap_or_default()
    }

    /// `text` with every character the face lacks replaced by [`REPLACEMENT`].
    pub(super) fn covered(&self, text: &str) -> String {
        text.chars()
            .map(|c| {
                if self.advance(c).is_some() {
                    c
                } else {
                    REPLACEMENT
                }
            })
            .collect()
    }

    /// The width of covered text in points.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let units: f32 = text.chars().filter_map(|c| self.advance(c)).sum();
        units / self.units_per_em * size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_greek_and_cyrillic_are_covered_and_the_rest_is_visibly_replaced() {
        let fonts = fonts().unwrap();
        for face in [&fonts.regular, &fonts.bold] {
            let text = "Amélie Łódź Żižkov ĞŞİ ẞß Ảấ – „“ € ₴ № Ελλάδα Ὀδυσσεύς Їжак Ёлка Ґ";
            assert_eq!(face.covered(text), text);
            assert_eq!(face.covered("A漢B🎬C\u{fffd}"), "A□B□C□");
        }
    }

    #[test]
    fn bold_is_wider_and_width_grows_with_size() {
        let fonts = fonts().unwrap();
        let regular = fonts.regular.width("Row", 10.0);
        assert!(regular > 15.0 && fonts.bold.width("Row", 10.0) > regular);
        assert!((fonts.regular.width("Row", 20.0) - 2.0 * regular).abs() < 0.01);
    }
}
