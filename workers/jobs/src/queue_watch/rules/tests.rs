use super::*;
use boxoffice_runtime::controls::{Hold, Target};
use chrono::{DateTime, TimeDelta};

fn at(secs: i64) -> Instant {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_000_000 + secs)
}

/// A world in which everything is fine, to be spoilt.
struct Fine {
    depths: BTreeMap<String, Depth>,
    ages_secs: BTreeMap<String, f64>,
    consumed_at: BTreeMap<String, Instant>,
    beats: Vec<Beat>,
    controls: Vec<Control>,
    backlog: Backlog,
    blind_since: Option<Instant>,
}

impl Fine {
    fn new() -> Self {
        let names = QUEUES.iter().map(|queue| queue.name);
        let depth = Depth {
            consumers: 1,
            ..Depth::default()
        };
        Self {
            depths: names
                .chain([UNROUTABLE])
                .map(|name| (name.to_owned(), depth))
                .collect(),
            ages_secs: BTreeMap::new(),
            consumed_at: BTreeMap::new(),
            beats: Vec::new(),
            controls: Vec::new(),
            backlog: Backlog::default(),
            blind_since: None,
        }
    }

    fn depth(&mut self, queue: &str) -> &mut Depth {
        self.depths.get_mut(queue).unwrap()
    }

    fn observe(&self) -> Vec<Observation> {
        observe(&Findings {
            depths: &self.depths,
            ages_secs: &self.ages_secs,
            consumed_at: &self.consumed_at,
            beats: &self.beats,
            controls: &self.controls,
            backlog: &self.backlog,
            blind_since: self.blind_since,
        })
    }

    fn beyond(&self) -> Vec<String> {
        let beyond = self.observe().into_iter();
        let beyond = beyond.filter(|seen| seen.verdict == Verdict::Beyond);
        beyond.map(|seen| seen.key()).collect()
    }
}

fn beat(queue: &str, state: &str) -> Beat {
    Beat {
        process: "p".to_owned(),
        role: queue.to_owned(),
        queue: queue.to_owned(),
        at: at(0),
        age: Duration::from_secs(1),
        state: state.to_owned(),
        service: (state == "paused").then(|| "gateway".to_owned()),
        in_hand: 0,
        handled_total: 0,
        oldest_at: None,
        taken_at: None,
    }
}

#[test]
fn every_rule_sees_its_trouble_and_no_other() {
    assert_eq!(Fine::new().beyond(), [""; 0]);
    let spoilt = |spoil: fn(&mut Fine)| {
        let mut fine = Fine::new();
        spoil(&mut fine);
        fine.beyond()
    };
    assert_eq!(spoilt(|w| w.depth("mail").ready = 5_001), ["depth:mail"]);
    assert_eq!(spoilt(|w| w.depth("mail").ready = 5_000), [""; 0]);
    assert_eq!(
        spoilt(|w| _ = w.ages_secs.insert("payments".to_owned(), 30.5)),
        ["age:payments"]
    );
    assert_eq!(
        spoilt(|w| w.depth("tickets").consumers = 0),
        ["no_consumer:tickets"]
    );
    assert_eq!(
        spoilt(|w| w.depth(UNROUTABLE).ready = 1),
        ["unroutable:unroutable"]
    );
    assert_eq!(
        spoilt(|w| w.backlog.parked.push(("mail".to_owned(), 2))),
        ["parked:mail"]
    );
    assert_eq!(
        spoilt(|w| w.backlog.attention.push(("capture_failed".to_owned(), 1))),
        ["attention:capture_failed"]
    );
    assert_eq!(spoilt(|w| w.backlog.stuck = 1), ["stuck:bookings"]);
    assert_eq!(spoilt(|w| w.backlog.outbox_secs = 31.0), ["outbox:outbox"]);
    assert_eq!(
        spoilt(|w| w.blind_since = Some(at(0))),
        ["broker_unseen:broker"]
    );
}

#[test]
fn a_hold_or_an_outage_explains_why_nobody_consumes() {
    let mut held = Fine::new();
    held.depth("tickets").consumers = 0;
    held.controls.push(Control {
        target: Target::Role("tickets".to_owned()),
        hold: Hold::Pause,
        reason: "a test".to_owned(),
        by: "ada".to_owned(),
        at: at(0),
        until: None,
    });
    assert_eq!(held.beyond(), [""; 0]);
    let mut paused = Fine::new();
    paused.depth("payments").consumers = 0;
    paused.beats.push(beat("payments", "paused"));
    assert_eq!(paused.beyond(), ["paused:payments"]);
}

#[test]
fn what_the_broker_did_not_tell_is_unknown() {
    let mut blind = Fine::new();
    blind.depths.clear();
    let seen = blind.observe();
    let unknown = |rule| {
        let of_rule = seen.iter().filter(|seen| seen.rule == rule);
        of_rule.clone().count() > 0 && { of_rule }.all(|seen| seen.verdict == Verdict::Unknown)
    };
    for rule in [Rule::Depth, Rule::Age, Rule::NoConsumer, Rule::Unroutable] {
        assert!(unknown(rule), "{rule:?}");
    }
}

/// Walks a story of verdicts, five seconds apart, and tells when it was raised and cleared.
fn story(rule: Rule, verdicts: &[Verdict]) -> Vec<(i64, &'static str)> {
    let (mut standing, mut told) = (None, Vec::new());
    for (n, verdict) in (0..).zip(verdicts) {
        let secs = 5 * n;
        standing = match step(rule, standing, *verdict, None, at(secs)) {
            Step::Quiet => None,
            Step::Keep(standing) => Some(standing),
            Step::Raise => {
                told.push((secs, "raised"));
                Some(Standing::Raised(None))
            }
            Step::Clear => {
                told.push((secs, "cleared"));
                None
            }
        };
    }
    told
}

use Verdict::{Between as M, Beyond as B, Fine as F, Unknown as U};

#[test]
fn an_alert_has_patience_at_both_ends() {
    assert_eq!(
        story(Rule::Depth, &[B, B, F, B, B, F]),
        [],
        "never for long"
    );
    let lasting = [B, B, B, B, F, F, M, F, F, F, F, F, F, F, F];
    assert_eq!(
        story(Rule::Depth, &lasting),
        [(10, "raised"), (65, "cleared")],
        "just below the limit is not fine"
    );
    assert_eq!(
        story(Rule::Parked, &[F, B, B, F]),
        [(5, "raised"), (15, "cleared")]
    );
    assert_eq!(story(Rule::NoConsumer, &[B, B, B, B, B]), [(15, "raised")]);
}

#[test]
fn what_nobody_sees_neither_raises_nor_clears() {
    assert_eq!(story(Rule::NoConsumer, &[U, U, U, U, U, U]), []);
    assert_eq!(
        story(Rule::NoConsumer, &[B, U, U, B, U, U, U, F, F]),
        [(15, "raised"), (40, "cleared")]
    );
}

#[test]
fn a_trouble_that_is_known_to_be_old_is_told_at_once() {
    let since = Some(at(-20));
    assert_eq!(step(Rule::NoConsumer, None, B, since, at(0)), Step::Raise);
    let young = Some(at(-10));
    assert_eq!(
        step(Rule::NoConsumer, None, B, young, at(0)),
        Step::Keep(Standing::Pending(at(-10)))
    );
}
