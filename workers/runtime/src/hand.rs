//! The messages in hand of one worker: delivered, not yet settled.

use crate::{
    amqp::{self, Read},
    clock,
    tally::{Mark, Tally},
    window::Ticket,
};
use boxoffice_contracts::{
    Instant, MessageId,
    topology::{PATIENCE, Queue, SUSPECT_DELIVERIES},
};
use lapin::BasicProperties;
use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    sync::Notify,
    time::{self, timeout_at},
};

/// A delivery, read as far as it could be.
#[derive(Debug)]
pub struct Delivered {
    pub(crate) queue: &'static Queue,
    /// Which of the worker's queues.
    pub(crate) slot: usize,
    pub read: Read,
    pub body: Vec<u8>,
    /// It may have killed its worker before: handled with no neighbour.
    pub alone: bool,
    /// Until when it may wait for company; `None` when somebody waits for it.
    pub(crate) patient: Option<time::Instant>,
    pub(crate) ticket: Ticket,
    /// Counts it as in hand.
    pub(crate) mark: Mark,
    /// When its handling began.
    pub(crate) began: OnceLock<Instant>,
}

/// Whether a message must be handled with no neighbour.
#[must_use]
pub fn suspect(delivered: &Delivered) -> bool {
    delivered.read.alone || delivered.read.deliveries >= SUSPECT_DELIVERIES
}

impl Delivered {
    /// Reads what came from `queue`, and counts it as in hand.
    #[must_use]
    pub fn new(
        queue: &'static Queue,
        slot: usize,
        tally: &Arc<Tally>,
        properties: &BasicProperties,
        body: Vec<u8>,
        ticket: Ticket,
    ) -> Self {
        let read = amqp::read(queue.name, properties, &body);
        let kinds = queue.patient;
        let is_patient = kinds
            .iter()
            .any(|kind| *kind.as_str() == *read.envelope.kind);
        Self {
            queue,
            slot,
            patient: is_patient.then(|| time::Instant::now() + PATIENCE),
            mark: tally.take(&read.envelope, read.deferred),
            read,
            body,
            alone: false,
            ticket,
            began: OnceLock::new(),
        }
    }

    #[must_use]
    pub fn id(&self) -> MessageId {
        self.read.envelope.message_id
    }

    #[must_use]
    pub fn key(&self) -> (&'static str, MessageId) {
        (self.queue.name, self.id())
    }

    /// When its handling began: at the first time that somebody asks.
    pub(crate) fn began(&self) -> Instant {
        *self.began.get_or_init(clock::now)
    }

    /// Whether it still is ours to settle.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.ticket.usable()
    }
}

/// What is taken at once.
struct Batch {
    max: usize,
    taken: Vec<Arc<Delivered>>,
    keys: HashSet<(&'static str, MessageId)>,
}

impl Batch {
    fn new(max: usize) -> Self {
        Self {
            max,
            taken: Vec::new(),
            keys: HashSet::new(),
        }
    }
}

/// What the readers put in and the engine takes out, one slot per queue: the first is preferred, all others are lines that
/// stand side by side.
#[derive(Debug)]
pub struct Hand {
    slots: Vec<Mutex<VecDeque<Arc<Delivered>>>>,
    tallies: Vec<Arc<Tally>>,
    arrived: Notify,
    /// A suspect had to wait for its neighbours: it is next.
    passed_over: AtomicBool,
}

impl Hand {
    #[must_use]
    pub fn new(queues: usize) -> Arc<Self> {
        Arc::new(Self {
            slots: (0..queues).map(|_| Mutex::default()).collect(),
            tallies: (0..queues).map(|_| Arc::default()).collect(),
            arrived: Notify::new(),
            passed_over: AtomicBool::new(false),
        })
    }

    /// Counts of each slot.
    #[must_use]
    pub fn tallies(&self) -> &[Arc<Tally>] {
        &self.tallies
    }

    /// Counts of a slot; a role without queues has none.
    pub(crate) fn tally(&self, slot: usize) -> Option<Arc<Tally>> {
        self.tallies.get(slot).map(Arc::clone)
    }

    /// A message that was delivered.
    pub fn put(&self, delivered: Delivered) {
        self.slot(delivered.slot).push_back(Arc::new(delivered));
        self.arrived.notify_one();
    }

    /// Puts messages back to be taken next.
    pub(crate) fn put_back(&self, messages: Vec<Arc<Delivered>>) {
        for message in messages.into_iter().rev() {
            self.slot(message.slot).push_front(message);
        }
        self.arrived.notify_one();
    }

    /// What is there, at most `max`: of the first queue, then of the others in turn, so that a long line keeps nobody in
    /// another waiting. Empty if there is nothing.
    ///
    /// A suspect comes alone, and a message never comes twice in a batch.
    pub(crate) fn take_ready(&self, max: usize) -> Vec<Arc<Delivered>> {
        if self.passed_over.swap(false, Ordering::Relaxed)
            && let Some(suspect) = self.take_suspect()
        {
            return vec![suspect];
        }
        let mut batch = Batch::new(max);
        while let Some(next) = self.next_of(0, &mut batch) {
            batch.taken.push(next);
        }
        let mut lines: Vec<usize> = (1..self.slots.len()).collect();
        while !lines.is_empty() {
            lines.retain(|line| match self.next_of(*line, &mut batch) {
                Some(next) => {
                    batch.taken.push(next);
                    true
                }
                None => false,
            });
        }
        batch.taken
    }

    /// The first of a slot, if it may join the batch.
    fn next_of(&self, slot: usize, batch: &mut Batch) -> Option<Arc<Delivered>> {
        let mut waiting = self
            .slots
            .get(slot)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while waiting.front().is_some_and(|next| !next.usable()) {
            waiting.pop_front();
        }
        let next = waiting.front()?;
        if next.alone && !batch.taken.is_empty() {
            self.passed_over.store(true, Ordering::Relaxed);
            return None;
        }
        let is_full =
            batch.taken.len() == batch.max || batch.taken.first().is_some_and(|one| one.alone);
        if is_full || !batch.keys.insert(next.key()) {
            return None;
        }
        waiting.pop_front()
    }

    /// The first of all suspects that stand at the head of their slots.
    fn take_suspect(&self) -> Option<Arc<Delivered>> {
        (0..self.slots.len()).find_map(|slot| {
            let mut waiting = self.slot(slot);
            let is_suspect = |first: &Arc<Delivered>| first.alone && first.usable();
            waiting
                .front()
                .is_some_and(is_suspect)
                .then(|| waiting.pop_front())?
        })
    }

    /// Waits until there is something, and then until there is a whole batch or it is time. Nobody joins a suspect, so
    /// it is not kept waiting. What nobody waits for waits for company.
    pub(crate) async fn gather(&self, max: usize, until: Option<time::Instant>) {
        loop {
            let until = until.max(self.patience());
            let (mut waiting, mut alone) = (0, false);
            for slot in 0..self.slots.len() {
                let messages = self.slot(slot);
                waiting += messages.len();
                alone |= messages.front().is_some_and(|first| first.alone);
            }
            let late = until.is_none_or(|until| until <= time::Instant::now());
            if waiting >= max || alone || (waiting > 0 && late) {
                return;
            }
            let arrived = self.arrived.notified();
            match until.filter(|_| waiting > 0) {
                Some(until) => _ = timeout_at(until, arrived).await,
                None => arrived.await,
            }
        }
    }

    /// Until when all that is in hand may wait for company; `None` when somebody waits for one of them.
    fn patience(&self) -> Option<time::Instant> {
        let mut least = None;
        for slot in 0..self.slots.len() {
            for message in self.slot(slot).iter() {
                let until = message.patient?;
                least = Some(least.map_or(until, |least: time::Instant| least.min(until)));
            }
        }
        least
    }

    /// As [`Self::take_ready`], waiting until there is something.
    pub async fn take(&self, max: usize) -> Vec<Arc<Delivered>> {
        loop {
            let batch = self.take_ready(max);
            if !batch.is_empty() {
                return batch;
            }
            self.arrived.notified().await;
        }
    }

    /// Lets go of everything that waits.
    pub(crate) fn clear(&self) {
        for slot in 0..self.slots.len() {
            self.slot(slot).clear();
        }
    }

    fn slot(&self, slot: usize) -> std::sync::MutexGuard<'_, VecDeque<Arc<Delivered>>> {
        self.slots[slot]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pace::Pace, ports::Acker, window::Window};
    use boxoffice_contracts::{
        Message,
        message::payment,
        topology::{PAYMENTS, TICKETS},
    };
    use futures::future::BoxFuture;
    use std::time::Duration;

    /// A whole batch.
    const MAX: u8 = 3;
    const PACE: Duration = Duration::from_millis(50);
    /// When a message comes that is not there yet: before it is due.
    const SOON: Duration = Duration::from_millis(20);
    /// Who waits so long waits for ever. The clock stands still while anybody is at work, so it costs nothing.
    const FOR_EVER: Duration = Duration::from_secs(3_600);

    /// Nothing is settled here.
    #[derive(Debug)]
    struct NoAcker;

    impl Acker for NoAcker {
        fn ack(&self, _multiple: bool) -> BoxFuture<'_, bool> {
            Box::pin(std::future::ready(true))
        }

        fn usable(&self) -> bool {
            true
        }
    }

    /// Message number `n`, with an id of its own.
    fn message(hand: &Hand, slot: usize, n: u8) -> Delivered {
        let (queue, tally) = (const { &TICKETS }, &hand.tallies()[slot]);
        let ticket = Window::new(queue.name, None).ticket(1, NoAcker);
        let properties = BasicProperties::default();
        Delivered::new(queue, slot, tally, &properties, vec![n], ticket)
    }

    /// A hand of two queues, with messages of the first.
    fn holding(messages: u8) -> Arc<Hand> {
        let hand = Hand::new(2);
        for n in 0..messages {
            hand.put(message(&hand, 0, n));
        }
        hand
    }

    /// Of a worker that has just begun a transaction.
    fn due() -> Option<time::Instant> {
        Some(time::Instant::now() + PACE)
    }

    /// How long a batch is waited for.
    async fn wait(hand: &Hand, until: Option<time::Instant>) -> Duration {
        let begun = time::Instant::now();
        let gathered = timeout_at(begun + FOR_EVER, hand.gather(usize::from(MAX), until)).await;
        assert!(gathered.is_ok(), "it waits for ever");
        begun.elapsed()
    }

    /// The same, when another message comes soon.
    async fn wait_while_comes(
        hand: &Hand,
        until: Option<time::Instant>,
        message: Delivered,
    ) -> Duration {
        let comes = async {
            time::sleep(SOON).await;
            hand.put(message);
        };
        let (waited, ()) = tokio::join!(wait(hand, until), comes);
        waited
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_idle_waits_for_nobody() {
        let pace = Pace::new(PACE);
        assert_eq!(wait(&holding(1), pace.due()).await, Duration::ZERO);
        pace.begin(time::Instant::now());
        time::advance(PACE * 2).await;
        assert_eq!(wait(&holding(1), pace.due()).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_busy_waits_until_it_is_due_and_has_what_came_meanwhile() {
        let hand = holding(1);
        let second = message(&hand, 0, 1);
        assert_eq!(wait_while_comes(&hand, due(), second).await, PACE);
        assert_eq!(hand.take_ready(usize::from(MAX)).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn with_nothing_in_hand_the_first_message_is_waited_for() {
        let hand = holding(0);
        let first = message(&hand, 0, 0);
        assert_eq!(wait_while_comes(&hand, None, first).await, SOON);
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_batch_goes_at_once_whichever_queues_it_is_of() {
        assert_eq!(wait(&holding(MAX), due()).await, Duration::ZERO);
        let hand = holding(MAX - 1);
        let last = message(&hand, 1, MAX);
        assert_eq!(wait_while_comes(&hand, due(), last).await, SOON);
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspect_goes_at_once() {
        let suspect = |hand: &Hand, slot| Delivered {
            alone: true,
            ..message(hand, slot, MAX)
        };
        let hand = holding(0);
        hand.put(suspect(&hand, 0));
        assert_eq!(wait(&hand, due()).await, Duration::ZERO);
        let hand = holding(1);
        let second = suspect(&hand, 1);
        assert_eq!(wait_while_comes(&hand, due(), second).await, SOON);
    }

    /// The same message, for which nobody waits.
    fn patient(hand: &Hand, slot: usize, n: u8) -> Delivered {
        Delivered {
            patient: Some(time::Instant::now() + PATIENCE),
            ..message(hand, slot, n)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_waits_for_company() {
        let hand = holding(0);
        hand.put(patient(&hand, 0, 0));
        assert_eq!(wait(&hand, None).await, PATIENCE);

        // Whoever comes later waits no longer than the first.
        let hand = holding(0);
        hand.put(patient(&hand, 0, 0));
        let second = patient(&hand, 1, 1);
        assert_eq!(wait_while_comes(&hand, None, second).await, PATIENCE);
        assert_eq!(hand.take_ready(usize::from(MAX)).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whom_somebody_waits_for_takes_the_patient_along() {
        let hand = holding(0);
        hand.put(patient(&hand, 0, 0));
        let second = message(&hand, 1, 1);
        assert_eq!(wait_while_comes(&hand, None, second).await, SOON);
        assert_eq!(hand.take_ready(usize::from(MAX)).len(), 2);

        let hand = holding(1);
        hand.put(patient(&hand, 0, 1));
        assert_eq!(wait(&hand, None).await, Duration::ZERO);
        assert_eq!(wait(&hand, due()).await, PACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_batch_of_the_patient_goes_at_once() {
        let hand = holding(0);
        for n in 0..MAX {
            hand.put(patient(&hand, 0, n));
        }
        assert_eq!(wait(&hand, None).await, Duration::ZERO);
    }

    /// Slots of what is taken.
    fn taken(hand: &Hand) -> Vec<usize> {
        let batch = hand.take_ready(usize::from(MAX));
        batch.iter().map(|message| message.slot).collect()
    }

    /// A hand of a preferred queue and two lines; the first line is long.
    fn beside_a_long_line() -> Arc<Hand> {
        let hand = Hand::new(3);
        for n in 0..2 * MAX {
            hand.put(message(&hand, 1, n));
        }
        hand
    }

    #[test]
    fn a_long_line_keeps_nobody_in_another_waiting() {
        let hand = beside_a_long_line();
        hand.put(message(&hand, 2, 100));
        hand.put(message(&hand, 0, 101));
        assert_eq!(taken(&hand), [0, 1, 2]);
        assert_eq!(taken(&hand), [1; 3]);
        assert_eq!(taken(&hand), [1; 2]);
        assert_eq!(taken(&hand), [0; 0]);
    }

    #[test]
    fn a_suspect_waits_for_one_batch_and_keeps_no_other_line_waiting() {
        let hand = beside_a_long_line();
        let suspect = Delivered {
            alone: true,
            ..message(&hand, 2, 100)
        };
        hand.put(suspect);
        assert_eq!(taken(&hand), [1; 3]);
        assert_eq!(taken(&hand), [2], "alone");
        assert_eq!(taken(&hand), [1; 3]);
    }

    #[test]
    fn the_queue_says_who_is_patient() {
        let hand = Hand::new(1);
        let read = |kind: &str| {
            let properties = BasicProperties::default().with_type(kind.into());
            let ticket = Window::new(PAYMENTS.name, None).ticket(1, NoAcker);
            let (queue, tally) = (const { &PAYMENTS }, &hand.tallies()[0]);
            Delivered::new(queue, 0, tally, &properties, Vec::new(), ticket)
        };
        assert!(read(payment::Webhook::KIND.as_str()).patient.is_some());
        assert!(read(payment::Authorize::KIND.as_str()).patient.is_none());
        assert!(read("nobody.knows.v1").patient.is_none());
    }
}
