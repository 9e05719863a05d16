//! What a run of the checks came to.

use serde::{Deserialize, Serialize};

/// What every check of one run found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// In the order of [`crate::CATALOGUE`]; a check whose source is not at hand is not there.
    pub checks: Vec<Outcome>,
    /// Bookings that were read one by one.
    pub bookings: u64,
    /// Where the next run goes on; none when the walk reached the last booking.
    pub next: Option<boxoffice_contracts::BookingId>,
}

/// What one check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// `C5`, as in docs/invariants.md.
    pub id: String,
    /// What it promises, in a few words.
    pub name: String,
    /// Rows, bookings, messages: whatever it compares.
    pub looked_at: u64,
    pub violations: u64,
    /// The first few, with ids and without personal data.
    pub examples: Vec<String>,
    /// Why the check could not be made, or not to its end. That is a failure of its own kind, never "fine".
    pub error: Option<String>,
}

impl Outcome {
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.violations == 0 && self.error.is_none()
    }
}

impl Report {
    /// Every check was made, and none found anything.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.checks.iter().all(Outcome::is_fine)
    }

    #[must_use]
    pub fn check(&self, id: &str) -> Option<&Outcome> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// A line for everything that is wrong: `C5 a claim has its booking: …`.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for check in &self.checks {
            let Outcome { id, name, .. } = check;
            lines.extend(
                check
                    .examples
                    .iter()
                    .map(|example| format!("{id} {name}: {example}")),
            );
            let more = check.violations.saturating_sub(check.examples.len() as u64);
            if more > 0 {
                lines.push(format!("{id} {name}: {more} more"));
            }
            if let Some(error) = &check.error {
                lines.push(format!("{id} {name}: not checked: {error}"));
            }
        }
        lines
    }
}
