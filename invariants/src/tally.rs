//! What was found so far.

use crate::{CATALOGUE, Outcome};
use boxoffice_contracts::BookingId;
use std::collections::{BTreeMap, BTreeSet};

/// Something that is wrong, or was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    /// The booking that can be looked at again; none for what concerns the whole.
    pub(crate) booking: Option<BookingId>,
    /// What it is about: the same when it is found again, whatever the text says then.
    pub(crate) key: String,
    pub(crate) text: String,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    looked: BTreeMap<&'static str, u64>,
    pub(crate) findings: Vec<Finding>,
    errors: BTreeMap<&'static str, String>,
}

impl Tally {
    pub(crate) fn looked(&mut self, check: &'static str, rows: u64) {
        *self.looked.entry(check).or_default() += rows;
    }

    pub(crate) fn found(
        &mut self,
        check: &'static str,
        booking: Option<BookingId>,
        key: String,
        text: String,
    ) {
        self.findings.push(Finding {
            check,
            booking,
            key,
            text,
        });
    }

    /// The check could not be made. The first reason is kept.
    pub(crate) fn failed(&mut self, check: &'static str, why: impl std::fmt::Display) {
        self.errors.entry(check).or_insert_with(|| why.to_string());
    }

    /// Keeps of this look only what the second one found again. A check that could not be made then counts as such.
    pub(crate) fn confirm(&mut self, again: Self) {
        let seen: BTreeSet<(&str, &str)> = again
            .findings
            .iter()
            .map(|finding| (finding.check, finding.key.as_str()))
            .collect();
        self.findings
            .retain(|finding| seen.contains(&(finding.check, finding.key.as_str())));
        for (check, why) in again.errors {
            self.failed(check, format!("looking again: {why}"));
        }
    }

    /// One line per check that was made or should have been, in the order of the catalogue.
    pub(crate) fn outcomes(self, examples_max: usize) -> Vec<Outcome> {
        let Self {
            looked,
            findings,
            errors,
        } = self;
        let known = CATALOGUE.iter().filter(|check| {
            looked.contains_key(check.id)
                || errors.contains_key(check.id)
                || findings.iter().any(|finding| finding.check == check.id)
        });
        known
            .map(|check| {
                let mine = findings.iter().filter(|finding| finding.check == check.id);
                Outcome {
                    id: check.id.to_owned(),
                    name: check.name.to_owned(),
                    looked_at: looked.get(check.id).copied().unwrap_or_default(),
                    violations: mine.clone().count() as u64,
                    examples: mine
                        .take(examples_max)
                        .map(|finding| finding.text.clone())
                        .collect(),
                    error: errors.get(check.id).cloned(),
                }
            })
            .collect()
    }
}
