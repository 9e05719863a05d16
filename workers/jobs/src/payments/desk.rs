//! What a batch of orders has on its desk: the intents of its bookings under their locks, what is read under
//! those, and what is to be written when all have been handled.
//!
//! Lock order: intents, then the credit of the partners that sold their bookings, each by key.

use super::Endings;
use super::lock::Locked;
use boxoffice_contracts::{BookingId, Instant, message::booking::Tender};
use boxoffice_runtime::{Failure, Tx};
use boxoffice_store::mysql::{
    attempts::{self, Attempt, AttemptState},
    calls::{self, Announced, CallOutcome, KeyUse},
    intents::{self, Intent},
    ledger::{self, Posting},
    looks::{self, Look},
    partner_credit::{self, Seller},
    webhooks,
};
use std::collections::{BTreeMap, HashMap};

/// Loaded once, changed in memory, written once.
#[derive(Debug, Default)]
pub struct Desk {
    bookings: Vec<BookingId>,
    intents: BTreeMap<(BookingId, u16), Sheet<Intent>>,
    attempts: BTreeMap<(BookingId, u16), Sheet<Attempt>>,
    /// Of the bookings that are paid by credit.
    sellers: BTreeMap<BookingId, Seller>,
    /// Of the gateway, by their ids.
    events: HashMap<String, webhooks::row::Model>,
    /// Keys that were used, once somebody has asked for them.
    uses: Option<BTreeMap<BookingId, Vec<KeyUse>>>,
    announced: Vec<Announced>,
    endings: Endings,
    looks: Vec<Look>,
    postings: Vec<Posting>,
}

/// A record, and whether it differs from its row.
#[derive(Debug)]
struct Sheet<T> {
    record: T,
    changed: bool,
}

impl<T: PartialEq> Sheet<T> {
    const fn clean(record: T) -> Self {
        Self {
            record,
            changed: false,
        }
    }

    fn put(&mut self, record: T) {
        self.changed |= self.record != record;
        self.record = record;
    }
}

impl Desk {
    /// Locks the intents of these bookings, and the credit that pays for some of them; reads their attempts, and these
    /// events of the gateway.
    pub(super) async fn lay(
        tx: &Tx,
        mut bookings: Vec<BookingId>,
        events: Vec<String>,
    ) -> Result<Self, Failure> {
        bookings.sort_unstable();
        bookings.dedup();
        let intents = intents::lock_of_bookings(tx.db(), &bookings).await?;
        let attempts = attempts::of_bookings(tx.db(), &bookings).await?;
        let on_credit = intents
            .iter()
            .filter(|intent| intent.tender == Tender::PartnerCredit);
        let on_credit = on_credit.map(|intent| intent.booking).collect();
        let sellers = partner_credit::lock_of_bookings(tx.db(), on_credit).await?;
        let events = webhooks::find_events(tx.db(), &events).await?;
        let intents = intents.into_iter();
        let attempts = attempts.into_iter();
        Ok(Self {
            intents: intents
                .map(|intent| ((intent.booking, intent.generation), Sheet::clean(intent)))
                .collect(),
            attempts: attempts
                .map(|attempt| ((attempt.booking, attempt.number), Sheet::clean(attempt)))
                .collect(),
            sellers: sellers.into_iter().collect(),
            events: events
                .into_iter()
                .map(|event| (event.event_id.clone(), event))
                .collect(),
            bookings,
            ..Self::default()
        })
    }

    /// The booking's intent of the last generation, and the database's clock after its lock was taken.
    pub(super) async fn current(
        &self,
        tx: &Tx,
        booking: BookingId,
    ) -> Result<Option<Locked>, Failure> {
        let all = self.intents.range((booking, 0)..=(booking, u16::MAX));
        let Some((_, sheet)) = all.last() else {
            return Ok(None);
        };
        let (intent, now) = (sheet.record.clone(), tx.now().await?);
        Ok(Some(Locked { intent, now }))
    }

    /// The intent of this generation, and the database's clock after its lock was taken.
    pub(super) async fn of_generation(
        &self,
        tx: &Tx,
        booking: BookingId,
        generation: u16,
    ) -> Result<Option<Locked>, Failure> {
        let Some(sheet) = self.intents.get(&(booking, generation)) else {
            return Ok(None);
        };
        let (intent, now) = (sheet.record.clone(), tx.now().await?);
        Ok(Some(Locked { intent, now }))
    }

    pub(super) fn is_on_credit(&self, booking: BookingId) -> bool {
        let mut all = self.intents.range((booking, 0)..=(booking, u16::MAX));
        all.any(|(_, sheet)| sheet.record.tender == Tender::PartnerCredit)
    }

    /// Who sold a booking that is paid by credit.
    pub(super) fn seller(&self, booking: BookingId) -> Option<&Seller> {
        self.sellers.get(&booking)
    }

    /// An event of the gateway, if it is stored.
    pub(super) fn event(&self, id: &str) -> Option<&webhooks::row::Model> {
        self.events.get(id)
    }

    /// Whether an attempt on this intent was authorised.
    pub(super) fn is_authorized(&self, intent: &Intent) -> bool {
        let (booking, generation) = (intent.booking, intent.generation);
        let mut all = self.attempts.range((booking, 0)..=(booking, u16::MAX));
        all.any(|(_, sheet)| {
            let attempt = &sheet.record;
            attempt.generation == generation && attempt.state == AttemptState::Authorized
        })
    }

    pub(super) fn attempt(&self, booking: BookingId, number: u16) -> Option<&Attempt> {
        let sheet = self.attempts.get(&(booking, number))?;
        Some(&sheet.record)
    }

    pub(super) fn last_attempt(&self, booking: BookingId) -> Option<&Attempt> {
        let mut all = self.attempts.range((booking, 0)..=(booking, u16::MAX));
        let (_, sheet) = all.next_back()?;
        Some(&sheet.record)
    }

    /// The booking's keys as they were before the calls that are being planned.
    pub(super) async fn uses(
        &mut self,
        tx: &Tx,
        booking: BookingId,
    ) -> Result<Vec<KeyUse>, Failure> {
        if self.uses.is_none() {
            let mut uses: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (booking, used) in calls::of_bookings(tx.db(), &self.bookings).await? {
                uses.entry(booking).or_default().push(used);
            }
            self.uses = Some(uses);
        }
        let all = self.uses.as_ref().and_then(|uses| uses.get(&booking));
        Ok(all.cloned().unwrap_or_default())
    }

    pub(super) fn put_intent(&mut self, intent: Intent) {
        if let Some(sheet) = self.intents.get_mut(&(intent.booking, intent.generation)) {
            sheet.put(intent);
        }
    }

    pub(super) fn put_attempt(&mut self, attempt: Attempt) {
        if let Some(sheet) = self.attempts.get_mut(&(attempt.booking, attempt.number)) {
            sheet.put(attempt);
        }
    }

    /// Ends the unfinished attempts of an intent that was closed, and forgets how they could have been
    /// finished.
    pub(super) fn void_unfinished(&mut self, booking: BookingId, generation: u16) {
        let all = self.attempts.range_mut((booking, 0)..=(booking, u16::MAX));
        for (_, sheet) in all {
            let attempt = &sheet.record;
            if attempt.generation == generation && attempt.state.is_unfinished() {
                let mut voided = attempt.clone();
                voided.state = AttemptState::Voided;
                (voided.client_secret, voided.action_url) = (None, None);
                sheet.put(voided);
            }
        }
    }

    /// A call that is going to be made. Whoever asks for the booking's keys from here on sees it.
    pub(super) fn announce(&mut self, call: Announced, now: Instant) {
        if let Some(uses) = &mut self.uses {
            let uses = uses.entry(call.booking).or_default();
            if !uses.iter().any(|used| used.key == call.key) {
                uses.push(KeyUse {
                    key: call.key.clone(),
                    first_called_at: now,
                    calls: 1,
                    outcome: CallOutcome::Sent,
                });
            }
        }
        self.announced.push(call);
    }

    pub(super) fn conclude(&mut self, endings: Endings) {
        self.endings.extend(endings);
    }

    pub(super) fn looked(&mut self, looks: Vec<Look>) {
        self.looks.extend(looks);
    }

    pub(super) fn post(&mut self, posting: Posting) {
        self.postings.push(posting);
    }

    /// Writes what was changed and what was added.
    pub(super) async fn clear(self, tx: &Tx) -> Result<(), Failure> {
        let now = tx.now().await?;
        let (db, intents, attempts) = (tx.db(), changed(self.intents), changed(self.attempts));
        calls::announce(db, &self.announced, now).await?;
        calls::conclude(db, &self.endings).await?;
        looks::insert(db, &self.looks, now).await?;
        attempts::save(db, &attempts, now).await?;
        intents::save(db, &intents, now).await?;
        ledger::post(db, &self.postings, now).await?;
        Ok(())
    }
}

fn changed<K, T>(sheets: BTreeMap<K, Sheet<T>>) -> Vec<T> {
    let sheets = sheets.into_values().filter(|sheet| sheet.changed);
    sheets.map(|sheet| sheet.record).collect()
}
