//! Ctrl-C and SIGTERM ask; every wait looks here and ends, so that things are stopped in order.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};

static ASKED: AtomicBool = AtomicBool::new(false);

pub(crate) fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| ASKED.store(true, Ordering::SeqCst)).context("cannot listen for Ctrl-C")
}

pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

pub(crate) fn check() -> anyhow::Result<()> {
    ensure!(!asked(), "interrupted");
    Ok(())
}
