//! Misbehaviour on demand. One rule per (kind, recipient); a rule that has fired `times` times is
//! spent and forgotten, a rule without `times` lasts until it is deleted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a `slow` server takes when the rule does not say.
const DELAY_DEFAULT_MS: u64 = 2_000;
/// Longer delays would outlive every client's patience; `hang_before` is for those.
const DELAY_MAX_MS: u64 = 120_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// RCPT is answered 451 for the first `times` tries **of each recipient**, then accepted.
    #[serde(rename = "greylist_451")]
    Greylist451,
    /// RCPT is answered 550.
    #[serde(rename = "reject_550")]
    Reject550,
    /// The mail is stored, but the sender never learns it: no answer until it hangs up.
    HangAfterData,
    /// The mail is not stored and the sender gets no answer until it hangs up.
    HangBefore,
    /// The mail is stored and answered, `delay_ms` late.
    Slow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// Only mails to this address (letter case is ignored); without it every mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// How often it happens. Without it: always, except for greylisting, which then means once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Only for `slow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

impl Fault {
    /// A rule for every recipient, until deleted.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            recipient: None,
            times: None,
            delay_ms: None,
        }
    }

    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    pub fn recipient(self, recipient: &str) -> Self {
        Self {
            recipient: Some(recipient.to_owned()),
            ..self
        }
    }
}

/// What RCPT answers when a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Greylisted,
    Rejected,
}

/// What happens at the end of DATA when a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hindrance {
    HangAfterStore,
    HangBeforeStore,
    Delay(Duration),
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    fired: u32,
    /// Tries per recipient, for greylisting only.
    tries: HashMap<String, u32>,
}

impl Faults {
    /// Adds a rule, replacing the one of the same kind and recipient.
    pub fn put(&self, fault: Fault) {
        let mut rules = self.rules();
        rules.retain(|rule| {
            !(rule.fault.kind == fault.kind && rule.fault.recipient == fault.recipient)
        });
        rules.push(Rule {
            fault,
            fired: 0,
            tries: HashMap::new(),
        });
    }

    /// Deletes the rule of this kind and recipient; returns how often it has struck. A spent rule is gone already,
    /// and so is its count.
    pub fn lift(&self, kind: FaultKind, recipient: Option<&str>) -> u32 {
        let mut rules = self.rules();
        let same =
            |rule: &Rule| rule.fault.kind == kind && rule.fault.recipient.as_deref() == recipient;
        match rules.iter().position(same) {
            Some(index) => rules.remove(index).struck(),
            None => 0,
        }
    }

    pub fn list(&self) -> Vec<Fault> {
        self.rules().iter().map(|rule| rule.fault.clone()).collect()
    }

    pub fn clear(&self) {
        self.rules().clear();
    }

    pub(crate) fn at_recipient(&self, recipient: &str) -> Option<Refusal> {
        let mut rules = self.rules();
        let refusal = rules
            .iter_mut()
            .filter(|rule| rule.concerns(recipient))
            .find_map(|rule| match rule.fault.kind {
                FaultKind::Greylist451 => rule.greylist(recipient).then_some(Refusal::Greylisted),
                FaultKind::Reject550 => rule.fire().then_some(Refusal::Rejected),
                FaultKind::HangAfterData | FaultKind::HangBefore | FaultKind::Slow => None,
            });
        rules.retain(|rule| !rule.spent());
        refusal
    }

    pub(crate) fn at_data(&self, recipients: &[String]) -> Option<Hindrance> {
        let mut rules = self.rules();
        let hindrance = rules
            .iter_mut()
            .filter(|rule| recipients.iter().any(|recipient| rule.concerns(recipient)))
            .find_map(|rule| {
                let hindrance = match rule.fault.kind {
                    FaultKind::Greylist451 | FaultKind::Reject550 => return None,
                    FaultKind::HangAfterData => Hindrance::HangAfterStore,
                    FaultKind::HangBefore => Hindrance::HangBeforeStore,
                    FaultKind::Slow => Hindrance::Delay(Duration::from_millis(
                        rule.fault
                            .delay_ms
                            .unwrap_or(DELAY_DEFAULT_MS)
                            .min(DELAY_MAX_MS),
                    )),
                };
                rule.fire().then_some(hindrance)
            });
        rules.retain(|rule| !rule.spent());
        hindrance
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rule {
    fn concerns(&self, recipient: &str) -> bool {
        self.fault
            .recipient
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(recipient))
    }

    fn fire(&mut self) -> bool {
        let left = self.fault.times.is_none_or(|times| self.fired < times);
        self.fired += u32::from(left);
        left
    }

    fn struck(&self) -> u32 {
        let times = self.fault.times.unwrap_or(1);
        self.fired
            + self
                .tries
                .values()
                .map(|tries| times.min(*tries))
                .sum::<u32>()
    }

    fn greylist(&mut self, recipient: &str) -> bool {
        let tries = self
            .tries
            .entry(recipient.to_ascii_lowercase())
            .or_default();
        *tries += 1;
        *tries <= self.fault.times.unwrap_or(1)
    }

    /// Greylisting is never spent: the next recipient is a new one.
    fn spent(&self) -> bool {
        self.fault.kind != FaultKind::Greylist451
            && self.fault.times.is_some_and(|times| self.fired >= times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greylisting_counts_each_recipient_apart() {
        let faults = Faults::default();
        faults.put(Fault::new(FaultKind::Greylist451).times(2));
        let tries = |who| (0..3).map(|_| faults.at_recipient(who)).collect::<Vec<_>>();
        let expected = vec![Some(Refusal::Greylisted), Some(Refusal::Greylisted), None];
        assert_eq!(tries("ada@example.org"), expected);
        assert_eq!(tries("bob@example.org"), expected);
    }

    #[test]
    fn a_rule_strikes_its_recipient_only_and_is_forgotten_when_spent() {
        let faults = Faults::default();
        faults.put(
            Fault::new(FaultKind::Reject550)
                .recipient("Ada@Example.org")
                .times(1),
        );
        assert_eq!(faults.at_recipient("bob@example.org"), None);
        assert_eq!(
            faults.at_recipient("ada@example.org"),
            Some(Refusal::Rejected)
        );
        assert_eq!(faults.at_recipient("ada@example.org"), None);
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn putting_a_rule_twice_keeps_one() {
        let faults = Faults::default();
        faults.put(Fault::new(FaultKind::Slow).times(1));
        faults.put(Fault::new(FaultKind::Slow).times(5));
        assert_eq!(faults.list(), [Fault::new(FaultKind::Slow).times(5)]);
    }
}
