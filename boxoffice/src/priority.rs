//! Who goes first when the cores of a machine do not suffice.

use std::io;

/// What is added to the niceness of a process for whom nobody waits: a tenth of another's share of a core that both ask for.
const NICENESS: i32 = 10;

/// Lets every other process go first, for the rest of this one's life.
///
/// # Errors
/// What the system said; the process is as before.
pub(crate) fn give_way() -> io::Result<()> {
    rustix::process::nice(NICENESS)?;
    Ok(())
}
