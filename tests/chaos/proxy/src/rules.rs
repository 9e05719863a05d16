//! Points of a protocol, and what is done to a message there.

use crate::mode::Flow;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Where a rule waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// `basic.publish` of the client, with its content.
    AmqpPublish,
    /// `basic.deliver` to the client, with its content.
    AmqpDeliver,
    /// `basic.ack` of the client.
    AmqpClientAck,
    /// `basic.return` to the client, with its content.
    AmqpReturn,
    /// `basic.ack` of the server: it has what was published.
    AmqpConfirm,
    /// `basic.nack` of the server: it refuses what was published.
    AmqpNack,
    /// `BEGIN` or `START TRANSACTION`, sent as text, as sqlx does.
    MysqlBegin,
    /// `COMMIT`, sent as text, as sqlx does.
    MysqlCommit,
    /// A request whose `METHOD /path?query` contains this.
    Http(String),
}

impl Point {
    /// The direction in which such a message goes.
    #[must_use]
    pub fn flow(&self) -> Flow {
        match self {
            Self::AmqpPublish
            | Self::AmqpClientAck
            | Self::MysqlBegin
            | Self::MysqlCommit
            | Self::Http(_) => Flow::Up,
            Self::AmqpDeliver | Self::AmqpReturn | Self::AmqpConfirm | Self::AmqpNack => Flow::Down,
        }
    }

    /// Whether a message at `self`, as it was read, is what a rule for `wanted` waits for.
    fn is(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Http(line), Self::Http(part)) => line.contains(part.as_str()),
            _ => self == wanted,
        }
    }
}

/// What is done to the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is forwarded, everything that comes back is swallowed, and when the answer would have arrived both sides
    /// are reset: the sender can't know what became of it. For a publish the answer is a confirm, for a delivery the
    /// ack, else the next bytes.
    LoseAnswer,
    /// It never arrives, with its content; what follows does.
    Drop,
    /// It comes so much later, and so does what follows it in its direction.
    Hold(Duration),
    /// Both sides are reset, and it never arrives.
    Reset,
}

/// What shall happen at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub at: Point,
    pub act: Act,
    /// After so many hits the rule is spent. `u32::MAX` never is.
    pub times: u32,
}

/// The name of an armed rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u64);

/// The rules of one proxy. The first armed that fits and isn't spent acts.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    armed: Mutex<Armed>,
}

#[derive(Debug, Default)]
struct Armed {
    last: u64,
    rules: Vec<(RuleId, Rule, u32)>,
}

impl Rules {
    pub(crate) fn arm(&self, rule: Rule) -> RuleId {
        let mut armed = self.lock();
        armed.last += 1;
        let id = RuleId(armed.last);
        armed.rules.push((id, rule, 0));
        id
    }

    pub(crate) fn disarm(&self, id: RuleId) -> u32 {
        let mut armed = self.lock();
        let found = armed.rules.iter().position(|(armed, ..)| *armed == id);
        found.map_or(0, |index| armed.rules.remove(index).2)
    }

    pub(crate) fn clear(&self) {
        self.lock().rules.clear();
    }

    pub(crate) fn hits(&self, id: RuleId) -> u32 {
        let armed = self.lock();
        let found = armed.rules.iter().find(|(armed, ..)| *armed == id);
        found.map_or(0, |(.., hits)| *hits)
    }

    /// What is done to a message at this point. Counts the hit.
    pub(crate) fn meet(&self, point: &Point) -> Option<Act> {
        let mut armed = self.lock();
        let fits =
            |(_, rule, hits): &&mut (RuleId, Rule, u32)| *hits < rule.times && point.is(&rule.at);
        let (_, rule, hits) = armed.rules.iter_mut().find(fits)?;
        *hits = hits.saturating_add(1);
        Some(rule.act)
    }

    fn lock(&self) -> MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_counts_its_hits_and_is_spent() {
        let rules = Rules::default();
        let twice = |act| Rule {
            at: Point::MysqlCommit,
            act,
            times: 2,
        };
        let first = rules.arm(twice(Act::Drop));
        let second = rules.arm(twice(Act::Reset));
        let acts: Vec<_> = (0..5).map(|_| rules.meet(&Point::MysqlCommit)).collect();
        assert_eq!(
            acts,
            [
                Some(Act::Drop),
                Some(Act::Drop),
                Some(Act::Reset),
                Some(Act::Reset),
                None
            ]
        );
        assert_eq!(rules.meet(&Point::MysqlBegin), None);
        assert_eq!(
            (rules.hits(second), rules.disarm(first), rules.disarm(first)),
            (2, 2, 0)
        );
    }

    #[test]
    fn a_request_is_met_by_a_part_of_its_line() {
        let rules = Rules::default();
        rules.arm(Rule {
            at: Point::Http("/capture".to_owned()),
            act: Act::Drop,
            times: 9,
        });
        assert_eq!(
            rules.meet(&Point::Http("POST /v1/payment_intents/pi_1".to_owned())),
            None
        );
        let capture = Point::Http("POST /v1/payment_intents/pi_1/capture".to_owned());
        assert_eq!(rules.meet(&capture), Some(Act::Drop));
    }
}
