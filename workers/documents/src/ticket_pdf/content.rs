//! What was drawn on a page in the operators of its content stream (ISO 32000-1, annex A).

use super::canvas::{Ink, Mark, Style};
use super::face::Face;
use super::kit::Kit;

/// The operators of all marks, in their order.
pub(super) fn write(marks: &[Mark<'_>], kit: &Kit) -> Vec<u8> {
    let mut content = Content {
        bytes: Vec::with_capacity(BYTES_TYPICAL),
        kit,
        ink: None,
        font: None,
    };
    for mark in marks {
        content.mark(mark);
    }
    content.bytes
}

const BYTES_TYPICAL: usize = 4 * 1024;

/// The name under which the code of ticket number `number` is stored in the file.
pub(super) fn code_name(number: usize) -> String {
    format!("Q{number}")
}

struct Content<'a> {
    bytes: Vec<u8>,
    kit: &'a Kit,
    /// What is set and need not be said again.
    ink: Option<Ink>,
    font: Option<(bool, f32)>,
}

impl Content<'_> {
    fn mark(&mut self, mark: &Mark<'_>) {
        match mark {
            Mark::Text { x, y, style, text } => self.text(*x, *y, *style, text),
            Mark::Rectangle {
                x,
                y,
                width,
                height,
                ink,
            } => {
                self.fill(*ink);
                self.numbers(&[*x, *y, *width, *height]);
                self.operator("re\nf");
            }
            Mark::Perforation { x, top } => {
                self.operator("0.55 G\n0.8 w\n[3 3] 0 d");
                self.numbers(&[*x, *top]);
                self.operator("m");
                self.numbers(&[*x, 0.0]);
                self.operator("l\nS");
            }
            Mark::Code { number, x, y, side } => {
                self.operator("q");
                self.numbers(&[*side, 0.0, 0.0, *side, *x, *y]);
                self.operator(&format!("cm\n/{} Do\nQ", code_name(*number)));
            }
        }
    }

    fn text(&mut self, x: f32, y: f32, style: Style<'_>, text: &str) {
        self.fill(style.ink);
        self.operator("BT");
        let font = (style.face.bold, style.size);
        if self.font.replace(font) != Some(font) {
            self.bytes.push(b'/');
            self.bytes.extend(style.face.name().as_bytes());
            self.bytes.push(b' ');
            self.numbers(&[style.size]);
            self.operator("Tf");
        }
        self.numbers(&[x, y]);
        self.operator("Td");
        self.string(style.face, text);
        self.operator("Tj\nET");
    }

    fn string(&mut self, face: &Face, text: &str) {
        self.bytes.push(b'(');
        for c in text.chars() {
            for byte in self.kit.code(face, c).to_be_bytes() {
                match byte {
                    b'(' | b')' | b'\\' => self.bytes.extend([b'\\', byte]),
                    // A reader takes it for the end of a line.
                    b'\r' => self.bytes.extend(b"\\r"),
                    _ => self.bytes.push(byte),
                }
            }
        }
        self.bytes.push(b')');
    }

    fn fill(&mut self, ink: Ink) {
        if self.ink.replace(ink) != Some(ink) {
            for part in [ink.0, ink.1, ink.2] {
                number(&mut self.bytes, (part * 100.0).round() as i32);
            }
            self.operator("rg");
        }
    }

    /// Tenths of a point are finer than an eye sees, and half as many digits.
    fn numbers(&mut self, points: &[f32]) {
        for point in points {
            number(&mut self.bytes, (point * 10.0).round() as i32 * 10);
        }
    }

    fn operator(&mut self, operator: &str) {
        self.bytes.extend(operator.as_bytes());
        self.bytes.push(b'\n');
    }
}

/// A number of hundredths and a space, without digits that say nothing.
fn number(bytes: &mut Vec<u8>, hundredths: i32) {
    if hundredths < 0 {
        bytes.push(b'-');
    }
    let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
    let mut digits = [0; 10];
    let mut first = digits.len();
    let mut left = whole;
    while left > 0 || first == digits.len() {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    bytes.extend(&digits[first..]);
    if rest > 0 {
        bytes.extend([b'.', b'0' + (rest / 10) as u8]);
        if rest % 10 > 0 {
            bytes.push(b'0' + (rest % 10) as u8);
        }
    }
    bytes.push(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_they_need() {
        let mut bytes = Vec::new();
        for hundredths in [0, 7, 10, 100, 59_530, -1_205, i32::MAX] {
            number(&mut bytes, hundredths);
        }
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "0 0.07 0.1 1 595.3 -12.05 21474836.47 "
        );
    }
}
