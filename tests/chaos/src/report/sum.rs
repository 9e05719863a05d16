//! What several seeds came to together: `sum.json` and `sum.md`.

use super::{Report, Summary, quantile};
use serde::Serialize;
use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

/// Runs of one command, one after the other.
#[derive(Debug, Default, Serialize)]
pub struct Sum {
    pub runs: Vec<Run>,
    pub accepted: usize,
    pub effective_faults: usize,
    pub fault_kinds: usize,
    /// Of everything that has to be zero.
    pub violations: u64,
    pub recovery_p50_s: f64,
    pub recovery_p95_s: f64,
    pub recovery_max_s: f64,
    #[serde(skip)]
    kinds: BTreeSet<String>,
    #[serde(skip)]
    took: Vec<f64>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct Run {
    pub seed: u64,
    pub minutes: f64,
    pub summary: Summary,
}

impl Sum {
    /// One more.
    pub fn add(&mut self, report: &Report) {
        let summary = report.summary.clone();
        self.accepted += summary.accepted;
        self.effective_faults += summary.effective_faults;
        self.violations += summary.zeros().iter().map(|(_, count)| count).sum::<u64>();
        let effective = report.timeline.iter().filter(|one| one.effect.is_some());
        for struck in effective {
            self.kinds.insert(struck.kind.clone());
            self.took.extend(struck.recovered_after_s);
        }
        self.fault_kinds = self.kinds.len();
        self.took.sort_by(f64::total_cmp);
        self.recovery_p50_s = quantile(&self.took, 0.5);
        self.recovery_p95_s = quantile(&self.took, 0.95);
        self.recovery_max_s = self.took.last().copied().unwrap_or_default();
        self.runs.push(Run {
            seed: report.seed,
            minutes: report.minutes,
            summary,
        });
    }

    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations == 0
    }

    /// A row for each seed, and one for all.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = "| seed | minutes | accepted | faults | kinds | violations | recovery p50 / p95 / max |\n\
                        |---|---|---|---|---|---|---|\n"
            .to_owned();
        for Run {
            seed,
            minutes,
            summary,
        } in &self.runs
        {
            let wrong: u64 = summary.zeros().iter().map(|(_, count)| count).sum();
            let _ = writeln!(
                text,
                "| {seed} | {minutes} | {} | {} | {} | {wrong} | {:.1} / {:.1} / {:.1} s |",
                summary.accepted,
                summary.effective_faults,
                summary.fault_kinds,
                summary.recovery_p50_s,
                summary.recovery_p95_s,
                summary.recovery_max_s
            );
        }
        let minutes: f64 = self.runs.iter().map(|run| run.minutes).sum();
        let _ = writeln!(
            text,
            "| all | {minutes} | {} | {} | {} | {} | {:.1} / {:.1} / {:.1} s |",
            self.accepted,
            self.effective_faults,
            self.fault_kinds,
            self.violations,
            self.recovery_p50_s,
            self.recovery_p95_s,
            self.recovery_max_s
        );
        text
    }

    /// Writes what there is so far.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("sum.json"), serde_json::to_vec_pretty(self)?)?;
        fs::write(folder.join("sum.md"), self.table())?;
        Ok(())
    }
}
