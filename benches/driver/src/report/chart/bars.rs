//! Lying bars from zero, each with what its repetitions came to.

use super::{AXIS, LEFT, RIGHT, ROW, Svg, WIDTH, plain, ticks};
use crate::report::{
    Median,
    text::{range, short},
};

/// One row.
pub(crate) struct Bar<'a> {
    pub(crate) name: String,
    /// Its colour.
    pub(crate) class: &'static str,
    pub(crate) value: &'a Median,
}

pub(crate) fn bars(title: &str, unit: &str, rows: &[Bar]) -> String {
    let height = ROW * rows.len() as f64 + AXIS;
    let mut svg = Svg::new(height, title);
    let ticks = ticks(rows.iter().map(|row| row.value.max).fold(0.0, f64::max));
    let most = ticks.last().copied().unwrap_or(1.0);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * value / most;
    axis(&mut svg, &ticks, (0.0, height), x, unit);
    for (place, row) in rows.iter().enumerate() {
        let middle = ROW * (place as f64 + 0.5);
        let about = format!(
            "{}: {} {unit} {}",
            row.name,
            short(row.value.median),
            range(row.value)
        );
        svg.text("name", (LEFT - 10.0, middle + 4.0), &row.name);
        let end = x(row.value.median);
        svg.rect(
            row.class,
            (LEFT, middle - 9.0),
            (end - LEFT, 18.0),
            about.trim_end(),
        );
        if row.value.repetitions > 1 {
            svg.whisker(x(row.value.min), x(row.value.max), middle);
        }
        let after = x(row.value.max) + 8.0;
        svg.text("value", (after, middle + 4.0), &short(row.value.median));
    }
    svg.end()
}

/// Lines at round numbers, and the unit at their end.
pub(super) fn axis(
    svg: &mut Svg,
    ticks: &[f64],
    (top, height): (f64, f64),
    x: impl Fn(f64) -> f64,
    unit: &str,
) {
    let bottom = height - AXIS;
    for tick in ticks {
        svg.line("grid", (x(*tick), top), (x(*tick), bottom));
        svg.text("tick", (x(*tick), bottom + 15.0), &plain(*tick));
    }
    svg.text("unit", (WIDTH - 4.0, bottom + 15.0), &unit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_repetition_has_no_whisker() {
        let mut value = Median {
            median: 5.0,
            min: 4.0,
            max: 6.0,
            repetitions: 3,
        };
        let drawn = |value: &Median| {
            let row = Bar {
                name: "one".to_owned(),
                class: "ours",
                value,
            };
            bars("title", "ms", &[row])
        };
        assert!(drawn(&value).contains("class=\"whisker\""));
        assert!(drawn(&value).contains("5.00 ms 4.00–6.00"));
        value.repetitions = 1;
        assert!(!drawn(&value).contains("class=\"whisker\""));
    }
}
