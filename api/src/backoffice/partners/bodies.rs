//! What is sent about partners, read field by field.

use crate::{
    Problem,
    backoffice::reason,
    fields::{Fields, Mistakes, Wrong, text, whole},
};
use boxoffice_contracts::{Code, partner::PartnerId};
use boxoffice_store::mysql::{partner_admin::Limits, partners::Partner};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// A name for people, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// Venues of one partner.
pub(crate) const VENUES_MAX: usize = 1_000;
const SLUG_LEN_MAX: usize = 64;
pub(crate) const RATE_MAX: u32 = 10_000;
pub(crate) const BURST_MAX: u32 = 100_000;
pub(crate) const QUEUE_LENGTH_MAX: u32 = 1_000_000;
pub(crate) const CONNECTIONS_MAX: u32 = 1_000;
pub(crate) const CHANNELS_MAX: u32 = 10_000;
/// How long the former credential lives on, if nothing is said, and at most.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
const OVERLAP_MAX: TimeDelta = TimeDelta::days(30);

/// A new partner.
#[derive(Debug)]
pub(super) struct Addition {
    pub id: PartnerId,
    pub name: String,
    pub limits: Limits,
    pub venues: Vec<String>,
    pub reason: String,
}

impl Addition {
    pub(super) fn read(body: Value) -> Result<Self, Problem> {
        take(body, |fields, mistakes| {
            let id = fields.required(
                "id",
                mistakes,
                text(|id| id.parse::<PartnerId>().map_err(|_error| ID_WRONG)),
            );
            let name = fields.required("name", mistakes, text(name));
            let changes = Sizes::take(fields, mistakes);
            let venues = venues(fields, mistakes);
            let reason = reason(fields, mistakes);
            Some(Self {
                id: id?,
                name: name?,
                limits: changes.over(Limits::default()),
                venues: venues.unwrap_or_default(),
                reason: reason?,
            })
        })
    }
}

/// What changes of a partner that is there.
#[derive(Debug)]
pub(super) struct Changes {
    name: Option<String>,
    sizes: Sizes,
    pub venues: Option<Vec<String>>,
    pub reason: String,
}

impl Changes {
    pub(super) fn read(body: Value) -> Result<Self, Problem> {
        let changes = take(body, |fields, mistakes| {
            let name = fields.optional("name", mistakes, text(name));
            let sizes = Sizes::take(fields, mistakes);
            let venues = venues(fields, mistakes);
            let reason = reason(fields, mistakes);
            Some(Self {
                name,
                sizes,
                venues,
                reason: reason?,
            })
        })?;
        let is_nothing =
            changes.name.is_none() && changes.venues.is_none() && changes.sizes == Sizes::default();
        if is_nothing {
            return Err(Problem::because(
                Code::ValidationFailed,
                "Name a field that is to change, beside the reason.",
            ));
        }
        Ok(changes)
    }

    pub(super) fn apply_to(&self, partner: &mut Partner) {
        let limits = self.sizes.over(Limits::of(partner));
        if let Some(name) = &self.name {
            partner.name.clone_from(name);
        }
        partner.rate_per_sec = limits.rate_per_sec;
        partner.burst = limits.burst;
        partner.queue_length_max = limits.queue_length_max;
        partner.connections_max = limits.connections_max;
        partner.channels_max = limits.channels_max;
    }

    /// For the audit: what is new.
    pub(super) fn detail(&self) -> Value {
        let Sizes {
            rate_per_sec,
            burst,
            queue_length_max,
            connections_max,
            channels_max,
        } = self.sizes;
        let mut detail = json!({
            "name": self.name,
            "venues": self.venues,
            "rate_per_sec": rate_per_sec,
            "burst": burst,
            "queue_length_max": queue_length_max,
            "connections_max": connections_max,
            "channels_max": channels_max,
        });
        if let Some(fields) = detail.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        detail
    }
}

/// A new credential beside the old one.
#[derive(Debug)]
pub(super) struct Rotation {
    pub overlap: TimeDelta,
    pub reason: String,
}

impl Rotation {
    pub(super) fn read(body: Value) -> Result<Self, Problem> {
        take(body, |fields, mistakes| {
            let overlap = fields.optional("overlap", mistakes, text(|text| duration(&text)));
            let reason = reason(fields, mistakes);
            Some(Self {
                overlap: overlap.unwrap_or(OVERLAP),
                reason: reason?,
            })
        })
    }
}

/// Serial and reason.
pub(super) fn revocation(body: Value) -> Result<(u16, String), Problem> {
    take(body, |fields, mistakes| {
        let serial = fields.required("serial", mistakes, whole(1..=u64::from(u16::MAX)));
        let reason = reason(fields, mistakes);
        Some((u16::try_from(serial?).ok()?, reason?))
    })
}

/// Whether what is unread goes, and the reason.
pub(super) fn removal(body: Value) -> Result<(bool, String), Problem> {
    take(body, |fields, mistakes| {
        let discard = fields.optional("discard_unread", mistakes, |value, at, mistakes| {
            if !value.is_boolean() {
                mistakes.add(at, ("wrong_type", "must be true or false"));
            }
            value.as_bool()
        });
        let reason = reason(fields, mistakes);
        Some((discard.unwrap_or(false), reason?))
    })
}

/// Those of the limits that are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sizes {
    rate_per_sec: Option<u32>,
    burst: Option<u32>,
    queue_length_max: Option<u32>,
    connections_max: Option<u32>,
    channels_max: Option<u32>,
}

impl Sizes {
    fn take(fields: &mut Fields, mistakes: &mut Mistakes) -> Self {
        let mut size = |name: &str, max: u32| {
            let size = fields.optional(name, mistakes, whole(1..=u64::from(max)));
            size.and_then(|size| u32::try_from(size).ok())
        };
        Self {
            rate_per_sec: size("rate_per_sec", RATE_MAX),
            burst: size("burst", BURST_MAX),
            queue_length_max: size("queue_length_max", QUEUE_LENGTH_MAX),
            connections_max: size("connections_max", CONNECTIONS_MAX),
            channels_max: size("channels_max", CHANNELS_MAX),
        }
    }

    fn over(self, limits: Limits) -> Limits {
        Limits {
            rate_per_sec: self.rate_per_sec.unwrap_or(limits.rate_per_sec),
            burst: self.burst.unwrap_or(limits.burst),
            queue_length_max: self.queue_length_max.unwrap_or(limits.queue_length_max),
            connections_max: self.connections_max.unwrap_or(limits.connections_max),
            channels_max: self.channels_max.unwrap_or(limits.channels_max),
        }
    }
}

const ID_WRONG: Wrong = (
    "malformed",
    "has 3 to 32 lower-case letters, digits and hyphens, and is not `house`",
);

fn take<T>(
    body: Value,
    read: impl FnOnce(&mut Fields, &mut Mistakes) -> Option<T>,
) -> Result<T, Problem> {
    let mut mistakes = Mistakes::default();
    let mut found = None;
    if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
        found = read(&mut fields, &mut mistakes);
        fields.finish(&mut mistakes);
    }
    mistakes.refuse()?;
    found.ok_or_else(|| Problem::new(Code::ValidationFailed))
}

fn name(name: String) -> Result<String, Wrong> {
    if name.trim().is_empty() {
        Err(("required", "is empty"))
    } else if name.chars().count() > NAME_CHARS_MAX {
        Err(("out_of_range", "is too long"))
    } else if name.chars().any(char::is_control) {
        Err(("malformed", "holds control characters"))
    } else {
        Ok(name)
    }
}

/// A list that may be empty: a partner may publish shows of no venue.
fn venues(fields: &mut Fields, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    fields.optional("venues", mistakes, |value, at, mistakes| {
        let Value::Array(values) = value else {
            mistakes.add(at, ("wrong_type", "must be a list"));
            return None;
        };
        if values.len() > VENUES_MAX {
            mistakes.add(at, ("out_of_range", "has too many items"));
            return None;
        }
        let slug = |slug: String| {
            if (1..=SLUG_LEN_MAX).contains(&slug.len()) {
                Ok(slug)
            } else {
                Err(("out_of_range", "is no slug"))
            }
        };
        let slugs = values.into_iter().enumerate();
        let slugs =
            slugs.filter_map(|(i, value)| text(slug)(value, &format!("{at}/{i}"), mistakes));
        Some(slugs.collect())
    })
}

/// A whole number and its unit: `90s`, `15m`, `24h`, `7d`.
fn duration(text: &str) -> Result<TimeDelta, Wrong> {
    const MALFORMED: Wrong = ("malformed", "is a number and s, m, h or d, such as 24h");
    let unit_secs = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(MALFORMED),
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    let secs = number.parse::<i64>().ok();
    let time = secs
        .and_then(|number| number.checked_mul(unit_secs))
        .and_then(TimeDelta::try_seconds);
    time.filter(|time| *time <= OVERLAP_MAX)
        .ok_or(("out_of_range", "is at most 30d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(problem: Problem) -> Vec<(String, &'static str)> {
        let errors = problem.errors.into_iter();
        errors.map(|error| (error.pointer, error.code)).collect()
    }

    #[test]
    fn a_partner_needs_an_id_a_name_and_a_reason_and_gets_usual_limits() {
        let problem = Addition::read(json!({"id": "Acme", "rate_per_sec": 0, "x": 1})).unwrap_err();
        assert_eq!(
            pointers(problem),
            [
                ("/id".to_owned(), "malformed"),
                ("/name".to_owned(), "required"),
                ("/rate_per_sec".to_owned(), "out_of_range"),
                ("/reason".to_owned(), "required"),
                ("/x".to_owned(), "unknown_field"),
            ]
        );
        let body = json!({"id": "acme", "name": "Acme", "burst": 7, "reason": "contract 12"});
        let addition = Addition::read(body).unwrap();
        let usual = Limits::default();
        assert_eq!(addition.limits, Limits { burst: 7, ..usual });
        assert!(addition.venues.is_empty());
    }

    #[test]
    fn a_change_names_what_it_changes() {
        let nothing = Changes::read(json!({"reason": "x"})).unwrap_err();
        assert_eq!(nothing.code, Code::ValidationFailed);
        let changes = Changes::read(json!({"channels_max": 3, "venues": [], "reason": "x"}));
        let detail = changes.unwrap().detail();
        assert_eq!(detail, json!({"channels_max": 3, "venues": []}));
        let wrong = json!({"venues": ["ok", 1, ""], "reason": "x"});
        assert_eq!(
            pointers(Changes::read(wrong).unwrap_err()),
            [
                ("/venues/1".to_owned(), "wrong_type"),
                ("/venues/2".to_owned(), "out_of_range")
            ]
        );
    }

    #[test]
    fn an_overlap_is_a_number_with_its_unit() {
        for (text, secs) in [
            ("0s", 0),
            ("90s", 90),
            ("15m", 900),
            ("24h", 86_400),
            ("30d", 2_592_000),
        ] {
            assert_eq!(duration(text).unwrap(), TimeDelta::seconds(secs), "{text}");
        }
        for wrong in [
            "",
            "s",
            "24",
            "-1s",
            "+1s",
            "1.5h",
            "1w",
            "31d",
            "99999999999999999999d",
            "é",
        ] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
        let usual = Rotation::read(json!({"reason": "yearly"})).unwrap();
        assert_eq!(usual.overlap, TimeDelta::hours(24));
    }

    /// What the description says of bodies is what is read: examples, fields, and which are required.
    #[test]
    fn the_description_and_the_readers_agree() {
        type Read = fn(Value) -> Result<(), Problem>;
        let readers: [(&str, Read); 7] = [
            ("", |body| Addition::read(body).map(drop)),
            ("/{id}/rotate", |body| Rotation::read(body).map(drop)),
            ("/{id}/revoke", |body| revocation(body).map(drop)),
            ("/{id}/suspend", |body| {
                crate::backoffice::only_reason(body).map(drop)
            }),
            ("/{id}/resume", |body| {
                crate::backoffice::only_reason(body).map(drop)
            }),
            ("/{id}/remove", |body| removal(body).map(drop)),
            ("/{id}/limits", |body| Changes::read(body).map(drop)),
        ];
        let document = crate::openapi::document();
        for (path, read) in readers {
            let told = &document["paths"][format!("/v1/partners{path}")]["post"]["requestBody"];
            let told = &told["content"]["application/json"];
            read(told["example"].clone()).unwrap();
            let name = told["schema"]["$ref"].as_str().unwrap();
            let schema = document.pointer(name.trim_start_matches('#')).unwrap();
            let unknown = |field: &str| {
                let errors = pointers(read(json!({field: null})).unwrap_err());
                errors.into_iter().any(|(_, code)| code == "unknown_field")
            };
            assert!(unknown("x"), "{path}");
            let fields = schema["properties"].as_object().unwrap();
            for field in fields.keys() {
                assert!(!unknown(field), "{path}: {field}");
            }
            let mut required: Vec<String> =
                serde_json::from_value(schema["required"].clone()).unwrap();
            required.sort();
            let missed = pointers(read(json!({})).unwrap_err()).into_iter();
            let mut missed: Vec<String> = missed
                .filter(|(_, code)| *code == "required")
                .map(|(pointer, _)| pointer.trim_start_matches('/').to_owned())
                .collect();
            missed.sort();
            assert_eq!(missed, required, "{path}");
        }
    }

    #[test]
    fn the_other_bodies_are_as_strict() {
        assert_eq!(
            revocation(json!({"serial": 2, "reason": "x"})).unwrap().0,
            2
        );
        for wrong in [
            json!({"serial": 0, "reason": "x"}),
            json!({"serial": 70_000, "reason": "x"}),
            json!({"reason": "x"}),
        ] {
            assert_eq!(pointers(revocation(wrong).unwrap_err())[0].0, "/serial");
        }
        assert!(!removal(json!({"reason": "x"})).unwrap().0);
        assert!(
            removal(json!({"reason": "x", "discard_unread": true}))
                .unwrap()
                .0
        );
        let wrong = removal(json!({"reason": "x", "discard_unread": 1})).unwrap_err();
        assert_eq!(pointers(wrong)[0].0, "/discard_unread");
    }
}
