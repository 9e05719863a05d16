//! Which parked messages are meant: as options of a query, and as the `filter` of a body.

use crate::{
    Problem,
    fields::{Fields, Mistakes, Wrong, list, text, whole},
};
use boxoffice_contracts::{BookingId, Code, Instant, MessageId};
use boxoffice_store::mysql::parked::{Filter, Standing};
use serde::Deserialize;
use serde_json::Value;

/// Most messages that a filter names one by one.
const MESSAGES_MAX: usize = 500;
/// Longest text that is looked for.
const TEXT_CHARS_MAX: usize = 200;

/// Options of a search.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchOptions {
    pub group: Option<String>,
    pub queue: Option<String>,
    pub code: Option<String>,
    pub kind: Option<String>,
    pub booking: Option<BookingId>,
    pub message: Option<MessageId>,
    pub text: Option<String>,
    pub since: Option<Instant>,
    pub until: Option<Instant>,
    pub status: Option<String>,
    pub replays: Option<u32>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

impl SearchOptions {
    /// # Errors
    /// 422.
    pub(crate) fn filter(&self) -> Result<Filter, Problem> {
        let wrong = |detail: &'static str| Problem::because(Code::ValidationFailed, detail);
        let group = self.group.as_deref().map(group_id).transpose();
        let group = group.map_err(|_wrong| wrong("`group` is 64 hexadecimal digits."))?;
        let standing = self.status.as_deref().map(Standing::from_text);
        let standing = match standing {
            None => Standing::Open,
            Some(Some(standing)) => standing,
            Some(None) => {
                return Err(wrong(
                    "`status` is open, archived, resolved, superseded or all.",
                ));
            }
        };
        let beyond = |at: &Instant| !(1..=9999).contains(&chrono::Datelike::year(at));
        if [self.since, self.until].iter().flatten().any(beyond) {
            return Err(wrong("`since` and `until` are of the years 1 to 9999."));
        }
        let texts = [&self.queue, &self.code, &self.kind, &self.text];
        let is_long = |text: &&String| text.is_empty() || text.chars().count() > TEXT_CHARS_MAX;
        if texts.into_iter().flatten().any(|text| is_long(&text)) {
            return Err(wrong("A text that is looked for has 1 to 200 characters."));
        }
        Ok(Filter {
            group,
            queue: self.queue.clone(),
            code: self.code.clone(),
            kind: self.kind.clone(),
            booking: self.booking,
            messages: self.message.into_iter().collect(),
            text: self.text.clone(),
            since: self.since,
            until: self.until,
            standing,
            replays_min: self.replays,
        })
    }
}

/// The `filter` of a body. It must ask for something: everything at once is nobody's wish.
pub(crate) fn of_body(value: Value, at: &str, mistakes: &mut Mistakes) -> Option<Filter> {
    let mut fields = Fields::of(value, at.to_owned(), mistakes)?;
    let group = fields.optional("group", mistakes, text(|text| group_id(&text)));
    let mut word =
        |name: &str, mistakes: &mut Mistakes| fields.optional(name, mistakes, text(short));
    let queue = word("queue", mistakes);
    let code = word("code", mistakes);
    let kind = word("kind", mistakes);
    let looked_for = word("text", mistakes);
    let booking = fields.optional("booking", mistakes, text(|text| id::<BookingId>(&text)));
    let messages = fields.optional(
        "messages",
        mistakes,
        list(MESSAGES_MAX, |value, at, mistakes| {
            text(|text| id::<MessageId>(&text))(value, at, mistakes)
        }),
    );
    let since = fields.optional("since", mistakes, text(|text| instant(&text)));
    let until = fields.optional("until", mistakes, text(|text| instant(&text)));
    let replays = fields.optional("replays", mistakes, whole(0..=u64::from(u32::MAX)));
    fields.finish(mistakes);
    let filter = Filter {
        group,
        queue,
        code,
        kind,
        booking,
        messages: messages.unwrap_or_default(),
        text: looked_for,
        since,
        until,
        standing: Standing::All,
        replays_min: replays.and_then(|replays| u32::try_from(replays).ok()),
    };
    let everything = Filter {
        standing: Standing::All,
        ..Filter::default()
    };
    if filter == everything {
        mistakes.add(at, ("required", "must choose something"));
        return None;
    }
    Some(filter)
}

fn short(text: String) -> Result<String, Wrong> {
    if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
        return Err(("out_of_range", "has 1 to 200 characters"));
    }
    Ok(text)
}

fn id<T: std::str::FromStr>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|_error| ("malformed", "is not an id"))
}

fn instant(text: &str) -> Result<Instant, Wrong> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(Instant::from)
        .ok()
        .filter(|at| (1..=9999).contains(&chrono::Datelike::year(at)))
        .ok_or(("malformed", "is not an RFC 3339 instant"))
}

/// A fingerprint as lists show it.
fn group_id(text: &str) -> Result<Vec<u8>, Wrong> {
    hex::decode(text)
        .ok()
        .filter(|bytes| bytes.len() == 32)
        .ok_or(("malformed", "is not a group: 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<Option<Filter>, Vec<String>> {
        let mut mistakes = Mistakes::default();
        let filter = of_body(body, "/filter", &mut mistakes);
        match mistakes.refuse() {
            Ok(()) => Ok(filter),
            Err(mistakes) => Err(mistakes.0.into_iter().map(|e| e.pointer).collect()),
        }
    }

    #[test]
    fn a_filter_asks_for_something_and_every_mistake_has_its_place() {
        let group = "ab".repeat(32);
        let filter = read(json!({"group": group, "queue": "mail"}))
            .unwrap()
            .unwrap();
        assert_eq!(filter.group, Some(vec![0xab; 32]));
        assert_eq!(filter.standing, Standing::All);
        assert_eq!(read(json!({})).unwrap_err(), ["/filter"]);
        let wrong =
            read(json!({"group": "x", "booking": 7, "messages": ["y"], "moon": 1, "queue": ""}));
        assert_eq!(
            wrong.unwrap_err(),
            [
                "/filter/group",
                "/filter/queue",
                "/filter/booking",
                "/filter/messages/0",
                "/filter/moon",
                "/filter"
            ]
        );
    }

    #[test]
    fn options_are_checked_before_anything_is_asked() {
        let filter = |options: SearchOptions| options.filter();
        assert_eq!(filter(SearchOptions::default()).unwrap(), Filter::default());
        for wrong in [
            SearchOptions {
                group: Some("zz".to_owned()),
                ..SearchOptions::default()
            },
            SearchOptions {
                status: Some("moon".to_owned()),
                ..SearchOptions::default()
            },
            SearchOptions {
                text: Some(String::new()),
                ..SearchOptions::default()
            },
        ] {
            assert_eq!(filter(wrong).unwrap_err().code, Code::ValidationFailed);
        }
    }
}
