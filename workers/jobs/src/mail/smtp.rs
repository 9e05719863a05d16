//! One SMTP server and the few connections to it.
//!
//! Not lettre's transport: its asynchronous connections have no deadline after the connect, and its pool
//! takes back a connection whose command was given up on, so that every later answer is read one command
//! late. Here whatever did not end well is closed, and the phase in which it ended is known.

use boxoffice_contracts::topology::MAIL;
use boxoffice_runtime::spans::{Asking, Value};
use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Noop, Rcpt},
        extension::{ClientId, Extension, MailParameter},
        response::Code,
    },
};
use std::{fmt, io, sync::Mutex, time::Duration};
use tokio::{net::TcpStream, time::Instant};

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SmtpTls {
    /// For a server on the same machine or a test.
    None,
    /// Begins plain and must be upgraded before anything is said.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
}

/// Where mails are handed over.
#[derive(Clone)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// User and password.
    pub login: Option<(String, String)>,
    /// For the connect and for every answer.
    pub timeout: Duration,
    /// Connections that are kept open between mails.
    pub idle_max: usize,
    /// Between the beginnings of two mails; nothing where mails leave as fast as they are made.
    pub gap: Duration,
}

impl SmtpConfig {
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, tls: SmtpTls) -> Self {
        Self {
            host: host.into(),
            port,
            tls,
            login: None,
            timeout: TIMEOUT,
            idle_max: IDLE_MAX,
            gap: Duration::ZERO,
        }
    }
}

const TIMEOUT: Duration = Duration::from_secs(15);
/// As many as calls in flight at once.
const IDLE_MAX: usize = MAIL.calls_max as usize;

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SmtpConfig({}:{}, {:?}, login {})",
            self.host,
            self.port,
            self.tls,
            self.login.is_some()
        )
    }
}

/// How a mail was not handed over. Codes only: what servers write quotes addresses and subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no server to talk to; no mail can be handed over.
    Unreachable(String),
    /// The server asks for patience: greylisting, a full mailbox.
    Later(String),
    /// It ended where the server may have taken the mail or not.
    Unknown(String),
    /// Refused for good.
    Never(String),
}

impl Refusal {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Later(_) => "deferred",
            Self::Unknown(_) => "no_answer",
            Self::Never(_) => "refused",
        }
    }
}

/// A server.
pub(crate) struct SmtpServer {
    config: SmtpConfig,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
    /// When the next mail may begin.
    next: tokio::sync::Mutex<Instant>,
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

impl SmtpServer {
    pub(crate) fn new(config: SmtpConfig) -> Self {
        Self {
            config,
            idle: Mutex::new(Vec::new()),
            next: tokio::sync::Mutex::new(Instant::now()),
        }
    }

    /// Hands a mail over. `Ok` means that the server has taken it.
    pub(crate) async fn send(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), Refusal> {
        self.turn().await;
        let asking = Asking::begin("SMTP send", || {
            vec![
                ("network.protocol.name", Value::Text("smtp".into())),
                (
                    "server.address",
                    Value::Text(self.config.host.clone().into()),
                ),
                ("server.port", Value::Number(self.config.port.into())),
            ]
        });
        let sent = self.hand_over(envelope, mail).await;
        if let Some(asking) = asking {
            asking.ended(sent.as_ref().err().map(|refusal| refusal.as_str().into()));
        }
        sent
    }

    /// Waits until the next mail may begin, those who came first first.
    async fn turn(&self) {
        let gap = self.config.gap;
        if gap.is_zero() {
            return;
        }
        let mut next = self.next.lock().await;
        tokio::time::sleep_until(*next).await;
        // Who wakes late makes up for it; who had nothing to send for long does not.
        let now = Instant::now();
        *next = now.max(*next + gap).min(now + gap);
    }

    async fn hand_over(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), Refusal> {
        let mut connection = self.connection().await?;
        match self.transfer(&mut connection, envelope, mail).await {
            Ok(()) => {
                self.keep(connection);
                Ok(())
            }
            // Only this mail, or everybody? A server that still greets others is up.
            Err(Refusal::Unreachable(detail)) if self.is_up().await => Err(Refusal::Later(detail)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether the server greets us and lets us in.
    pub(super) async fn is_up(&self) -> bool {
        match self.open().await {
            Ok(connection) => {
                self.keep(connection);
                true
            }
            Err(_) => false,
        }
    }

    async fn transfer(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        mail: &[u8],
    ) -> Result<(), Refusal> {
        let mut parameters = Vec::new();
        let addresses = envelope.from().into_iter().chain(envelope.to());
        if addresses
            .into_iter()
            .any(|address| !AsRef::<str>::as_ref(address).is_ascii())
        {
            if !connection
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
            {
                return Err(Refusal::Never("smtputf8_unsupported".to_owned()));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let unreached = Refusal::Unreachable;
        let from = Mail::new(envelope.from().cloned(), parameters);
        self.answer(connection.command(from), "MAIL", unreached)
            .await?;
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), Vec::new());
            self.answer(connection.command(to), "RCPT", unreached)
                .await?;
        }
        self.answer(connection.command(Data), "DATA", unreached)
            .await?;
        // From here on the server may have the mail, whatever we hear.
        self.answer(connection.message(mail), "message", Refusal::Unknown)
            .await
    }

    /// Waits for an answer; `broken` says what it means when there is none.
    async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<T, Error>>,
        phase: &'static str,
        broken: fn(String) -> Refusal,
    ) -> Result<(), Refusal> {
        match tokio::time::timeout(self.config.timeout, asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match error.status() {
                Some(code) if LOGIN_WANTED.contains(&u16::from(code)) => {
                    Refusal::Unreachable(format!("smtp_{code} to {phase}"))
                }
                Some(code) if error.is_permanent() => Refusal::Never(format!("smtp_{code}")),
                Some(code) => Refusal::Later(format!("smtp_{code} to {phase}")),
                None => broken(format!("no answer to {phase}")),
            }),
            Err(_elapsed) => Err(broken(format!("no answer to {phase} in time"))),
        }
    }

    /// A connection that answers, kept or new.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Refusal> {
        while let Some(mut kept) = self.take() {
            let noop = tokio::time::timeout(self.config.timeout, kept.command(Noop)).await;
            if matches!(noop, Ok(Ok(_))) {
                return Ok(kept);
            }
        }
        self.open().await
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Refusal> {
        match tokio::time::timeout(self.config.timeout, self.greet()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(Refusal::Unreachable(match error.code() {
                Some(code) => format!("smtp_{code} at the greeting"),
                None => "no connection".to_owned(),
            })),
            Err(_elapsed) => Err(Refusal::Unreachable("no connection in time".to_owned())),
        }
    }

    async fn greet(&self) -> Result<AsyncSmtpConnection, NoGreeting> {
        let SmtpConfig {
            host,
            port,
            tls,
            login,
            timeout,
            ..
        } = &self.config;
        let hello = ClientId::default();
        let parameters = || TlsParameters::new(host.clone());
        let server = (host.as_str(), *port);
        let mut connection = if *tls == SmtpTls::Implicit {
            let (timeout, tls) = (Some(*timeout), Some(parameters()?));
            AsyncSmtpConnection::connect_tokio1(server, timeout, &hello, tls, None).await?
        } else {
            let stream = TcpStream::connect(server).await?;
            // lettre ends a mail with a write of its own, which would wait until the server acknowledges the one
            // before: 40 ms of each mail.
            stream.set_nodelay(true)?;
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await?
        };
        if *tls == SmtpTls::StartTls {
            connection.starttls(parameters()?, &hello).await?;
        }
        if let Some((user, password)) = login {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await?;
        }
        Ok(connection)
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        self.idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self
            .idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if idle.len() < self.config.idle_max && !connection.has_broken() {
            idle.push(connection);
        }
    }
}

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
enum NoGreeting {
    #[error(transparent)]
    Smtp(#[from] Error),
    #[error(transparent)]
    Network(#[from] io::Error),
}

impl NoGreeting {
    /// What the server said, if it said anything.
    fn code(&self) -> Option<Code> {
        match self {
            Self::Smtp(error) => error.status(),
            Self::Network(_) => None,
        }
    }
}

/// Authentication required, refused, too weak: our configuration is at fault, not the mail.
const LOGIN_WANTED: [u16; 4] = [530, 534, 535, 538];

#[cfg(test)]
mod tests;
