//! The clients' history: append-only, one line per record, on disk and in memory.

use boxoffice_invariants::history::{Asked, Event, Learned, Record};
use boxoffice_runtime::clock;
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Where all clients of a run write.
#[derive(Debug)]
pub struct Diary {
    began: Instant,
    clients: AtomicU32,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    records: Vec<Record>,
    file: BufWriter<File>,
}

/// One client's own pen.
#[derive(Debug)]
pub struct Pen {
    diary: Arc<Diary>,
    pub client: u32,
    calls: u64,
}

/// A call that was asked, and must be closed.
#[derive(Debug, Clone, Copy)]
#[must_use = "what was asked comes to an end, or is written down as unknown"]
pub struct Call(u64);

impl Diary {
    /// # Errors
    /// The file can't be made.
    pub fn open(path: &Path) -> std::io::Result<Arc<Self>> {
        let pages = Pages {
            records: Vec::new(),
            file: BufWriter::new(File::create(path)?),
        };
        Ok(Arc::new(Self {
            began: Instant::now(),
            clients: AtomicU32::new(0),
            pages: Mutex::new(pages),
        }))
    }

    /// Since the run began, by the clock that all records have.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A pen for somebody who comes now.
    #[must_use]
    pub fn pen(self: &Arc<Self>) -> Pen {
        Pen {
            diary: Arc::clone(self),
            client: self.clients.fetch_add(1, Ordering::Relaxed),
            calls: 0,
        }
    }

    /// Everything that was written, in the order of writing; and the file is whole.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn close(&self) -> std::io::Result<Vec<Record>> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.file.flush()?;
        Ok(std::mem::take(&mut pages.records))
    }

    fn write(&self, client: u32, call: u64, event: Event) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that lines and their times are in one order.
        let record = Record {
            client,
            call,
            at_us: u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            wall: clock::now(),
            event,
        };
        // The copy in memory is what is judged; the file is for people.
        let _ = serde_json::to_writer(&mut pages.file, &record);
        let _ = pages.file.write_all(b"\n");
        pages.records.push(record);
    }
}

impl Pen {
    /// Before the request leaves.
    pub fn ask(&mut self, asked: Asked) -> Call {
        self.calls += 1;
        self.write(self.calls, Event::Invoke { asked });
        Call(self.calls)
    }

    pub fn learn(&self, call: Call, learned: Learned) {
        self.write(call.0, Event::Ok { learned });
    }

    pub fn fail(&self, call: Call, code: &str) {
        let code = code.to_owned();
        self.write(call.0, Event::Fail { code });
    }

    pub fn unknown(&self, call: Call, why: &str) {
        let why = why.to_owned();
        self.write(call.0, Event::Unknown { why });
    }

    #[must_use]
    pub fn diary(&self) -> &Diary {
        &self.diary
    }

    /// A second hand of the same client, whose calls have numbers of their own.
    #[must_use]
    pub fn other_hand(&self) -> Self {
        Self {
            diary: Arc::clone(&self.diary),
            client: self.client,
            calls: self.calls + 1_000_000,
        }
    }

    fn write(&self, call: u64, event: Event) {
        self.diary.write(self.client, call, event);
    }
}
