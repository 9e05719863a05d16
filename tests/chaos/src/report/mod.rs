//! What a run came to, for machines and for people: `report.json`, `report.md`, `report.html`.

mod chart;
mod html;
mod latency;
mod machine;
mod markdown;
mod planted;
mod sum;
mod summary;

pub use latency::{Latencies, Spread};
pub use machine::Machine;
pub use planted::Planted;
pub use sum::Sum;
pub use summary::Summary;

use crate::{
    meter::Counts,
    runner::{Order, Planned, Struck},
    workload::Ended,
};
use boxoffice_invariants::Report as Checks;
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// Everything that a run leaves.
#[derive(Debug)]
pub struct Findings {
    pub order: Order,
    pub machine: Machine,
    pub warm_up: Duration,
    pub planned: Vec<Planned>,
    pub timeline: Vec<Struck>,
    /// What had not come to rest in time.
    pub stuck: Vec<String>,
    pub rest_after: Duration,
    pub report: Checks,
    pub cents_off: u64,
    /// What clients met.
    pub met: Counts,
    /// What each partner was answered, by outcome and code.
    pub replies: Vec<BTreeMap<String, u64>>,
    pub turned_away: usize,
    /// What the processes counted.
    pub sums: BTreeMap<String, u64>,
    pub visits: Vec<Ended>,
    /// Processes that didn't end well at the very end.
    pub ended_badly: Vec<String>,
}

/// `report.json`.
#[derive(Debug, Serialize)]
pub struct Report {
    pub summary: Summary,
    /// The line that repeats it.
    pub command: String,
    pub seed: u64,
    pub minutes: f64,
    pub journal: bool,
    pub machine: Machine,
    /// Visits by what they did, then by how they ended.
    pub workload: BTreeMap<String, BTreeMap<String, u64>>,
    pub turned_away: usize,
    pub faults_planned: usize,
    pub timeline: Vec<Struck>,
    pub checks: Checks,
    pub stuck: Vec<String>,
    pub rest_after_s: f64,
    pub ended_badly: Vec<String>,
    /// Counted by clients.
    pub met: BTreeMap<String, u64>,
    pub partner_replies: Vec<BTreeMap<String, u64>>,
    /// Counted by the processes and the broker; lower bounds, see docs/reliability.md.
    pub counted: BTreeMap<String, u64>,
    pub latency: Latencies,
    /// As the scenes left it in `target/chaos/planted.json`.
    pub planted: Planted,
}

impl Report {
    /// `planted` is the file with the table of planted bugs.
    ///
    /// # Errors
    /// It can't be read.
    pub fn of(findings: Findings, planted: &Path) -> anyhow::Result<Self> {
        let summary = Summary::of(&findings);
        let latency = Latencies::of(&findings);
        let mut workload: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for visit in &findings.visits {
            let words = [visit.status.as_str(), visit.code.as_str()];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let course = if visit.probe { "probe" } else { visit.course };
            let outcomes = workload.entry(course.to_owned()).or_default();
            *outcomes.entry(words.join("/")).or_default() += 1;
        }
        Ok(Self {
            summary,
            command: findings.order.command,
            seed: findings.order.seed,
            minutes: findings.order.minutes,
            journal: findings.order.journal,
            machine: findings.machine,
            workload,
            turned_away: findings.turned_away,
            faults_planned: findings.planned.len(),
            timeline: findings.timeline,
            checks: findings.report,
            stuck: findings.stuck,
            rest_after_s: findings.rest_after.as_secs_f64(),
            ended_badly: findings.ended_badly,
            met: findings.met.0,
            partner_replies: findings.replies,
            counted: findings.sums,
            latency,
            planted: Planted::read(planted)?,
        })
    }

    /// Writes the three files.
    ///
    /// # Errors
    /// One can't be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("report.json"), serde_json::to_vec_pretty(self)?)?;
        fs::write(folder.join("report.md"), markdown::page(self))?;
        fs::write(folder.join("report.html"), html::page(self))?;
        Ok(())
    }
}

/// The value below which this part of the sorted values is; zero of none.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (part * sorted.len() as f64).ceil() as usize;
    sorted
        .get(index.saturating_sub(1).min(last))
        .copied()
        .unwrap_or_default()
}
