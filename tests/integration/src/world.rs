//! A box office of one test, running, and everything around it.

use crate::{
    books,
    broker::Vhost,
    customer::{Customer, Journal},
    fixture::Show,
    gateway::Gateway,
    link::Link,
    process::Process,
    services::Place,
    setup::Setup,
    wait::{eventually, secs},
    witness::Mailbox,
};
use boxoffice_api::token::{Grant, TokenIssuer};
use boxoffice_contracts::{BookingId, Owner, Role, VenueId, principal::TENANT_HOUSE};
use boxoffice_fault_proxy::{Mode, Proxy};
use boxoffice_invariants::{Allowed, MailSink as _, Options, Report, check_all};
use boxoffice_mail_catcher::Catcher;
use boxoffice_runtime::clock;
use boxoffice_store::mongo::documents;
use mongodb::Database;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Until everything has come to rest after the last fault.
pub const SETTLE_MAX: Duration = secs(60);
/// What is committed may still be on its way to documents and mailboxes.
const AGREE_MAX: Duration = secs(15);
/// Rest is rest when it was seen twice.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const TOKEN_TTL: Duration = secs(3600);

pub struct World {
    pub(crate) place: Place,
    pub db: DatabaseConnection,
    pub documents: Database,
    pub vhost: Vhost,
    pub gateway: Gateway,
    pub catcher: Catcher,
    pub proxies: BTreeMap<Link, Proxy>,
    pub(crate) shows: Vec<Show>,
    pub issuer: Arc<TokenIssuer>,
    pub processes: BTreeMap<String, Process>,
    /// Settings, keys and logs.
    pub folder: PathBuf,
    pub api: String,
    pub journal: Arc<Journal>,
    pub(crate) allowed: Allowed,
    pub(crate) finished: bool,
}

impl World {
    #[must_use]
    pub fn setup() -> Setup {
        Setup::default()
    }

    #[must_use]
    pub fn show(&self, slug: &str) -> Show {
        self.shows
            .iter()
            .find(|show| show.slug == slug)
            .unwrap()
            .clone()
    }

    #[must_use]
    pub fn customer(&self, subject: &str) -> Customer {
        self.someone(subject, Role::Customer)
    }

    #[must_use]
    pub fn someone(&self, subject: &str, role: Role) -> Customer {
        self.somebody(TENANT_HOUSE, subject, role)
    }

    /// A system of a partner. Its bookings are the partner's, whether the partner is known or not.
    #[must_use]
    pub fn system_of(&self, partner: &str) -> Customer {
        self.somebody(partner, "sales", Role::Partner)
    }

    pub(crate) fn somebody(&self, tenant: &str, subject: &str, role: Role) -> Customer {
        let owner = Owner {
            tenant: tenant.to_owned(),
            subject: subject.to_owned(),
        };
        let grant = Grant {
            subject: owner.subject.clone(),
            tenant: owner.tenant.clone(),
            role,
            venue: None,
            ttl: TOKEN_TTL,
        };
        let token = self.issuer.issue(&grant, clock::now()).unwrap();
        Customer::new(owner, self.api.clone(), token, Arc::clone(&self.journal))
    }

    /// Who manages the venue of this slug.
    #[must_use]
    pub fn manager_of(&self, venue: &str) -> Customer {
        let owner = Owner {
            tenant: TENANT_HOUSE.to_owned(),
            subject: format!("manager-of-{venue}"),
        };
        let grant = Grant {
            subject: owner.subject.clone(),
            tenant: owner.tenant.clone(),
            role: Role::Manager,
            venue: Some(VenueId::from_slug(venue)),
            ttl: TOKEN_TTL,
        };
        let token = self.issuer.issue(&grant, clock::now()).unwrap();
        Customer::new(owner, self.api.clone(), token, Arc::clone(&self.journal))
    }

    pub fn process(&mut self, name: &str) -> &mut Process {
        self.processes
            .get_mut(name)
            .unwrap_or_else(|| panic!("no process {name}"))
    }

    pub fn set_link(&self, link: Link, mode: Mode) {
        self.proxies[&link].set(mode);
    }

    /// The proxy in a link that [`Setup::through`] named.
    ///
    /// # Panics
    /// When it was not named.
    #[must_use]
    pub fn link(&self, link: Link) -> &Proxy {
        &self.proxies[&link]
    }

    #[must_use]
    pub fn amqp_url(&self) -> String {
        self.place.amqp_url()
    }

    #[must_use]
    pub fn vhost_name(&self) -> &str {
        &self.place.name
    }

    #[must_use]
    pub fn partners_vhost(&self) -> String {
        self.place.partners_vhost()
    }

    /// With user and password.
    #[must_use]
    pub fn management_url(&self) -> &str {
        self.place.management_url()
    }

    /// Asks the broker's management API.
    pub async fn manage(&self, method: reqwest::Method, path: &str, body: &str) -> String {
        self.place.manage(method, path, body).await
    }

    /// Ends the processes without a look at anything: for a harness that has judged, on servers of its own. Returns who
    /// didn't end well.
    pub async fn leave(mut self) -> Vec<String> {
        self.finished = true;
        let mut bad = Vec::new();
        for process in self.processes.values_mut() {
            if process.is_started() {
                let status = process.stop().await;
                if !status.success() {
                    bad.push(format!("{} ended with {status}", process.name));
                }
            }
        }
        self.vhost.close().await;
        bad
    }

    /// After the broker itself was away.
    pub async fn reconnect_broker(&mut self) {
        self.vhost = Vhost::connect(&self.place.amqp_url()).await;
    }

    /// So many messages will wait for a person; more or fewer fail the test.
    pub fn expect_parked(&mut self, count: usize) {
        self.allowed.parked = u64::try_from(count).unwrap();
    }

    /// A mail may come twice, under one id: somebody is killed between sending and noting it.
    pub fn allow_mail_copies(&mut self) {
        self.allowed.mail_copies = true;
    }

    /// The gateway loses some of its webhooks, for good.
    pub fn allow_lost_webhooks(&mut self) {
        self.allowed.lost_webhooks = true;
    }

    /// The mails about a booking, in the order of their arrival.
    #[must_use]
    pub fn mails_of(&self, booking: BookingId) -> Vec<boxoffice_mail_catcher::Summary> {
        let all = boxoffice_mail_catcher::Query {
            limit: Some(usize::MAX),
            ..Default::default()
        };
        let mut found = self.catcher.store().list(&all);
        let prefix = format!("{booking}.");
        found.retain(|mail| {
            mail.message_id
                .as_ref()
                .is_some_and(|id| id.starts_with(&prefix))
        });
        found.reverse();
        found
    }

    /// Waits for a mail and returns it: the newest of a template, or `template.revision`.
    pub async fn mail(
        &self,
        booking: BookingId,
        template: &str,
    ) -> boxoffice_mail_catcher::Summary {
        let prefix = format!("{booking}.{template}");
        eventually(&format!("the mail {prefix}"), secs(20), async || {
            let mails = self.mails_of(booking);
            let found = mails.iter().rev().find(|m| {
                m.message_id
                    .as_ref()
                    .is_some_and(|id| id.starts_with(&prefix))
            });
            found
                .cloned()
                .ok_or_else(|| format!("{} others", mails.len()))
        })
        .await
    }

    /// Why a person should look at a booking, if one should.
    pub async fn attention(&self, booking: BookingId) -> Option<String> {
        let ask = Statement::from_sql_and_values(
            sea_orm::DbBackend::MySql,
            "SELECT attention FROM bookings WHERE id = ?",
            [booking.0.into()],
        );
        let row = self.db.query_one_raw(ask).await.unwrap().unwrap();
        row.try_get("", "attention").unwrap()
    }

    /// Waits until nothing is due, nothing is unsent and nothing waits in a queue.
    pub async fn settle(&self) {
        let deadline = Instant::now() + SETTLE_MAX;
        let mut seen = 0;
        while seen < 2 {
            let unrest = self.unrest().await;
            seen = if unrest.is_empty() { seen + 1 } else { 0 };
            assert!(
                Instant::now() < deadline,
                "not at rest within {SETTLE_MAX:?}: {unrest:#?}"
            );
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes everything away as it stands, unsettled and unchecked: for a test that judges by itself and whose
    /// bookings can't come to rest.
    pub async fn discard(mut self) {
        for process in self.processes.values_mut() {
            process.kill();
        }
        self.vhost.close().await;
        self.finished = true;
        self.place.destroy().await;
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// What is not at rest now; nothing when all is.
    pub async fn unrest(&self) -> Vec<String> {
        let mut unrest = books::texts(
            &self.db,
            "SELECT CONCAT(LOWER(HEX(id)), ' is ', status, COALESCE(CONCAT('/', phase), ''), ' until ', wake_at) \
             FROM bookings WHERE wake_at IS NOT NULL AND NOT (status = 'refunding' \
             AND JSON_CONTAINS(JSON_EXTRACT(saga, '$.refunds[*].state'), '\"failed\"') \
             AND NOT JSON_CONTAINS(JSON_EXTRACT(saga, '$.refunds[*].state'), '\"requested\"'))",
        )
        .await;
        for (what, from) in [
            ("in the outbox", "outbox"),
            ("mails being sent", "mails WHERE state = 'sending'"),
            ("pending operations", "operations WHERE outcome = 'pending'"),
        ] {
            let count = books::count(&self.db, from).await;
            if count > 0 {
                unrest.push(format!("{count} {what}"));
            }
        }
        let undelivered = self.gateway.undelivered().await;
        if undelivered > 0 && !self.allowed.lost_webhooks {
            unrest.push(format!("{undelivered} webhooks"));
        }
        let waiting = self.vhost.waiting().await;
        unrest.extend(
            waiting
                .iter()
                .map(|(queue, count)| format!("{count} in {queue}")),
        );
        unrest
    }

    /// Compares what every party believes now. Nothing is looked at twice.
    pub async fn judge(&self) -> Report {
        let options = Options {
            look_again: Duration::ZERO,
            allowed: self.allowed,
            ..Options::at_rest()
        };
        check_all(&self.sources(), &options).await
    }

    /// Compares what every party believes; the world must have settled.
    pub async fn check(&self) {
        let deadline = Instant::now() + AGREE_MAX;
        loop {
            let report = self.judge().await;
            if report.is_fine() {
                return;
            }
            let wrong = report.complaints();
            assert!(
                Instant::now() < deadline,
                "{} things are wrong: {wrong:#?}",
                wrong.len()
            );
            sleep(LOOK_AGAIN).await;
        }
    }

    /// A line for every mail that came and every document that is kept.
    pub async fn papers(&self) -> Vec<String> {
        let mailbox = Mailbox(format!("http://{}", self.catcher.http()));
        let arrived = mailbox.arrived().await.unwrap();
        let mails = arrived
            .iter()
            .map(|(id, mail)| format!("mail {id} to {:?}, {} times", mail.to, mail.copies));
        let mut papers: Vec<String> = mails.collect();
        let bookings = documents::bookings(&self.documents).await.unwrap();
        let ids: Vec<BookingId> = bookings.iter().map(|id| id.parse().unwrap()).collect();
        for document in documents::facts_of(&self.documents, &ids).await.unwrap() {
            papers.push(format!("{document:?}"));
        }
        papers
    }

    /// Settles, checks, ends every process in order, and takes everything away.
    pub async fn finish(mut self) {
        self.settle().await;
        self.check().await;
        for process in self
            .processes
            .values_mut()
            .filter(|process| process.is_started())
        {
            let status = process.stop().await;
            assert!(status.success(), "{} ended with {status}", process.name);
        }
        // What a consumer held went back to its queue: now every message is counted.
        let waiting = self.vhost.waiting().await;
        assert!(waiting.is_empty(), "left in queues: {waiting:?}");
        self.vhost.close().await;
        self.finished = true;
        self.place.destroy().await;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        for process in self.processes.values_mut() {
            process.kill();
        }
        eprintln!(
            "the world {} ended badly; its logs are in {}",
            self.place.name,
            self.folder.display()
        );
        tell_logs(&self.folder);
        let place = self.place.clone();
        // The test's own runtime may be the one that is unwinding.
        let cleaning = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tell_bookings(&place).await;
                if env::var_os("BOXOFFICE_TEST_KEEP").is_none() {
                    place.destroy().await;
                }
            });
        });
        let _ = cleaning.join();
        assert!(thread::panicking(), "World::finish was not called");
    }
}

/// What the processes complained about.
fn tell_logs(folder: &Path) {
    const LINES_MAX: usize = 60;
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let loud = |line: &&str| {
            line.contains("WARN") || line.contains("ERROR") || line.contains("panicked")
        };
        let lines: Vec<&str> = text.lines().filter(loud).collect();
        for line in &lines[lines.len().saturating_sub(LINES_MAX)..] {
            eprintln!("{}: {line}", path.file_name().unwrap_or_default().display());
        }
    }
}

/// Where every booking stood.
async fn tell_bookings(place: &Place) {
    let db = place.database().await;
    let bookings = "SELECT CONCAT(LOWER(HEX(id)), ' ', status, COALESCE(CONCAT('/', phase), ''), ' v', version, \
                    COALESCE(CONCAT(' ', code), ''), COALESCE(CONCAT(' due ', wake_at), '')) FROM bookings \
                    WHERE wake_at IS NOT NULL LIMIT 40";
    let parked = "SELECT CONCAT('parked: ', queue, ' ', kind, ' ', code, ': ', reason) FROM parked_messages LIMIT 20";
    for query in [bookings, parked] {
        for line in books::texts(&db, query).await {
            eprintln!("{line}");
        }
    }
}
