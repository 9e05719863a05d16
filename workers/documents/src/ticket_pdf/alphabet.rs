//! The characters of a document, face by face: what its fonts are cut down to.

use super::canvas::Mark;
use super::face::CODE_POINTS;

/// The characters of both faces, each once, in their order. Documents of the same alphabet have the same fonts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Alphabet {
    pub regular: String,
    pub bold: String,
}

/// What differs between the bookings of a show: references, serials, rows, seats and amounts. With these in the
/// fonts of every document, the bookings of a show share theirs; most are in the fixed words anyway.
const REGULAR: &str = "0123456789,.";
const BOLD: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-,.";

impl Alphabet {
    /// Depends on the document alone: no rendering is seen in another.
    pub(super) fn of<'a, 'm: 'a>(marks: impl Iterator<Item = &'a Mark<'m>>) -> Self {
        let (mut regular, mut bold) = (CharSet::default(), CharSet::default());
        regular.add(REGULAR);
        bold.add(BOLD);
        for mark in marks {
            if let Mark::Text { style, text, .. } = mark {
                let set = if style.face.bold {
                    &mut bold
                } else {
                    &mut regular
                };
                set.add(text);
            }
        }
        Self {
            regular: regular.in_order(),
            bold: bold.in_order(),
        }
    }
}

const WORDS: usize = CODE_POINTS.div_ceil(64) as usize;

/// A bit for each character that a face may have.
struct CharSet([u64; WORDS]);

impl Default for CharSet {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl CharSet {
    fn add(&mut self, text: &str) {
        for c in text.chars() {
            if let Some(word) = self.0.get_mut(c as usize / 64) {
                *word |= 1 << (c as u32 % 64);
            }
        }
    }

    fn in_order(&self) -> String {
        let mut text = String::new();
        for (word, first) in self.0.iter().zip((0..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                text.extend(char::from_u32(first + left.trailing_zeros()));
                left &= left - 1;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_kept_once_in_their_order_and_foreign_ones_are_not() {
        let mut set = CharSet::default();
        set.add("źba\u{25ff}");
        set.add("ab漢€");
        assert_eq!(set.in_order(), "abź€\u{25ff}");
    }
}
