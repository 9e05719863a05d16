//! Worker `retention`: forgets what is kept only for a while.

use boxoffice_contracts::metric;
use boxoffice_runtime::{Failure, Sweep, Tx, forget_handled};
use boxoffice_store::mysql::{partner_events, partner_inbox, retries, webhooks};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long rows stay that no promise needs for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionPolicy {
    /// Ids of handled messages. A message that comes again later than that is handled again.
    pub inbox_days: u32,
    /// Events of the gateway as they came. Longer than the gateway itself lists them.
    pub webhooks_days: u32,
    /// What partners were sent, and how their messages were judged: as far back as they can recover from.
    pub partners_days: u32,
    /// Plans of retries that nobody started.
    pub plans_days: u32,
    /// Rows of each table that one transaction forgets.
    pub rows_max: u32,
    /// Pause when everything old is gone.
    pub every_secs: u32,
}

/// The gateway repeats an event for three days, a person replays a parked message within weeks.
const DAYS_MIN: u32 = 4;
/// Longer transactions hold locks that workers wait for.
const ROWS_MAX: u32 = 10_000;

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            inbox_days: 35,
            webhooks_days: 35,
            partners_days: 14,
            plans_days: 7,
            rows_max: 1_000,
            every_secs: 60,
        }
    }
}

impl RetentionPolicy {
    /// # Errors
    /// Which value can't be.
    pub fn validate(&self) -> Result<(), String> {
        for (name, days) in [
            ("inbox_days", self.inbox_days),
            ("webhooks_days", self.webhooks_days),
            ("partners_days", self.partners_days),
        ] {
            if days < DAYS_MIN {
                return Err(format!("retention.{name}: at least {DAYS_MIN}"));
            }
        }
        if self.plans_days == 0 {
            return Err("retention.plans_days: at least 1".to_owned());
        }
        if !(1..=ROWS_MAX).contains(&self.rows_max) {
            return Err(format!("retention.rows_max: 1 to {ROWS_MAX}"));
        }
        if self.every_secs == 0 {
            return Err("retention.every_secs: at least 1".to_owned());
        }
        Ok(())
    }
}

/// Deletes old inbox rows, webhooks, messages of partners and plans that nobody started, a portion per transaction, until none is left; then waits.
///
/// Safe to run twice: a row that is gone is not found again, and a portion never holds more than its rows.
#[derive(Debug, Clone)]
pub struct Retention {
    pub policy: RetentionPolicy,
}

impl Sweep for Retention {
    const NAME: &'static str = "retention";
    const EVERY: Duration = Duration::from_secs(60);

    fn every(&self) -> Duration {
        Duration::from_secs(u64::from(self.policy.every_secs))
    }

    async fn sweep(&self, tx: &mut Tx) -> Result<usize, Failure> {
        let RetentionPolicy {
            inbox_days,
            webhooks_days,
            partners_days,
            plans_days,
            rows_max,
            ..
        } = self.policy;
        let messages = forget_handled(tx, inbox_days, rows_max).await?;
        let before = tx.now().await? - TimeDelta::days(i64::from(webhooks_days));
        let events = webhooks::forget_before(tx.db(), before, u64::from(rows_max)).await?;
        let before = tx.now().await? - TimeDelta::days(i64::from(partners_days));
        let rows = u64::from(rows_max);
        let judged = partner_inbox::forget_before(tx.db(), before, rows).await?;
        let sent = partner_events::forget_before(tx.db(), before, rows).await?;
        let before = tx.now().await? - TimeDelta::days(i64::from(plans_days));
        let plans = retries::forget_plans_before(tx.db(), before, rows).await?;
        for (table, count) in [
            ("inbox", messages),
            ("webhook_events", events),
            ("partner_inbox", judged),
            ("partner_out", sent),
            ("retries", plans),
        ] {
            metrics::counter!(metric::RETENTION_ROWS_TOTAL, "table" => table).increment(count);
        }
        if messages + events + judged + sent + plans > 0 {
            tracing::debug!(
                inbox = messages,
                webhook_events = events,
                partner_inbox = judged,
                partner_out = sent,
                retries = plans,
                "forgotten"
            );
        }
        let most = [messages, events, judged, sent, plans].into_iter().max();
        Ok(left_over(most.unwrap_or_default(), rows_max))
    }
}

/// Only a full portion asks for another at once: rows grow old all the time, and a portion of each few of
/// them would never end.
fn left_over(forgotten: u64, rows_max: u32) -> usize {
    if forgotten < u64::from(rows_max) {
        return 0;
    }
    usize::try_from(forgotten).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_portion_asks_for_more() {
        assert_eq!(left_over(0, 1_000), 0);
        assert_eq!(left_over(999, 1_000), 0);
        assert_eq!(left_over(1_000, 1_000), 1_000);
    }

    #[test]
    fn a_policy_that_would_forget_what_may_still_come_is_refused() {
        RetentionPolicy::default().validate().unwrap();
        let change = |change: fn(&mut RetentionPolicy)| {
            let mut policy = RetentionPolicy::default();
            change(&mut policy);
            policy.validate().unwrap_err()
        };
        assert!(change(|p| p.inbox_days = 0).contains("inbox_days"));
        assert!(change(|p| p.webhooks_days = 3).contains("webhooks_days"));
        assert!(change(|p| p.partners_days = 3).contains("partners_days"));
        assert!(change(|p| p.plans_days = 0).contains("plans_days"));
        assert!(change(|p| p.rows_max = 0).contains("rows_max"));
        assert!(change(|p| p.rows_max = 1_000_000).contains("rows_max"));
        assert!(change(|p| p.every_secs = 0).contains("every_secs"));
    }
}
