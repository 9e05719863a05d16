//! Text that must stay in its box: first it shrinks, then it wraps, then it ends in an ellipsis.

use super::face::Face;
use crate::clean_text;

/// Sizes and line counts to try, from the one we like best to the one that must do.
pub(super) type Steps = &'static [(f32, usize)];

pub(super) struct Fitted {
    pub size: f32,
    pub lines: Vec<String>,
}

/// Cleans `text` and fits it into `width` points.
pub(super) fn fit(face: &Face, text: &str, chars_max: usize, width: f32, steps: Steps) -> Fitted {
    let text = face.covered(&clean_text::line(text, chars_max));
    let mut last = (1.0, 1);
    for &(size, lines_max) in steps {
        let lines = wrap(face, &text, size, width);
        if lines.len() <= lines_max && (lines_max > 1 || !breaks_inside(&text, &lines)) {
            return Fitted { size, lines };
        }
        last = (size, lines_max);
    }
    let (size, lines_max) = last;
    let mut lines = wrap(face, &text, size, width);
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(line) = lines.last_mut() {
            ellipsise(face, line, size, width);
        }
    }
    Fitted { size, lines }
}

fn breaks_inside(text: &str, lines: &[String]) -> bool {
    lines.len() > 1 && !text.contains(' ')
}

/// Breaks between words, and inside a word only when it is wider than the box.
fn wrap(face: &Face, text: &str, size: f32, width: f32) -> Vec<String> {
    let space = face.width(" ", size);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0.0;
    for word in text.split(' ') {
        let wide = face.width(word, size);
        if !line.is_empty() && used + space + wide <= width {
            line.push(' ');
            line.push_str(word);
            used += space + wide;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        used = wide;
        line.push_str(word);
        while used > width && line.chars().nth(1).is_some() {
            let rest = line.split_off(prefix(face, &line, size, width));
            lines.push(std::mem::replace(&mut line, rest));
            used = face.width(&line, size);
        }
    }
    lines.push(line);
    lines
}

/// The byte length of the longest prefix that fits, at least one character.
fn prefix(face: &Face, text: &str, size: f32, width: f32) -> usize {
    let mut used = 0.0;
    let mut buffer = [0; 4];
    for (at, c) in text.char_indices() {
        used += face.width(c.encode_utf8(&mut buffer), size);
        if at > 0 && used > width {
            return at;
        }
    }
    text.len()
}

fn ellipsise(face: &Face, line: &mut String, size: f32, width: f32) {
    while !line.is_empty() && face.width(line, size) + face.width("…", size) > width {
        line.pop();
    }
    line.truncate(line.trim_end().len());
    line.push('…');
}

#[cfg(test)]
mod tests {
    use super::super::face::fonts;
    use super::*;

    const STEPS: Steps = &[(28.0, 1), (20.0, 1), (18.0, 2), (14.0, 2)];

    fn title(text: &str) -> Fitted {
        let fitted = fit(&fonts().unwrap().bold, text, 400, 300.0, STEPS);
        let face = &fonts().unwrap().bold;
        for line in &fitted.lines {
            assert!(face.width(line, fitted.size) <= 300.0, "{line}");
        }
        fitted
    }

    #[test]
    fn short_titles_are_big_longer_ones_shrink_then_wrap_then_end_in_an_ellipsis() {
        assert!(title("Stalker").size == 28.0);
        assert!(title("The Quiet Cartographer").size == 20.0);
        let wrapped = title("The Lighthouse Keeper and His Cat");
        assert_eq!((wrapped.size, wrapped.lines.len()), (18.0, 2));
        let cut = title(&"Very long words of a title ".repeat(40));
        assert_eq!((cut.size, cut.lines.len()), (14.0, 2));
        assert!(cut.lines[1].ends_with('…'));
    }

    #[test]
    fn a_word_wider_than_the_box_is_broken() {
        let fitted = title("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen");
        assert_eq!(
            fitted.lines.concat(),
            "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"
        );
        title(&"W".repeat(5_000));
    }

    #[test]
    fn nothing_at_all_fits_too() {
        assert_eq!(title("").lines, [""]);
        assert_eq!(title("\u{202e}").lines, [""]);
    }
}
