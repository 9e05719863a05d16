//! Keys of clients: what makes a repetition the same command, and how a reused key is noticed.

use crate::Problem;
use axum::http::HeaderMap;
pub(crate) use boxoffice_contracts::request::{RequestHash, request_hash};
use boxoffice_contracts::{BookingId, Code, Instant};
use boxoffice_runtime::{Carry, Together};
use boxoffice_store::mysql::status;
use moka::{ops::compute::Op, sync::Cache};
use sea_orm::DatabaseConnection;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// Longest key that is accepted.
pub(crate) const KEY_LEN_MAX: usize = 255;

/// Remembered keys; a help, never the truth: what is forgotten is noticed by the worker.
const RECENT_MAX: u64 = 200_000;
const RECENT_TTL: Duration = Duration::from_secs(3600);

/// Repetitions within this time share the first one's deadline, so that parallel ones get one answer.
const DEADLINE_KEPT: chrono::TimeDelta = chrono::TimeDelta::seconds(30);

/// The one header `Idempotency-Key`.
///
/// # Errors
/// 400 when it is missing, repeated, or not of 1 to 255 visible ASCII characters.
pub(crate) fn key(headers: &HeaderMap) -> Result<&str, Problem> {
    let refuse = |detail: &'static str| Problem::because(Code::IdempotencyKeyMissing, detail);
    let mut lines = headers.get_all("idempotency-key").iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(refuse(
            "Send one header Idempotency-Key: a random text that names this command.",
        ));
    };
    let fits = |bytes: &[u8]| {
        (1..=KEY_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    line.to_str()
        .ok()
        .filter(|text| fits(text.as_bytes()))
        .ok_or_else(|| refuse("An Idempotency-Key has 1 to 255 visible ASCII characters."))
}

/// Keys that this process has seen lately.
pub(crate) struct RecentKeys(Cache<Uuid, Recent>);

#[derive(Clone, Copy)]
enum Recent {
    /// One request came under this key. `accepted` when the broker has it for certain.
    One {
        hash: RequestHash,
        deadline: Instant,
        accepted: bool,
    },
    /// Two came at once. Which of them counts is not ours to say.
    Contested,
}

/// What is known of a key when a request comes under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing, or nothing that helps.
    Unknown,
    /// The same request; its answer named this deadline.
    Same { deadline: Instant },
    /// Another request was accepted under it.
    Reused,
}

impl RecentKeys {
    pub(crate) fn new() -> Self {
        Self(
            Cache::builder()
                .max_capacity(RECENT_MAX)
                .time_to_live(RECENT_TTL)
                .build(),
        )
    }

    /// Notes that a request comes under the key.
    pub(crate) fn come(&self, id: Uuid, hash: RequestHash, deadline: Instant) -> Seen {
        let mut seen = Seen::Unknown;
        self.0
            .entry(id)
            .and_compute_with(|there| match there.map(moka::Entry::into_value) {
                None => Op::Put(Recent::One {
                    hash,
                    deadline,
                    accepted: false,
                }),
                // Whoever comes back after refusals gets a deadline of now, not one that has passed meanwhile.
                Some(Recent::One {
                    hash: first,
                    deadline: named,
                    accepted: false,
                }) if first == hash && deadline - named > DEADLINE_KEPT => Op::Put(Recent::One {
                    hash,
                    deadline,
                    accepted: false,
                }),
                Some(Recent::One {
                    hash: first,
                    deadline,
                    ..
                }) if first == hash => {
                    seen = Seen::Same { deadline };
                    Op::Nop
                }
                Some(Recent::One { accepted: true, .. }) => {
                    seen = Seen::Reused;
                    Op::Nop
                }
                Some(Recent::One {
                    accepted: false, ..
                }) => Op::Put(Recent::Contested),
                Some(Recent::Contested) => Op::Nop,
            });
        seen
    }

    /// Notes that the broker has the request.
    pub(crate) fn accepted(&self, id: Uuid, hash: RequestHash) {
        self.0
            .entry(id)
            .and_compute_with(|there| match there.map(moka::Entry::into_value) {
                Some(Recent::One {
                    hash: first,
                    deadline,
                    ..
                }) if first == hash => Op::Put(Recent::One {
                    hash,
                    deadline,
                    accepted: true,
                }),
                Some(_) | None => Op::Nop,
            });
    }
}

/// How long MySQL is asked whether a key is known. Without an answer the worker notices.
const STORED_KEY_BUDGET: Duration = Duration::from_millis(50);

/// Keys of one question.
const STORED_KEYS_MAX: usize = 64;

/// Keys that MySQL knows. Requests that come at once ask together.
pub(crate) struct StoredKeys(Together<Bookings>);

struct Bookings(DatabaseConnection);

impl Carry for Bookings {
    type Ask = BookingId;
    type Answer = Option<RequestHash>;

    async fn carry(&self, ids: Vec<BookingId>) -> Vec<Option<RequestHash>> {
        let asked = timeout(
            STORED_KEY_BUDGET,
            status::find_request_hashes(&self.0, &ids),
        );
        let stored = match asked.await {
            Ok(Ok(stored)) => stored,
            Ok(Err(error)) => {
                tracing::debug!(%error, "whether keys are known was not told");
                return vec![None; ids.len()];
            }
            Err(_elapsed) => return vec![None; ids.len()],
        };
        // Twice at once under one key: both are told.
        let hash = |id: &BookingId| stored.get(id)?.as_slice().try_into().ok();
        ids.iter().map(hash).collect()
    }
}

impl StoredKeys {
    pub(crate) fn new(db: DatabaseConnection) -> Self {
        Self(Together::new(Bookings(db), 1, STORED_KEYS_MAX))
    }

    /// Hash of the request that was stored under the key, as far as it was told in time.
    pub(crate) async fn find(&self, id: BookingId) -> Option<RequestHash> {
        let told = timeout(STORED_KEY_BUDGET, self.0.ask(id)).await;
        told.ok().flatten().flatten()
    }
}

/// # Errors
/// Always.
pub(crate) fn reused<T>() -> Result<T, Problem> {
    Err(Problem::because(
        Code::IdempotencyKeyReused,
        "This key belongs to another request, which stands as it is. Use a new key for a new request.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clock_at;

    #[test]
    fn a_key_is_one_header_of_visible_ascii() {
        let ask = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(
                    "idempotency-key",
                    axum::http::HeaderValue::from_bytes(line.as_bytes()).unwrap(),
                );
            }
            key(&headers)
                .map(str::to_owned)
                .map_err(|problem| problem.code)
        };
        assert_eq!(ask(&["k-1"]), Ok("k-1".to_owned()));
        assert!(ask(&[&"k".repeat(255)]).is_ok());
        for bad in [
            &[][..],
            &["a", "b"],
            &[""],
            &["a b"],
            &["é"],
            &[&"k".repeat(256)],
        ] {
            assert_eq!(ask(bad), Err(Code::IdempotencyKeyMissing), "{bad:?}");
        }
    }

    #[test]
    fn memory_only_refuses_what_it_knows_to_be_accepted() {
        let recent = RecentKeys::new();
        let id = Uuid::new_v4();
        assert_eq!(recent.come(id, [1; 32], clock_at(1)), Seen::Unknown);
        assert_eq!(
            recent.come(id, [1; 32], clock_at(2)),
            Seen::Same {
                deadline: clock_at(1)
            }
        );
        recent.accepted(id, [1; 32]);
        assert_eq!(recent.come(id, [2; 32], clock_at(3)), Seen::Reused);
        assert_eq!(
            recent.come(id, [1; 32], clock_at(4)),
            Seen::Same {
                deadline: clock_at(1)
            }
        );

        // Refused for long: a fresh deadline.
        let id = Uuid::new_v4();
        recent.come(id, [1; 32], clock_at(1));
        assert_eq!(recent.come(id, [1; 32], clock_at(90)), Seen::Unknown);
        assert_eq!(
            recent.come(id, [1; 32], clock_at(91)),
            Seen::Same {
                deadline: clock_at(90)
            }
        );

        // The first failed or is still on its way: the worker decides.
        let id = Uuid::new_v4();
        recent.come(id, [1; 32], clock_at(1));
        assert_eq!(recent.come(id, [2; 32], clock_at(1)), Seen::Unknown);
        recent.accepted(id, [2; 32]);
        assert_eq!(recent.come(id, [1; 32], clock_at(1)), Seen::Unknown);
    }
}
