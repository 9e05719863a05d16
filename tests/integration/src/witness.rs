//! The world's parties as the checks ask them.

use crate::{customer::Accepted, gateway, world::World};
use boxoffice_contracts::topology::{QUEUES, RetryTier, UNROUTABLE};
use boxoffice_documents::{TicketKeys, TicketSigner};
use boxoffice_invariants::{
    self as invariants, Arrived, GatewayBooks, GatewayLedger, Judged, MailSink, QueueBooks,
    QueueDepth, Sources,
};
use boxoffice_mail_catcher::Summary;
use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};
use reqwest::Client;
use serde_json::Value;
use std::{path::Path, sync::Arc};

impl World {
    /// Everybody in this world, asked past every proxy.
    #[must_use]
    pub fn sources(&self) -> Sources {
        Sources {
            documents: Some(self.documents.clone()),
            ticket_keys: Some(ticket_keys(&self.folder.join("keys"))),
            gateway: Some(Arc::new(Sandbox(format!(
                "http://{}",
                self.gateway.address()
            )))),
            mails: Some(Arc::new(Mailbox(format!("http://{}", self.catcher.http())))),
            queues: Some(Arc::new(Depths(self.amqp_url()))),
            accepted: Some(self.journal.all().into_iter().map(accepted).collect()),
            ..Sources::of(self.db.clone())
        }
    }
}

fn accepted(command: Accepted) -> invariants::Accepted {
    invariants::Accepted {
        booking: command.booking,
        operation: command.operation,
        kind: command.kind.to_owned(),
    }
}

/// Of the key that the product signs with, unless a story gave it another.
fn ticket_keys(keys: &Path) -> TicketKeys {
    const KEY_ID: u8 = 1;
    let text = std::fs::read_to_string(keys.join("ticket-seed.hex")).unwrap();
    let digits = text.trim();
    let mut seed = [0; 32];
    for (place, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).unwrap();
    }
    let mut set = TicketKeys::new();
    set.insert(KEY_ID, TicketSigner::from_seed(KEY_ID, seed).public_key())
        .unwrap();
    set
}

/// The ledger of the sandbox at this address.
#[derive(Debug)]
pub struct Sandbox(pub String);

#[async_trait::async_trait]
impl GatewayBooks for Sandbox {
    async fn ledger(&self) -> Result<GatewayLedger, String> {
        let ledger = json(&format!("{}/sandbox/ledger", self.0)).await?;
        let undelivered = &ledger["totals"]["events_undelivered"];
        let intents: Vec<gateway::Judged> =
            serde_json::from_value(ledger["intents"].clone()).map_err(|error| error.to_string())?;
        Ok(GatewayLedger {
            intents: intents.into_iter().map(judged).collect(),
            since: None,
            lists_open: true,
            webhooks_undelivered: undelivered.as_u64(),
        })
    }
}

fn judged(row: gateway::Judged) -> Judged {
    let gateway::Judged {
        id,
        metadata,
        status,
        currency,
        captured,
        refunded,
        captures,
        ..
    } = row;
    Judged {
        id,
        metadata,
        status,
        currency,
        captured,
        refunded,
        captures,
    }
}

/// The mail catcher at this address.
#[derive(Debug)]
pub struct Mailbox(pub String);

#[async_trait::async_trait]
impl MailSink for Mailbox {
    async fn arrived(&self) -> Result<Arrived, String> {
        let url = format!("{}/api/messages?limit={}", self.0, u32::MAX);
        let mails: Vec<Summary> =
            serde_json::from_value(json(&url).await?).map_err(|error| error.to_string())?;
        let mut arrived = Arrived::new();
        for mail in mails {
            let id = mail.message_id.ok_or("a mail without Message-ID")?;
            // To operators, not to customers.
            if id.starts_with("alert.") {
                continue;
            }
            let entry = arrived.entry(id).or_default();
            entry.to.extend(mail.to);
            entry.copies += 1;
        }
        Ok(arrived)
    }
}

async fn json(url: &str) -> Result<Value, String> {
    let ask = async {
        let answer = Client::new().get(url).send().await?.error_for_status()?;
        answer.json::<Value>().await
    };
    ask.await.map_err(|error| error.to_string())
}

/// The queues of the vhost at this address. What a consumer holds isn't counted.
#[derive(Debug)]
pub struct Depths(pub String);

#[async_trait::async_trait]
impl QueueBooks for Depths {
    async fn depths(&self) -> Result<Vec<QueueDepth>, String> {
        let ask = async {
            let connection = Connection::connect(&self.0, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            let retries = RetryTier::ALL.iter().map(|tier| tier.queue());
            let names = QUEUES.iter().map(|queue| queue.name).chain(retries);
            let mut depths = Vec::new();
            for name in names.chain([UNROUTABLE]) {
                let passive = QueueDeclareOptions {
                    passive: true,
                    ..QueueDeclareOptions::default()
                };
                let queue = channel
                    .queue_declare(name.into(), passive, FieldTable::default())
                    .await?;
                depths.push(QueueDepth {
                    name: name.to_owned(),
                    ready: u64::from(queue.message_count()),
                    unacked: 0,
                });
            }
            connection.close(200, "done".into()).await?;
            Ok::<_, lapin::Error>(depths)
        };
        ask.await.map_err(|error| error.to_string())
    }
}
