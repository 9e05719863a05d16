//! Several values of one row as dots on a line: quantiles, or before and after.

use super::{AXIS, LEFT, LEGEND, RIGHT, ROW, Svg, bars::axis, ticks};
use crate::report::text::short;

/// Nothing is shorter on a logarithmic scale.
const LEAST: f64 = 0.01;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From zero.
    Linear,
    /// From the power of ten below the smallest value.
    Logarithmic,
}

/// One row.
pub(crate) struct Dots {
    pub(crate) name: String,
    /// In the order of the legend; one that was not measured is left out.
    pub(crate) values: Vec<Option<f64>>,
}

pub(crate) fn dots(
    title: &str,
    unit: &str,
    scale: Scale,
    legend: &[(&str, &str)],
    rows: &[Dots],
) -> String {
    let height = LEGEND + ROW * rows.len() as f64 + AXIS;
    let mut svg = Svg::new(height, title);
    svg.legend(legend);
    let all = || {
        rows.iter()
            .flat_map(|row| row.values.iter().flatten().copied())
    };
    let most = all().fold(0.0, f64::max);
    let ticks = match scale {
        Scale::Linear => ticks(most),
        Scale::Logarithmic => powers(all().fold(most, f64::min), most),
    };
    let at = |value: f64| match scale {
        Scale::Linear => value,
        Scale::Logarithmic => value.max(LEAST).log10(),
    };
    let least = at(ticks.first().copied().unwrap_or_default());
    let span = at(ticks.last().copied().unwrap_or(1.0)) - least;
    let x = |value: f64| LEFT + (RIGHT - LEFT) * (at(value) - least) / span;
    axis(&mut svg, &ticks, (LEGEND, height), x, unit);
    for (place, row) in rows.iter().enumerate() {
        let middle = LEGEND + ROW * (place as f64 + 0.5);
        svg.text("name", (LEFT - 10.0, middle + 4.0), &row.name);
        let ends = row.values.iter().flatten().copied();
        let (from, to) = (
            ends.clone().fold(f64::MAX, f64::min),
            ends.fold(0.0, f64::max),
        );
        if from < to {
            svg.line("link", (x(from), middle), (x(to), middle));
        }
        for (value, (class, name)) in row.values.iter().zip(legend) {
            if let Some(value) = value {
                let about = format!("{}, {name}: {} {unit}", row.name, short(*value));
                svg.dot(class, (x(*value), middle), &about);
            }
        }
        let told = |value: &Option<f64>| value.map_or_else(|| "–".to_owned(), short);
        let told: Vec<String> = row.values.iter().map(told).collect();
        svg.text("value", (RIGHT + 12.0, middle + 4.0), &told.join(" / "));
    }
    svg.end()
}

/// Powers of ten from below the least to above the most.
fn powers(least: f64, most: f64) -> Vec<f64> {
    let first = least.max(LEAST).log10().floor() as i32;
    let last = (most.max(LEAST).log10().ceil() as i32).max(first + 1);
    (first..=last).map(|power| 10_f64.powi(power)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_missing_has_no_dot() {
        let row = Dots {
            name: "one".to_owned(),
            values: vec![Some(2.0), None, Some(40.0)],
        };
        let legend = [("p50", "p50"), ("p95", "p95"), ("p99", "p99")];
        let svg = dots("title", "ms", Scale::Logarithmic, &legend, &[row]);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">2.00 / – / 40.0</text>"));
    }

    #[test]
    fn powers_hold_every_value_between_them() {
        assert_eq!(powers(2.0, 40.0), [1.0, 10.0, 100.0]);
        assert_eq!(powers(10.0, 10.0), [10.0, 100.0]);
        assert_eq!(powers(0.0, 0.5), [0.01, 0.1, 1.0]);
    }
}
