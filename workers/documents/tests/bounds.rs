//! What the largest document costs. What bounds it: the number of pages, and that no text is looked at beyond a
//! few hundred characters, whatever its length. Alone in its file: memory is counted per process.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use boxoffice_documents::ticket_pdf::{PAGES_MAX, render};
use std::fs;

/// The worker gives up after 10 s; here without optimisation, on a machine that is shared.
const CPU_SECS_MAX: f64 = 8.0;
const MEMORY_KB_MAX: u64 = 64 * 1024;

#[test]
fn the_largest_document_takes_seconds_and_megabytes_even_of_endless_texts() {
    let mut worst = common::worst(PAGES_MAX as u128);
    let endless = "Ώ漢é ".repeat(500_000);
    worst.film_title.push_str(&endless);
    worst.terms.push_str(&endless);
    worst.pages[0].category.push_str(&endless);
    render(&common::booking("the fonts are parsed once")).unwrap();

    // Resets the high-water mark.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, start) = (status_kb("VmRSS"), cpu_secs());
    let bytes = render(&worst).unwrap();
    let (secs, peak) = (cpu_secs() - start, status_kb("VmHWM") - before);
    assert!(bytes.len() < 1_500_000, "{} bytes", bytes.len());
    assert!(secs < CPU_SECS_MAX, "{secs} s");
    assert!(peak < MEMORY_KB_MAX, "{peak} kB");
}

fn status_kb(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Of this thread: the machine is shared.
fn cpu_secs() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = stat.split_whitespace().next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}
