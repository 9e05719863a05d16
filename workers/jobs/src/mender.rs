//! Worker `mender`: runs the campaigns of retries that people start.

use boxoffice_contracts::{
    Envelope, Instant, message, metric, principal::TENANT_HOUSE, topology::roles::exchange_of,
    trace::TraceParent,
};
use boxoffice_runtime::{Failure, OUTBOX_QUEUE, Outgoing, Sweep, Tx, stored};
use boxoffice_store::mysql::retries::{
    self, Progress, Retry, RetryState,
    mender::{self, Ready},
};
use std::time::Duration;

/// Messages of one portion at most: what one transaction locks.
const PORTION_MAX: u32 = 250;

/// After a silence at most the messages of so long a time are sent at once.
const BURST: Duration = Duration::from_secs(1);

/// Before so many outcomes are known the last stage is not judged: one of two is no half.
const JUDGED_FROM: u32 = 20;

/// Sends parked messages back stage by stage, no faster than was asked, and follows each to its outcome.
///
/// Safe to run twice: a campaign is locked while a portion is taken, and what a portion sends is in the outbox of
/// the same transaction. A process that dies leaves rows that say exactly what was sent; the next one goes on. A
/// message that is sent twice has one id, and is handled once.
#[derive(Debug, Clone, Copy)]
pub struct Mender;

impl Sweep for Mender {
    const NAME: &'static str = "mender";
    const EVERY: Duration = Duration::from_millis(250);

    async fn sweep(&self, tx: &mut Tx) -> Result<usize, Failure> {
        let campaigns = mender::lock_active(tx.db()).await?;
        if !campaigns.is_empty() {
            let now = tx.now().await?;
            for retry in &campaigns {
                step(tx, retry, now).await?;
            }
        }
        // Never at once again: the rate is kept by the pause, and live traffic has the database in between.
        Ok(0)
    }
}

async fn step(tx: &mut Tx, retry: &Retry, now: Instant) -> Result<(), Failure> {
    let followed = mender::follow(tx.db(), retry.id, now).await?;
    count("done", followed.done);
    count("failed", followed.failed);
    let whole = retries::progress(tx.db(), retry.id).await?;
    if retry.state != RetryState::Running {
        if whole.sent == 0 {
            mender::set_unsettled(tx.db(), retry.id, false).await?;
        }
        return Ok(());
    }
    if whole.waiting + whole.sent == 0 {
        retries::set_state(tx.db(), retry, RetryState::Done, None, now).await?;
        mender::set_unsettled(tx.db(), retry.id, false).await?;
        tracing::info!(retry.id = %retry.id, done = whole.done, failed = whole.failed,
            skipped = whole.skipped, "retry done");
        return Ok(());
    }
    let Some((until, stage)) = current_stage(tx, retry).await? else {
        return Ok(());
    };
    if let Some(why) = too_many_failed(&stage, retry.stop_percent) {
        retries::set_state(tx.db(), retry, RetryState::Stopped, Some(&why), now).await?;
        tracing::warn!(retry.id = %retry.id, failed = stage.failed, ended = stage.ended(),
            "retry stopped by itself: too many failed again");
        return Ok(());
    }
    send(tx, retry, until, now).await
}

/// The first stage that isn't over, or that went wrong: its last number, and how far it is.
async fn current_stage(tx: &Tx, retry: &Retry) -> Result<Option<(u32, Progress)>, Failure> {
    for (after, until) in stages(&retry.stages, retry.total) {
        let stage = mender::stage_progress(tx.db(), retry.id, after, until).await?;
        let is_over = stage.waiting + stage.sent == 0;
        if !is_over || too_many_failed(&stage, retry.stop_percent).is_some() {
            return Ok(Some((until, stage)));
        }
    }
    Ok(None)
}

/// First number less one, and last number, of each stage; the last stage takes the rest.
fn stages(sizes: &[u32], total: u32) -> Vec<(u32, u32)> {
    let (mut stages, mut after) = (Vec::with_capacity(sizes.len() + 1), 0);
    for size in sizes.iter().copied().chain([total]) {
        if after == total {
            break;
        }
        let until = after.saturating_add(size).min(total);
        stages.push((after, until));
        after = until;
    }
    stages
}

/// Why a campaign stops by itself: a stage that is over, or of which enough is known, failed again too often.
fn too_many_failed(stage: &Progress, stop_percent: u32) -> Option<String> {
    let ended = stage.ended();
    let is_known = stage.waiting + stage.sent == 0 || ended >= JUDGED_FROM;
    let share = u64::from(stage.failed) * 100;
    let too_many = is_known && ended > 0 && share > u64::from(stop_percent) * u64::from(ended);
    too_many.then(|| {
        let failed = stage.failed;
        format!("{failed} of {ended} failed again, more than {stop_percent} %")
    })
}

async fn send(tx: &mut Tx, retry: &Retry, until: u32, now: Instant) -> Result<(), Failure> {
    let limit = allowance(retry.rate_per_sec, retry.sent_at, now);
    if limit == 0 {
        return Ok(());
    }
    let portion = mender::take(tx.db(), retry.id, until, limit, now).await?;
    count("sent", portion.ready.len());
    count("skipped", portion.skipped);
    let mut left = Vec::new();
    for ready in portion.ready {
        let envelope = envelope(&ready);
        if ready.key.queue == OUTBOX_QUEUE {
            // One of a kind that this version doesn't know stays on record, under way.
            if publish_anew(tx, &ready, envelope) {
                left.push(ready.key);
            }
        } else {
            tx.send_back(&ready.key.queue, envelope, ready.body);
        }
    }
    mender::resolve(tx.db(), &left).await?;
    Ok(())
}

/// A message that could not leave the outbox leaves it now, on its own route; there is no worker to say so.
fn publish_anew(tx: &mut Tx, ready: &Ready, envelope: Envelope) -> bool {
    let Some(line) = message::entry(&ready.kind) else {
        return false;
    };
    tx.publish(Outgoing {
        exchange: exchange_of(line.kind),
        routing_key: line.kind.to_string(),
        envelope,
        body: ready.body.clone(),
        cause: None,
    });
    true
}

/// As it was parked; one that can't be read is made from what the row says.
fn envelope(ready: &Ready) -> Envelope {
    let message_id = ready.key.message;
    stored::envelope_from_json(&ready.envelope).unwrap_or_else(|_unreadable| Envelope {
        message_id,
        kind: ready.kind.clone(),
        correlation_id: None,
        causation_id: None,
        sent_at: None,
        trace: TraceParent::root(message_id.0),
        tenant: TENANT_HOUSE.to_owned(),
        deadline: None,
        attempt: 0,
        replay_of: None,
    })
}

/// How many may be sent now. None as long as it would be less than a quarter of a second's share: small
/// transactions cost as much as large ones.
fn allowance(rate_per_sec: u32, sent_at: Option<Instant>, now: Instant) -> u32 {
    let portion = (rate_per_sec / 4).clamp(1, PORTION_MAX);
    let Some(sent_at) = sent_at else {
        return portion;
    };
    let elapsed = (now - sent_at).to_std().unwrap_or_default().min(BURST);
    let earned = u128::from(rate_per_sec) * elapsed.as_millis() / 1_000;
    let earned = u32::try_from(earned).unwrap_or(u32::MAX);
    if earned < portion {
        0
    } else {
        earned.min(PORTION_MAX)
    }
}

fn count(outcome: &'static str, messages: usize) {
    metrics::counter!(metric::RETRIED_MESSAGES_TOTAL, "outcome" => outcome)
        .increment(messages as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn stages_are_one_then_ten_then_the_rest_and_never_more_than_there_are() {
        assert_eq!(stages(&[1, 10], 10_000), [(0, 1), (1, 11), (11, 10_000)]);
        assert_eq!(stages(&[1, 10], 5), [(0, 1), (1, 5)]);
        assert_eq!(stages(&[], 5), [(0, 5)]);
        assert_eq!(stages(&[1], 1), [(0, 1)]);
        assert_eq!(stages(&[1], 0), []);
    }

    #[test]
    fn a_stage_stops_the_rest_when_too_many_failed_and_enough_is_known() {
        let stage = |waiting, done, failed| Progress {
            waiting,
            done,
            failed,
            ..Progress::default()
        };
        for (stage, stops) in [
            (stage(0, 0, 1), true),
            (stage(0, 8, 2), false),
            (stage(0, 7, 3), true),
            // One of the first two is not yet a share of anything.
            (stage(8, 1, 1), false),
            (stage(9_000, 10, 10), true),
            (stage(0, 0, 0), false),
        ] {
            assert_eq!(too_many_failed(&stage, 20).is_some(), stops, "{stage:?}");
            assert_eq!(too_many_failed(&stage, 100), None);
        }
    }

    #[test]
    fn the_rate_is_kept_over_any_second() {
        let start = Instant::UNIX_EPOCH;
        for rate in [1, 3, 10, 500, 1_000] {
            let (mut sent, mut last) = (0, None);
            // Ten seconds of looks, somewhat irregular.
            for look in 0..37 {
                let now = start + TimeDelta::milliseconds(270 * look);
                let portion = allowance(rate, last, now);
                if portion > 0 {
                    (sent, last) = (sent + portion, Some(now));
                }
            }
            assert!(sent <= rate * 10 + rate / 4 + 1, "{rate}: {sent}");
            assert!(sent >= rate * 6, "{rate}: {sent}");
        }
        // A night's silence is no leave for a flood.
        assert_eq!(
            allowance(500, Some(start), start + TimeDelta::days(1)),
            PORTION_MAX
        );
    }
}
