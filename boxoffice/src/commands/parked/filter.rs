//! Which messages are meant, by command line.

use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

/// Where messages stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Standing {
    Open,
    Archived,
    Resolved,
    Superseded,
    All,
}

impl Standing {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Archived => "archived",
            Self::Resolved => "resolved",
            Self::Superseded => "superseded",
            Self::All => "all",
        }
    }
}

/// Everything that is given must hold.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct FilterArgs {
    /// Of this group, as `groups` shows it.
    #[arg(long)]
    group: Option<String>,
    /// Failed in this queue.
    #[arg(long = "queue", id = "in_queue", value_name = "QUEUE")]
    queue: Option<String>,
    /// Failed with this code.
    #[arg(long)]
    code: Option<String>,
    /// Of this kind.
    #[arg(long = "kind", id = "of_kind", value_name = "KIND")]
    kind: Option<String>,
    /// About this booking.
    #[arg(long)]
    booking: Option<String>,
    /// With one of these ids.
    #[arg(long = "id", value_name = "MESSAGE")]
    ids: Vec<String>,
    /// Part of the reason.
    #[arg(long)]
    text: Option<String>,
    /// Failed last at or after, such as 2026-11-21T18:00:00Z.
    #[arg(long)]
    since: Option<String>,
    /// Failed last before.
    #[arg(long)]
    until: Option<String>,
    /// Sent back at least so often.
    #[arg(long)]
    replays: Option<u32>,
}

impl FilterArgs {
    /// One message.
    pub(crate) fn of_message(queue: &str, message: &str) -> Self {
        Self {
            queue: Some(queue.to_owned()),
            ids: vec![message.to_owned()],
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words().is_empty() && self.ids.is_empty() && self.replays.is_none()
    }

    fn words(&self) -> Vec<(&'static str, &str)> {
        let words = [
            ("group", &self.group),
            ("queue", &self.queue),
            ("code", &self.code),
            ("kind", &self.kind),
            ("booking", &self.booking),
            ("text", &self.text),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let given = words.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect()
    }

    /// As the options of a search.
    pub(crate) fn query(&self, standing: Standing, limit: u32, cursor: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.words());
        query.append_pair("status", standing.as_str());
        query.append_pair("limit", &limit.to_string());
        if let Some(id) = self.ids.first() {
            query.append_pair("message", id);
        }
        if let Some(replays) = self.replays {
            query.append_pair("replays", &replays.to_string());
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        query.finish()
    }

    /// As the filter of a body.
    pub(crate) fn body(&self) -> Value {
        let words = self.words().into_iter();
        let mut filter: Map<String, Value> = words
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        if !self.ids.is_empty() {
            filter.insert("messages".to_owned(), json!(self.ids));
        }
        if let Some(replays) = self.replays {
            filter.insert("replays".to_owned(), json!(replays));
        }
        Value::Object(filter)
    }
}

/// A message by its place, or a filter; one of them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Chosen {
    /// Queue of one message, as `list` shows it.
    #[arg(requires = "message", conflicts_with_all = ["group", "in_queue", "code", "of_kind", "booking", "ids", "text", "since", "until", "replays"])]
    queue: Option<String>,
    /// Its id.
    message: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

impl Chosen {
    pub(crate) fn filter(&self) -> anyhow::Result<FilterArgs> {
        match (&self.queue, &self.message) {
            (Some(queue), Some(message)) => Ok(FilterArgs::of_message(queue, message)),
            _ if self.filter.is_empty() => {
                anyhow::bail!(
                    "which messages? Give QUEUE and MESSAGE, or --group, --queue, --code …"
                )
            }
            _ => Ok(self.filter.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_the_same_in_a_query_and_in_a_body() {
        let filter = FilterArgs {
            code: Some("panic".to_owned()),
            text: Some("a&b".to_owned()),
            replays: Some(2),
            ..FilterArgs::of_message("mail", "7")
        };
        assert_eq!(
            filter.query(Standing::All, 5, None),
            "queue=mail&code=panic&text=a%26b&status=all&limit=5&message=7&replays=2"
        );
        assert_eq!(
            filter.body(),
            json!({"queue": "mail", "code": "panic", "text": "a&b", "messages": ["7"], "replays": 2})
        );
        assert!(FilterArgs::default().is_empty() && !filter.is_empty());
    }
}
