//! What a run costs: CPU time, memory and disk of each process with its children, read from /proc.

use crate::place::{Group, Place, Process};
use anyhow::Context as _;
use procfs::process::{Process as Seen, Stat, all_processes};
use std::{collections::BTreeMap, fs};

/// At one moment.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    of: Vec<(Process, Used)>,
    /// The load itself: this process.
    load: Used,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Used {
    cpu_s: f64,
    written_bytes: u64,
}

/// The difference of two moments, by process, divided by bookings.
#[derive(Debug)]
pub(crate) struct Bill {
    /// Milliseconds of CPU time per booking, of processes that count.
    pub(crate) cpu_ms: f64,
    pub(crate) by_group: BTreeMap<&'static str, f64>,
    pub(crate) by_process: BTreeMap<String, f64>,
    /// What stands beside: gateway, mail server, the load.
    pub(crate) aside: BTreeMap<String, f64>,
    pub(crate) written_bytes: f64,
}

impl Cost {
    /// # Errors
    /// A process of the place is gone.
    pub(crate) fn look(place: &Place) -> anyhow::Result<Self> {
        let tree = Tree::read()?;
        let of = place
            .processes
            .iter()
            .map(|process| Ok((process.clone(), tree.used(process)?)));
        let load = Seen::myself()?;
        Ok(Self {
            of: of.collect::<anyhow::Result<_>>()?,
            load: used(&load.stat()?, written(&load)),
        })
    }

    pub(crate) fn until(&self, end: &Self, bookings: usize) -> Bill {
        let each = |seconds: f64| seconds * 1_000.0 / bookings.max(1) as f64;
        let mut bill = Bill {
            cpu_ms: 0.0,
            by_group: BTreeMap::new(),
            by_process: BTreeMap::new(),
            aside: BTreeMap::new(),
            written_bytes: 0.0,
        };
        for ((process, before), (_, after)) in self.of.iter().zip(&end.of) {
            let cpu = each(after.cpu_s - before.cpu_s);
            if process.group == Group::Aside {
                bill.aside.insert(process.name.clone(), cpu);
                continue;
            }
            bill.cpu_ms += cpu;
            *bill.by_group.entry(process.group.name()).or_default() += cpu;
            *bill.by_process.entry(process.name.clone()).or_default() += cpu;
            let written = after.written_bytes.saturating_sub(before.written_bytes);
            bill.written_bytes += written as f64 / bookings.max(1) as f64;
        }
        let load = each(end.load.cpu_s - self.load.cpu_s);
        bill.aside.insert("load".to_owned(), load);
        bill
    }
}

/// Every process of the machine by its parent.
struct Tree {
    children: BTreeMap<i32, Vec<i32>>,
    used: BTreeMap<i32, Used>,
}

impl Tree {
    fn read() -> anyhow::Result<Self> {
        let mut tree = Self {
            children: BTreeMap::new(),
            used: BTreeMap::new(),
        };
        for process in all_processes()? {
            // One that ends while it is looked at is nobody of ours.
            let Ok(process) = process else { continue };
            let Ok(stat) = process.stat() else { continue };
            tree.children.entry(stat.ppid).or_default().push(stat.pid);
            tree.used.insert(stat.pid, used(&stat, written(&process)));
        }
        Ok(tree)
    }

    fn used(&self, process: &Process) -> anyhow::Result<Used> {
        let own = self.used.get(&process.pid);
        let mut sum = *own.with_context(|| format!("{} has ended", process.name))?;
        let mut open = self.children.get(&process.pid).cloned().unwrap_or_default();
        while let Some(pid) = open.pop() {
            let child = self.used.get(&pid).copied().unwrap_or_default();
            sum.cpu_s += child.cpu_s;
            sum.written_bytes += child.written_bytes;
            open.extend(self.children.get(&pid).into_iter().flatten());
        }
        Ok(sum)
    }
}

/// Children that have ended included.
fn used(stat: &Stat, written_bytes: u64) -> Used {
    let own = stat.utime + stat.stime;
    let children = stat.cutime.max(0) as u64 + stat.cstime.max(0) as u64;
    Used {
        cpu_s: (own + children) as f64 / procfs::ticks_per_second() as f64,
        written_bytes,
    }
}

/// What was sent to the disk. Another user's process doesn't tell.
fn written(process: &Seen) -> u64 {
    process.io().map_or(0, |io| io.write_bytes)
}

/// CPU time that the calling thread has had so far, in seconds.
pub(crate) fn thread_cpu_s() -> anyhow::Result<f64> {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").context("schedstat")?;
    let nanoseconds = schedule.split_whitespace().next();
    let nanoseconds: f64 = nanoseconds.context("an empty schedstat")?.parse()?;
    Ok(nanoseconds / 1e9)
}

/// Resident and proportional memory of each process with its children, in bytes.
pub(crate) fn memory(place: &Place) -> anyhow::Result<BTreeMap<String, Memory>> {
    let tree = Tree::read()?;
    let mut all = BTreeMap::new();
    for process in &place.processes {
        let mut sum = Memory::default();
        let mut open = vec![process.pid];
        while let Some(pid) = open.pop() {
            if let Ok(rollup) = Seen::new(pid).and_then(|seen| seen.smaps_rollup()) {
                for map in rollup.memory_map_rollup.iter() {
                    let of = |name: &str| map.extension.map.get(name).copied().unwrap_or_default();
                    sum.resident += of("Rss");
                    sum.proportional += of("Pss");
                }
            }
            open.extend(tree.children.get(&pid).into_iter().flatten());
        }
        all.insert(process.name.clone(), sum);
    }
    Ok(all)
}

/// In bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// As `top` shows it: what is shared with others counts in full.
    pub(crate) resident: u64,
    /// What is shared counts by its share.
    pub(crate) proportional: u64,
}
