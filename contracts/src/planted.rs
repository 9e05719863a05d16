//! Bugs that the tests plant, to see that a check catches each of them.
//!
//! A switch is one `if planted::is(…)` where the mistake would be made. Whether there are switches at all is decided
//! when it is compiled: only with the feature `planted`, which only the crates of tests ask for, and never in a
//! release build. Without both, [`is`] is `false` for the compiler too. See `docs/adr/0011-planted-bugs.md`.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

/// Whether this build has switches.
pub const POSSIBLE: bool = cfg!(all(feature = "planted", debug_assertions));

/// Names the bug that a process has.
pub const VARIABLE: &str = "BOXOFFICE_PLANTED";

/// How wrong the clock of a process is, in seconds. Not a bug but a fault: who decides by its own clock shows.
pub const SKEW_VARIABLE: &str = "BOXOFFICE_PLANTED_SKEW_SECS";

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident = $name:literal,)*) => {
        /// What can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Bug { $($(#[$doc])* $bug,)* }

        impl Bug {
            pub const ALL: &'static [Self] = &[$(Self::$bug,)*];

            /// As [`VARIABLE`] names it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$bug => $name,)* }
            }
        }
    };
}

bugs! {
    /// A message is acknowledged when it arrives.
    AckBeforeCommit = "ack_before_commit",
    /// Nothing takes back a transaction whose `BEGIN` nobody waited for.
    CancelledBegin = "cancelled_begin",
    /// Late money is honoured whoever has the seats by now.
    ConfirmAfterExpiry = "confirm_after_expiry",
    /// A place without a number that was given back is given back again.
    DoubleRelease = "double_release",
    /// Each call of the gateway has a key of its own.
    FreshKey = "fresh_key",
    /// The outbox is swept from the highest id that was sent.
    HighWaterMark = "high_water_mark",
    /// What failed goes back to its queue at once.
    HotLoop = "hot_loop",
    /// A message counts as handled before what it does has committed.
    InboxOutside = "inbox_outside",
    /// A message that is to come again counts as handled.
    InboxOutlivesRetry = "inbox_outlives_retry",
    /// Whatever the broker doesn't refuse counts as kept.
    LaxConfirm = "lax_confirm",
    /// A booking is written without its lock, over whatever was decided meanwhile.
    LostUpdate = "lost_update",
    /// A mail is sent while the transaction that says so is open.
    MailBeforeCommit = "mail_before_commit",
    /// What became of a payment is never asked.
    NoAsk = "no_ask",
    /// A command is published without asking whether anybody takes it.
    NoMandatory = "no_mandatory",
    /// A message is acknowledged before its copy is known to be kept.
    ParkUnconfirmed = "park_unconfirmed",
    /// A refund counts when it is ordered.
    RefundEarly = "refund_early",
    /// A message is tried for ever.
    RetryForEver = "retry_for_ever",
    /// One connection publishes and consumes.
    SharedConnection = "shared_connection",
    /// A payment that is not known to be authorised is taken for void.
    VoidUnasked = "void_unasked",
    /// Each delivery of an event of the gateway is an event.
    WebhookTwice = "webhook_twice",
    /// What is due is decided by the clock of the worker.
    WorkerClock = "worker_clock",
}

/// Why nothing is planted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPlanted {
    #[error("{VARIABLE} is set, and this is no build for tests")]
    Impossible,
    #[error("{VARIABLE}: there is no bug {0:?}")]
    Unknown(String),
    #[error("{SKEW_VARIABLE}: {0:?} is no number of seconds")]
    Skew(String),
}

/// Zero is none.
static PLANTED: AtomicU8 = AtomicU8::new(0);
static SKEW_SECS: AtomicI64 = AtomicI64::new(0);

/// Takes what the two variables say, once, at the start of a process; returns the bug that it has from now on.
///
/// # Errors
/// When something is asked for that can't be.
pub fn plant(bug: Option<&str>, skew_secs: Option<&str>) -> Result<Option<Bug>, NotPlanted> {
    if !POSSIBLE && (bug.is_some() || skew_secs.is_some()) {
        return Err(NotPlanted::Impossible);
    }
    let bug = match bug {
        None => None,
        Some(name) => {
            let named = Bug::ALL.iter().copied().find(|bug| bug.as_str() == name);
            Some(named.ok_or_else(|| NotPlanted::Unknown(name.to_owned()))?)
        }
    };
    if let Some(text) = skew_secs {
        let Ok(secs) = text.parse() else {
            return Err(NotPlanted::Skew(text.to_owned()));
        };
        SKEW_SECS.store(secs, Ordering::Relaxed);
    }
    if let Some(bug) = bug {
        PLANTED.store(bug as u8 + 1, Ordering::Relaxed);
    }
    Ok(bug)
}

/// Whether this process has that bug.
#[must_use]
#[inline]
pub fn is(bug: Bug) -> bool {
    POSSIBLE && PLANTED.load(Ordering::Relaxed) == bug as u8 + 1
}

/// How wrong the clock of this process is.
#[must_use]
#[inline]
pub fn skew() -> chrono::Duration {
    if POSSIBLE {
        chrono::Duration::seconds(SKEW_SECS.load(Ordering::Relaxed))
    } else {
        chrono::Duration::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_bug_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Bug::ALL.iter().map(|bug| bug.as_str()).collect();
        assert_eq!(names.len(), Bug::ALL.len());
        assert_eq!(names.len(), 21);
    }

    #[test]
    fn nothing_is_planted_by_itself_or_by_a_mistake() {
        assert_eq!(plant(None, None), Ok(None));
        assert!(Bug::ALL.iter().all(|bug| !is(*bug)));
        assert!(skew().is_zero());
        let wrong = plant(Some("no_bug"), None).unwrap_err();
        let expected = if POSSIBLE {
            NotPlanted::Unknown("no_bug".to_owned())
        } else {
            NotPlanted::Impossible
        };
        assert_eq!(wrong, expected);
        assert!(plant(None, Some("soon")).is_err());
    }
}
