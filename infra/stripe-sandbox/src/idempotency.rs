//! Idempotency keys by Stripe's rules: the first answer to a key is the answer to that key, a 500 included.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::errors::ApiError;
use crate::form::Form;

pub(crate) const KEY_LENGTH_MAX: usize = 255;

/// The answer that a key replays.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredAnswer {
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) at_ms: i64,
}

/// What a key is allowed to do.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Never seen: it is in flight from now on, until [`Keys::release`].
    Fresh,
    Replay(StoredAnswer),
}

#[derive(Debug)]
pub(crate) struct Keys {
    ttl_ms: i64,
    answers: HashMap<String, StoredAnswer>,
    /// Ages in order, so that pruning looks at nothing that stays.
    ages: VecDeque<(i64, String)>,
    in_flight: HashSet<String>,
}

impl Keys {
    pub(crate) fn new(ttl_ms: i64) -> Self {
        Self {
            ttl_ms,
            answers: HashMap::new(),
            ages: VecDeque::new(),
            in_flight: HashSet::new(),
        }
    }

    pub(crate) fn claim(
        &mut self,
        key: &str,
        fingerprint: &str,
        now_ms: i64,
    ) -> Result<Claim, ApiError> {
        self.prune(now_ms);
        if key.is_empty() || key.len() > KEY_LENGTH_MAX {
            return Err(ApiError::invalid(
                "Idempotency-Key",
                "parameter_invalid_string",
                format!("Idempotency keys must have 1 to {KEY_LENGTH_MAX} characters."),
            ));
        }
        match self.answers.get(key) {
            Some(answer) if answer.fingerprint == fingerprint => {
                return Ok(Claim::Replay(answer.clone()));
            }
            Some(_) => return Err(ApiError::key_reused(key)),
            None => {}
        }
        if !self.in_flight.insert(key.to_owned()) {
            return Err(ApiError::key_in_use(key));
        }
        Ok(Claim::Fresh)
    }

    pub(crate) fn release(&mut self, key: &str) {
        self.in_flight.remove(key);
    }

    pub(crate) fn keep(&mut self, answer: StoredAnswer) {
        self.ages.push_back((answer.at_ms, answer.key.clone()));
        self.answers.insert(answer.key.clone(), answer);
    }

    pub(crate) fn prune(&mut self, now_ms: i64) {
        while let Some((at_ms, key)) = self.ages.front()
            && at_ms + self.ttl_ms <= now_ms
        {
            self.answers.remove(key);
            self.ages.pop_front();
        }
    }

    pub(crate) fn ttl_ms(&self) -> i64 {
        self.ttl_ms
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = &StoredAnswer> {
        self.ages
            .iter()
            .filter_map(|(_, key)| self.answers.get(key))
    }
}

/// Equal for equal requests, whatever the order of their parameters.
pub(crate) fn fingerprint(method: &str, path: &str, form: &Form) -> String {
    let digest = Sha256::digest(format!("{method} {path}\n{}", form.canonical()));
    hex::encode(&digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at_ms: i64) -> StoredAnswer {
        StoredAnswer {
            key: "k".into(),
            fingerprint: "f".into(),
            status: 500,
            body: "{}".into(),
            at_ms,
        }
    }

    #[test]
    fn first_answer_stays_even_a_500() {
        let mut keys = Keys::new(1000);
        assert!(matches!(keys.claim("k", "f", 0), Ok(Claim::Fresh)));
        assert_eq!(keys.claim("k", "f", 0).unwrap_err().status, 409);
        keys.keep(answer(0));
        keys.release("k");
        match keys.claim("k", "f", 999).unwrap() {
            Claim::Replay(stored) => assert_eq!(stored.status, 500),
            Claim::Fresh => panic!("the key was forgotten too early"),
        }
        assert_eq!(
            keys.claim("k", "other", 999).unwrap_err().kind,
            "idempotency_error"
        );
    }

    #[test]
    fn an_old_key_is_forgotten_and_charges_again() {
        let mut keys = Keys::new(1000);
        keys.keep(answer(0));
        assert!(matches!(keys.claim("k", "f", 1000), Ok(Claim::Fresh)));
        assert_eq!(keys.len(), 0);
    }

    #[test]
    fn keys_have_a_length() {
        let mut keys = Keys::new(1000);
        assert!(keys.claim("", "f", 0).is_err());
        assert!(keys.claim(&"k".repeat(256), "f", 0).is_err());
        assert!(keys.claim(&"k".repeat(255), "f", 0).is_ok());
    }
}
