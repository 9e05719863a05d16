//! Idempotency keys, and what is known of those that were used.

use boxoffice_contracts::{
    BookingId, Instant, RefundId,
    planted::{self, Bug},
};
use boxoffice_store::mysql::calls::{CallOutcome, KeyUse};
use chrono::Duration;

pub(super) fn create(booking: BookingId, generation: u16) -> String {
    of_generation(format!("bk:{booking}:create"), generation)
}

/// Attempts are counted over all generations, so their number is enough.
pub(super) fn confirm(booking: BookingId, attempt: u16) -> String {
    of_call(format!("bk:{booking}:confirm:{attempt}"))
}

pub(super) fn capture(booking: BookingId, generation: u16, r#try: u16) -> String {
    of_generation(format!("bk:{booking}:capture:{}", r#try), generation)
}

pub(super) fn cancel(booking: BookingId, generation: u16, r#try: u16) -> String {
    of_generation(format!("bk:{booking}:cancel:{}", r#try), generation)
}

pub(super) fn refund(refund: RefundId, r#try: u16) -> String {
    of_call(format!("refund:{refund}:{}", r#try))
}

/// A later intent has its own keys: a key used with another path is refused.
fn of_generation(key: String, generation: u16) -> String {
    of_call(if generation > 1 {
        format!("{key}:{generation}")
    } else {
        key
    })
}

/// Every repetition of a call has the same key.
fn of_call(key: String) -> String {
    if planted::is(Bug::FreshKey) {
        return format!("{key}:{}", uuid::Uuid::new_v4());
    }
    key
}

/// The keys of a booking as they were before the calls that are being planned.
#[derive(Debug, Clone)]
pub(super) struct KeyBook {
    uses: Vec<KeyUse>,
    now: Instant,
    age_max: Duration,
}

impl KeyBook {
    pub(super) const fn new(uses: Vec<KeyUse>, now: Instant, age_max: Duration) -> Self {
        Self { uses, now, age_max }
    }

    fn of(&self, key: &str) -> Option<&KeyUse> {
        self.uses.iter().find(|used| used.key == key)
    }

    pub(super) fn was_used(&self, key: &str) -> bool {
        self.of(key).is_some()
    }

    /// Never used, or young enough that the gateway surely remembers it.
    pub(super) fn may_send(&self, key: &str) -> bool {
        self.of(key)
            .is_none_or(|used| self.now - used.first_called_at < self.age_max)
    }

    /// The gateway has answered it: what it would replay is known, and may be out of date.
    pub(super) fn was_answered(&self, key: &str) -> bool {
        self.outcome(key) == Some(CallOutcome::Answered)
    }

    /// The gateway has failed on it: a second failure may be a replay that never ends.
    pub(super) fn has_failed(&self, key: &str) -> bool {
        self.outcome(key) == Some(CallOutcome::ServerError)
    }

    pub(super) fn first_called(&self, key: &str) -> Instant {
        self.of(key).map_or(self.now, |used| used.first_called_at)
    }

    fn outcome(&self, key: &str) -> Option<CallOutcome> {
        self.of(key).map(|used| used.outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Instant = chrono::DateTime::UNIX_EPOCH;

    fn book(age: Duration, outcome: CallOutcome) -> KeyBook {
        let used = KeyUse {
            key: "k".into(),
            first_called_at: DAY,
            calls: 1,
            outcome,
        };
        KeyBook::new(vec![used], DAY + age, Duration::hours(20))
    }

    #[test]
    fn a_key_older_than_twenty_hours_is_never_sent_again() {
        assert!(book(Duration::hours(19), CallOutcome::NoAnswer).may_send("k"));
        assert!(!book(Duration::hours(20), CallOutcome::NoAnswer).may_send("k"));
        assert!(book(Duration::hours(99), CallOutcome::NoAnswer).may_send("another"));
    }

    #[test]
    fn what_was_answered_is_known() {
        let fresh = book(Duration::zero(), CallOutcome::Sent);
        assert!(fresh.was_used("k") && !fresh.was_answered("k") && !fresh.has_failed("k"));
        assert!(book(Duration::zero(), CallOutcome::Answered).was_answered("k"));
        assert!(book(Duration::zero(), CallOutcome::ServerError).has_failed("k"));
    }

    #[test]
    fn keys_are_as_the_design_names_them() {
        let booking = BookingId::derive("t", "s", "k");
        assert_eq!(create(booking, 1), format!("bk:{booking}:create"));
        assert_eq!(create(booking, 2), format!("bk:{booking}:create:2"));
        assert_eq!(capture(booking, 1, 3), format!("bk:{booking}:capture:3"));
        assert_ne!(cancel(booking, 1, 2), cancel(booking, 2, 1));
        assert!(capture(booking, 60_000, 60_000).len() <= 128);
    }
}
