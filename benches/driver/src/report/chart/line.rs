//! A line over a count, from zero upwards.

use super::{AXIS, Svg, WIDTH, plain, ticks};
use crate::report::{
    Median,
    text::{range, short},
};

const HEIGHT: f64 = 280.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 70.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = HEIGHT - AXIS;

/// At one count.
pub(crate) struct Point<'a> {
    pub(crate) at: f64,
    pub(crate) value: &'a Median,
}

/// Counts stand at equal distances, in the order of the points: they are doubled or multiplied by ten.
pub(crate) fn line(title: &str, (across, upwards): (&str, &str), points: &[Point]) -> String {
    let mut svg = Svg::new(HEIGHT + 16.0, title);
    let most = points.iter().map(|point| point.value.max);
    let ticks = ticks(most.fold(0.0, f64::max));
    let top = ticks.last().copied().unwrap_or(1.0);
    let y = |value: f64| BOTTOM - (BOTTOM - TOP) * (value / top).min(1.0);
    let steps = points.len().max(2) - 1;
    let x = |place: usize| LEFT + 30.0 + (RIGHT - LEFT - 60.0) * place as f64 / steps as f64;
    for tick in &ticks {
        svg.line("grid", (LEFT, y(*tick)), (RIGHT, y(*tick)));
        svg.text("name", (LEFT - 8.0, y(*tick) + 4.0), &plain(*tick));
    }
    svg.text("", (4.0, 12.0), &upwards);
    svg.text("unit", (RIGHT, HEIGHT + 10.0), &across);
    for (place, point) in points.iter().enumerate() {
        if let Some(next) = points.get(place + 1) {
            let from = (x(place), y(point.value.median));
            svg.line("trend", from, (x(place + 1), y(next.value.median)));
        }
    }
    for (place, point) in points.iter().enumerate() {
        let of = point.value;
        let (low, high) = (y(of.min), y(of.max));
        if of.repetitions > 1 {
            svg.line("whisker", (x(place), low), (x(place), high));
        }
        let about = format!(
            "{} {across}: {} {upwards} {}",
            plain(point.at),
            short(of.median),
            range(of)
        );
        svg.dot("ours", (x(place), y(of.median)), about.trim_end());
        svg.text("tick", (x(place), high - 10.0), &short(of.median));
        svg.text("tick", (x(place), BOTTOM + 16.0), &plain(point.at));
    }
    svg.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up::trials;

    #[test]
    fn points_are_joined_in_their_order() {
        let all = trials(&[
            ("scale", "1", 100.0),
            ("scale", "2", 180.0),
            ("scale", "4", 200.0),
        ]);
        let points: Vec<Point> = all["scale"]
            .iter()
            .map(|(at, value)| Point {
                at: at.parse().unwrap(),
                value,
            })
            .collect();
        let svg = line("title", ("processes", "per s"), &points);
        assert_eq!(svg.matches("class=\"trend\"").count(), 2);
        assert_eq!(svg.matches("class=\"ours\"").count(), 3);
        assert_eq!(svg.matches("class=\"whisker\"").count(), 3);
        assert!(svg.contains("4 processes: 200 per s 180–220"));
    }
}
