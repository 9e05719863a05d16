//! What may happen to the house: one fault is struck, seen, and healed.

use crate::{faults, stage::Stage};
use async_trait::async_trait;
use rand::rngs::StdRng;
use std::{sync::OnceLock, time::Duration};

/// One thing that goes wrong. Made by the dice of its [`Kind`], used once.
///
/// The order of calls is `strike`, some time of [`lasts`](Self::lasts), `heal`, `effect`. A runner that ends early
/// calls `heal` all the same.
#[async_trait]
pub trait Fault: Send {
    /// The name in the catalogue, such as `broker.kill`.
    fn kind(&self) -> &'static str;

    /// What it happens to: a process, a link, a server, a queue.
    fn target(&self) -> String;

    /// Between strike and heal. Zero: it is over as soon as it has happened.
    fn lasts(&self) -> Duration;

    /// # Errors
    /// It could not be done. What was done of it is taken back by `heal`.
    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()>;

    /// Takes it back, and waits until what it concerned is healthy again. May be called after a failed strike.
    ///
    /// # Errors
    /// Not healthy within the fault's own deadline.
    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()>;

    /// What was seen of it, after it was healed ("3 connections reset", "ended by signal 9"). None: it happened to
    /// nobody, and doesn't count.
    async fn effect(&mut self, stage: &Stage) -> Option<String>;
}

/// A line of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// `party.what`.
    pub name: &'static str,
    /// How often it is drawn, relative to the others.
    pub weight: u32,
    /// Accepted intake may be lost on the broker: only in runs with `intake.journal` on.
    pub journal: bool,
    /// Draws everything that is left to chance; the same dice make the same fault.
    pub make: fn(&mut StdRng) -> Box<dyn Fault>,
}

/// Every kind there is, sorted by name.
#[must_use]
pub fn catalogue() -> &'static [Kind] {
    static ALL: OnceLock<Vec<Kind>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = faults::all();
        all.sort_by_key(|kind| kind.name);
        all
    })
}

/// The kind of this name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    catalogue().iter().find(|kind| kind.name == name)
}
