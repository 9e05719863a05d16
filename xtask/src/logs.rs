use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::stack::Folder;
use crate::ui;

const POLL: Duration = Duration::from_millis(200);

/// Print the log of a role, a server or a preparation step; without a name, of all.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For example `api`, `payments`, `rabbitmq`, `migrate`.
    role: Option<String>,
    /// Go on printing what is added, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines to start with.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    lines: usize,
    /// The name given to `up`.
    #[arg(long, value_name = "NAME", default_value = "dev")]
    profile: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match print(arguments) {
        Err(error) if reader_left(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

fn reader_left(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn print(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = Folder::new(&arguments.profile)?;
    let known = known(&folder)?;
    let chosen = match &arguments.role {
        None => known,
        Some(role) if known.contains(role) => vec![role.clone()],
        Some(role) if known.is_empty() => {
            bail!("there is no log of {role} yet: `cargo xtask up` starts everything")
        }
        Some(role) => bail!("there is no log of {role}: there are {}", known.join(", ")),
    };
    let width = chosen.iter().map(String::len).max().unwrap_or_default();
    let labelled = chosen.len() > 1;
    let mut tails = Vec::new();
    for role in &chosen {
        let label = if labelled {
            format!("{role:<width$} | ")
        } else {
            String::new()
        };
        tails.push(Tail::open(folder.log(role), label)?);
    }
    for tail in &mut tails {
        tail.print_last(arguments.lines)?;
    }
    if !arguments.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        thread::sleep(POLL);
        for tail in &mut tails {
            tail.print_new()?;
        }
    }
}

fn known(folder: &Folder) -> anyhow::Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(folder.logs()) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_log = path.extension()? == "log";
            let name = path.file_stem()?.to_string_lossy().into_owned();
            // RabbitMQ leaves an empty one named after its node.
            (is_log && !name.contains('@')).then_some(name)
        })
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// A log being read. When the role is started anew, a new file takes its place and is read instead.
struct Tail {
    path: PathBuf,
    label: String,
    reader: BufReader<File>,
    /// The beginning of a line whose end was not written yet.
    partial: Vec<u8>,
}

impl Tail {
    fn open(path: PathBuf, label: String) -> anyhow::Result<Self> {
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            path,
            label,
            reader: BufReader::new(file),
            partial: Vec::new(),
        })
    }

    fn print_last(&mut self, count: usize) -> anyhow::Result<()> {
        let mut last = VecDeque::new();
        while let Some(line) = self.next_line()? {
            if last.len() == count {
                last.pop_front();
            }
            last.push_back(line);
        }
        last.iter()
            .skip(usize::from(count == 0))
            .try_for_each(|line| self.print(line))
    }

    fn print_new(&mut self) -> anyhow::Result<()> {
        while let Some(line) = self.next_line()? {
            self.print(&line)?;
        }
        if self.was_replaced() {
            let label = std::mem::take(&mut self.label);
            *self = Self::open(self.path.clone(), label)?;
        }
        Ok(())
    }

    fn next_line(&mut self) -> anyhow::Result<Option<String>> {
        self.reader.read_until(b'\n', &mut self.partial)?;
        if !self.partial.ends_with(b"\n") {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&self.partial).trim_end().to_owned();
        self.partial.clear();
        Ok(Some(line))
    }

    fn was_replaced(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        match (fs::metadata(&self.path), self.reader.get_ref().metadata()) {
            (Ok(there), Ok(here)) => there.ino() != here.ino(),
            _ => false,
        }
    }

    /// An error when nobody reads any more, as behind `| head`.
    fn print(&self, line: &str) -> anyhow::Result<()> {
        Ok(ui::output(&format!("{}{line}", self.label))?)
    }
}
