//! What a run has found: numbers by their names, which a report can take medians of.

use crate::{
    cost::{self, Bill},
    place::Place,
    spread::Spread,
};
use anyhow::Context as _;
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path};

/// Names have dots and end in their unit: `latency.held.p99_ms`.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Outcome(BTreeMap<String, f64>);

impl Outcome {
    pub(crate) fn of_bill(bill: &Bill) -> Self {
        let mut outcome = Self::default();
        outcome.put_bill(bill);
        outcome
    }

    pub(crate) fn put(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    /// What another found, under a name before its names.
    pub(crate) fn put_all(&mut self, name: &str, other: Self) {
        for (inner, value) in other.0 {
            self.put(&format!("{name}.{inner}"), value);
        }
    }

    pub(crate) fn put_spread(&mut self, name: &str, spread: &Spread) {
        for (quantile, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            self.put(&format!("{name}.{quantile}_ms"), spread.quantile_ms(share));
        }
        self.put(&format!("{name}.max_ms"), spread.max_ms());
        self.put(&format!("{name}.count"), spread.len() as f64);
    }

    pub(crate) fn put_bill(&mut self, bill: &Bill) {
        self.put("cpu.all_ms", bill.cpu_ms);
        for (group, cpu) in &bill.by_group {
            self.put(&format!("cpu.group.{group}_ms"), *cpu);
        }
        for (process, cpu) in &bill.by_process {
            self.put(&format!("cpu.process.{process}_ms"), *cpu);
        }
        for (process, cpu) in &bill.aside {
            self.put(&format!("cpu.aside.{process}_ms"), *cpu);
        }
        self.put("disk.written_bytes", bill.written_bytes);
    }

    /// Of each process, with everything that it started.
    pub(crate) fn put_memory(&mut self, place: &Place) -> anyhow::Result<()> {
        const MIB: f64 = 1024.0 * 1024.0;
        for (process, memory) in cost::memory(place)? {
            let resident = memory.resident as f64 / MIB;
            let proportional = memory.proportional as f64 / MIB;
            self.put(&format!("memory.{process}.resident_mib"), resident);
            self.put(&format!("memory.{process}.proportional_mib"), proportional);
        }
        Ok(())
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(&self.0)?;
        fs::write(path, text).with_context(|| path.display().to_string())
    }
}
