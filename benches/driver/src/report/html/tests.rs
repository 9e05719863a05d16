use super::*;
use crate::report::{
    Trials,
    made_up::{report, trials},
};

/// A number of every kind.
fn everything() -> Trials {
    trials(&[
        ("core", "bookings_per_s", 270.0),
        ("node", "bookings_per_s", 236.0),
        ("core", "cpu.all_ms", 5.0),
        ("core", "cpu.group.app_ms", 4.0),
        ("core", "cpu.process.a<b_ms", 1.0),
        ("core", "latency.full_load.held.p50_ms", 60.0),
        ("core", "sql.commits", 1.1),
        ("core", "idle.memory.api.resident_mib", 43.0),
        ("core", "idle.memory.group.app.resident_mib", 220.0),
        ("drain", "backlog_1000.cpu_ms", 2.0),
        ("scale", "processes_1.bookings_per_s", 2.0),
        ("hot", "last_winner_s", 9.0),
        ("x & y", "z", 1.0),
    ])
}

/// Every tag that is opened is closed, in turn.
fn is_well_formed(html: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').ok_or(piece)?;
        if text.contains('>') || tag.matches('"').count() % 2 == 1 {
            return Err(piece.to_owned());
        }
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> after {open:?}"));
            }
        } else if !tag.starts_with('!') && !tag.ends_with('/') {
            open.extend(tag.split(' ').next());
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("{open:?} stay open"))
    }
}

#[test]
fn a_page_is_well_formed_and_names_of_others_are_escaped() {
    for trials in [Trials::new(), everything()] {
        assert_eq!(is_well_formed(&page(&report(trials))), Ok(()));
    }
    assert!(is_well_formed("<p><b></p></b>").is_err());
    let html = page(&report(everything()));
    assert!(html.contains("Abacus &lt;5&gt;") && html.contains("Debian &amp; Sons"));
    assert!(html.contains("x &amp; y") && html.contains("a&lt;b"));
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let html = page(&report(everything())).replace("http://www.w3.org/2000/svg", "");
    for foreign in [
        "http:", "https:", "src=", "href=", "<script", "@import", "url(",
    ] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

#[test]
fn a_chart_that_was_not_measured_says_what_would_give_it() {
    let nothing = page(&report(Trials::new()));
    assert!(!nothing.contains("<svg"));
    assert_eq!(nothing.matches("Not measured: ").count(), FIGURES.len());
    assert!(nothing.contains("Not measured: <code>cargo xtask bench --only drain</code>"));
    let some = page(&report(everything()));
    assert!(!some.contains("--only scale</code>"));
    assert!(some.contains("Not measured here: <code>cargo xtask bench --only celery</code>"));
    // It was measured, and has no such number.
    let without = page(&report(trials(&[("drain", "seconds", 1.0)])));
    assert!(without.contains("Not measured: <code>cargo xtask bench --only drain</code>"));
}

#[test]
fn goals_are_judged_in_word_and_colour_and_come_first() {
    let html = page(&report(everything()));
    assert!(html.contains("<h1>Bench: 0 of "));
    let missed = "<tr class=\"bad\"><td>N5</td><td>hot show: the last winner knows</td><td>9.00 s</td><td>≤ 2.00</td>";
    assert!(html.contains(missed));
    assert!(html.contains("<tr class=\"open\"><td>N1</td>"));
    assert!(html.contains("<td>not measured</td>"));
    let at = |text: &str| html.find(text).unwrap();
    assert!(at("Abacus") < at("<h2>Goals") && at("<h2>Goals") < at("<svg"));
    assert!(at("<svg") < at("CPU seconds per 1,000 bookings"));
}
