//! What goes wrong on purpose. Faults live in memory only: a restart is a healthy gateway.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::records::Intent;

/// One entry of the list that `PUT /sandbox/faults` takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub op: Op,
    pub kind: Kind,
    /// Milliseconds of `delay`, longest wait of `shuffle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// How many further copies `duplicate` sends; 1 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// `error_500_before` only: the key replays the 500, as if the endpoint had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<bool>,
    /// From 0 to 1; always if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How often it strikes before it is used up; for ever if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<Match>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Create,
    Confirm,
    Capture,
    Cancel,
    Refund,
    /// Every GET.
    Retrieve,
    /// Every request; not the webhooks.
    Any,
    Webhook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing is done and nothing is answered.
    Hang,
    /// All is done and nothing is answered.
    HangAfter,
    Delay,
    #[serde(rename = "error_500_before")]
    Error500Before,
    #[serde(rename = "error_500_after")]
    Error500After,
    ResetAfter,
    #[serde(rename = "error_429")]
    Error429,
    /// Nothing is done: such a request can never succeed, for a reason of the account.
    #[serde(rename = "error_400")]
    Error400,
    /// Of `confirm`: the bank says no, whatever the card.
    Decline,
    /// Webhooks from here on.
    Early,
    Duplicate,
    Shuffle,
    Drop,
}

/// Which payments a fault concerns; everything given must hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}

/// The payment a request or an event is about.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    pub(crate) payment_intent: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What happens to one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RequestPlan {
    pub(crate) delay: Duration,
    /// The first fault that is not a delay.
    pub(crate) strike: Option<(Kind, bool)>,
}

/// What happens to one event.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct WebhookPlan {
    pub(crate) early: bool,
    pub(crate) copies: u32,
    pub(crate) shuffle_ms: u64,
    pub(crate) dropped: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn replace(&self, faults: Vec<Fault>) -> Result<(), String> {
        for fault in &faults {
            fault.check()?;
        }
        *self.lock() = faults;
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    pub(crate) fn for_request(&self, op: Op, subject: &Subject) -> RequestPlan {
        let mut plan = RequestPlan::default();
        for fault in self.lock().iter_mut() {
            let concerned = fault.op == op || fault.op == Op::Any;
            let idle = fault.kind != Kind::Delay && plan.strike.is_some();
            if !concerned || idle || !fault.strikes(subject) {
                continue;
            }
            match fault.kind {
                Kind::Delay => plan.delay += Duration::from_millis(fault.ms.unwrap_or_default()),
                other => plan.strike = Some((other, fault.sticky == Some(true))),
            }
        }
        plan
    }

    pub(crate) fn for_webhook(&self, subject: &Subject) -> WebhookPlan {
        let mut plan = WebhookPlan::default();
        for fault in self.lock().iter_mut() {
            if fault.op != Op::Webhook || !fault.strikes(subject) {
                continue;
            }
            match fault.kind {
                Kind::Early => plan.early = true,
                Kind::Duplicate => plan.copies += fault.n.unwrap_or(1),
                Kind::Shuffle => plan.shuffle_ms = fault.ms.unwrap_or_default(),
                _ => plan.dropped = true,
            }
        }
        plan
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// A fault that could never strike is a mistake of the test that asks for it.
    fn check(&self) -> Result<(), String> {
        let of_webhooks = matches!(
            self.kind,
            Kind::Early | Kind::Duplicate | Kind::Shuffle | Kind::Drop
        );
        if of_webhooks != (self.op == Op::Webhook) {
            return Err(format!("{:?} does not happen to {:?}", self.kind, self.op));
        }
        if self.kind == Kind::Decline && self.op != Op::Confirm {
            return Err(format!("{:?} does not happen to {:?}", self.kind, self.op));
        }
        if matches!(self.kind, Kind::Delay | Kind::Shuffle) && self.ms.is_none() {
            return Err(format!("{:?} needs ms", self.kind));
        }
        match self.probability {
            Some(p) if !(0.0..=1.0).contains(&p) => Err(format!("probability {p} is not in 0..1")),
            _ => Ok(()),
        }
    }

    fn strikes(&mut self, subject: &Subject) -> bool {
        let concerned = self.matches.as_ref().is_none_or(|m| m.holds_for(subject));
        if !concerned || self.times == Some(0) {
            return false;
        }
        if let Some(probability) = self.probability
            && rand::random::<f64>() >= probability
        {
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        true
    }
}

impl Match {
    fn holds_for(&self, subject: &Subject) -> bool {
        let same =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        same(&self.payment_intent, &subject.payment_intent)
            && same(&self.payment_method, &subject.payment_method)
            && self
                .metadata
                .iter()
                .all(|(key, value)| subject.metadata.get(key) == Some(value))
    }
}

impl Subject {
    pub(crate) fn of(intent: &Intent) -> Self {
        Self {
            payment_intent: Some(intent.id.clone()),
            payment_method: intent.payment_method.clone(),
            metadata: intent.metadata.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str) -> Result<Faults, String> {
        let faults = Faults::default();
        faults.replace(serde_json::from_str(json).map_err(|error| error.to_string())?)?;
        Ok(faults)
    }

    #[test]
    fn a_fault_with_times_is_used_up_and_delays_add() {
        let faults = faults(
            r#"[{"op":"any","kind":"delay","ms":20},{"op":"capture","kind":"error_500_after","times":1}]"#,
        )
        .unwrap();
        let subject = Subject::default();
        let plan = faults.for_request(Op::Capture, &subject);
        assert_eq!(plan.delay, Duration::from_millis(20));
        assert_eq!(plan.strike, Some((Kind::Error500After, false)));
        assert_eq!(faults.for_request(Op::Capture, &subject).strike, None);
        assert_eq!(faults.for_webhook(&subject), WebhookPlan::default());
    }

    #[test]
    fn a_match_spares_the_others() {
        let faults =
            faults(r#"[{"op":"confirm","kind":"hang","match":{"metadata":{"booking":"bk_1"}}}]"#)
                .unwrap();
        let mut subject = Subject::default();
        assert_eq!(faults.for_request(Op::Confirm, &subject).strike, None);
        subject.metadata.insert("booking".into(), "bk_1".into());
        let plan = faults.for_request(Op::Confirm, &subject);
        assert_eq!(plan.strike, Some((Kind::Hang, false)));
    }

    #[test]
    fn nonsense_is_refused() {
        for json in [
            r#"[{"op":"capture","kind":"drop"}]"#,
            r#"[{"op":"webhook","kind":"hang"}]"#,
            r#"[{"op":"any","kind":"delay"}]"#,
            r#"[{"op":"any","kind":"hang","probability":2}]"#,
            r#"[{"op":"any","kind":"hang","tymes":2}]"#,
        ] {
            assert!(faults(json).is_err(), "{json}");
        }
    }
}
