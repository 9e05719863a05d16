//! When it is worth to come again to a queue that is full: what stands in it by how fast it is drained (F6).
//!
//! A full queue takes a message for each that leaves it, so what this process gets in while others are turned away is
//! what the workers get done — for this process's share of the clients. With several processes the estimate errs on
//! the side of patience. No question to the broker is needed.

/// Seconds that are looked back.
const WINDOW_SECS: u64 = 10;
/// Before there is anything to reckon with.
const FIRST_SECS: u32 = 5;
const SECS_MAX: u64 = 60;

/// What came of the messages of the last seconds. Time comes in from outside, in seconds of any clock.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    full_since: Option<u64>,
    refused_last: u64,
    /// By second, modulo the window: the second, and how many were accepted in it.
    accepted: [(u64, u64); WINDOW_SECS as usize],
}

impl Backlog {
    pub(crate) fn accepted(&mut self, now: u64) {
        let full = self.full_since.is_some();
        if !full {
            return;
        }
        if now.saturating_sub(self.refused_last) > WINDOW_SECS {
            *self = Self::default();
            return;
        }
        let slot = &mut self.accepted[(now % WINDOW_SECS) as usize];
        if slot.0 != now {
            *slot = (now, 0);
        }
        slot.1 += 1;
    }

    /// Seconds after which whoever was just turned away may come again. `length`: messages in the full queue.
    pub(crate) fn refused(&mut self, now: u64, length: u64) -> u32 {
        if now.saturating_sub(self.refused_last) > WINDOW_SECS {
            *self = Self::default();
        }
        self.refused_last = now;
        let since = *self.full_since.get_or_insert(now);
        let seen_secs = (now.saturating_sub(since) + 1).min(WINDOW_SECS);
        let recent = |slot: &&(u64, u64)| now.saturating_sub(slot.0) < WINDOW_SECS;
        let drained: u64 = self.accepted.iter().filter(recent).map(|slot| slot.1).sum();
        let secs = match (drained, seen_secs) {
            // Full for long, and nothing gets in: the workers stand.
            (0, WINDOW_SECS..) => SECS_MAX,
            (0, _) => return FIRST_SECS,
            (drained, seen) => length.saturating_mul(seen).div_ceil(drained),
        };
        u32::try_from(secs.clamp(1, SECS_MAX)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `per_sec` get in while one is turned away each second; what the last of them is told.
    fn told(per_sec: u64, secs: u64, length: u64) -> u32 {
        let mut backlog = Backlog::default();
        let mut last = 0;
        for now in 1_000..1_000 + secs {
            last = backlog.refused(now, length);
            (0..per_sec).for_each(|_| backlog.accepted(now));
        }
        last
    }

    #[test]
    fn it_is_what_stands_there_by_what_leaves() {
        // 6,000 at some 300 a second: twenty seconds, give or take the second that has only begun.
        let secs = told(300, 30, 6_000);
        assert!((19..=24).contains(&secs), "{secs}");
        assert_eq!(told(10_000, 30, 100), 1, "never less than one");
        assert_eq!(told(1, 30, 200_000), 60, "never more than sixty");
    }

    #[test]
    fn without_a_measure_it_is_a_guess_and_where_nothing_moves_the_most() {
        assert_eq!(told(0, 1, 200_000), 5);
        assert_eq!(told(0, 9, 200_000), 5);
        assert_eq!(told(0, 11, 200_000), 60);
    }

    #[test]
    fn what_was_before_a_pause_does_not_count() {
        let mut backlog = Backlog::default();
        backlog.accepted(1);
        assert_eq!(
            backlog.refused(5, 100),
            5,
            "it was not full when that got in"
        );
        (0..50).for_each(|_| backlog.accepted(5));
        assert_eq!(backlog.refused(5, 100), 2);
        // Minutes later it is full again.
        assert_eq!(backlog.refused(300, 100), 5);
    }
}
