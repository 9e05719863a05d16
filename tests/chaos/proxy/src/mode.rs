//! What a link does as a whole.

use std::time::Duration;

/// A direction. The client opened the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    Both,
}

impl Flow {
    /// Whether `other`, which is one direction, is meant.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self == Self::Both || self == other
    }
}

/// What happens to every connection, those that stand and those that come.
///
/// Bytes are never lost, swapped or damaged by a mode: as with TCP they come late, or the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything flows.
    Pass,
    /// Nothing flows and nobody is told, as when packets are dropped. What was sent comes when it is over.
    Blackhole(Flow),
    /// Each piece comes `delay` ± `jitter` after it was sent, in its order.
    Delay {
        flow: Flow,
        delay: Duration,
        jitter: Duration,
    },
    /// So many bytes per second and connection; at least one.
    Throttle { flow: Flow, bytes_per_sec: u32 },
    /// Each connection is reset after so many more bytes in one direction.
    CutAfter { flow: Flow, bytes: u64 },
    /// Every connection is reset (`SO_LINGER` 0), and every new one.
    Reset,
    /// The receiver sees the end of the stream, as after `shutdown(SHUT_WR)`; the other direction lives on. A
    /// connection that was half-closed stays so.
    HalfClose(Flow),
}
