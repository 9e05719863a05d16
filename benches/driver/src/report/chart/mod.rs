//! Charts, drawn as SVG: no script, no foreign file. Colours are classes of the page's style.

mod bars;
mod dots;
mod line;
mod stack;

pub(crate) use bars::{Bar, bars};
pub(crate) use dots::{Dots, Scale, dots};
pub(crate) use line::{Point, line};
pub(crate) use stack::{Stack, stacks};

use std::fmt::{Display, Write as _};

const WIDTH: f64 = 900.0;
/// Of rows: left of it are their names, right of `RIGHT` their values.
const LEFT: f64 = 250.0;
const RIGHT: f64 = 740.0;
const ROW: f64 = 28.0;
const AXIS: f64 = 26.0;
/// Above the rows, where colours have names.
const LEGEND: f64 = 24.0;

/// A drawing under way; whatever is written into it is escaped.
struct Svg(String);

impl Svg {
    fn new(height: f64, title: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">"
        ));
        svg.title(title);
        svg
    }

    fn title(&mut self, text: &str) {
        let _ = write!(self.0, "<title>{}</title>", escape(text));
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), text: &dyn Display) {
        let text = escape(&text.to_string());
        let _ = write!(
            self.0,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        );
    }

    /// What it is about is told to whoever points at it.
    fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), about: &str) {
        let width = width.max(0.0);
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">"
        );
        self.title(about);
        self.0 += "</rect>";
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), about: &str) {
        let _ = write!(
            self.0,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\">"
        );
        self.title(about);
        self.0 += "</circle>";
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.0,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// From the smallest to the largest, lying.
    fn whisker(&mut self, from: f64, to: f64, y: f64) {
        self.line("whisker", (from, y), (to, y));
        for x in [from, to] {
            self.line("whisker", (x, y - 4.0), (x, y + 4.0));
        }
    }

    /// Names of the colours, above the rows.
    fn legend(&mut self, entries: &[(&str, &str)]) {
        let mut x = LEFT;
        for (class, name) in entries {
            self.rect(class, (x, 2.0), (11.0, 11.0), name);
            self.text("", (x + 16.0, 12.0), name);
            x += 40.0 + 7.5 * name.chars().count() as f64;
        }
    }

    fn end(self) -> String {
        self.0 + "</svg>"
    }
}

/// From zero to at least this much, at round numbers.
fn ticks(most: f64) -> Vec<f64> {
    let most = if most > 0.0 { most } else { 1.0 };
    let rough = most / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(power * 10.0);
    let count = (most / step - 1e-9).ceil() as usize;
    (0..=count).map(|number| number as f64 * step).collect()
}

/// Without digits that say nothing.
fn plain(tick: f64) -> String {
    let text = format!("{tick:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if tick >= 1_000.0 {
        return super::text::short(tick);
    }
    text
}

/// Text for HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_most() {
        assert_eq!(ticks(268.0), [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(ticks(1.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        for most in [0.0, 0.003, 7.0, 99.0, 1_234_567.0] {
            let all = ticks(most);
            assert!(all.last().is_some_and(|last| *last >= most));
            assert!((2..=7).contains(&all.len()), "{all:?}");
        }
        assert_eq!(
            [plain(0.6000000000000001), plain(20.0), plain(2e4)],
            ["0.6", "20", "20,000"]
        );
    }

    #[test]
    fn whatever_is_written_is_escaped() {
        let mut svg = Svg::new(10.0, "<a>");
        svg.text("", (1.0, 2.0), &"b & \"c\"");
        svg.dot("ours", (1.0, 2.0), "d > e");
        let text = svg.end();
        assert!(text.contains("<title>&lt;a&gt;</title>"));
        assert!(text.contains("b &amp; &quot;c&quot;</text>"));
        assert!(text.contains("d &gt; e"));
    }
}
