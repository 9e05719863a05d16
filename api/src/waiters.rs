//! Who waits for news: streams and long polls, bounded for each client and in all.

use crate::{Problem, client::Client, config::RateConfig};
use boxoffice_contracts::Code;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for those who wait.
#[derive(Clone)]
pub(crate) struct Waiters {
    all: Arc<Semaphore>,
    /// Only clients that wait now.
    by_client: Arc<Mutex<HashMap<Client, usize>>>,
    customer_max: usize,
    business_max: usize,
}

/// One place, given back when dropped.
pub(crate) struct Waiting {
    waiters: Waiters,
    client: Client,
    _place: OwnedSemaphorePermit,
}

/// When all places are taken, or all of a client's.
const RETRY_AFTER_FULL_SECS: u32 = 1;

impl Waiters {
    pub(crate) fn new(all_max: usize, rate: &RateConfig) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all_max)),
            by_client: Arc::default(),
            customer_max: rate.waiters_customer_max,
            business_max: rate.waiters_business_max,
        }
    }

    /// # Errors
    /// 429 when the client itself takes too many places, 503 when all of them are taken.
    pub(crate) fn enter(&self, client: &Client) -> Result<Waiting, Problem> {
        let max = match client {
            Client::Customer { .. } | Client::Address(_) => self.customer_max,
            Client::Business { .. } => self.business_max,
        };
        let mut by_client = self.lock();
        let present = by_client.get(client).copied().unwrap_or(0);
        if present >= max {
            metrics::counter!("http_waiters_refused_total", "reason" => "client").increment(1);
            let detail = format!("At most {max} of your requests may wait for news at once.");
            return Err(
                Problem::because(Code::RateLimited, detail).retry_after(RETRY_AFTER_FULL_SECS)
            );
        }
        let place = Arc::clone(&self.all).try_acquire_owned().map_err(|_full| {
            metrics::counter!("http_waiters_refused_total", "reason" => "all").increment(1);
            Problem::overloaded(RETRY_AFTER_FULL_SECS)
        })?;
        by_client.insert(client.clone(), present + 1);
        drop(by_client);
        Ok(Waiting {
            waiters: self.clone(),
            client: client.clone(),
            _place: place,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, usize>> {
        self.by_client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut by_client = self.waiters.lock();
        match by_client.get_mut(&self.client) {
            Some(present) if *present > 1 => *present -= 1,
            Some(_) | None => {
                by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(subject: &str) -> Client {
        Client::Customer {
            tenant: "house".to_owned(),
            subject: subject.to_owned(),
        }
    }

    #[test]
    fn a_client_has_its_bound_and_all_have_one_and_places_come_back() {
        let rate = RateConfig {
            waiters_customer_max: 2,
            ..RateConfig::default()
        };
        let waiters = Waiters::new(3, &rate);
        let code = |waiting: Result<Waiting, Problem>| waiting.err().map(|problem| problem.code);
        let first = waiters.enter(&customer("ada")).unwrap();
        let _second = waiters.enter(&customer("ada")).unwrap();
        assert_eq!(
            code(waiters.enter(&customer("ada"))),
            Some(Code::RateLimited)
        );
        let third = waiters.enter(&customer("eve")).unwrap();
        assert_eq!(
            code(waiters.enter(&customer("bob"))),
            Some(Code::Overloaded)
        );
        drop(first);
        let _again = waiters.enter(&customer("ada")).unwrap();
        drop(third);
        assert_eq!(waiters.lock().len(), 1, "who waits no more is forgotten");
    }
}
