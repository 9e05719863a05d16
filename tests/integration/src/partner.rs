//! A partner of a world: made through the API as staff does it, and then a real client with its credentials.
//!
//! Users are global on the broker that all tests share, so every id is its world's own.

use crate::{World, customer::Answer, eventually, secs};
use boxoffice_contracts::{Role, partner::PartnerId};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// One credential of a partner, and where it leads.
#[derive(Clone)]
pub struct PartnerUser {
    pub id: PartnerId,
    pub user: String,
    pub password: String,
    /// The broker, with the vhost of partners.
    url: Url,
}

/// How the broker said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 403 `ACCESS_REFUSED`, 406 `PRECONDITION_FAILED`, 530 `NOT_ALLOWED` …
    pub code: u16,
    pub text: String,
}

/// Until the broker has what was ordered.
const APPLIED_MAX: std::time::Duration = secs(15);

impl World {
    /// An id that no other world has.
    #[must_use]
    pub fn partner_id(&self, name: &str) -> String {
        format!("{name}-{}", &self.vhost_name()[3..13])
    }

    /// Adds a partner with these further fields, and waits until the broker knows it.
    pub async fn add_partner(&self, id: &str, fields: Value) -> PartnerUser {
        let mut body = json!({"id": id, "name": "A partner", "reason": "a test"});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = self.order("/v1/partners", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        self.partner_applied(id).await;
        self.user_of(id, &answer.body["credential"])
    }

    /// A change that is refused or not.
    pub async fn order(&self, path: &str, body: &Value) -> Answer {
        let admin = self.someone("root", Role::Admin);
        let request = admin.request(Method::POST, path).json(body);
        Answer::of(request.send().await.unwrap()).await.unwrap()
    }

    /// A change of a partner that must be taken; waits until the broker has it.
    pub async fn change_partner(&self, id: &str, what: &str, fields: Value) -> Answer {
        let mut body = fields;
        body["reason"] = json!("a test");
        let answer = self
            .order(&format!("/v1/partners/{id}/{what}"), &body)
            .await;
        assert!(answer.status.is_success(), "{what}: {}", answer.body);
        self.partner_applied(id).await;
        answer
    }

    /// Waits until the broker is as it should be.
    pub async fn partner_applied(&self, id: &str) -> Value {
        eventually(&format!("{id} at the broker"), APPLIED_MAX, async || {
            let partner = self.partner(id).await;
            if partner["applied"] == true {
                Ok(partner)
            } else {
                Err(partner)
            }
        })
        .await
    }

    pub async fn partner(&self, id: &str) -> Value {
        let viewer = self.someone("vera", Role::Viewer);
        viewer
            .get(&format!("/v1/partners/{id}"))
            .await
            .unwrap()
            .body
    }

    /// A credential as it was shown once.
    #[must_use]
    pub fn user_of(&self, id: &str, credential: &Value) -> PartnerUser {
        let text = |name: &str| credential[name].as_str().unwrap().to_owned();
        PartnerUser {
            id: id.parse().unwrap(),
            user: text("user"),
            password: text("password"),
            url: Url::parse(&self.place.partners_amqp_url()).unwrap(),
        }
    }

    /// The house's own connection to the partners' vhost.
    pub async fn gate(&self) -> Connection {
        let url = self.place.partners_amqp_url();
        Connection::connect(&url, ConnectionProperties::default())
            .await
            .unwrap()
    }
}

impl PartnerUser {
    /// As a client is given it.
    #[must_use]
    pub fn address(&self) -> String {
        let mut url = self.url.clone();
        url.set_username(&self.user).unwrap();
        url.set_password(Some(&self.password)).unwrap();
        url.to_string()
    }

    /// To the partners' vhost.
    pub async fn connect(&self) -> Result<Connection, Refusal> {
        let vhost = self.url.path().trim_start_matches('/').to_owned();
        self.connect_to(&vhost).await
    }

    pub async fn connect_to(&self, vhost: &str) -> Result<Connection, Refusal> {
        let mut url = self.url.clone();
        url.set_username(&self.user).unwrap();
        url.set_password(Some(&self.password)).unwrap();
        url.set_path(vhost);
        Connection::connect(url.as_str(), ConnectionProperties::default())
            .await
            .map_err(Refusal::from)
    }

    /// Whether the broker lets it in.
    pub async fn may_connect(&self) -> bool {
        match self.connect().await {
            Ok(connection) => {
                let _ = connection.close(200, "done".into()).await;
                true
            }
            Err(_refusal) => false,
        }
    }

    /// The properties that each message of it must have.
    #[must_use]
    pub fn properties(&self) -> BasicProperties {
        BasicProperties::default()
            .with_user_id(self.user.as_str().into())
            .with_content_type("application/cloudevents+json".into())
            .with_delivery_mode(2)
    }

    #[must_use]
    pub fn name(&self, rest: &str) -> String {
        format!("partner.{}.{rest}", self.id)
    }

    /// Publishes on a channel of its own; `Ok(false)` when the queue is full.
    pub async fn publish(
        &self,
        connection: &Connection,
        exchange: &str,
        key: &str,
    ) -> Result<bool, Refusal> {
        let channel = connection.create_channel().await?;
        let sent = send(&channel, exchange, key, self.properties(), b"{}").await;
        let _ = channel.close(200, "done".into()).await;
        sent
    }
}

/// Publishes with a confirm; `Ok(false)` is a nack.
pub async fn send(
    channel: &Channel,
    exchange: &str,
    key: &str,
    properties: BasicProperties,
    body: &[u8],
) -> Result<bool, Refusal> {
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let options = BasicPublishOptions::default();
    let sent = channel
        .basic_publish(exchange.into(), key.into(), options, body, properties)
        .await?;
    match sent.await? {
        Confirmation::Ack(_) => Ok(true),
        Confirmation::Nack(_) => Ok(false),
        Confirmation::NotRequested => panic!("confirms were asked for"),
    }
}

impl From<lapin::Error> for Refusal {
    fn from(error: lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(said) => Self {
                code: said.get_id(),
                text: said.get_message().to_string(),
            },
            other => panic!("the broker did not refuse, it failed: {other:?}"),
        }
    }
}

impl Refusal {
    /// 403, about this thing.
    pub fn is_access_to(&self, what: &str) {
        assert_eq!(self.code, 403, "{self:?}");
        assert!(self.text.contains("ACCESS_REFUSED"), "{self:?}");
        assert!(self.text.contains(what), "not about {what}: {self:?}");
    }
}
