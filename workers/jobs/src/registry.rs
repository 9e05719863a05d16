//! The visible list of workers. A worker that isn't here doesn't run.

use crate::{
    alerts::{AlertsConfig, Recipients, TellAlerts},
    calendar::CalendarNames,
    gateway::Gateway,
    hold_expiry::HoldExpiry,
    invariants::{CheckInvariants, ExportedQueues, InvariantsPolicy},
    mail::{MailConfig, MailConfigError, SendMail},
    mender::Mender,
    parked,
    partner_gate::{GateConfig, PartnerGate},
    partners::{Door, Partners},
    payments::{Payments, PaymentsPolicy},
    queue_watch::{QueueWatch, WatchConfig},
    reservations::{Layouts, Reservations, attention_from_zero},
    retention::{Retention, RetentionPolicy},
    tickets::{RenderTickets, TicketsConfig},
    timeline::WriteTimeline,
};
use boxoffice_documents::{TicketKeys, TicketSigner};
use boxoffice_invariants::{GatewayBooks, QueueBooks, Sources};
use boxoffice_runtime::{Broker, Workers};
use boxoffice_saga::Policy;
use mongodb::Database;
use sea_orm::DatabaseConnection;
use std::{sync::Arc, time::Duration};

/// What the workers are made of.
pub struct Context {
    pub db: DatabaseConnection,
    pub documents: Database,
    pub gateway: Arc<dyn Gateway>,
    /// Deadline of one call of the gateway.
    pub gateway_timeout: Duration,
    pub saga: Policy,
    pub payments: PaymentsPolicy,
    pub retention: RetentionPolicy,
    pub invariants: InvariantsPolicy,
    /// The gateway's own books, where it keeps any.
    pub gateway_books: Option<Arc<dyn GatewayBooks>>,
    /// Public halves of all keys that ticket codes are good by.
    pub ticket_keys: TicketKeys,
    pub signer: TicketSigner,
    pub tickets: TicketsConfig,
    pub mail: MailConfig,
    pub gate: GateConfig,
    /// The partners' vhost, and how often it is looked at; `None` while that door is closed.
    pub partners: Option<Door>,
    pub partners_look_every: Duration,
    pub watch: WatchConfig,
    pub alerts: AlertsConfig,
    /// Whom alerts are told.
    pub recipients: Recipients,
}

/// A setting with which no worker can be made.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error(transparent)]
    Mail(#[from] MailConfigError),
    #[error("{0}")]
    Alerts(String),
}

/// Every worker, sorted by the name of its role.
///
/// # Errors
/// When the configuration of mails or alerts can't be.
pub fn workers(broker: &Broker, context: Context) -> Result<Workers, ContextError> {
    let Context {
        db,
        documents,
        gateway,
        gateway_timeout,
        saga,
        payments,
        retention,
        invariants,
        gateway_books,
        ticket_keys,
        signer,
        tickets,
        mail,
        gate,
        partners,
        partners_look_every,
        watch,
        alerts,
        recipients,
    } = context;
    let calendar = CalendarNames {
        domain: mail.message_id_domain.clone(),
        links_base_url: mail.links_base_url.trim_end_matches('/').to_owned(),
    };
    attention_from_zero();
    let layouts = Layouts::default();
    recipients.validate().map_err(ContextError::Alerts)?;
    let tell = TellAlerts::new(db.clone(), alerts).map_err(ContextError::Alerts)?;
    let queues = ExportedQueues::of(&watch).map_err(ContextError::Alerts)?;
    let sources = Sources {
        documents: Some(documents.clone()),
        ticket_keys: Some(ticket_keys),
        queues: queues.map(|queues| Arc::new(queues) as Arc<dyn QueueBooks>),
        ..Sources::of(db.clone())
    };
    let watch = QueueWatch::new(watch, recipients).map_err(ContextError::Alerts)?;
    let workers = Workers::new(broker, &db)
        .sweep(tell)
        .sweep(HoldExpiry {
            policy: saga.clone(),
            layouts: layouts.clone(),
        })
        .sweep(CheckInvariants::new(invariants, sources, gateway_books))
        .call(SendMail::new(documents.clone(), mail)?)
        .sweep(Mender);
    let gate = PartnerGate::new(gate, documents.clone(), layouts.clone());
    let door = gate.door();
    Ok(parked::register(workers)
        .decide_beside(gate, door)
        .sweep(Partners::new(partners, partners_look_every))
        .call(Payments::new(
            db.clone(),
            gateway,
            gateway_timeout,
            payments,
        ))
        .sweep(watch)
        .decide(Reservations {
            policy: saga,
            layouts,
        })
        .sweep(Retention { policy: retention })
        .call(RenderTickets::new(
            documents.clone(),
            signer,
            tickets,
            calendar,
        ))
        .decide(WriteTimeline::new(documents)))
}

/// Names of all roles, as [`workers`] has them.
pub const ROLES: [&str; 14] = [
    "alerts",
    "hold-expiry",
    "invariants",
    "mail",
    "mender",
    "parked",
    "partner-gate",
    "partners",
    "payments",
    "queue-watch",
    "reservations",
    "retention",
    "tickets",
    "timeline",
];

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::topology::{QUEUES, roles};

    /// What is published of the roles is what runs.
    #[test]
    fn the_published_roles_are_these_and_the_api() {
        let published = roles::ROLES.iter().map(|role| role.name);
        let workers: Vec<_> = published.filter(|name| *name != "api").collect();
        assert_eq!(workers, ROLES);
    }

    /// A queue's worker has the name of the queue, or of what stands before the dot.
    #[test]
    fn every_queue_has_its_worker() {
        for queue in QUEUES {
            let role = queue.name.split('.').next().unwrap();
            assert!(ROLES.contains(&role), "{}", queue.name);
        }
    }
}
