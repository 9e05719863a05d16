//! RabbitMQ's management API, as far as partners need it: ask, put, delete, with a deadline.
//!
//! Reference: `/api/index.html` of every broker with the plugin.

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::Value;
use std::{fmt, time::Duration};

/// Cheap to clone, and printed without its password.
#[derive(Clone)]
pub struct Management {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    user: String,
    authorization: HeaderValue,
}

/// Why the broker was not asked, or said no. Each text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagementError {
    #[error(
        "partners.management_url: nothing answers at {base} ({why}). Is the broker up, and its plugin on? \
         `rabbitmq-plugins enable rabbitmq_management`"
    )]
    Unreachable { base: String, why: String },
    #[error("partners.management_url: {base} did not answer within {}s", DEADLINE.as_secs())]
    Silent { base: String },
    #[error(
        "partners.management_url: {base} is no management API of RabbitMQ. Its port is usually 15672, and its \
         plugin rabbitmq_management"
    )]
    Another { base: String },
    #[error("partners.management_url: {base} refuses the user {user:?}: wrong name or password")]
    Credentials { base: String, user: String },
    #[error(
        "partners.management_url: the user {user:?} may not make users; give it the tag: \
         `rabbitmqctl set_user_tags {user} administrator`"
    )]
    NotAdministrator { user: String },
    #[error("{method} {path} was answered {status}: {reason}")]
    Refused {
        method: String,
        path: String,
        status: u16,
        reason: String,
    },
}

/// For one answer; the API is on the same network.
const DEADLINE: Duration = Duration::from_secs(3);
/// Shorter than what the server grants.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// A list of thousands of users or connections.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Longest reason of a refusal that is repeated, in characters.
const REASON_CHARS_MAX: usize = 300;

impl Management {
    /// # Errors
    /// What is wrong with the address.
    pub fn new(url: &str) -> Result<Self, String> {
        let parsed = url::Url::parse(url).map_err(|error| error.to_string())?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err("begins with http:// or https://".to_owned());
        }
        let host = parsed.host_str().ok_or("has no host")?;
        let port = parsed.port().map(|port| format!(":{port}"));
        let base = format!(
            "{}://{host}{}{}",
            parsed.scheme(),
            port.unwrap_or_default(),
            parsed.path().trim_end_matches('/')
        );
        let user = decoded(parsed.username()).ok_or("its user is not UTF-8")?;
        let password = decoded(parsed.password().unwrap_or_default());
        let password = password.ok_or("its password is not UTF-8")?;
        if user.is_empty() || password.is_empty() {
            return Err("has no user and password: http://user:password@host:15672".to_owned());
        }
        let token = B64.encode(format!("{user}:{password}"));
        let mut authorization =
            HeaderValue::try_from(format!("Basic {token}")).map_err(|error| error.to_string())?;
        authorization.set_sensitive(true);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(DEADLINE));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| format!("TLS: {error}"))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Ok(Self {
            client,
            base,
            user,
            authorization,
        })
    }

    /// Whose name is used.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether the address, the user and its rights are right.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub async fn check(&self) -> Result<(), ManagementError> {
        let another = || ManagementError::Another {
            base: self.base.clone(),
        };
        let me = self.get("/api/whoami").await?.ok_or_else(another)?;
        let tags = me.get("tags").ok_or_else(another)?;
        // A list; text in old brokers.
        let has = |tag: &str| match tags {
            Value::Array(tags) => tags.iter().any(|one| one == tag),
            Value::String(tags) => tags.split(',').any(|one| one.trim() == tag),
            _ => false,
        };
        if has("administrator") {
            Ok(())
        } else {
            Err(ManagementError::NotAdministrator {
                user: self.user.clone(),
            })
        }
    }

    /// `None`: there is no such thing.
    ///
    /// # Errors
    /// When the API is away or says no.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, ManagementError> {
        self.send(Method::GET, path, None).await
    }

    /// # Errors
    /// When the API is away or says no.
    pub async fn put(&self, path: &str, body: &Value) -> Result<(), ManagementError> {
        self.write(Method::PUT, path, body).await
    }

    /// # Errors
    /// When the API is away or says no.
    pub async fn post(&self, path: &str, body: &Value) -> Result<(), ManagementError> {
        self.write(Method::POST, path, body).await
    }

    /// `false`: there was nothing to delete.
    ///
    /// # Errors
    /// When the API is away or says no.
    pub async fn delete(&self, path: &str) -> Result<bool, ManagementError> {
        Ok(self.send(Method::DELETE, path, None).await?.is_some())
    }

    async fn write(&self, method: Method, path: &str, body: &Value) -> Result<(), ManagementError> {
        match self.send(method.clone(), path, Some(body)).await? {
            Some(_) => Ok(()),
            None => Err(ManagementError::Refused {
                method: method.to_string(),
                path: path.to_owned(),
                status: 404,
                reason: "what it belongs to is not there".to_owned(),
            }),
        }
    }

    /// `None` for 404, null for an answer without a body.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, ManagementError> {
        let (status, bytes) = self.exchange(method.clone(), path, body).await?;
        let another = || ManagementError::Another {
            base: self.base.clone(),
        };
        match status.as_u16() {
            200..300 if bytes.is_empty() => Ok(Some(Value::Null)),
            200..300 => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_error| another()),
            404 => Ok(None),
            401 => Err(ManagementError::Credentials {
                base: self.base.clone(),
                user: self.user.clone(),
            }),
            status => Err(ManagementError::Refused {
                method: method.to_string(),
                path: path.to_owned(),
                status,
                reason: reason(&bytes),
            }),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), ManagementError> {
        let unreachable = |why: String| ManagementError::Unreachable {
            base: self.base.clone(),
            why,
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            // What a closed connection's log line shows.
            .header("x-reason", "boxoffice: the partner's rights changed");
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable(error.to_string()))?;
        let ask = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| unreachable(error.to_string()))?;
            let status = answer.status();
            let body = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await;
            let body = body.map_err(|error| unreachable(error.to_string()))?;
            Ok((status, body.to_bytes()))
        };
        match tokio::time::timeout(DEADLINE, ask).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ManagementError::Silent {
                base: self.base.clone(),
            }),
        }
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management")
            .field("base", &self.base)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What the broker says about it: `{"error": …, "reason": …}`.
fn reason(bytes: &[u8]) -> String {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let said = match &body["reason"] {
        Value::String(reason) => reason.clone(),
        Value::Null => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_string(),
    };
    said.chars().take(REASON_CHARS_MAX).collect()
}

/// A name as a part of a path.
#[must_use]
pub(super) fn part(name: &str) -> String {
    let mut part = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}

/// A part of a URL without its percent signs.
pub(super) fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_address_is_checked_and_its_password_not_printed() {
        let management = Management::new("http://me:s3%2Fcret@host:15672/").unwrap();
        assert_eq!(management.base, "http://host:15672");
        assert_eq!(
            management.authorization,
            format!("Basic {}", B64.encode("me:s3/cret"))
        );
        let shown = format!("{management:?}{:?}", management.authorization);
        assert!(
            !shown.contains("cret") && !shown.contains("bWU6"),
            "{shown}"
        );
        for wrong in [
            "",
            "host:15672",
            "amqp://u:p@h",
            "http://host",
            "http://u@host",
        ] {
            assert!(Management::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_survive_a_path_and_back() {
        let name = "127.0.0.1:5 -> [::1]:6 /%é";
        assert!(
            part(name)
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b))
        );
        assert_eq!(decoded(&part(name)).unwrap(), name);
        assert_eq!(decoded("%"), None);
        assert_eq!(decoded("%zz"), None);
        assert_eq!(decoded("%ff"), None);
    }

    #[tokio::test]
    async fn a_closed_port_names_the_plugin_and_silence_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://u:p@{}", listener.local_addr().unwrap());
        let management = Management::new(&url).unwrap();
        let silent = management.check().await.unwrap_err();
        assert!(matches!(silent, ManagementError::Silent { .. }), "{silent}");
        drop(listener);
        let closed = management.check().await.unwrap_err().to_string();
        assert!(closed.contains("rabbitmq-plugins enable"), "{closed}");
    }

    #[test]
    fn a_reason_is_what_the_broker_says() {
        assert_eq!(
            reason(br#"{"error":"bad_request","reason":"inequivalent arg"}"#),
            "inequivalent arg"
        );
        assert_eq!(reason(b"<html>"), "<html>");
    }
}
