//! One caller of the API, with a token that was given or that is made from the installation's own key.

use super::Format;
use crate::{keys, settings::Settings};
use anyhow::{Context as _, Result, bail};
use boxoffice_api::token::{Grant, TokenIssuer};
use boxoffice_contracts::{Role, principal::TENANT_HOUSE};
use serde_json::Value;
use std::{fmt, time::Duration};
use url::Url;

/// Life of a token that a command makes for itself.
const TOKEN_TTL: Duration = Duration::from_secs(300);
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What every command of the back office takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OfficeArgs {
    /// Where the API is, if not api.public_url.
    #[arg(long, value_name = "URL", env = "BOXOFFICE_API", global = true)]
    api: Option<Url>,
    /// A bearer token. Without one, a token for five minutes is made with the key in keys.folder.
    #[arg(long, env = "BOXOFFICE_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
    /// Whose name the audit shows when the token is made here; the user of this machine if left out.
    #[arg(long = "as", value_name = "NAME", global = true)]
    name: Option<String>,
    /// For people, or for programs.
    #[arg(long, value_enum, default_value_t = Format::Table, global = true)]
    pub(crate) format: Format,
}

/// A caller of the API.
pub(crate) struct Office {
    agent: ureq::Agent,
    base: String,
    token: String,
}

/// The API said no, or nothing.
#[derive(Debug)]
pub(crate) enum OfficeError {
    /// A problem document.
    Refused { status: u16, problem: Value },
    /// No answer.
    Unreachable { base: String, why: String },
}

impl OfficeError {
    /// 3: refused; 4: not found; 5: not reachable or overloaded. 1 and 2 are those of every command.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { status: 404, .. } => 4,
            Self::Refused {
                status: 503 | 504, ..
            }
            | Self::Unreachable { .. } => 5,
            Self::Refused { .. } => 3,
        }
    }
}

impl fmt::Display for OfficeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { base, why } => {
                write!(
                    f,
                    "{base} doesn't answer ({why}); is the API running? --api names another"
                )
            }
            Self::Refused { status, problem } => {
                let word = |name: &str| problem.get(name).and_then(Value::as_str);
                match word("code") {
                    Some(code) => write!(f, "{code}: {}", word("title").unwrap_or_default())?,
                    None => write!(f, "the API answered {status}")?,
                }
                if let Some(detail) = word("detail") {
                    write!(f, " {detail}")?;
                }
                let errors = problem.get("errors").and_then(Value::as_array);
                for error in errors.into_iter().flatten() {
                    let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or("");
                    write!(f, " {}: {}.", word("pointer"), word("detail"))?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for OfficeError {}

impl Office {
    /// `role`: the one to act as when the token is made here.
    ///
    /// # Errors
    /// When there is neither a token nor a key to make one.
    pub(crate) fn open(arguments: &OfficeArgs, settings: &Settings, role: Role) -> Result<Self> {
        let token = match &arguments.token {
            Some(token) => token.trim().to_owned(),
            None => own_token(arguments, settings, role)?,
        };
        let base = arguments.api.as_ref().unwrap_or(&settings.api.public_url);
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false)
            .build()
            .into();
        Ok(Self {
            agent,
            base: base.as_str().trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// # Errors
    /// [`OfficeError`].
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let answer = request.header("authorization", self.bearer()).call();
        self.read(answer)
    }

    /// # Errors
    /// [`OfficeError`].
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let key = uuid::Uuid::new_v4().to_string();
        let answer = request
            .header("authorization", self.bearer())
            .header("idempotency-key", key)
            .send_json(body);
        self.read(answer)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn read(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value> {
        let mut answer = answer.map_err(|error| OfficeError::Unreachable {
            base: self.base.clone(),
            why: error.to_string(),
        })?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let text = body.read_to_string().context("the answer broke off")?;
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if (200..300).contains(&status) {
            return Ok(value);
        }
        Err(OfficeError::Refused {
            status,
            problem: value,
        }
        .into())
    }
}

fn own_token(arguments: &OfficeArgs, settings: &Settings, role: Role) -> Result<String> {
    let Some(key) = keys::read(settings.keys.folder(), keys::TOKEN_PRIVATE)? else {
        bail!("no token: give one with --token or BOXOFFICE_TOKEN, or set keys.folder to make one");
    };
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    let subject = arguments.name.clone().or_else(user);
    let grant = Grant {
        subject: subject.unwrap_or_else(|| "operator".to_owned()),
        tenant: TENANT_HOUSE.to_owned(),
        role,
        venue: None,
        ttl: TOKEN_TTL,
    };
    let issuer = TokenIssuer::new(&key, &settings.api.token)?;
    Ok(issuer.issue(&grant, boxoffice_runtime::clock::now())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_is_one_line_that_names_the_fields() {
        let error = OfficeError::Refused {
            status: 422,
            problem: json!({
                "code": "validation_failed", "title": "The request is malformed.",
                "errors": [{"pointer": "/reason", "code": "required", "detail": "is missing"}],
            }),
        };
        assert_eq!(
            error.to_string(),
            "validation_failed: The request is malformed. /reason: is missing."
        );
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn what_is_no_problem_document_is_told_by_its_status() {
        let error = OfficeError::Refused {
            status: 502,
            problem: Value::String("<html>".to_owned()),
        };
        assert_eq!(error.to_string(), "the API answered 502");
    }
}
