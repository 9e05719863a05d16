//! All printing. On a terminal a step is a spinner that becomes a line; elsewhere it is the line.

#![expect(
    clippy::print_stderr,
    reason = "talking to the person at the terminal is xtask's job"
)]

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static TERMINAL: LazyLock<bool> = LazyLock::new(|| io::stderr().is_terminal());

const TICK: Duration = Duration::from_millis(100);

/// Something under way. Ends with [`Step::done`]; dropped without it, it failed.
pub(crate) struct Step {
    name: String,
    since: Instant,
    spinner: Option<ProgressBar>,
}

pub(crate) fn step(name: &str, doing: &str) -> Step {
    let spinner = TERMINAL.then(|| {
        let spinner = SPINNERS.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<16} {wide_msg}") {
            spinner.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓"));
        }
        spinner.set_prefix(name.to_owned());
        spinner.set_message(doing.to_owned());
        spinner.enable_steady_tick(TICK);
        spinner
    });
    Step {
        name: name.to_owned(),
        since: Instant::now(),
        spinner,
    }
}

impl Step {
    /// Says what it is busy with now.
    pub(crate) fn doing(&self, what: &str) {
        match &self.spinner {
            Some(spinner) => spinner.set_message(what.to_owned()),
            None => eprintln!("  {:<16} {what} …", self.name),
        }
    }

    pub(crate) fn done(mut self, result: &str) {
        let seconds = self.since.elapsed().as_secs_f32();
        let line = format!("{result} ({seconds:.1} s)");
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        note(&format!("✓ {:<16} {line}", self.name));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
            note(&format!("✗ {:<16} failed", self.name));
        }
    }
}

/// Information for the person, beside the steps.
pub(crate) fn note(text: &str) {
    if *TERMINAL {
        // Keeps clear of the spinners; an error means that there is no terminal any more.
        let _ = SPINNERS.println(text);
    } else {
        eprintln!("{text}");
    }
}

/// A command's result, for people and pipes. A reader that has left loses nothing it wanted.
pub(crate) fn line(text: &str) {
    let _ = output(text);
}

/// The same for those who should end when the reader has left.
pub(crate) fn output(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// One line, with its causes behind colons.
pub(crate) fn error(error: &anyhow::Error) {
    let text = format!("{error:#}").replace('\n', " ");
    note(&format!("error: {text}"));
}

/// Columns as wide as their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}", width = *width))
            .collect();
        line(&format!("  {}", cells.join("  ").trim_end()));
    }
}
