//! What is measured, one file each. A scenario finds a house that has just been started, and nobody else in it.

pub(crate) mod bare;
pub(crate) mod drain;
pub(crate) mod hot;
pub(crate) mod intake;
pub(crate) mod kill;
pub(crate) mod neighbours;
pub(crate) mod papers;
pub(crate) mod parts;
pub(crate) mod peer;
pub(crate) mod pipeline;
pub(crate) mod reads;
pub(crate) mod scale;
pub(crate) mod start;
