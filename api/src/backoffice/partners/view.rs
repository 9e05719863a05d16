//! A partner as staff sees it.

use boxoffice_contracts::{Instant, partner::broker};
use boxoffice_store::mysql::{
    partner_admin::{Limits, Record},
    partner_credentials::Credential,
    partners::PartnerState,
};
use schemars::JsonSchema;
use serde::Serialize;

/// All partners, by id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Partners")]
pub(crate) struct PartnersView {
    pub partners: Vec<PartnerView>,
}

/// A partner that publishes and consumes over AMQP.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Partner")]
pub(crate) struct PartnerView {
    pub id: String,
    pub name: String,
    /// `active`, `suspended` (reads, publishes nothing) or `removed`.
    pub state: &'static str,
    pub state_reason: Option<String>,
    pub limits: LimitsView,
    /// Slugs of the venues whose shows it may publish.
    pub venues: Vec<String>,
    /// Rises with every change.
    pub version: u32,
    /// Whether the broker is as this version says.
    pub applied: bool,
    pub applied_version: u32,
    /// Why the broker isn't yet.
    pub apply_error: Option<String>,
    /// The oldest first.
    pub credentials: Vec<CredentialView>,
    pub broker: BrokerView,
    pub created_at: Instant,
    pub updated_at: Instant,
}

/// What the gate and the broker grant a partner.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartnerLimits")]
pub(crate) struct LimitsView {
    /// Messages per second that the gate takes in the long run.
    pub rate_per_sec: u32,
    /// Messages that it takes at once after a silence.
    pub burst: u32,
    /// Messages that wait for the gate at most; more are refused.
    pub queue_length_max: u32,
    /// Of each user.
    pub connections_max: u32,
    pub channels_max: u32,
}

/// One credential, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartnerCredential")]
pub(crate) struct CredentialView {
    pub serial: u16,
    /// Name of the broker's user.
    pub user: String,
    pub live: bool,
    pub created_at: Instant,
    pub age_secs: i64,
    /// When it ends by itself.
    pub expires_at: Option<Instant>,
    pub ended_at: Option<Instant>,
}

/// The partner's names at the broker.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartnerBroker")]
pub(crate) struct BrokerView {
    /// Published to.
    pub exchange_in: String,
    /// Own queues are bound to it.
    pub exchange_out: String,
    /// Holds all replies and events.
    pub queue_out: String,
    pub content_type: &'static str,
    pub message_bytes_max: usize,
}

/// A partner with a new credential.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AddedPartner {
    pub partner: PartnerView,
    pub credential: Secret,
}

/// A credential with its secret. It is not shown again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PartnerSecret")]
pub(crate) struct Secret {
    pub serial: u16,
    pub user: String,
    pub password: String,
}

impl From<Limits> for LimitsView {
    fn from(limits: Limits) -> Self {
        let Limits {
            rate_per_sec,
            burst,
            queue_length_max,
            connections_max,
            channels_max,
        } = limits;
        Self {
            rate_per_sec,
            burst,
            queue_length_max,
            connections_max,
            channels_max,
        }
    }
}

impl PartnerView {
    pub(crate) fn of(
        record: Record,
        credentials: Vec<Credential>,
        venues: Vec<String>,
        now: Instant,
    ) -> Self {
        let Record {
            partner,
            created_at,
            updated_at,
            ..
        } = record;
        let is_removed = partner.state == PartnerState::Removed;
        let credentials = credentials
            .into_iter()
            .map(|credential| CredentialView {
                live: !is_removed && credential.is_live(now),
                user: credential.user(&partner.id),
                serial: credential.serial,
                created_at: credential.created_at,
                age_secs: (now - credential.created_at).num_seconds().max(0),
                expires_at: credential.expires_at,
                ended_at: credential.ended_at,
            })
            .collect();
        Self {
            limits: Limits::of(&partner).into(),
            broker: BrokerView {
                exchange_in: broker::exchange_in(&partner.id),
                exchange_out: broker::exchange_out(&partner.id),
                queue_out: broker::queue_out(&partner.id),
                content_type: broker::CONTENT_TYPE,
                message_bytes_max: broker::MESSAGE_BYTES_MAX,
            },
            id: partner.id.to_string(),
            name: partner.name,
            state: partner.state.as_str(),
            state_reason: partner.state_reason,
            venues,
            version: partner.version,
            applied: partner.applied_version == partner.version,
            applied_version: partner.applied_version,
            apply_error: partner.apply_error,
            credentials,
            created_at,
            updated_at,
        }
    }
}
