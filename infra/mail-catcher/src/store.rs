//! The mails. With a folder each is one `<id>.eml` file, written, synced and renamed before
//! [`Store::keep`] returns; without one they live in memory. Bounded in number and in bytes: the
//! oldest goes first.
//!
//! The file is the mail preceded by one header of ours, `X-Envelope`, so that any mail program
//! opens it and a restart knows who it was really sent to.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use uuid::Uuid;

use crate::mail::{self, Attachment, Detail, Envelope, Summary};

/// How many mails a list shows when the query does not say, and at most.
const LIST_DEFAULT: usize = 100;
const LIST_MAX: usize = 10_000;
const ENVELOPE_HEADER: &[u8] = b"X-Envelope: ";

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub mails_max: usize,
    pub mail_bytes_max: usize,
    pub total_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mails_max: 10_000,
            mail_bytes_max: 10 << 20,
            total_bytes_max: 1 << 30,
        }
    }
}

/// All given conditions must hold; letter case is ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Part of an address of the envelope's recipients.
    pub to: Option<String>,
    /// Part of the subject.
    pub subject: Option<String>,
    pub limit: Option<usize>,
}

#[derive(Debug)]
pub struct Store {
    folder: Option<PathBuf>,
    limits: Limits,
    mails: Mutex<Mails>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Mails {
    /// Oldest first.
    kept: VecDeque<Kept>,
    total_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    summary: Summary,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Memory(std::sync::Arc<[u8]>),
    File(PathBuf),
}

impl Store {
    /// Reads what the folder holds; files that are not ours are left alone.
    pub fn open(folder: Option<PathBuf>, limits: Limits) -> anyhow::Result<Self> {
        let mut mails = Mails::default();
        if let Some(folder) = &folder {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
            let mut found =
                mails_in(folder).with_context(|| format!("cannot read {}", folder.display()))?;
            found.sort();
            for (id, path) in found {
                let (envelope, raw) = split(fs::read(&path)?);
                mails.push(Kept {
                    summary: mail::summary(id, envelope, &raw),
                    body: Body::File(path),
                });
            }
            mails.drop_oldest(&limits);
        }
        Ok(Self {
            folder,
            limits,
            mails: Mutex::new(mails),
            arrived: Notify::new(),
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Stores a mail; when this returns, it is safe. Blocks on the disk.
    pub(crate) fn keep(&self, envelope: Envelope, raw: Vec<u8>) -> io::Result<Uuid> {
        let id = Uuid::now_v7();
        let body = match &self.folder {
            Some(folder) => Body::File(write(folder, id, &envelope, &raw)?),
            None => Body::Memory(raw.as_slice().into()),
        };
        let summary = mail::summary(id, envelope, &raw);
        {
            let mut mails = self.mails();
            mails.push(Kept { summary, body });
            mails.drop_oldest(&self.limits);
        }
        self.arrived.notify_waiters();
        Ok(id)
    }

    /// Newest first.
    pub fn list(&self, query: &Query) -> Vec<Summary> {
        let (to, subject) = (lowercase(&query.to), lowercase(&query.subject));
        let matches = |mail: &Summary| {
            to.as_ref().is_none_or(|part| {
                mail.to
                    .iter()
                    .any(|address| address.to_lowercase().contains(part))
            }) && subject.as_ref().is_none_or(|part| {
                mail.subject
                    .as_ref()
                    .is_some_and(|subject| subject.to_lowercase().contains(part))
            })
        };
        self.mails()
            .kept
            .iter()
            .rev()
            .map(|kept| &kept.summary)
            .filter(|summary| matches(summary))
            .take(query.limit.unwrap_or(LIST_DEFAULT).min(LIST_MAX))
            .cloned()
            .collect()
    }

    pub fn len(&self) -> usize {
        self.mails().kept.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn detail(&self, id: Uuid) -> io::Result<Option<Detail>> {
        Ok(self
            .find(id)?
            .map(|(summary, raw)| mail::detail(summary, &raw)))
    }

    /// The mail exactly as it came.
    pub fn raw(&self, id: Uuid) -> io::Result<Option<Vec<u8>>> {
        Ok(self.find(id)?.map(|(_, raw)| raw))
    }

    pub fn attachment(&self, id: Uuid, index: usize) -> io::Result<Option<(Attachment, Vec<u8>)>> {
        Ok(self
            .find(id)?
            .and_then(|(_, raw)| mail::attachment(&raw, index)))
    }

    pub fn clear(&self) {
        self.mails().drop_where(|_| true);
    }

    /// Resolves with the next mail stored after this call.
    pub(crate) fn arrival(&self) -> Notified<'_> {
        self.arrived.notified()
    }

    fn find(&self, id: Uuid) -> io::Result<Option<(Summary, Vec<u8>)>> {
        let found = self
            .mails()
            .kept
            .iter()
            .rev()
            .find(|kept| kept.summary.id == id)
            .map(|kept| (kept.summary.clone(), kept.body.clone()));
        Ok(match found {
            Some((summary, Body::Memory(raw))) => Some((summary, raw.to_vec())),
            Some((summary, Body::File(path))) => Some((summary, split(fs::read(path)?).1)),
            None => None,
        })
    }

    fn mails(&self) -> MutexGuard<'_, Mails> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mails {
    fn push(&mut self, kept: Kept) {
        self.total_bytes += kept.summary.size;
        self.kept.push_back(kept);
    }

    fn drop_oldest(&mut self, limits: &Limits) {
        let (mails_max, bytes_max) = (limits.mails_max, limits.total_bytes_max);
        self.drop_where(|mails| mails.kept.len() > mails_max || mails.total_bytes > bytes_max);
    }

    fn drop_where(&mut self, too_many: impl Fn(&Self) -> bool) {
        while !self.kept.is_empty() && too_many(self) {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.total_bytes -= oldest.summary.size;
            if let Body::File(path) = oldest.body
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::warn!(path = %path.display(), %error, "an old mail could not be removed");
            }
        }
    }
}

fn mails_in(folder: &Path) -> io::Result<Vec<(Uuid, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_mail = path.extension().is_some_and(|extension| extension == "eml");
        let id = path
            .file_stem()
            .and_then(|stem| Uuid::try_parse(stem.to_str()?).ok());
        if let (true, Some(id)) = (is_mail, id) {
            found.push((id, path));
        }
    }
    Ok(found)
}

/// Written beside, synced, renamed: a crash leaves a whole mail or none.
fn write(folder: &Path, id: Uuid, envelope: &Envelope, raw: &[u8]) -> io::Result<PathBuf> {
    let path = folder.join(format!("{id}.eml"));
    let unfinished = folder.join(format!("{id}.tmp"));
    let mut file = File::create(&unfinished)?;
    file.write_all(ENVELOPE_HEADER)?;
    file.write_all(&serde_json::to_vec(envelope)?)?;
    file.write_all(b"\r\n")?;
    file.write_all(raw)?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(path)
}

/// Takes our header off again. A file without it (put there by hand) is a mail all the same.
fn split(mut file: Vec<u8>) -> (Envelope, Vec<u8>) {
    let envelope = file.strip_prefix(ENVELOPE_HEADER).and_then(|rest| {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let envelope = serde_json::from_slice(&rest[..end]).ok()?;
        Some((envelope, ENVELOPE_HEADER.len() + end + 2))
    });
    match envelope {
        Some((envelope, length)) => (envelope, file.split_off(length)),
        None => (Envelope::default(), file),
    }
}

fn lowercase(part: &Option<String>) -> Option<String> {
    part.as_ref().map(|part| part.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(to: &str) -> Envelope {
        Envelope {
            from: "noreply@example.org".into(),
            to: vec![to.into()],
        }
    }

    #[test]
    fn a_restart_finds_the_mails_and_their_envelopes() {
        let folder = std::env::temp_dir().join(format!("mail-catcher-{}", Uuid::now_v7()));
        let raw = b"Subject: hello\r\n\r\nX-Envelope: not this one\r\n".to_vec();
        let id = {
            let store = Store::open(Some(folder.clone()), Limits::default()).unwrap();
            store
                .keep(envelope("ada@example.org"), raw.clone())
                .unwrap()
        };
        let store = Store::open(Some(folder.clone()), Limits::default()).unwrap();
        let found = store.list(&Query {
            to: Some("ADA@".into()),
            ..Query::default()
        });
        assert_eq!(found.iter().map(|mail| mail.id).collect::<Vec<_>>(), [id]);
        assert_eq!(store.raw(id).unwrap(), Some(raw));
        store.clear();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(folder).unwrap();
    }

    #[test]
    fn the_oldest_mail_makes_room_for_the_newest() {
        let limits = Limits {
            mails_max: 2,
            ..Limits::default()
        };
        let store = Store::open(None, limits).unwrap();
        for subject in ["one", "two", "three"] {
            store
                .keep(
                    envelope("ada@example.org"),
                    format!("Subject: {subject}\r\n\r\n").into_bytes(),
                )
                .unwrap();
        }
        let subjects: Vec<_> = store
            .list(&Query::default())
            .into_iter()
            .filter_map(|mail| mail.subject)
            .collect();
        assert_eq!(subjects, ["three", "two"]);
    }

    #[test]
    fn a_query_combines_its_conditions() {
        let store = Store::open(None, Limits::default()).unwrap();
        store
            .keep(
                envelope("ada@example.org"),
                b"Subject: Your tickets\r\n\r\n".to_vec(),
            )
            .unwrap();
        store
            .keep(
                envelope("bob@example.org"),
                b"Subject: Your tickets\r\n\r\n".to_vec(),
            )
            .unwrap();
        let count = |to: &str, subject: &str| {
            store
                .list(&Query {
                    to: Some(to.into()),
                    subject: Some(subject.into()),
                    limit: None,
                })
                .len()
        };
        assert_eq!(
            (
                count("", "tickets"),
                count("bob", "TICKETS"),
                count("bob", "refund")
            ),
            (2, 1, 0)
        );
    }
}
