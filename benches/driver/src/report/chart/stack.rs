//! Lying bars of parts that add up.

use super::{AXIS, LEFT, LEGEND, RIGHT, ROW, Svg, bars::axis, ticks};
use crate::report::text::short;

/// A part that is narrower has no number in it.
const ROOM: f64 = 36.0;

/// One row.
pub(crate) struct Stack {
    pub(crate) name: String,
    /// In the order of the legend.
    pub(crate) parts: Vec<f64>,
}

pub(crate) fn stacks(title: &str, unit: &str, legend: &[(&str, &str)], rows: &[Stack]) -> String {
    let height = LEGEND + ROW * rows.len() as f64 + AXIS;
    let mut svg = Svg::new(height, title);
    svg.legend(legend);
    let sum = |row: &Stack| row.parts.iter().sum::<f64>();
    let ticks = ticks(rows.iter().map(sum).fold(0.0, f64::max));
    let most = ticks.last().copied().unwrap_or(1.0);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * value / most;
    axis(&mut svg, &ticks, (LEGEND, height), x, unit);
    for (place, row) in rows.iter().enumerate() {
        let middle = LEGEND + ROW * (place as f64 + 0.5);
        svg.text("name", (LEFT - 10.0, middle + 4.0), &row.name);
        let mut begun = 0.0;
        for (part, (class, name)) in row.parts.iter().zip(legend) {
            let (from, until) = (x(begun), x(begun + part));
            let about = format!("{}, {name}: {} {unit}", row.name, short(*part));
            svg.rect(class, (from, middle - 9.0), (until - from, 18.0), &about);
            if until - from >= ROOM {
                let center = f64::midpoint(from, until);
                svg.text("inside", (center, middle + 4.0), &short(*part));
            }
            begun += part;
        }
        svg.text("value", (x(begun) + 8.0, middle + 4.0), &short(sum(row)));
    }
    svg.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_narrow_ones_are_not_written_into() {
        let row = Stack {
            name: "one".to_owned(),
            parts: vec![9.0, 0.1, 0.9],
        };
        let legend = [
            ("app", "app"),
            ("broker", "broker"),
            ("database", "database"),
        ];
        let svg = stacks("title", "ms", &legend, &[row]);
        let at = |class: &str| svg.rfind(&format!("<rect class=\"{class}\"")).unwrap();
        assert!(at("app") < at("broker") && at("broker") < at("database"));
        assert!(svg.contains(">9.00</text>") && svg.contains(">0.900</text>"));
        assert!(!svg.contains(">0.100</text>"));
        assert!(svg.contains(">10.0</text>"), "the sum");
    }
}
