//! A partner that sells on credit. Its commands come as the gate hands them on, straight to the intake.

use crate::{
    customer::{Accepted, Booking, Customer, Order, new_key},
    wait::secs,
    world::World,
};
use boxoffice_contracts::{
    Envelope, Message, MessageId, OperationId, Role,
    message::booking::{Customer as Buyer, Submit, Tender},
    trace::TraceParent,
};
use boxoffice_runtime::{Broker, BrokerConfig, IntakePublisher, clock};
use boxoffice_store::mysql::partner_credit;
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Statement};
use serde_json::{Value, json};

pub struct Reseller {
    /// The partner's own token, for all that it asks by HTTP.
    pub customer: Customer,
    broker: Broker,
    intake: IntakePublisher,
    db: DatabaseConnection,
    journal: std::sync::Arc<crate::customer::Journal>,
}

impl World {
    /// A partner that is known to the house, without credit.
    pub async fn reseller(&self, id: &str) -> Reseller {
        let known = "INSERT INTO partners (id, name, state, rate_per_sec, burst, queue_length_max, \
                     connections_max, channels_max, version, created_at, updated_at) VALUES \
                     (?, ?, 'active', 100, 100, 1000, 4, 16, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))";
        let values = [id.into(), format!("Reseller {id}").into()];
        let known = Statement::from_sql_and_values(DbBackend::MySql, known, values);
        self.db.execute_raw(known).await.unwrap();
        let config = BrokerConfig {
            url: self.amqp_url(),
            ..BrokerConfig::default()
        };
        let broker = Broker::connect_first(&config).await.unwrap();
        Reseller {
            customer: self.somebody(id, id, Role::Partner),
            intake: IntakePublisher::new(&broker),
            broker,
            db: self.db.clone(),
            journal: self.journal.clone(),
        }
    }

    /// Sets how much a partner may owe, as an administrator does.
    pub async fn lend(&self, partner: &Reseller, limit_minor: i64) -> Value {
        let path = format!("/v1/partners/{}/credit", partner.id());
        let body = json!({"currency": "EUR", "limit_minor": limit_minor, "reason": "A test."});
        let admin = self.someone("root", Role::Admin);
        let answer = admin.post(&path, &new_key(), &body).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }
}

impl Reseller {
    #[must_use]
    pub fn id(&self) -> &str {
        &self.customer.owner.tenant
    }

    /// Books on credit, under a key of its own.
    pub async fn book(&self, order: Order) -> Booking {
        self.book_for(&self.customer, order, |_submit| {}).await
    }

    /// Books for whoever owns it, with anything else about the command.
    pub async fn book_for(
        &self,
        customer: &Customer,
        order: Order,
        change: impl FnOnce(&mut Submit),
    ) -> Booking {
        let (key, owner) = (new_key(), customer.owner.clone());
        let id = customer.booking_of(&key);
        let operation_id = OperationId::derive(id, &owner.tenant, &owner.subject, "submit", &key);
        let now = clock::now();
        let deadline = now + secs(600);
        let mut submit = Submit {
            booking_id: id,
            operation_id,
            owner,
            show_id: serde_json::from_value(order.0["show_id"].clone()).unwrap(),
            positions: serde_json::from_value(order.0["positions"].clone()).unwrap(),
            customer: Buyer {
                email: customer.email.clone(),
                name: customer.name.clone(),
                locale: "en".to_owned(),
            },
            payment: None,
            tender: Tender::PartnerCredit,
            late_policy: order
                .0
                .get("late_policy")
                .map_or_else(Default::default, |policy| {
                    serde_json::from_value(policy.clone()).unwrap()
                }),
            request_hash: "00".repeat(32),
            deadline,
        };
        change(&mut submit);
        let message_id = MessageId::of_operation(id, operation_id);
        let trace = TraceParent::root(message_id.0);
        let mut envelope = Envelope::root::<Submit>(message_id, id, now, trace);
        envelope.tenant.clone_from(&submit.owner.tenant);
        envelope.deadline = Some(deadline);
        let body = serde_json::to_vec(&submit).unwrap();
        self.intake.publish(&envelope, &body).await.unwrap();
        assert_eq!(envelope.kind, Submit::KIND.as_str());
        self.journal.add(Accepted {
            booking: id,
            operation: operation_id,
            kind: "submit",
        });
        Booking {
            customer: customer.clone(),
            id,
            link: format!("/v1/bookings/{id}"),
        }
    }

    /// Limit, reserved and used as the table has them now.
    pub async fn credit(&self) -> (i64, i64, i64) {
        let key = (self.id().to_owned(), "EUR".to_owned());
        let row = partner_credit::row::Entity::find_by_id(key);
        let row = row.one(&self.db).await.unwrap().unwrap();
        (row.limit_minor, row.reserved_minor, row.used_minor)
    }

    /// `active`, `suspended` or `removed`.
    pub async fn set_state(&self, state: &str) {
        let change = "UPDATE partners SET state = ? WHERE id = ?";
        let values = [state.into(), self.id().into()];
        let change = Statement::from_sql_and_values(DbBackend::MySql, change, values);
        self.db.execute_raw(change).await.unwrap();
    }

    pub async fn leave(self) {
        self.broker.close().await;
    }
}
