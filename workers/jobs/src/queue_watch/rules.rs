//! When a person should be told: rules from the topology's limits, and the patience around them.

use super::exporter::Depth;
use boxoffice_contracts::{
    Instant,
    topology::{OUTBOX_AGE_MAX, QUEUES, Queue, UNROUTABLE},
};
use boxoffice_runtime::{beats::Beat, controls::Control};
use boxoffice_store::mysql::queues::Backlog;
use std::{collections::BTreeMap, time::Duration};

/// A booking whose step was due so long ago is stuck: `hold-expiry` looks twice a second.
pub(super) const STUCK_AFTER_SECS: u32 = 120;

/// A limit that was passed counts as kept again below this share of it.
const RELEASE_SHARE: f64 = 0.8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Age,
    Attention,
    BrokerUnseen,
    Depth,
    NoConsumer,
    Outbox,
    Parked,
    Paused,
    Stuck,
    Unroutable,
}

impl Rule {
    pub(super) const ALL: [Self; 10] = [
        Self::Age,
        Self::Attention,
        Self::BrokerUnseen,
        Self::Depth,
        Self::NoConsumer,
        Self::Outbox,
        Self::Parked,
        Self::Paused,
        Self::Stuck,
        Self::Unroutable,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Attention => "attention",
            Self::BrokerUnseen => "broker_unseen",
            Self::Depth => "depth",
            Self::NoConsumer => "no_consumer",
            Self::Outbox => "outbox",
            Self::Parked => "parked",
            Self::Paused => "paused",
            Self::Stuck => "stuck",
            Self::Unroutable => "unroutable",
        }
    }

    /// How long the trouble must last before it is told.
    const fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Attention | Self::Outbox | Self::Parked | Self::Unroutable => 0,
            Self::Age | Self::Depth | Self::Stuck => 10,
            Self::BrokerUnseen | Self::NoConsumer => 15,
            Self::Paused => 60,
        })
    }

    /// How long it must be fine before the alert is over.
    const fn relief(self) -> Duration {
        Duration::from_secs(match self {
            Self::Attention | Self::Parked | Self::Unroutable => 0,
            Self::BrokerUnseen | Self::NoConsumer | Self::Paused => 5,
            Self::Outbox | Self::Stuck => 10,
            Self::Age | Self::Depth => 30,
        })
    }

    /// `page`: somebody should come now; `ticket`: today.
    pub(super) const fn severity(self) -> &'static str {
        match self {
            Self::Attention | Self::Depth | Self::Parked => "ticket",
            Self::Age
            | Self::BrokerUnseen
            | Self::NoConsumer
            | Self::Outbox
            | Self::Paused
            | Self::Stuck
            | Self::Unroutable => "page",
        }
    }
}

/// What a look says of a rule and a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Beyond,
    /// Below the limit, not far enough below it to end an alert.
    Between,
    Fine,
    /// Nobody could look.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observation {
    pub(super) rule: Rule,
    pub(super) target: String,
    pub(super) verdict: Verdict,
    pub(super) value: Option<f64>,
    pub(super) limit: Option<f64>,
    /// When the trouble began, where that is known better than by this look.
    pub(super) since: Option<Instant>,
    pub(super) summary: String,
}

impl Observation {
    pub(super) fn key(&self) -> String {
        format!("{}:{}", self.rule.as_str(), self.target)
    }
}

/// All that a look has found.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    /// By name; missing when the broker told nothing of the queue.
    pub(super) depths: &'a BTreeMap<String, Depth>,
    pub(super) ages_secs: &'a BTreeMap<String, f64>,
    /// When each queue had a consumer the last time.
    pub(super) consumed_at: &'a BTreeMap<String, Instant>,
    pub(super) beats: &'a [Beat],
    pub(super) controls: &'a [Control],
    pub(super) backlog: &'a Backlog,
    /// Since when the exporter gives no answer.
    pub(super) blind_since: Option<Instant>,
}

/// Applies every rule. A target that is not among the answers is fine.
pub(super) fn observe(findings: &Findings<'_>) -> Vec<Observation> {
    let mut all = Vec::new();
    for queue in QUEUES {
        all.extend(of_queue(queue, findings));
    }
    let lost = findings.depths.get(UNROUTABLE);
    all.push(counted(
        Rule::Unroutable,
        UNROUTABLE,
        lost.map(Depth::total),
        "messages found no queue: a binding is missing",
    ));
    for (queue, count) in &findings.backlog.parked {
        let what = "messages failed for good and wait for a person";
        all.push(counted(Rule::Parked, queue, Some(*count), what));
    }
    for (reason, count) in &findings.backlog.attention {
        let what = "bookings need a person";
        all.push(counted(Rule::Attention, reason, Some(*count), what));
    }
    let stuck = findings.backlog.stuck;
    let what = "bookings wait for a step that was due long ago: is hold-expiry running?";
    all.push(counted(Rule::Stuck, "bookings", Some(stuck), what));
    let limit = OUTBOX_AGE_MAX.as_secs_f64();
    let age = findings.backlog.outbox_secs;
    all.push(Observation {
        summary: format!("what was decided {age:.0} s ago is not published"),
        ..limited(Rule::Outbox, "outbox", Some(age), limit)
    });
    all.extend(paused(findings.beats));
    all.push(Observation {
        rule: Rule::BrokerUnseen,
        target: "broker".to_owned(),
        verdict: if findings.blind_since.is_some() {
            Verdict::Beyond
        } else {
            Verdict::Fine
        },
        value: None,
        limit: None,
        since: findings.blind_since,
        summary: "the broker's exporter gives no answer: alerts on queues are blind".to_owned(),
    });
    all
}

fn of_queue(queue: &Queue, findings: &Findings<'_>) -> [Observation; 3] {
    let name = queue.name;
    let depth = findings.depths.get(name);
    let messages = depth.map_or(0, Depth::total);
    let deep = limited(
        Rule::Depth,
        name,
        depth.map(|depth| depth.total() as f64),
        f64::from(queue.alert.depth_max),
    );
    let age = match (depth, findings.ages_secs.get(name)) {
        (_, Some(age)) => Some(*age),
        (Some(_), None) => Some(0.0),
        (None, None) => None,
    };
    let old = limited(Rule::Age, name, age, queue.alert.age_max.as_secs_f64());
    let told = |state: &str| {
        findings
            .beats
            .iter()
            .any(|beat| beat.is_live() && beat.queue == name && beat.state == state)
    };
    let held = findings
        .controls
        .iter()
        .any(|control| control.concerns(queue.role(), name));
    let alone = match depth {
        None => Verdict::Unknown,
        // A person, or an outage that has its own rule, explains it.
        Some(_) if held || told("paused") => Verdict::Fine,
        Some(depth) if depth.consumers == 0 => Verdict::Beyond,
        Some(_) => Verdict::Fine,
    };
    [
        Observation {
            summary: format!("{name} holds {messages} messages"),
            ..deep
        },
        Observation {
            summary: format!(
                "the oldest message of {name} waits for {:.0} s",
                age.unwrap_or_default()
            ),
            ..old
        },
        Observation {
            rule: Rule::NoConsumer,
            target: name.to_owned(),
            verdict: alone,
            value: depth.map(|depth| f64::from(depth.consumers)),
            limit: None,
            since: findings.consumed_at.get(name).copied(),
            summary: format!("nobody consumes {name}; {messages} messages wait"),
        },
    ]
}

/// Roles that wait for a service.
fn paused(beats: &[Beat]) -> impl Iterator<Item = Observation> {
    let mut roles: BTreeMap<&str, &str> = BTreeMap::new();
    for beat in beats.iter().filter(|beat| beat.is_live()) {
        if let Some(service) = &beat.service {
            roles.insert(&beat.role, service);
        }
    }
    roles.into_iter().map(|(role, service)| Observation {
        rule: Rule::Paused,
        target: role.to_owned(),
        verdict: Verdict::Beyond,
        value: None,
        limit: None,
        since: None,
        summary: format!("{role} is paused: {service} is away"),
    })
}

fn counted(rule: Rule, target: &str, count: Option<u64>, what: &str) -> Observation {
    Observation {
        rule,
        target: target.to_owned(),
        verdict: match count {
            None => Verdict::Unknown,
            Some(0) => Verdict::Fine,
            Some(_) => Verdict::Beyond,
        },
        value: count.map(|count| count as f64),
        limit: Some(0.0),
        since: None,
        summary: format!("{target}: {} {what}", count.unwrap_or_default()),
    }
}

fn limited(rule: Rule, target: &str, value: Option<f64>, limit: f64) -> Observation {
    Observation {
        rule,
        target: target.to_owned(),
        verdict: match value {
            None => Verdict::Unknown,
            Some(value) if value > limit => Verdict::Beyond,
            Some(value) if value > limit * RELEASE_SHARE => Verdict::Between,
            Some(_) => Verdict::Fine,
        },
        value,
        limit: Some(limit),
        since: None,
        summary: String::new(),
    }
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Beyond its limit since then, not told yet.
    Pending(Instant),
    /// Told; fine again since then, if it is.
    Raised(Option<Instant>),
}

/// What a look makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to remember.
    Quiet,
    Keep(Standing),
    Raise,
    Clear,
}

/// One step of an alert: it is raised when the trouble lasted, cleared when it was over for long enough, and what
/// nobody could see changes nothing.
pub(super) fn step(
    rule: Rule,
    before: Option<Standing>,
    verdict: Verdict,
    since: Option<Instant>,
    now: Instant,
) -> Step {
    let lasted =
        |since: Instant, patience: Duration| (now - since).to_std().unwrap_or_default() >= patience;
    match (before, verdict) {
        (Some(standing), Verdict::Unknown) => Step::Keep(standing),
        (None, Verdict::Unknown | Verdict::Fine | Verdict::Between) => Step::Quiet,
        (None | Some(Standing::Pending(_)), Verdict::Beyond) => {
            let pending = match before {
                Some(Standing::Pending(at)) => at,
                _ => now,
            };
            let since = since.map_or(pending, |since| since.min(pending));
            if lasted(since, rule.patience()) {
                Step::Raise
            } else {
                Step::Keep(Standing::Pending(since))
            }
        }
        (Some(Standing::Pending(_)), Verdict::Fine | Verdict::Between) => Step::Quiet,
        (Some(Standing::Raised(_)), Verdict::Beyond | Verdict::Between) => {
            Step::Keep(Standing::Raised(None))
        }
        (Some(Standing::Raised(fine)), Verdict::Fine) => {
            let fine = fine.unwrap_or(now);
            if lasted(fine, rule.relief()) {
                Step::Clear
            } else {
                Step::Keep(Standing::Raised(Some(fine)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
