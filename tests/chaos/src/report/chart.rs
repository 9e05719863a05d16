//! Two charts, drawn as SVG: no script, no foreign file.

use super::Report;
use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 240.0;
/// Left of it are the numbers of the axis, below it those of the time.
const LEFT: f64 = 48.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 12.0;

/// A scale from values to pixels, linear in time, logarithmic in seconds.
struct Plane {
    until_s: f64,
    least_s: f64,
    most_s: f64,
}

impl Plane {
    fn x(&self, at_s: f64) -> f64 {
        LEFT + (WIDTH - LEFT) * at_s / self.until_s.max(1.0)
    }

    fn y(&self, took_s: f64) -> f64 {
        let log = |value: f64| value.max(self.least_s).log10();
        let part = (log(took_s) - log(self.least_s)) / (log(self.most_s) - log(self.least_s));
        HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * part.clamp(0.0, 1.0)
    }
}

/// Latency over the run, faults as bands behind it.
#[must_use]
pub(super) fn latency(report: &Report) -> String {
    let buckets = &report.latency.buckets;
    let plane = Plane {
        until_s: buckets.last().map_or(1.0, |bucket| bucket.from_s + 10.0),
        least_s: 0.05,
        most_s: 120.0,
    };
    let mut svg = open("Seconds from 202 to completed, over the run");
    for struck in &report.timeline {
        let (from, until) = (plane.x(struck.struck_at_s), plane.x(struck.healed_at_s));
        let class = if struck.effect.is_some() {
            "fault"
        } else {
            "dud"
        };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\">\
             <title>{} on {}: {}</title></rect>",
            (until - from).max(1.0),
            HEIGHT - BOTTOM - TOP,
            escape(&struck.kind),
            escape(&struck.target),
            escape(struck.effect.as_deref().unwrap_or("ineffective")),
        );
    }
    axis(&mut svg, &plane);
    let minutes = (plane.until_s / 60.0).ceil() as u32;
    for minute in 0..=minutes {
        let x = plane.x(f64::from(minute) * 60.0);
        if x <= WIDTH {
            let _ = write!(
                svg,
                "<text x=\"{x:.1}\" y=\"{}\">{minute} min</text>",
                HEIGHT - 6.0
            );
        }
    }
    for (class, value) in [("p50", 0), ("p95", 1)] {
        let mut points = String::new();
        for bucket in buckets {
            let took = [bucket.p50_s, bucket.p95_s][value];
            let _ = write!(
                points,
                "{:.1},{:.1} ",
                plane.x(bucket.from_s + 5.0),
                plane.y(took)
            );
        }
        let _ = write!(svg, "<polyline class=\"{class}\" points=\"{points}\"/>");
    }
    svg + "</svg>"
}

/// Both distributions beside each other: median, 95th, 99th, worst.
#[must_use]
pub(super) fn spreads(report: &Report) -> String {
    let plane = Plane {
        until_s: 1.0,
        least_s: 0.05,
        most_s: 120.0,
    };
    let mut svg = open("Seconds from 202 to completed, without faults and with them");
    axis(&mut svg, &plane);
    let both = [
        (&report.latency.calm, "p50"),
        (&report.latency.under_fire, "p95"),
    ];
    for (place, name) in ["p50", "p95", "p99", "max"].iter().enumerate() {
        let left = LEFT + 40.0 + place as f64 * 220.0;
        for (side, (spread, class)) in both.iter().enumerate() {
            let took = [spread.p50_s, spread.p95_s, spread.p99_s, spread.max_s][place];
            let (x, y) = (left + side as f64 * 70.0, plane.y(took));
            let _ = write!(
                svg,
                "<rect class=\"bar {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"60\" height=\"{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\">{took:.2}</text>",
                HEIGHT - BOTTOM - y,
                y - 3.0
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{left:.1}\" y=\"{}\">{name}</text>",
            HEIGHT - 6.0
        );
    }
    svg + "</svg>"
}

fn open(title: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{title}</title>")
}

fn axis(svg: &mut String, plane: &Plane) {
    for took in [0.1, 1.0, 10.0, 100.0] {
        let y = plane.y(took);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"4\" y=\"{:.1}\">{took} s</text>",
            y + 4.0
        );
    }
}

/// Text for HTML and SVG.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
