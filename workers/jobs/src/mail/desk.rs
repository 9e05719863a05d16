//! What a batch of orders has on its desk: the rows of its mails, and what they say.

use super::LEASE;
use crate::facts::Facts;
use boxoffice_contracts::MessageId;
use boxoffice_runtime::{Cause, Failure, Tx};
use boxoffice_store::mysql::mails::{self, Lease, Mail, MailKey};
use std::collections::HashMap;

/// Loaded once, when the first order asks; what was sent is written once.
#[derive(Debug, Default)]
pub struct Desk {
    orders: Vec<(MailKey, MessageId)>,
    /// None: nobody has asked. Who only records an answer never does.
    mails: Option<HashMap<MailKey, Mail>>,
    pub(super) facts: Facts,
    sent: Vec<MailKey>,
}

impl Desk {
    pub(super) fn of(orders: impl Iterator<Item = (MailKey, MessageId)>) -> Self {
        let orders: Vec<_> = orders.collect();
        Self {
            facts: Facts::of(orders.iter().map(|(key, _)| key.booking)),
            orders,
            mails: None,
            sent: Vec::new(),
        }
    }

    /// A mail of this batch, its row locked and leased to who asks unless another has it.
    pub(super) async fn mail(
        &mut self,
        tx: &Tx,
        key: MailKey,
        domain: &str,
    ) -> Result<Mail, Failure> {
        let mails = match &mut self.mails {
            Some(mails) => mails,
            unread => {
                let now = tx.now().await?;
                let until = now + LEASE;
                let ask = |(key, holder): &(MailKey, MessageId)| {
                    let holder = *holder;
                    (*key, key.message_id(domain), Lease { holder, until })
                };
                let all: Vec<_> = self.orders.iter().map(ask).collect();
                unread.insert(mails::begin(tx.db(), &all, now).await?)
            }
        };
        // The second order for one mail in one batch waits until the first has ended.
        mails
            .remove(&key)
            .ok_or_else(|| Failure::Retry(Cause::new("mail_busy", "another order is sending it")))
    }

    pub(super) fn sent(&mut self, key: MailKey) {
        self.sent.push(key);
    }

    pub(super) async fn close(self, tx: &Tx) -> Result<(), Failure> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let now = tx.now().await?;
        Ok(mails::sent(tx.db(), &self.sent, now).await?)
    }
}
