//! Worker `partners`: brings the partners' vhost to what their rows say, and keeps it there.

mod apply;
mod management;
mod things;

pub use management::{Management, ManagementError};

use crate::partner_gate::reply;
use apply::{Removal, Wish};
use boxoffice_contracts::{
    Code, MessageId,
    partner::{PartnerId, broker::VHOST, kinds::PARTNER_WARNED, reply::Warned},
};
use boxoffice_runtime::{Failure, Sweep, Tx};
use boxoffice_store::{
    broker_password,
    mysql::{
        partner_admin::{self, Record},
        partner_credentials,
        partner_out::{self, NewPartnerOut},
        partners::PartnerState,
    },
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The vhost that partners share, and who keeps it.
#[derive(Debug, Clone)]
pub struct Door {
    pub management: Management,
    pub vhost: String,
    /// The user that the gate connects with, made here unless it is the one that makes users.
    pub gate: Option<GateUser>,
    /// Queues that a partner may make itself.
    pub queues_max: usize,
}

/// Unless told otherwise.
const QUEUES_MAX: usize = 50;

/// Name and password of the gate's own user.
#[derive(Clone, PartialEq, Eq)]
pub struct GateUser {
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for GateUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GateUser({:?})", self.user)
    }
}

impl GateUser {
    /// The body that sets it.
    fn hashed(&self) -> Value {
        let [a, b, c, d, ..] = *uuid::Uuid::new_v4().as_bytes();
        json!({
            "password_hash": broker_password::hash(&self.password, [a, b, c, d]),
            "hashing_algorithm": broker_password::ALGORITHM,
            "tags": "",
        })
    }
}

impl Door {
    /// `None` while there is no `management_url`: the door is closed.
    ///
    /// # Errors
    /// Which setting is wrong, and how.
    pub fn new(management_url: &str, amqp_url: &str) -> Result<Option<Self>, String> {
        if management_url.is_empty() {
            return Ok(None);
        }
        let management = Management::new(management_url)
            .map_err(|why| format!("partners.management_url: {why}"))?;
        let mut door = Self {
            management,
            vhost: VHOST.to_owned(),
            gate: None,
            queues_max: QUEUES_MAX,
        };
        if !amqp_url.is_empty() {
            let wrong = |why: &str| format!("partners.amqp_url: {why}");
            let url = url::Url::parse(amqp_url).map_err(|error| wrong(&error.to_string()))?;
            let decoded = |text: &str| {
                management::decoded(text).ok_or_else(|| wrong("has a part that is not UTF-8"))
            };
            door.vhost = decoded(url.path().trim_start_matches('/'))?;
            if door.vhost.is_empty() {
                return Err(wrong(
                    "names no vhost: amqp://user:password@host:5672/partners",
                ));
            }
            let gate = GateUser {
                user: decoded(url.username())?,
                password: decoded(url.password().unwrap_or_default())?,
            };
            door.gate =
                (!gate.user.is_empty() && gate.user != door.management.user()).then_some(gate);
        }
        Ok(Some(door))
    }

    /// Makes what all partners share: the vhost, the gate's user, the bounds. Returns what was missing.
    ///
    /// # Errors
    /// When the broker can't be asked, or says no.
    pub async fn open(&self) -> Result<Vec<String>, ManagementError> {
        self.management.check().await?;
        apply::house(self).await
    }

    /// Whether the door is there, without making it.
    ///
    /// # Errors
    /// When the broker can't be asked.
    pub async fn is_open(&self) -> Result<bool, ManagementError> {
        self.management.check().await?;
        let path = format!("/api/vhosts/{}", management::part(&self.vhost));
        Ok(self.management.get(&path).await?.is_some())
    }
}

/// Applies changed partners at once and looks at all of them every minute, because somebody may have changed the
/// broker by hand.
///
/// Nothing is locked while the broker is asked, and the transaction is open for seconds at most: what was applied
/// is noted under the version that was read, so a change meanwhile leaves the partner due.
///
/// Safe to run twice: everything is looked at first and set to a state, never added to; two processes that apply
/// different versions end with the last, because the one that was overtaken finds it due again.
pub struct Partners {
    door: Option<Door>,
    look_every: Duration,
    memory: Mutex<Memory>,
}

/// What a process remembers between two looks. Losing it costs a look.
#[derive(Default)]
struct Memory {
    /// It was said that the door is closed.
    is_told: bool,
    /// When the door and all partners are looked at next.
    look_at: Option<Instant>,
    /// Of the look at all: those that are left.
    left: Vec<PartnerId>,
    /// Partners that could not be applied: how often in a row, and when again.
    failed: HashMap<PartnerId, (u32, Instant)>,
    /// When queues are counted next.
    count_at: Option<Instant>,
    /// Partners that have as many queues as they may, and the names of these.
    full: BTreeMap<PartnerId, Vec<String>>,
    /// The same of the door.
    door_failed: Option<(u32, Instant, String)>,
}

/// For one partner; the transaction around it must not be taken for a forgotten one (`idle_transaction_timeout`).
const APPLY_MAX: Duration = Duration::from_secs(7);
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// How often the queues of partners are counted, if they are not looked at more often.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// The management API counts messages every five seconds: a queue was empty this long after the partner's end.
const COUNT_AGE: TimeDelta = TimeDelta::seconds(10);

impl Sweep for Partners {
    const NAME: &'static str = "partners";
    const EVERY: Duration = Duration::from_secs(1);

    async fn sweep(&self, tx: &mut Tx) -> Result<usize, Failure> {
        let Some(door) = &self.door else {
            if !std::mem::replace(&mut self.memory().is_told, true) {
                tracing::info!("the partners' door is closed: partners.management_url is empty");
            }
            return Ok(0);
        };
        if !self.look_around(door, tx).await? {
            return Ok(0);
        }
        self.count_queues(door).await;
        self.note_expired(tx).await?;
        let Some(id) = self.next(tx).await? else {
            return Ok(0);
        };
        self.apply(door, tx, &id).await?;
        Ok(1)
    }
}

impl Partners {
    /// `look_every`: how often what nobody changed is looked at.
    #[must_use]
    pub fn new(door: Option<Door>, look_every: Duration) -> Self {
        Self {
            door,
            look_every,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it is time: mends the door, and begins a look at all partners. `false` while the door can't be made.
    async fn look_around(&self, door: &Door, tx: &Tx) -> Result<bool, Failure> {
        let now = Instant::now();
        {
            let memory = self.memory();
            if let Some((_, again, _)) = &memory.door_failed
                && now < *again
            {
                return Ok(false);
            }
            if memory.look_at.is_some_and(|at| now < at) {
                return Ok(true);
            }
        }
        let opened = match tokio::time::timeout(APPLY_MAX, door.open()).await {
            Ok(opened) => opened.map_err(|error| error.to_string()),
            Err(_elapsed) => Err("the broker is too slow".to_owned()),
        };
        let made = match opened {
            Ok(made) => made,
            Err(error) => {
                let mut memory = self.memory();
                let (before, said) = match memory.door_failed.take() {
                    Some((before, _, said)) => (before, Some(said)),
                    None => (0, None),
                };
                if said.as_ref() != Some(&error) {
                    tracing::error!(error, "the partners' door can't be made");
                }
                memory.door_failed = Some((before + 1, now + again_after(before), error));
                return Ok(false);
            }
        };
        let all = partner_admin::list(tx.db()).await?;
        let mut memory = self.memory();
        if memory.door_failed.take().is_some() || memory.look_at.is_none() || !made.is_empty() {
            tracing::info!(
                vhost = door.vhost,
                made = made.join(", "),
                "the partners' door is open"
            );
        }
        memory.look_at = Some(now + self.look_every);
        memory.left = all.into_iter().map(|record| record.partner.id).collect();
        Ok(true)
    }

    /// Counts what partners have made themselves; whoever has as many as it may, or fewer again, is looked at next. When
    /// the broker can't be asked, what was counted last stands, and the look at all says so.
    async fn count_queues(&self, door: &Door) {
        let now = Instant::now();
        if self.memory().count_at.is_some_and(|at| now < at) {
            return;
        }
        let counted = tokio::time::timeout(APPLY_MAX, apply::own_queues(door)).await;
        let mut memory = self.memory();
        memory.count_at = Some(now + COUNT_EVERY.min(self.look_every));
        let Ok(Ok(mut full)) = counted else { return };
        full.retain(|_, queues| queues.len() >= door.queues_max);
        let before = std::mem::replace(&mut memory.full, full);
        let changed: Vec<PartnerId> = before
            .keys()
            .chain(memory.full.keys())
            .filter(|id| before.get(id) != memory.full.get(id) && !memory.left.contains(id))
            .cloned()
            .collect();
        memory.left.extend(changed);
        memory.left.dedup();
    }

    /// A credential whose time is over changes its partner.
    async fn note_expired(&self, tx: &Tx) -> Result<(), Failure> {
        let now = tx.now().await?;
        for id in partner_credentials::expired(tx.db(), now).await? {
            let Some(record) = partner_admin::lock(tx.db(), &id).await? else {
                continue;
            };
            partner_credentials::end_expired(tx.db(), &id, now).await?;
            partner_admin::change(tx.db(), &record, now).await?;
        }
        Ok(())
    }

    /// A partner to apply: one that changed, or one that is still to be looked at.
    async fn next(&self, tx: &Tx) -> Result<Option<PartnerId>, Failure> {
        let now = Instant::now();
        let waiting: Vec<PartnerId> = {
            let memory = self.memory();
            let waiting = memory.failed.iter().filter(|(_, (_, again))| now < *again);
            waiting.map(|(id, _)| id.clone()).collect()
        };
        if let Some(due) = partner_admin::due(tx.db(), &waiting).await? {
            return Ok(Some(due));
        }
        let mut memory = self.memory();
        memory.left.retain(|id| !waiting.contains(id));
        Ok(memory.left.pop())
    }

    /// What can't be applied now is tried later; others may be due.
    async fn apply(&self, door: &Door, tx: &Tx, id: &PartnerId) -> Result<(), Failure> {
        let Some(record) = partner_admin::find(tx.db(), id).await? else {
            return Ok(());
        };
        let now = tx.now().await?;
        let mut live = partner_credentials::of(tx.db(), id).await?;
        live.retain(|credential| credential.is_live(now));
        let partner = &record.partner;
        let full = self.memory().full.get(id).cloned();
        let wish = Wish {
            full: full.as_deref(),
            partner,
            live,
            is_news: partner.applied_version != partner.version,
            removal: removal(&record, now),
        };
        let applied = match tokio::time::timeout(APPLY_MAX, apply::partner(door, &wish)).await {
            Ok(applied) => applied.map_err(|error| error.to_string()),
            Err(_elapsed) => Err("the broker is too slow".to_owned()),
        };
        match applied {
            Ok(done) => {
                self.memory().failed.remove(id);
                if let Some(queues) = wish.full
                    && partner.state == PartnerState::Active
                {
                    warn(tx, id, queues.len(), door.queues_max, now).await?;
                }
                if wish.is_news {
                    tracing::info!(
                        partner.id = %id, partner.state = partner.state.as_str(),
                        partner.version = partner.version, "partner applied"
                    );
                } else if !done.is_empty() && partner.state == PartnerState::Removed {
                    tracing::info!(partner.id = %id, done = done.join(", "), "removed partner taken away");
                } else if !done.is_empty()
                    && let Some(queues) = wish.full
                {
                    tracing::warn!(
                        partner.id = %id, queues = queues.len(), limit = door.queues_max,
                        "a partner may make no more queues"
                    );
                } else if !done.is_empty() {
                    tracing::warn!(partner.id = %id, mended = done.join(", "), "partner mended");
                }
                if wish.is_news || partner.apply_error.is_some() {
                    partner_admin::applied(tx.db(), id, partner.version).await?;
                }
            }
            Err(error) => {
                let before = self
                    .memory()
                    .failed
                    .get(id)
                    .map_or(0, |(before, _)| *before);
                let again = Instant::now() + again_after(before);
                self.memory().failed.insert(id.clone(), (before + 1, again));
                let error: String = error.chars().take(partner_admin::ERROR_CHARS_MAX).collect();
                if partner.apply_error.as_ref() != Some(&error) {
                    tracing::warn!(partner.id = %id, error, "partner not applied");
                    partner_admin::not_applied(tx.db(), id, &error).await?;
                }
            }
        }
        Ok(())
    }
}

/// Tells a partner that it may make no more queues: once a day, as long as that is so.
async fn warn(
    tx: &Tx,
    id: &PartnerId,
    queues: usize,
    limit: usize,
    now: boxoffice_contracts::Instant,
) -> Result<(), Failure> {
    let name = format!("{PARTNER_WARNED} queues {}", now.date_naive());
    let name = MessageId::of_partner(id.as_str(), &name);
    let warned = Warned {
        code: Code::QuotaExceeded,
        detail: "You have as many queues of your own as you may. No more can be declared until you delete some."
            .to_owned(),
        observed: u64::try_from(queues).ok(),
        limit: u64::try_from(limit).ok(),
        at: now,
    };
    let told = NewPartnerOut {
        partner: id.clone(),
        message_id: name,
        routing_key: PARTNER_WARNED.as_str().to_owned(),
        booking: None,
        correlation_id: None,
        body: reply::event(name, PARTNER_WARNED, None, None, now, &warned)?,
    };
    partner_out::append(tx.db(), &[told], now).await?;
    Ok(())
}

fn removal(record: &Record, now: boxoffice_contracts::Instant) -> Removal {
    if record.discard_unread {
        Removal::All
    } else if now - record.updated_at > COUNT_AGE {
        Removal::Empty
    } else {
        Removal::NotYet
    }
}

fn again_after(failures: u32) -> Duration {
    AGAIN_FIRST
        .saturating_mul(1 << failures.min(10))
        .min(AGAIN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_has_a_user_of_its_own_unless_it_makes_users() {
        let management = "http://root:x@h:15672";
        let door = Door::new(management, "amqp://gate:p%40ss@h/the%20vhost")
            .unwrap()
            .unwrap();
        assert_eq!(door.vhost, "the vhost");
        let gate = door.gate.clone().unwrap();
        assert_eq!(
            (gate.user.as_str(), gate.password.as_str()),
            ("gate", "p@ss")
        );
        assert!(!format!("{door:?}").contains("p@ss"));
        let same = Door::new(management, "amqp://root:x@h/partners")
            .unwrap()
            .unwrap();
        assert_eq!(same.gate, None);
        assert_eq!(Door::new(management, "").unwrap().unwrap().vhost, VHOST);
        assert!(Door::new("", "amqp://gate:x@h/partners").unwrap().is_none());
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let error = Door::new("h:15672", "").unwrap_err();
        assert!(error.starts_with("partners.management_url: "), "{error}");
        for amqp in ["nothing", "amqp://u:p@h", "amqp://u:p@h/"] {
            let error = Door::new("http://root:x@h", amqp).unwrap_err();
            assert!(error.starts_with("partners.amqp_url: "), "{error}");
        }
    }

    #[test]
    fn failures_wait_longer_and_not_for_ever() {
        assert_eq!(again_after(0), AGAIN_FIRST);
        assert_eq!(again_after(2), Duration::from_secs(4));
        assert_eq!(again_after(u32::MAX), AGAIN_MAX);
    }
}
