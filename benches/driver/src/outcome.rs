//! What a run has found: numbers by their names, which a report can take medians of.

use crate::{
    cost::{self, Bill, Memory},
    place::{Place, Process},
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

    /// Of values that were put; `None` when one was not.
    pub(crate) fn mean(&self, names: &[&str]) -> Option<f64> {
        let values: Option<Vec<f64>> = names
            .iter()
            .map(|name| self.0.get(*name).copied())
            .collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
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

    /// Of each process, with everything that it started, and of each group together.
    pub(crate) fn put_memory(&mut self, place: &Place) -> anyhow::Result<()> {
        self.put_memory_of(&place.processes, &cost::memory(place)?);
        Ok(())
    }

    fn put_memory_of(&mut self, processes: &[Process], memory: &BTreeMap<String, Memory>) {
        let mut groups: BTreeMap<String, Memory> = BTreeMap::new();
        for process in processes {
            let Some(of) = memory.get(&process.name) else {
                continue;
            };
            self.put_one_memory(&process.name, of);
            let name = format!("group.{}", process.group.name());
            let sum = groups.entry(name).or_default();
            sum.resident += of.resident;
            sum.proportional += of.proportional;
        }
        for (name, sum) in &groups {
            self.put_one_memory(name, sum);
        }
    }

    fn put_one_memory(&mut self, name: &str, memory: &Memory) {
        const MIB: f64 = 1024.0 * 1024.0;
        let resident = memory.resident as f64 / MIB;
        let proportional = memory.proportional as f64 / MIB;
        self.put(&format!("memory.{name}.resident_mib"), resident);
        self.put(&format!("memory.{name}.proportional_mib"), proportional);
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(&self.0)?;
        fs::write(path, text).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Group;

    #[test]
    fn a_mean_is_of_what_was_put() {
        let mut outcome = Outcome::default();
        outcome.put("before", 4.0);
        outcome.put("after", 5.0);
        assert_eq!(outcome.mean(&["before", "after"]), Some(4.5));
        assert_eq!(outcome.mean(&["before", "never"]), None);
        assert_eq!(outcome.mean(&[]), None);
    }

    #[test]
    fn memory_is_told_of_processes_and_of_groups() {
        let all = [
            ("api", Group::App, 40),
            ("tickets", Group::App, 60),
            ("mariadb", Group::Database, 300),
        ];
        let process = |(name, group, _): &(&str, Group, u64)| Process {
            name: (*name).to_owned(),
            group: *group,
            pid: 1,
        };
        let memory = |(name, _, mib): &(&str, Group, u64)| {
            let bytes = mib * 1024 * 1024;
            let memory = Memory {
                resident: bytes,
                proportional: bytes / 2,
            };
            ((*name).to_owned(), memory)
        };
        let mut outcome = Outcome::default();
        let processes: Vec<Process> = all.iter().map(process).collect();
        outcome.put_memory_of(&processes, &all.iter().map(memory).collect());
        let of = |name: &str| outcome.0[name];
        assert_eq!(of("memory.api.resident_mib"), 40.0);
        assert_eq!(of("memory.group.app.resident_mib"), 100.0);
        assert_eq!(of("memory.group.app.proportional_mib"), 50.0);
        assert_eq!(of("memory.group.database.resident_mib"), 300.0);
    }
}
