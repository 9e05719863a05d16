//! Text from customers and catalogues, made fit for a line of a document.

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// One line of at most `chars_max` characters: composed (NFC), without control, bidirectional and
/// invisible characters, with runs of white space folded into one space.
///
/// The limit counts what is looked at, so a megabyte of title costs no more than `chars_max`.
pub(crate) fn line(text: &str, chars_max: usize) -> String {
    let bounded = match text.char_indices().nth(chars_max) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    if is_nfc(bounded) {
        fold(bounded.chars())
    } else {
        fold(bounded.nfc())
    }
}

fn fold(chars: impl Iterator<Item = char>) -> String {
    let mut line = String::new();
    let mut space_due = false;
    for c in chars.filter(|&c| !is_invisible(c)) {
        // A no-break space is typography, not a run to fold.
        if c.is_control() || (c.is_whitespace() && c != '\u{a0}') {
            space_due = !line.is_empty();
            continue;
        }
        if std::mem::take(&mut space_due) {
            line.push(' ');
        }
        line.push(c);
    }
    line
}

/// Characters that draw nothing but change how their neighbours read: bidirectional marks and
/// overrides, zero-width characters, soft hyphens, variation selectors, tags.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn control_and_bidi_characters_leave_no_trace() {
        assert_eq!(
            line(" Evil\u{202e}gnp\u{2066}.exe\u{0}\r\nBcc: x\t y ", 100),
            "Evilgnp.exe Bcc: x y"
        );
        assert_eq!(line("zero\u{200b}width\u{feff}", 100), "zerowidth");
    }

    #[test]
    fn accents_are_composed_so_that_the_font_has_them() {
        assert_eq!(
            line("Cafe\u{301} A\u{30a}ngstro\u{308}m", 100),
            "Café Ångström"
        );
    }

    #[test]
    fn length_is_bounded_on_a_character_boundary() {
        assert_eq!(line(&"ä".repeat(1_000_000), 3), "äää");
    }
}
