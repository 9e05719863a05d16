//! The few numbers that a run is judged by.

use super::{Findings, quantile};
use crate::runner::Struck;
use boxoffice_invariants::{Outcome, Report as Checks};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Bookings that were answered with 202, or whose message was confirmed to a partner.
    pub accepted: usize,
    /// With an effect that was seen.
    pub effective_faults: usize,
    /// Of effective faults.
    pub fault_kinds: usize,
    /// Accepted commands without an outcome.
    pub lost: u64,
    pub double_sold: u64,
    /// Minor units.
    pub cents_off: u64,
    pub duplicate_captures: u64,
    pub wrong_documents: u64,
    /// What was not at rest two minutes after the last heal, and clients who never saw an end.
    pub stuck: u64,
    /// What other checks found.
    pub other_violations: u64,
    /// Checks that could not be made.
    pub unchecked: u64,
    pub bare_503: u64,
    pub recovery_p50_s: f64,
    pub recovery_p95_s: f64,
    pub recovery_max_s: f64,
    /// By the clock, other faults included.
    pub well_again_p95_s: f64,
    pub well_again_max_s: f64,
    /// Effective faults after which the house was never seen well again.
    pub unrecovered: u64,
    /// Faults that could not be struck or healed: trouble of the harness.
    pub trouble: u64,
    /// With nothing found in so many bookings, the true rate is below this with 95 % confidence: 3/N.
    pub rate_bound_95: f64,
}

/// Checks by the number that they count for; all others are `other_violations`.
const LOST: &[&str] = &["C1"];
const DOUBLE_SOLD: &[&str] = &["C4", "C5", "C23", "C24"];
const MONEY: &[&str] = &["C8", "C10", "C20", "C25"];
const CAPTURED_TWICE: &[&str] = &["C9"];
const DOCUMENTS: &[&str] = &["C12", "C12b"];
const STUCK: &[&str] = &["C3"];

impl Summary {
    pub(super) fn of(findings: &Findings) -> Self {
        let accepted = findings.visits.iter().filter(|v| v.accepted_at.is_some());
        let accepted = accepted.count();
        let effective: Vec<_> = findings
            .timeline
            .iter()
            .filter(|struck| struck.effect.is_some())
            .collect();
        let kinds: BTreeSet<&str> = effective
            .iter()
            .map(|struck| struck.kind.as_str())
            .collect();
        let sorted = |took: fn(&Struck) -> Option<f64>| {
            let mut all: Vec<f64> = effective.iter().filter_map(|struck| took(struck)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let took = sorted(|struck| struck.recovered_after_s);
        let well_again = sorted(|struck| struck.well_again_after_s);
        let sum = |ids: &[&str]| sum(&findings.report, |id| ids.contains(&id));
        let named = [LOST, DOUBLE_SOLD, MONEY, CAPTURED_TWICE, DOCUMENTS, STUCK].concat();
        let money = sum(MONEY);
        let open = findings
            .visits
            .iter()
            .filter(|visit| visit.is_open())
            .count() as u64;
        let stuck = sum(STUCK).max(open).max(findings.stuck.len() as u64);
        let failed = |check: &&Outcome| check.error.is_some();
        let unchecked = findings.report.checks.iter().filter(failed).count() as u64;
        Self {
            accepted,
            effective_faults: effective.len(),
            fault_kinds: kinds.len(),
            lost: sum(LOST),
            double_sold: sum(DOUBLE_SOLD),
            // Amounts may differ booking by booking and be equal in sum.
            cents_off: findings.cents_off.max(money),
            duplicate_captures: sum(CAPTURED_TWICE),
            wrong_documents: sum(DOCUMENTS),
            stuck,
            other_violations: crate::report::summary::sum(&findings.report, |id| {
                !named.contains(&id)
            }),
            // A run without any check is no run.
            unchecked: if findings.report.checks.is_empty() {
                1
            } else {
                unchecked
            },
            bare_503: findings.met.of("503.without"),
            recovery_p50_s: quantile(&took, 0.5),
            recovery_p95_s: quantile(&took, 0.95),
            recovery_max_s: took.last().copied().unwrap_or_default(),
            well_again_p95_s: quantile(&well_again, 0.95),
            well_again_max_s: well_again.last().copied().unwrap_or_default(),
            unrecovered: (effective.len() - took.len()) as u64,
            trouble: findings
                .timeline
                .iter()
                .filter(|struck| struck.trouble.is_some())
                .count() as u64,
            rate_bound_95: 3.0 / (accepted.max(1)) as f64,
        }
    }

    /// Everything that has to be zero is.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.zeros().iter().all(|(_, count)| *count == 0)
    }

    /// Whatever has to be zero.
    #[must_use]
    pub fn zeros(&self) -> [(&'static str, u64); 10] {
        [
            ("lost", self.lost),
            ("double_sold", self.double_sold),
            ("cents_off", self.cents_off),
            ("duplicate_captures", self.duplicate_captures),
            ("wrong_documents", self.wrong_documents),
            ("stuck", self.stuck),
            ("other_violations", self.other_violations),
            ("unchecked", self.unchecked),
            ("bare_503", self.bare_503),
            ("unrecovered", self.unrecovered),
        ]
    }
}

fn sum(checks: &Checks, counts: impl Fn(&str) -> bool) -> u64 {
    let checks = checks.checks.iter().filter(|check| counts(&check.id));
    checks.map(|check| check.violations).sum()
}
