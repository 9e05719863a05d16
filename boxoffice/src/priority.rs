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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_of_it() {
        let before = rustix::process::nice(0).unwrap();
        give_way().unwrap();
        let least = (before + NICENESS).min(19);
        assert_eq!(rustix::process::nice(0).unwrap(), least);
    }
}
