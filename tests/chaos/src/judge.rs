//! The end of a run: everybody's books, compared.

use crate::stage::Stage;
use boxoffice_invariants::{
    Accepted, Allowed, Arrived, GatewayBooks, GatewayLedger, Judged, Mail, MailSink, Options,
    QueueBooks, QueueDepth, Report, Sources, check_all, history::Record,
};
use reqwest::Client;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::Value;
use std::sync::Arc;

/// What the parties of a stage say, asked anew each time.
struct Books {
    http: Client,
    /// Of the gateway's sandbox.
    gateway: String,
    /// All queues of the house's vhost, with user and password.
    queues: String,
}

/// Mails at the end: nobody sends any more.
struct Mails(Arrived);

/// Makes every check.
///
/// # Panics
/// The world is not as it was started.
pub async fn check(stage: &Stage, accepted: Vec<Accepted>, history: Vec<Record>) -> Report {
    let world = stage.world.lock().await;
    let management = world.management_url().trim_end_matches('/').to_owned();
    let books = Arc::new(Books {
        http: Client::new(),
        gateway: stage.gateway.clone(),
        queues: format!("{management}/api/queues/{}", world.vhost_name()),
    });
    let sources = Sources {
        documents: Some(world.documents.clone()),
        gateway: Some(Arc::clone(&books) as Arc<dyn GatewayBooks>),
        mails: Some(Arc::new(Mails(arrived(&world)))),
        queues: Some(books as Arc<dyn QueueBooks>),
        accepted: Some(accepted),
        history: Some(history),
        ..Sources::of(stage.db.clone())
    };
    let options = Options {
        allowed: Allowed {
            parked: stage.expected.all().len() as u64,
            // Whoever is killed between sending and noting it sends again, under the same id.
            mail_copies: true,
            lost_webhooks: true,
        },
        ..Options::at_rest()
    };
    check_all(&sources, &options).await
}

/// By how many minor units what the gateway holds differs from what our ledger says it holds.
///
/// # Errors
/// One of them can't be read.
pub async fn cents_off(stage: &Stage) -> anyhow::Result<u64> {
    let books = Books {
        http: Client::new(),
        gateway: stage.gateway.clone(),
        queues: String::new(),
    };
    let theirs: i64 = books
        .ledger()
        .await
        .map_err(anyhow::Error::msg)?
        .intents
        .iter()
        .map(|intent| intent.captured - intent.refunded)
        .sum();
    let ask = "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS SIGNED) AS sum FROM ledger_entries \
               WHERE account = 'gateway'";
    let ask = Statement::from_string(DbBackend::MySql, ask);
    let row = stage.db.query_one_raw(ask).await?;
    let ours: i64 = row.map_or(Ok(0), |row| row.try_get("", "sum"))?;
    Ok(theirs.abs_diff(ours))
}

fn arrived(world: &boxoffice_integration::World) -> Arrived {
    let all = boxoffice_mail_catcher::Query {
        limit: Some(usize::MAX),
        ..Default::default()
    };
    let mut arrived = Arrived::new();
    for mail in world.catcher.store().list(&all) {
        let id = mail.message_id.unwrap_or_default();
        // To operators, not to customers.
        if id.starts_with("alert.") {
            continue;
        }
        let entry: &mut Mail = arrived.entry(id).or_default();
        entry.to.extend(mail.to);
        entry.copies += 1;
    }
    arrived
}

impl Books {
    async fn get(&self, url: &str) -> Result<Value, String> {
        let answer = self.http.get(url).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| error.without_url().to_string())?;
        let body: Result<Value, reqwest::Error> = answer.json().await;
        body.map_err(|error| error.without_url().to_string())
    }
}

#[async_trait::async_trait]
impl GatewayBooks for Books {
    async fn ledger(&self) -> Result<GatewayLedger, String> {
        let ledger = self
            .get(&format!("{}/sandbox/ledger", self.gateway))
            .await?;
        let intents: Vec<Judged> =
            serde_json::from_value(ledger["intents"].clone()).map_err(|error| error.to_string())?;
        let summary = self
            .get(&format!("{}/sandbox/ledger/summary", self.gateway))
            .await?;
        Ok(GatewayLedger {
            intents,
            since: None,
            lists_open: true,
            webhooks_undelivered: summary["events_undelivered"].as_u64(),
        })
    }
}

#[async_trait::async_trait]
impl MailSink for Mails {
    async fn arrived(&self) -> Result<Arrived, String> {
        Ok(self.0.clone())
    }
}

#[async_trait::async_trait]
impl QueueBooks for Books {
    async fn depths(&self) -> Result<Vec<QueueDepth>, String> {
        let queues = self.get(&self.queues).await?;
        let queues = queues.as_array().ok_or("no list of queues")?;
        let number = |queue: &Value, name: &str| queue[name].as_u64().unwrap_or_default();
        Ok(queues
            .iter()
            .map(|queue| QueueDepth {
                name: queue["name"].as_str().unwrap_or_default().to_owned(),
                ready: number(queue, "messages_ready"),
                unacked: number(queue, "messages_unacknowledged"),
            })
            .collect())
    }
}
