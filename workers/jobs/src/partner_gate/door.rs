//! Keeps the door: for each partner a task that reads what it sends, and one that sends it what it is to know.
//!
//! Partners are asked for again and again, so a new one is served within two seconds and a suspended one is not read any
//! more. What can't be read now stays in its queue.

use super::{
    Gate,
    apply::{self, Candidate, Judgement, Source},
    check::{self, Raw, Refusal, Way},
    quota::{Bucket, Quota},
    send::{self, Sender},
};
use boxoffice_contracts::{
    Code, metric,
    partner::{PartnerId, broker},
    topology::{Exchange, lines},
};
use boxoffice_runtime::{
    Beside, Broker, Failure, ForeignQueue, Incoming, clock, foreign::acknowledge,
};
use boxoffice_store::mysql::partners::{self, Partner, PartnerState};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Names of the connections to the partners' virtual host, in logs and metrics.
const LINKS: [&str; 2] = ["partners-publish", "partners-consume"];
/// Stands for all intake queues of partners in metrics.
const LABEL: &str = "partner.in";
/// How often the list of partners is read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Messages of one transaction; small, so that everybody's turn comes soon.
const BATCH_MAX: usize = 50;
const PREFETCH: u16 = 200;
/// Batches at work at once. Turns are taken in the order of asking: who sends much asks as often as anybody else.
const TURNS: usize = 2;
/// Waits between attempts.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// What the tasks share.
pub(super) struct Door {
    pub gate: Arc<Gate>,
    pub beside: Beside,
    pub broker: Broker,
    turns: Semaphore,
    /// Whether the house takes no more for now: partners are not read, and what they send waits in their queues, which
    /// are bounded.
    full: watch::Sender<bool>,
}

/// The tasks of one partner.
struct Served {
    limits: watch::Sender<Partner>,
    wake: Arc<Notify>,
    sending: CancellationToken,
    /// Absent while it may not publish.
    reading: Option<CancellationToken>,
}

/// Keeps the door until the process stops.
pub(super) async fn run(gate: Arc<Gate>, beside: Beside) {
    let Some(config) = gate.config.broker.clone() else {
        tracing::info!("no address of the partners' broker: their door is closed");
        return;
    };
    let broker = match Broker::start_beside(&config, LINKS) {
        Ok(broker) => broker,
        Err(error) => return tracing::error!(%error, "the partners' door can't be opened"),
    };
    let door = Arc::new(Door {
        gate,
        beside,
        broker,
        turns: Semaphore::new(TURNS),
        full: watch::Sender::new(false),
    });
    let stop = door.beside.stop.clone();
    let mut tasks = JoinSet::new();
    let mut served: BTreeMap<PartnerId, Served> = BTreeMap::new();
    let mut told = Told::default();
    loop {
        match partners::list(&door.beside.db).await {
            Ok(list) => {
                told.well();
                serve(&door, &mut served, list, &mut tasks);
            }
            Err(error) => told.once(|| tracing::warn!(%error, "the partners can't be listed")),
        }
        door.look_behind().await;
        let next = Instant::now() + LOOK_EVERY;
        tokio::select! {
            () = send::wake_waiting(&door, next, wakes(&served)) => {}
            () = stop.cancelled() => break,
        }
        while tasks.try_join_next().is_some() {}
    }
    for partner in served.values() {
        partner.end();
    }
    // What is in hand is finished; the process gives up on what isn't.
    while tasks.join_next().await.is_some() {}
    door.broker.close().await;
}

impl Door {
    /// Whether the house has taken what was accepted. Who can't ask now keeps to what is known.
    async fn look_behind(&self) {
        let max = self.gate.config.backlog_max.max(1);
        let asked = self.beside.behind(Exchange::Intake, lines::keys(), max);
        let Ok(behind) = asked.await else {
            return;
        };
        let full = behind >= max;
        if self.full.send_replace(full) == full {
            return;
        }
        if full {
            tracing::warn!(
                messages = behind,
                "partners are not read: the house takes no bookings"
            );
        } else {
            tracing::info!("partners are read again");
        }
    }
}

fn wakes(served: &BTreeMap<PartnerId, Served>) -> HashMap<PartnerId, Arc<Notify>> {
    let wake = |(id, partner): (&PartnerId, &Served)| (id.clone(), Arc::clone(&partner.wake));
    served.iter().map(wake).collect()
}

/// Begins and ends tasks, so that each partner has those that its state allows.
fn serve(
    door: &Arc<Door>,
    served: &mut BTreeMap<PartnerId, Served>,
    list: Vec<Partner>,
    tasks: &mut JoinSet<()>,
) {
    let there: BTreeMap<PartnerId, Partner> = list
        .into_iter()
        .filter(|partner| partner.state != PartnerState::Removed)
        .map(|partner| (partner.id.clone(), partner))
        .collect();
    served.retain(|id, partner| {
        let stays = there.contains_key(id);
        if !stays {
            partner.end();
        }
        stays
    });
    for (id, partner) in there {
        let active = partner.state == PartnerState::Active;
        let entry = served.entry(id.clone()).or_insert_with(|| {
            let (wake, sending) = (Arc::new(Notify::new()), CancellationToken::new());
            let limits = watch::Sender::new(partner.clone());
            let sender = Sender::new(Arc::clone(door), limits.subscribe(), Arc::clone(&wake));
            tasks.spawn(sender.run(sending.clone()));
            Served {
                limits,
                wake,
                sending,
                reading: None,
            }
        });
        entry.limits.send_if_modified(|known| {
            let changed = *known != partner;
            known.clone_from(&partner);
            changed
        });
        match (&entry.reading, active) {
            (None, true) => {
                let stop = CancellationToken::new();
                let reader = Reader {
                    door: Arc::clone(door),
                    limits: entry.limits.subscribe(),
                    wake: Arc::clone(&entry.wake),
                    stop: stop.clone(),
                    bucket: None,
                };
                tasks.spawn(reader.run());
                entry.reading = Some(stop);
            }
            (Some(reading), false) => {
                reading.cancel();
                entry.reading = None;
            }
            // It ended by itself when it suspended its partner, and that was taken back since.
            (Some(reading), true) if reading.is_cancelled() => entry.reading = None,
            (Some(_), true) | (None, false) => {}
        }
    }
}

impl Served {
    fn end(&self) {
        self.sending.cancel();
        if let Some(reading) = &self.reading {
            reading.cancel();
        }
    }
}

/// Whether it comes out of a queue of the partner's own, which dead-letters to the partner's door: our replies would
/// be answered for ever. What it was stands in `partner_out`; it is acknowledged and counted.
fn leads_back(partner: &PartnerId, incoming: &Incoming) -> bool {
    if incoming.dead_lettered {
        metrics::counter!(metric::PARTNER_MESSAGES_TOTAL, "kind" => "unknown", "outcome" => "dead_lettered")
            .increment(1);
        tracing::info!(partner.id = %partner, "a partner's queue leads back to its door");
    }
    incoming.dead_lettered
}

/// Says the same thing once, until it was well in between.
#[derive(Default)]
pub(super) struct Told(bool);

impl Told {
    pub(super) fn once(&mut self, say: impl FnOnce()) {
        if !self.0 {
            say();
        }
        self.0 = true;
    }

    pub(super) fn well(&mut self) {
        self.0 = false;
    }
}

/// Reads what one partner sends.
struct Reader {
    door: Arc<Door>,
    limits: watch::Receiver<Partner>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    bucket: Option<Bucket>,
}

impl Reader {
    async fn run(mut self) {
        let partner = self.limits.borrow().id.clone();
        let queue = broker::queue_in(&partner);
        let mut told = Told::default();
        let mut wait = AGAIN_FIRST;
        while !self.stop.is_cancelled() {
            match ForeignQueue::open(&self.door.broker, &queue, PREFETCH, LABEL).await {
                Ok(open) => {
                    told.well();
                    wait = AGAIN_FIRST;
                    self.consume(&partner, open).await;
                }
                Err(error) => told.once(|| {
                    tracing::warn!(partner.id = %partner, %error, "a partner's queue can't be read");
                }),
            }
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(AGAIN_MAX),
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Until the consumer ends, or it is time to stop.
    async fn consume(&mut self, partner: &PartnerId, mut queue: ForeignQueue) {
        let mut full = self.door.full.subscribe();
        loop {
            tokio::select! {
                _ = full.wait_for(|full| !full) => {}
                () = self.stop.cancelled() => return,
            }
            let batch = tokio::select! {
                batch = queue.batch(BATCH_MAX) => batch,
                // Whatever comes from now on waits.
                _ = full.wait_for(|full| *full) => continue,
                () = self.stop.cancelled() => return,
            };
            let Some(batch) = batch else { return };
            let since = Instant::now();
            let candidates: Vec<Candidate> = batch
                .iter()
                .filter(|incoming| !leads_back(partner, incoming))
                .map(|incoming| self.examine(partner, incoming))
                .collect();
            if candidates.is_empty() {
                acknowledge(&batch).await;
                continue;
            }
            match self.judge(partner, candidates, &batch).await {
                Some(judged) => {
                    acknowledge(&batch).await;
                    self.wake.notify_one();
                    metrics::histogram!(metric::PARTNER_JUDGED_SECONDS)
                        .record(since.elapsed().as_secs_f64());
                    if judged.suspended {
                        self.stop.cancel();
                    }
                }
                // Given back with the consumer.
                None => return,
            }
        }
    }

    fn examine(&mut self, partner: &PartnerId, incoming: &Incoming) -> Candidate {
        let by = Way::Exchange {
            routing_key: &incoming.routing_key,
            content_type: incoming.content_type.as_deref(),
            user_id: incoming.user_id.as_deref(),
            message_id: incoming.message_id.as_deref(),
            correlation_id: incoming.correlation_id.as_deref(),
        };
        let examined = check::examine(
            partner,
            Raw {
                body: &incoming.body,
                by,
            },
        );
        // What can't be understood is counted otherwise.
        let over_quota = match examined.result {
            Ok(_) => self.take_quota(),
            Err(_) => None,
        };
        Candidate {
            examined,
            source: Source {
                routing_key: Some(incoming.routing_key.clone()),
                content_type: incoming.content_type.clone(),
                user_id: incoming.user_id.clone(),
            },
            body: incoming.body.clone(),
            redelivered: incoming.redelivered,
            over_quota,
            repaired_by: None,
        }
    }

    fn take_quota(&mut self) -> Option<u32> {
        let quota = {
            let partner = self.limits.borrow();
            Quota {
                rate_per_sec: partner.rate_per_sec,
                burst: partner.burst,
            }
        };
        let now = clock::now();
        let bucket = self.bucket.get_or_insert_with(|| Bucket::full(quota, now));
        bucket.take(quota, now).err()
    }

    /// Judges a batch until that is committed; `None` when it is time to stop, or the messages are ours no more.
    async fn judge(
        &self,
        partner: &PartnerId,
        candidates: Vec<Candidate>,
        batch: &[Incoming],
    ) -> Option<Judgement> {
        let mut total = Judgement::default();
        let mut parts = vec![candidates.into_iter().map(Arc::new).collect::<Vec<_>>()];
        let (mut told, mut wait) = (Told::default(), AGAIN_FIRST);
        while let Some(part) = parts.pop() {
            match self.attempt(partner, part.clone()).await {
                Ok(judged) => {
                    total.new += judged.new;
                    total.repeated += judged.repeated;
                    total.suspended |= judged.suspended;
                    (told, wait) = (Told::default(), AGAIN_FIRST);
                    continue;
                }
                Err(Failure::Conflict(_)) => parts.push(part),
                Err(Failure::Down(service, cause)) => {
                    told.once(|| {
                        tracing::warn!(partner.id = %partner, service = service.as_str(), code = cause.code,
                            cause = %cause.detail, "a partner's messages wait");
                    });
                    parts.push(part);
                }
                Err(Failure::Retry(cause) | Failure::Park(cause)) if part.len() > 1 => {
                    // Somebody in here is at fault: halve until it stands alone.
                    tracing::info!(partner.id = %partner, code = cause.code, messages = part.len(),
                        "a partner's batch halved");
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second.to_vec(), first.to_vec()]);
                    continue;
                }
                Err(Failure::Retry(cause) | Failure::Park(cause)) => {
                    told.once(|| {
                        tracing::error!(partner.id = %partner, code = cause.code, cause = %cause.detail,
                            "a partner's message can't be judged");
                    });
                    parts.push(part.iter().map(|each| Arc::new(spoiled(each))).collect());
                }
            }
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(AGAIN_MAX),
                () = self.stop.cancelled() => return None,
            }
            if !batch.iter().all(Incoming::usable) {
                return None;
            }
        }
        Some(total)
    }

    async fn attempt(
        &self,
        partner: &PartnerId,
        part: Vec<Arc<Candidate>>,
    ) -> Result<Judgement, Failure> {
        // Only while something is done: who waits for a service that is away takes nobody's turn. Never closed.
        let _turn = self.door.turns.acquire().await.ok();
        let (gate, partner) = (Arc::clone(&self.door.gate), partner.clone());
        self.door
            .beside
            .transaction(move |mut tx| async move {
                let judged = apply::judge(&gate, &mut tx, &partner, &part).await?;
                Ok((tx, judged))
            })
            .await
    }
}

/// The message whose handling fails for a reason of ours: kept for a person, and told so.
fn spoiled(candidate: &Candidate) -> Candidate {
    let mut spoiled = Candidate {
        examined: candidate.examined.clone(),
        source: candidate.source.clone(),
        body: candidate.body.clone(),
        redelivered: candidate.redelivered,
        over_quota: None,
        repaired_by: None,
    };
    let detail = "It could not be handled. That is an error of ours; somebody looks at it.";
    spoiled.examined.result = Err(Refusal::quarantined(Code::InternalError, detail));
    spoiled
}
