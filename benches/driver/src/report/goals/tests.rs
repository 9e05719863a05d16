use super::*;
use crate::report::made_up::{trials, with};

/// A line for each number of the goal; the first whose text begins so.
fn goal(trials: &Trials, what: &str) -> Goal {
    let mut all = of(trials).into_iter();
    all.find(|goal| goal.what.starts_with(what)).unwrap()
}

#[test]
fn every_line_has_a_limit_and_a_stretch_is_harder_than_its_must() {
    let ids: BTreeSet<&str> = LINES.iter().map(|line| line.id).collect();
    assert_eq!(ids.len(), 10);
    for line in LINES {
        assert!(line.must.is_finite(), "{}", line.what);
        if let Some(stretch) = line.stretch {
            assert!(line.bound.holds(stretch, line.must), "{}", line.what);
        }
    }
}

#[test]
fn nothing_is_met_that_was_not_measured() {
    let goals = of(&Trials::new());
    assert_eq!(goals.len(), LINES.len());
    assert!(goals.iter().all(|goal| goal.met.is_none()));
    assert_eq!(
        verdict(&goals),
        format!("0 of {0} goals met, {0} not measured", LINES.len())
    );
}

#[test]
fn a_ratio_needs_both_and_is_judged_by_its_must() {
    const WHAT: &str = "CPU per booking of the peers' work";
    let half = trials(&[("core", "cpu.all_ms", 2.0)]);
    assert_eq!(goal(&half, WHAT).met, None);
    let both = with(half, &[("node", "cpu.all_ms", 25.0)]);
    let met = goal(&both, WHAT);
    assert_eq!((met.value, met.met), (Some(0.08), Some(true)));
    assert!(!met.reaches_stretch());
    assert_eq!(met.measured_by, ["core", "node"].into());
    let missed = with(both.clone(), &[("core", "cpu.all_ms", 4.0)]);
    assert_eq!(goal(&missed, WHAT).met, Some(false));
    let nothing = with(both, &[("node", "cpu.all_ms", 0.0)]);
    assert_eq!(goal(&nothing, WHAT).value, None);
}

#[test]
fn at_least_is_judged_from_the_other_side() {
    const WHAT: &str = "ticket pages";
    let judged = |value| {
        let goal = goal(&trials(&[("papers", "pages_per_cpu_s", value)]), WHAT);
        (goal.met, goal.reaches_stretch())
    };
    assert_eq!(judged(1_499.0), (Some(false), false));
    assert_eq!(judged(1_500.0), (Some(true), false));
    assert_eq!(judged(5_000.0), (Some(true), true));
}

#[test]
fn the_highest_of_several_counts_when_all_are_there() {
    const WHAT: &str = "memory of an idle worker";
    let one = trials(&[("core", "idle.memory.payments.resident_mib", 20.0)]);
    assert_eq!(goal(&one, WHAT).value, None);
    let all = with(
        one,
        &[
            ("core", "idle.memory.reservations.resident_mib", 26.0),
            ("core", "idle.memory.tickets.resident_mib", 24.0),
        ],
    );
    let goal = goal(&all, WHAT);
    assert_eq!((goal.value, goal.met), (Some(26.0), Some(false)));
}

#[test]
fn a_share_of_a_deep_backlog_and_of_a_driver() {
    let all = trials(&[
        ("drain", "shortest.cpu_ms", 2.0),
        ("drain", "backlog_1000000.cpu_ms", 2.2),
        ("lean", "bookings_per_s", 300.0),
        ("bare", "bookings_per_s", 600.0),
    ]);
    assert_eq!(goal(&all, "CPU per booking with 1,000,000").met, Some(true));
    let lean = goal(&all, "bookings per second without");
    assert_eq!((lean.value, lean.met), (Some(0.5), Some(false)));
    assert_eq!(
        verdict(&of(&all)),
        format!(
            "1 of {} goals met, 1 missed, {} not measured",
            LINES.len(),
            LINES.len() - 2
        )
    );
}
