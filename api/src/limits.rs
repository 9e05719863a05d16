//! How much one client may ask for: a bucket of units per client, a price per route.
//!
//! The answers say how it stands in `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
//! Each process counts for itself; memory is bounded by the number of clients that are remembered.

use crate::{Problem, client::Client, config::RateConfig, permissions::Action};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use boxoffice_contracts::{Code, metric};
use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

type Bucket<C> = RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>;

/// The buckets of the clients of the last window.
pub(crate) struct Limits<C: Clock = DefaultClock> {
    buckets: moka::sync::Cache<Client, Arc<Bucket<C>>>,
    config: RateConfig,
    clock: C,
}

/// What a request takes out of its client's bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Price {
    Nothing,
    Read,
    Document,
    Command,
}

/// How a client stands after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    policy: &'static str,
    quota: u32,
    window_secs: u32,
    left: u32,
    /// When there will be more.
    more_after_secs: u64,
}

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl Price {
    /// The gateway calls as it must: whoever can't sign is refused before anything is done for them.
    pub(crate) const fn of(action: Action) -> Self {
        match action {
            Action::SubmitBooking
            | Action::PayBooking
            | Action::CancelBooking
            | Action::SetPartnerCredit
            | Action::MendBooking
            | Action::AskSnapshot => Self::Command,
            Action::PauseQueue
            | Action::ResumeQueue
            | Action::DrainQueue
            | Action::SetPrefetch
            | Action::PauseWorker
            | Action::ResumeWorker
            | Action::DrainWorker
            | Action::AckAlert => Self::Command,
            Action::ListQueues
            | Action::QueueHistory
            | Action::ListWorkers
            | Action::ListAlerts => Self::Read,
            Action::ArchiveParked
            | Action::RestoreParked
            | Action::CreateRetry
            | Action::StartRetry
            | Action::PauseRetry
            | Action::ResumeRetry
            | Action::CancelRetry
            | Action::EditParked
            | Action::ApproveProposal
            | Action::RefuseProposal => Self::Command,
            Action::ReadTickets | Action::ReadCalendar | Action::ExportAudit => Self::Document,
            Action::ListAudit
            | Action::SearchParked
            | Action::GroupParked
            | Action::ListRetries
            | Action::ReadRetry
            | Action::ReadParked
            | Action::ListProposals => Self::Read,
            Action::ReadBooking
            | Action::FollowBooking
            | Action::ListShows
            | Action::ReadShow
            | Action::ReadSeats
            | Action::ReadTimeline
            | Action::ReadPartnerCredit
            | Action::ReadDescription
            | Action::ReadDocs
            | Action::ReadDocsFile
            | Action::ListCodes
            | Action::ReadCode
            | Action::ReadKeys
            | Action::ReadAsyncApi
            | Action::ReadSchema
            | Action::FindBookings
            | Action::ReadStory
            | Action::ListStuck
            | Action::ReadPartnerKind
            | Action::RecoverEvents => Self::Read,
            Action::ListPartners | Action::ReadPartner => Self::Read,
            Action::AddPartner
            | Action::RotatePartner
            | Action::RevokePartner
            | Action::SuspendPartner
            | Action::ResumePartner
            | Action::RemovePartner
            | Action::LimitPartner => Self::Command,
            Action::ReceiveWebhook => Self::Nothing,
            Action::ListOwnQuarantine | Action::ListQuarantine | Action::ReadQuarantine => {
                Self::Read
            }
            Action::ReleaseQuarantined | Action::RejectQuarantined => Self::Command,
        }
    }
}

impl Limits {
    pub(crate) fn new(config: &RateConfig) -> Self {
        Self::with_clock(config, DefaultClock::default())
    }
}

impl<C: Clock + Clone + Send + Sync + 'static> Limits<C> {
    fn with_clock(config: &RateConfig, clock: C) -> Self {
        let buckets = moka::sync::Cache::builder()
            .max_capacity(config.clients_max)
            // The busiest must not be forgotten for newcomers, nor newcomers never remembered.
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            // After a window without a request the bucket is full: forgetting it changes nothing.
            .time_to_idle(window(config))
            .build();
        Self {
            buckets,
            config: config.clone(),
            clock,
        }
    }

    /// Takes the price of a request. Nothing comes back where there is no limit.
    ///
    /// # Errors
    /// 429, with how the client stands.
    pub(crate) fn take(
        &self,
        client: &Client,
        price: Price,
    ) -> Result<Option<Standing>, (Problem, Standing)> {
        let (policy, quota) = match client {
            Client::Customer { .. } => ("customer", self.config.quota_customer),
            Client::Business { .. } => ("business", self.config.quota_business),
            Client::Address(_) => ("address", self.config.quota_address),
        };
        let units = match price {
            Price::Nothing => 0,
            Price::Read => self.config.price_read,
            Price::Document => self.config.price_document,
            Price::Command => self.config.price_command,
        };
        let (Some(burst), Some(units)) = (NonZeroU32::new(quota), NonZeroU32::new(units)) else {
            return Ok(None);
        };
        let standing = |left, more_after: Duration| Standing {
            policy,
            quota,
            window_secs: self.config.window_secs,
            left,
            more_after_secs: whole_secs(more_after),
        };
        let one = window(&self.config) / quota;
        let bucket = self
            .buckets
            .get_with_by_ref(client, || Arc::new(self.bucket(burst, one)));
        match bucket.check_n(units) {
            Ok(Ok(after)) => Ok(Some(standing(after.remaining_burst_capacity(), one))),
            Ok(Err(refused)) => Err(self.refuse(&refused, policy, |wait| standing(0, wait))),
            // A price above the quota: the configuration is checked against it.
            Err(_never) => Err((Problem::new(Code::RateLimited), standing(0, one))),
        }
    }

    fn bucket(&self, burst: NonZeroU32, one: Duration) -> Bucket<C> {
        let quota = Quota::with_period(one)
            .unwrap_or_else(|| Quota::per_second(burst))
            .allow_burst(burst);
        RateLimiter::direct_with_clock(quota, self.clock.clone())
            .with_middleware::<StateInformationMiddleware>()
    }

    fn refuse(
        &self,
        refused: &NotUntil<C::Instant>,
        policy: &'static str,
        standing: impl FnOnce(Duration) -> Standing,
    ) -> (Problem, Standing) {
        metrics::counter!(metric::HTTP_RATE_LIMITED_TOTAL, "policy" => policy).increment(1);
        let wait = refused.wait_time_from(self.clock.now());
        let standing = standing(wait);
        let secs = u32::try_from(standing.more_after_secs).unwrap_or(u32::MAX);
        (Problem::new(Code::RateLimited).retry_after(secs), standing)
    }
}

impl Standing {
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Self {
            policy,
            quota,
            window_secs,
            left,
            more_after_secs,
        } = self;
        let lines = [
            (
                RATELIMIT_POLICY,
                format!("\"{policy}\";q={quota};w={window_secs}"),
            ),
            (
                RATELIMIT,
                format!("\"{policy}\";r={left};t={more_after_secs}"),
            ),
        ];
        for (name, line) in lines {
            if let Ok(line) = HeaderValue::try_from(line) {
                headers.insert(name, line);
            }
        }
    }
}

fn window(config: &RateConfig) -> Duration {
    Duration::from_secs(u64::from(config.window_secs))
}

/// Rounded up: who comes back then finds it true.
fn whole_secs(time: Duration) -> u64 {
    let secs = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    secs.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::net::{IpAddr, Ipv4Addr};

    fn config() -> RateConfig {
        RateConfig {
            window_secs: 60,
            quota_customer: 30,
            quota_business: 60,
            quota_address: 0,
            price_read: 1,
            price_document: 5,
            price_command: 10,
            clients_max: 100,
            ..RateConfig::default()
        }
    }

    fn customer(subject: &str) -> Client {
        Client::Customer {
            tenant: "house".to_owned(),
            subject: subject.to_owned(),
        }
    }

    fn lines(standing: &Standing) -> (String, String) {
        let mut headers = HeaderMap::new();
        standing.write(&mut headers);
        let text = |name| headers[name].to_str().unwrap().to_owned();
        (text(RATELIMIT_POLICY), text(RATELIMIT))
    }

    #[test]
    fn a_bucket_empties_by_price_and_fills_with_time() {
        let clock = FakeRelativeClock::default();
        let limits = Limits::with_clock(&config(), clock.clone());
        let ada = customer("ada");
        let first = limits.take(&ada, Price::Command).unwrap().unwrap();
        assert_eq!(
            lines(&first),
            (
                "\"customer\";q=30;w=60".to_owned(),
                "\"customer\";r=20;t=2".to_owned()
            )
        );
        assert_eq!(
            limits.take(&ada, Price::Document).unwrap().unwrap().left,
            15
        );
        limits.take(&ada, Price::Command).unwrap();
        let (problem, standing) = limits.take(&ada, Price::Command).unwrap_err();
        assert_eq!(problem.code, Code::RateLimited);
        // Five units are there, five more take two seconds each.
        assert_eq!(problem.retry_after_secs, Some(10));
        assert_eq!(lines(&standing).1, "\"customer\";r=0;t=10");
        // A refusal takes nothing: what is cheaper still passes.
        assert_eq!(limits.take(&ada, Price::Read).unwrap().unwrap().left, 4);

        clock.advance(Duration::from_secs(12));
        assert_eq!(limits.take(&ada, Price::Command).unwrap().unwrap().left, 0);
        clock.advance(Duration::from_secs(600));
        assert_eq!(limits.take(&ada, Price::Read).unwrap().unwrap().left, 29);
    }

    #[test]
    fn clients_do_not_share_and_some_have_no_limit() {
        let limits = Limits::with_clock(&config(), FakeRelativeClock::default());
        for _ in 0..30 {
            limits.take(&customer("eve"), Price::Read).unwrap();
        }
        limits.take(&customer("eve"), Price::Read).unwrap_err();
        limits.take(&customer("ada"), Price::Read).unwrap();
        let staff = Client::Business {
            tenant: "house".to_owned(),
            subject: "eve".to_owned(),
        };
        let standing = limits.take(&staff, Price::Read).unwrap().unwrap();
        assert_eq!((standing.policy, standing.left), ("business", 59));
        let address = Client::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(limits.take(&address, Price::Command), Ok(None));
        assert_eq!(limits.take(&customer("eve"), Price::Nothing), Ok(None));
    }

    #[test]
    fn no_crowd_of_clients_fills_the_memory_and_an_active_one_stays_known() {
        let limits = Limits::with_clock(&config(), FakeRelativeClock::default());
        let eve = customer("eve");
        let mut refused = 0;
        for i in 0..5_000 {
            limits.take(&customer(&i.to_string()), Price::Read).unwrap();
            refused += u32::from(i % 50 == 0 && limits.take(&eve, Price::Command).is_err());
        }
        limits.buckets.run_pending_tasks();
        assert!(limits.buckets.entry_count() <= 100);
        assert_eq!(refused, 97, "three commands are in the bucket");
    }
}
