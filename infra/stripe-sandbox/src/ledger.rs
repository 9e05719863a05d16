//! What happened, kept where a crash of this process doesn't reach it.
//!
//! One request is one line: a JSON array of [`Change`]s, written before the request is answered.
//! A line torn by a kill is dropped as a whole, so money and the key that guards it are kept or lost together.
//! Every look-up is a hash map; the cost of a request doesn't grow with history.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::events::{Delivery, Event};
use crate::idempotency::{Keys, StoredAnswer};
use crate::records::Intent;
use crate::refunds::Refund;
use crate::table::Table;

/// One thing that is different now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Intent(Box<Intent>),
    Refund(Box<Refund>),
    Event(Box<Event>),
    Delivery { event: String, delivery: Delivery },
    Answer(Box<StoredAnswer>),
}

#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) intents: Table<Intent>,
    pub(crate) refunds: Table<Refund>,
    pub(crate) events: Table<Event>,
    /// Places of the events that no receiver has taken yet.
    pub(crate) undelivered: BTreeSet<usize>,
    pub(crate) keys: Keys,
    journal: Option<Journal>,
}

/// The open file, and how long it is as far as whole lines go.
#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
}

const FILE_NAME: &str = "ledger.jsonl";

impl Ledger {
    pub(crate) fn in_memory(key_ttl_ms: i64) -> Self {
        Self {
            intents: Table::default(),
            refunds: Table::default(),
            events: Table::default(),
            undelivered: BTreeSet::new(),
            keys: Keys::new(key_ttl_ms),
            journal: None,
        }
    }

    /// Replays what is in `dir`, then writes it anew without what is superseded.
    pub(crate) fn open(dir: &Path, key_ttl_ms: i64, now_ms: i64) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join(FILE_NAME);
        let mut ledger = Self::in_memory(key_ttl_ms);
        if path.exists() {
            ledger.replay(&path)?;
        }
        ledger.keys.prune(now_ms);
        ledger.journal = Some(ledger.rewrite(path)?);
        Ok(ledger)
    }

    /// Writes the changes down, then makes them true. On an error nothing has changed.
    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> std::io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(journal) = &mut self.journal {
            journal.append(&line(&changes)?)?;
        }
        for change in changes {
            self.apply(change);
        }
        Ok(())
    }

    /// Forgets everything, on disk too.
    pub(crate) fn reset(&mut self) -> anyhow::Result<()> {
        let journal = self.journal.take();
        *self = Self::in_memory(self.keys.ttl_ms());
        if let Some(journal) = journal {
            self.journal = Some(self.rewrite(journal.path)?);
        }
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Intent(intent) => {
                self.intents.put(*intent);
            }
            Change::Refund(refund) => {
                self.refunds.put(*refund);
            }
            Change::Event(event) => {
                let waiting = event.delivery != Delivery::Delivered;
                let place = self.events.put(*event);
                if waiting {
                    self.undelivered.insert(place);
                }
            }
            Change::Delivery { event, delivery } => {
                if let Some((place, row)) = self.events.get_mut(&event) {
                    row.delivery = delivery;
                    if delivery == Delivery::Delivered {
                        self.undelivered.remove(&place);
                    }
                }
            }
            Change::Answer(answer) => self.keys.keep(*answer),
        }
    }

    fn replay(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
        while let Some((number, text)) = lines.next() {
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            if text.is_empty() {
                continue;
            }
            match serde_json::from_slice::<Vec<Change>>(&text) {
                Ok(changes) => changes.into_iter().for_each(|change| self.apply(change)),
                // The last line was being written when the process died: nobody was told of it.
                Err(error) if lines.peek().is_none() => {
                    tracing::warn!(%error, "the ledger's last line is torn and left out");
                }
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("{}: line {} is damaged", path.display(), number + 1)
                    });
                }
            }
        }
        Ok(())
    }

    fn rewrite(&self, path: PathBuf) -> anyhow::Result<Journal> {
        let fresh = path.with_extension("new");
        let mut out = BufWriter::new(
            File::create(&fresh).with_context(|| format!("cannot write {}", fresh.display()))?,
        );
        let rows = self
            .intents
            .oldest_first()
            .map(|row| Change::Intent(Box::new(row.clone())));
        let rows = rows.chain(
            self.refunds
                .oldest_first()
                .map(|row| Change::Refund(Box::new(row.clone()))),
        );
        let rows = rows.chain(
            self.events
                .oldest_first()
                .map(|row| Change::Event(Box::new(row.clone()))),
        );
        let rows = rows.chain(
            self.keys
                .oldest_first()
                .map(|row| Change::Answer(Box::new(row.clone()))),
        );
        for change in rows {
            out.write_all(&line(&[change])?)?;
        }
        out.flush()?;
        fs::rename(&fresh, &path).with_context(|| format!("cannot replace {}", path.display()))?;
        let file = OpenOptions::new().append(true).open(&path)?;
        let length = file.metadata()?.len();
        Ok(Journal { path, file, length })
    }
}

impl Journal {
    /// On a full disk half a line may have been written: it is cut off, or the next one would be damaged by it.
    fn append(&mut self, line: &[u8]) -> std::io::Result<()> {
        if let Err(error) = self.file.write_all(line) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

fn line(changes: &[Change]) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(changes)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::CaptureMethod;

    fn scratch() -> PathBuf {
        std::env::temp_dir().join(crate::objects::new_id("ledger"))
    }

    #[test]
    fn what_was_committed_is_there_after_a_restart_and_a_torn_line_is_not() {
        let dir = scratch();
        let intent = Intent::new(2500, "eur", CaptureMethod::Manual, 0);
        let id = intent.id.clone();
        let mut ledger = Ledger::open(&dir, 1000, 0).unwrap();
        ledger
            .commit(vec![Change::Intent(Box::new(intent))])
            .unwrap();
        drop(ledger);
        let path = dir.join(FILE_NAME);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"[{"intent":{"id":"pi_torn"#).unwrap();
        let ledger = Ledger::open(&dir, 1000, 0).unwrap();
        assert_eq!(ledger.intents.len(), 1);
        assert_eq!(ledger.intents.get(&id).unwrap().amount, 2500);
        drop(ledger);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn damage_in_the_middle_is_not_passed_over() {
        let dir = scratch();
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(FILE_NAME), "rubbish\n[]\n").unwrap();
        let error = Ledger::open(&dir, 1000, 0).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_reset_forgets_on_disk_too() {
        let dir = scratch();
        let mut ledger = Ledger::open(&dir, 1000, 0).unwrap();
        let intent = Intent::new(1, "eur", CaptureMethod::Manual, 0);
        ledger
            .commit(vec![Change::Intent(Box::new(intent))])
            .unwrap();
        ledger.reset().unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(&dir, 1000, 0).unwrap().intents.len(), 0);
        fs::remove_dir_all(dir).unwrap();
    }
}
