//! Worker `alerts`: tells people of alerts that were raised or cleared, by mail and webhook.

mod webhook;

use crate::{
    http::Http,
    mail::{Refusal, SmtpConfig, SmtpServer},
};
use boxoffice_contracts::{Instant, MessageId, metric};
use boxoffice_runtime::{Failure, Sweep, Tx, clock, pool};
use boxoffice_store::mysql::alerts::{self, Attempt, notice, row};
use chrono::{SecondsFormat, TimeDelta};
use futures::future::join_all;
use lettre::{Address, Message, address::Envelope, message::Mailbox};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use uuid::Uuid;

pub use webhook::Signer;

/// Whom alerts are told. Nobody while it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    pub mail_to: Vec<String>,
    /// Where webhooks go.
    pub webhook_url: Option<String>,
}

const MAIL: &str = "mail";
const WEBHOOK: &str = "webhook";

/// What every rule means, and what to do.
const RUNBOOK: &str = "docs/OPERATIONS.md#alerts-of-queue-watch";

/// A recipient hears of no more than so many alerts in a minute; what is left waits.
const PER_MINUTE_MAX: u64 = 20;
/// Sent at once.
const PORTION: u64 = 10;
/// A notice that somebody is sending is left to them for so long: longer than every deadline below.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How long after each failed attempt the next one follows; the last wait repeats.
const WAITS_SECS: [i64; 6] = [5, 15, 60, 300, 900, 3_600];
/// After that it is no news any more.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(24);
const ANSWER_MAX: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 64 << 10;

impl Recipients {
    /// # Errors
    /// Which setting can't be.
    pub fn validate(&self) -> Result<(), String> {
        for address in &self.mail_to {
            if address.parse::<Address>().is_err() {
                return Err(format!("alerts.mail_to: {address:?} is no mail address"));
            }
        }
        match &self.webhook_url {
            Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
                Err("alerts.webhook_url begins with https:// or http://".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What each of them is to be told. The id derives from what is told, so that twice is once.
    pub(crate) fn notices(
        &self,
        event: &'static str,
        alert: &row::Model,
        now: Instant,
    ) -> Vec<notice::Model> {
        let mails = self.mail_to.iter().map(|address| (MAIL, address));
        let webhooks = self.webhook_url.iter().map(|url| (WEBHOOK, url));
        let notice = |(channel, recipient): (&str, &String)| {
            let raised = alert.raised_at.unwrap_or(now).timestamp_micros();
            let (key, episode) = (&alert.alert_key, alert.episode);
            let name = format!("alert:{key}:{episode}:{raised}:{event}:{channel}:{recipient}");
            notice::Model {
                id: MessageId::of_outside_event(&name).0,
                alert_key: alert.alert_key.clone(),
                episode: alert.episode,
                event: event.to_owned(),
                channel: channel.to_owned(),
                recipient: recipient.clone(),
                body: body(event, alert, now),
                created_at: now,
                due_at: Some(now),
                attempts: 0,
                sent_at: None,
                error: None,
            }
        };
        mails.chain(webhooks).map(notice).collect()
    }
}

/// The webhook's body, which has what a mail says, too.
fn body(event: &str, alert: &row::Model, now: Instant) -> Value {
    let text = |at: Instant| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "type": format!("alert.{event}"),
        "timestamp": text(now),
        "data": {
            "key": alert.alert_key,
            "rule": alert.rule,
            "target": alert.target,
            "severity": alert.severity,
            "summary": alert.summary,
            "value": alert.value,
            "limit": alert.limit_value,
            "since": text(alert.since),
            "raised_at": alert.raised_at.map(text),
            "cleared_at": alert.cleared_at.map(text),
            "episode": alert.episode,
            "runbook": RUNBOOK,
        },
    })
}

/// How alerts are told.
pub struct AlertsConfig {
    pub smtp: SmtpConfig,
    /// `Box office <tickets@house.example>`.
    pub from: String,
    /// Right of the `@` in the ids of mails.
    pub message_id_domain: String,
    pub signer: Option<Signer>,
}

/// Sends the notices that are due.
///
/// Safe to run twice: a notice is leased to who sends it; what a crash sends again has the same id, which
/// recipients know it by (`webhook-id`, `Message-ID`).
pub struct TellAlerts {
    db: DatabaseConnection,
    server: SmtpServer,
    from: Mailbox,
    domain: String,
    signer: Option<Signer>,
    http: Http,
    attempted: Mutex<Vec<(Uuid, Attempt)>>,
}

impl fmt::Debug for TellAlerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TellAlerts")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl TellAlerts {
    /// # Errors
    /// Which setting can't be.
    pub fn new(db: DatabaseConnection, config: AlertsConfig) -> Result<Self, String> {
        let from = config.from.parse::<Mailbox>();
        Ok(Self {
            db,
            server: SmtpServer::new(config.smtp),
            from: from.map_err(|_error| "smtp.from is no address".to_owned())?,
            domain: config.message_id_domain,
            signer: config.signer,
            http: Http::new(ANSWER_MAX, ANSWER_BYTES_MAX)?,
            attempted: Mutex::default(),
        })
    }

    /// Takes what is due and may be sent now.
    async fn lease(&self) -> Result<Vec<notice::Model>, Failure> {
        let now = clock::now();
        let tx = pool::begin(&self.db).await?;
        let mut due = Vec::new();
        for channel in [MAIL, WEBHOOK] {
            let minute = now - TimeDelta::seconds(60);
            let sent = alerts::sent_since(&tx, channel, minute).await?;
            let most = PER_MINUTE_MAX.saturating_sub(sent).min(PORTION);
            if most > 0 {
                due.extend(alerts::lease_due(&tx, channel, most, now, now + LEASE).await?);
            }
        }
        tx.commit().await?;
        Ok(due)
    }

    async fn send(&self, notice: &notice::Model) -> (Uuid, Attempt) {
        let sent = if notice.channel == MAIL {
            self.mail(notice).await
        } else {
            self.webhook(notice).await
        };
        let now = clock::now();
        let (outcome, attempt) = match sent {
            Ok(()) => ("sent", Attempt::Sent),
            Err((error, is_final)) => {
                let is_over = is_final || now - notice.created_at > GIVE_UP_AFTER;
                let again = (!is_over).then(|| now + wait(notice.attempts));
                let outcome = if is_over { "given_up" } else { "failed" };
                tracing::warn!(
                    alert.key = notice.alert_key,
                    channel = notice.channel,
                    outcome,
                    error,
                    "a notice was not sent"
                );
                (outcome, Attempt::Failed(error, again))
            }
        };
        let channel = if notice.channel == MAIL {
            MAIL
        } else {
            WEBHOOK
        };
        metrics::counter!(metric::NOTICES_TOTAL, "channel" => channel, "outcome" => outcome)
            .increment(1);
        (notice.id, attempt)
    }

    async fn webhook(&self, notice: &notice::Model) -> Result<(), (String, bool)> {
        let body = notice.body.to_string();
        let (id, at) = (notice.id.to_string(), clock::now().timestamp());
        let mut headers = vec![
            ("webhook-id", id.clone()),
            ("webhook-timestamp", at.to_string()),
        ];
        if let Some(signer) = &self.signer {
            headers.push(("webhook-signature", signer.sign(&id, at, &body)));
        }
        let answer = self.http.post(&notice.recipient, &headers, body).await;
        match answer {
            Ok(status) if status.is_success() => Ok(()),
            // The receiver says that it is gone for good (Standard Webhooks).
            Ok(status) => Err((
                format!("answered {}", status.as_u16()),
                status.as_u16() == 410,
            )),
            Err(error) => Err((error, false)),
        }
    }

    async fn mail(&self, notice: &notice::Model) -> Result<(), (String, bool)> {
        let never = |error: &str| (error.to_owned(), true);
        let to: Address = notice
            .recipient
            .parse()
            .map_err(|_error| never("no mail address"))?;
        let (subject, text) = letter(&notice.body);
        let mail = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(subject)
            .message_id(Some(format!("<alert.{}@{}>", notice.id, self.domain)))
            .body(text)
            .map_err(|_error| never("the mail can't be written"))?;
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to])
            .map_err(|_error| never("no recipient"))?;
        match self.server.send(&envelope, &mail.formatted()).await {
            Ok(()) => Ok(()),
            Err(Refusal::Never(why)) => Err((why, true)),
            Err(Refusal::Unreachable(why) | Refusal::Later(why) | Refusal::Unknown(why)) => {
                Err((why, false))
            }
        }
    }
}

/// Subject and text of a mail.
fn letter(body: &Value) -> (String, String) {
    let data = &body["data"];
    let word = |name: &str| data[name].as_str().unwrap_or("-");
    let is_over = body["type"] == "alert.cleared";
    let what = if is_over { "cleared" } else { word("severity") };
    let subject = format!("[Boxoffice] {what}: {} {}", word("rule"), word("target"));
    let mut text = if is_over {
        format!("This is over: {}\r\n\r\n", word("summary"))
    } else {
        format!("{}\r\n\r\n", word("summary"))
    };
    for name in [
        "key",
        "severity",
        "since",
        "raised_at",
        "cleared_at",
        "runbook",
    ] {
        if let Some(value) = data[name].as_str() {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text.push_str("\r\nboxoffice alerts; boxoffice queues\r\n");
    (subject, text)
}

fn wait(attempts: u32) -> TimeDelta {
    let at = usize::try_from(attempts).unwrap_or(usize::MAX);
    TimeDelta::seconds(WAITS_SECS[at.min(WAITS_SECS.len() - 1)])
}

impl Sweep for TellAlerts {
    const NAME: &'static str = "alerts";
    const EVERY: Duration = Duration::from_secs(1);

    async fn prepare(&self) -> Result<(), Failure> {
        let due = self.lease().await?;
        let attempted = join_all(due.iter().map(|notice| self.send(notice))).await;
        let mut kept = self
            .attempted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kept.extend(attempted);
        Ok(())
    }

    async fn sweep(&self, tx: &mut Tx) -> Result<usize, Failure> {
        let attempted = self
            .attempted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if attempted.is_empty() {
            return Ok(0);
        }
        let now = clock::now();
        for (id, attempt) in &attempted {
            alerts::attempted(tx.db(), *id, attempt, now).await?;
        }
        // Should the commit fail, the leases end and they are sent again under their ids.
        self.attempted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        Ok(attempted.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn alert() -> row::Model {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_000_000);
        row::Model {
            alert_key: "no_consumer:tickets".to_owned(),
            rule: "no_consumer".to_owned(),
            target: "tickets".to_owned(),
            state: "raised".to_owned(),
            severity: "page".to_owned(),
            summary: "nobody consumes tickets; 3 messages wait".to_owned(),
            value: Some(0.0),
            limit_value: None,
            episode: 2,
            since: at,
            raised_at: Some(at),
            last_seen: at,
            fine_since: None,
            cleared_at: None,
            acknowledged_by: None,
            acknowledged_at: None,
            acknowledged_reason: None,
        }
    }

    fn recipients() -> Recipients {
        Recipients {
            mail_to: vec!["ops@house.example".to_owned()],
            webhook_url: Some("https://pager.example/in".to_owned()),
        }
    }

    #[test]
    fn a_notice_has_one_id_however_often_it_is_written() {
        let (now, later) = (clock::now(), clock::now() + TimeDelta::seconds(5));
        let ids = |event, alert: &row::Model, now| -> Vec<Uuid> {
            let notices = recipients().notices(event, alert, now);
            notices.into_iter().map(|notice| notice.id).collect()
        };
        let raised = ids("raised", &alert(), now);
        assert_eq!(raised, ids("raised", &alert(), later));
        let next = row::Model {
            episode: 3,
            ..alert()
        };
        let mut all = [
            raised,
            ids("cleared", &alert(), now),
            ids("raised", &next, now),
        ]
        .concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert!(
            Recipients::default()
                .notices("raised", &alert(), now)
                .is_empty()
        );
    }

    #[test]
    fn a_mail_says_what_and_since_when_and_where_to_read_on() {
        let now = clock::now();
        let (subject, text) = letter(&body("raised", &alert(), now));
        assert_eq!(subject, "[Boxoffice] page: no_consumer tickets");
        for line in [
            "nobody consumes tickets; 3 messages wait",
            "key: no_consumer:tickets",
            "runbook: docs/OPERATIONS.md#alerts-of-queue-watch",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let (subject, text) = letter(&body("cleared", &alert(), now));
        assert_eq!(subject, "[Boxoffice] cleared: no_consumer tickets");
        assert!(text.starts_with("This is over: "), "{text}");
    }

    #[test]
    fn what_can_be_told_to_nobody_is_refused_at_the_start() {
        recipients().validate().unwrap();
        let mut broken = recipients();
        broken.mail_to.push("nobody".to_owned());
        assert!(broken.validate().unwrap_err().contains("mail_to"));
        let mut broken = recipients();
        broken.webhook_url = Some("ftp://x".to_owned());
        assert!(broken.validate().unwrap_err().contains("webhook_url"));
    }

    #[test]
    fn waits_grow_to_an_hour() {
        assert_eq!(wait(0), TimeDelta::seconds(5));
        assert_eq!(wait(99), TimeDelta::hours(1));
    }
}
