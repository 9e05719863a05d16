//! What staff are offered and what they are not, state by state.

use boxoffice_contracts::{
    Code, Instant, OperationId,
    message::booking::MendAction::{self, Cancel, Nudge},
};
use boxoffice_saga::{
    Attention, Booking, Decision, Effect, Input, Outcome, Policy, actions, booking::RefundState,
    decide, input::Mend, samples,
};
use chrono::TimeDelta;
use std::fmt::Write;

/// As a person checks it. A change here is a change of what staff may do.
const OFFERED: &str = "\
held                                      cancel
held (declined once)                      cancel
authorizing (in flight)                   reconcile cancel
authorizing (cancel waits)                reconcile
authorizing (action required)             reconcile cancel
authorizing (unknown)                     reconcile cancel
confirmed (capture in flight)             nudge reconcile cancel
confirmed (cancel waits)                  nudge reconcile
confirmed (capture failed)                nudge cancel acknowledge
confirmed (capture failed, intent closed) cancel acknowledge
confirmed (repaying)                      reconcile cancel acknowledge
paid                                      cancel render_tickets
completed                                 cancel render_tickets mail_tickets
cancelling                                nudge
refunding (some)                          nudge cancel render_tickets
refunding (all)                           nudge
rejected
expired
expired (intent open)                     reconcile
payment_failed
cancelled
refunded
";

fn soon(booking: &Booking) -> Instant {
    booking.since + TimeDelta::seconds(1)
}

fn order(booking: &Booking, action: MendAction, deadline: Instant) -> Input {
    Input::Mend(Mend {
        operation: OperationId(booking.id.0),
        action,
        deadline,
        scanned: vec![],
    })
}

/// Every state, and each of them with a mark, with a refused refund, and long overdue.
fn worlds() -> Vec<(String, Booking, Instant)> {
    let policy = Policy::default();
    let mut worlds = Vec::new();
    for (name, booking) in samples::states() {
        let Some(booking) = booking else { continue };
        let mut marked = booking.clone();
        marked.attention = Some(Attention::RefundFailed);
        let mut refused = booking.clone();
        for line in &mut refused.refunds {
            line.state = RefundState::Failed;
        }
        let late = booking.wake_at(&policy).unwrap_or(booking.since) + TimeDelta::hours(2);
        for (what, state, now) in [
            ("", &booking, soon(&booking)),
            (", marked", &marked, soon(&booking)),
            (", refused", &refused, soon(&booking)),
            (", late", &booking, late),
        ] {
            worlds.push((format!("{name}{what}"), state.clone(), now));
        }
    }
    worlds
}

#[test]
fn each_state_offers_what_was_agreed() {
    let mut text = String::new();
    for (name, booking) in samples::states() {
        let Some(booking) = booking else { continue };
        let offered = actions(&booking, &[], soon(&booking), &Policy::default());
        let words: Vec<&str> = offered.iter().map(|action| action.as_str()).collect();
        writeln!(
            text,
            "{}",
            format!("{name:42}{}", words.join(" ")).trim_end()
        )
        .unwrap();
    }
    assert_eq!(text, OFFERED, "\n{text}");
}

#[test]
fn what_is_offered_is_done_and_what_is_not_is_refused_and_changes_nothing() {
    let policy = Policy::default();
    let mut done = 0;
    for (name, booking, now) in worlds() {
        let offered = actions(&booking, &[], now, &policy);
        for action in MendAction::ALL {
            let at = format!("{name}: {}", action.as_str());
            let decision = decide(Some(&booking), &order(&booking, action, now), now, &policy);
            let own = |effect: &&Effect| matches!(effect, Effect::Settle { operation, .. } if *operation == OperationId(booking.id.0));
            match decision {
                Decision::Advance { next, effects } => {
                    assert!(offered.contains(&action), "{at} is done and not offered");
                    assert_eq!(next.version, booking.version + 1, "{at}");
                    let told: Vec<_> = effects.iter().filter(own).collect();
                    assert_eq!(told.len(), 1, "{at}: {effects:?}");
                    assert!(
                        !matches!(
                            told[0],
                            Effect::Settle {
                                outcome: Outcome::Refused(_),
                                ..
                            }
                        ),
                        "{at}"
                    );
                    done += 1;
                }
                Decision::Reject { next, effects, .. } => {
                    assert!(!offered.contains(&action), "{at} is offered and refused");
                    assert_eq!(effects.iter().filter(own).count(), 1, "{at}");
                    let mut same = *next;
                    same.version = booking.version;
                    assert_eq!(same, booking, "{at} changed something");
                }
                other => panic!("{at}: {other:?}"),
            }
        }
    }
    assert!(done > 60, "{done}");
}

/// Staff may look, repeat and give back. None of it prolongs a hold, takes money or sells a seat.
#[test]
fn no_action_but_a_cancellation_moves_seats_or_ends_a_hold_before_its_time() {
    let policy = Policy::default();
    for (name, booking, now) in worlds() {
        let due = booking.wake_at(&policy).is_some_and(|at| at <= now);
        for action in actions(&booking, &[], now, &policy) {
            let at = format!("{name}: {}", action.as_str());
            let decided = decide(Some(&booking), &order(&booking, action, now), now, &policy);
            let Decision::Advance { next, effects } = decided else {
                panic!("{at}");
            };
            let sells =
                |effect: &Effect| matches!(effect, Effect::Claim { .. } | Effect::Sell { .. });
            assert!(!effects.iter().any(sells), "{at}: {effects:?}");
            let cap = |booking: &Booking| booking.hold.as_ref().map(|hold| hold.cap_at);
            assert_eq!(cap(&next), cap(&booking), "{at}");
            if action == Cancel || (action == Nudge && due) {
                continue;
            }
            assert_eq!(next.status, booking.status, "{at}");
            assert_eq!(next.positions, booking.positions, "{at}");
            let moves = |effect: &Effect| {
                matches!(effect, Effect::Free { .. } | Effect::VoidTickets { .. })
            };
            assert!(!effects.iter().any(moves), "{at}: {effects:?}");
        }
    }
}

#[test]
fn an_order_that_waited_too_long_or_for_a_scanned_ticket_is_refused() {
    let policy = Policy::default();
    let states = samples::states();
    let completed = states.iter().find(|(name, _)| *name == "completed");
    let booking = completed.unwrap().1.clone().unwrap();
    let now = soon(&booking);
    let early = order(
        &booking,
        MendAction::RenderTickets,
        now - TimeDelta::seconds(2),
    );
    match decide(Some(&booking), &early, now, &policy) {
        Decision::Reject { code, .. } => assert_eq!(code, Code::DeadlineExceeded),
        other => panic!("{other:?}"),
    }
    assert!(!actions(&booking, &[1], now, &policy).contains(&Cancel));
    // Copies end somewhere.
    let mut copied = booking;
    copied.mail_copies = 20;
    assert!(!actions(&copied, &[], now, &policy).contains(&MendAction::MailTickets));
}

/// Who asks for a document says that it is not there: an order that is lost with its queue is repeated, too.
#[test]
fn a_document_that_a_person_asks_for_is_ordered_until_it_is_there() {
    let policy = Policy::default();
    let states = samples::states();
    let completed = states.iter().find(|(name, _)| *name == "completed");
    let booking = completed.unwrap().1.clone().unwrap();
    assert!(!booking.lacks_document());
    let now = soon(&booking) + TimeDelta::days(1);
    let asked = order(
        &booking,
        MendAction::RenderTickets,
        now + TimeDelta::hours(1),
    );
    let Decision::Advance { next, effects } = decide(Some(&booking), &asked, now, &policy) else {
        panic!("nothing was ordered")
    };
    let render = |effect: &Effect| matches!(effect, Effect::Render { .. });
    assert!(effects.iter().any(render) && next.lacks_document());
    let again_at = next.wake_at(&policy).unwrap();
    assert!(again_at > now, "{again_at}");
    let Decision::Advance { effects, .. } = decide(Some(&next), &Input::Tick, again_at, &policy)
    else {
        panic!("it was not ordered again")
    };
    assert!(effects.iter().any(render));
    let stored = Input::Rendered {
        revision: next.ticket_revision,
    };
    match decide(Some(&next), &stored, again_at, &policy) {
        Decision::Advance { next, .. } => assert_eq!(next.wake_at(&policy), None),
        other => panic!("{other:?}"),
    }
}

/// A limit that a healthy booking reaches would cry wolf: each lies beyond the state's own next deadline.
#[test]
fn whatever_waits_has_a_limit_beyond_its_own_deadline_and_a_word_for_it() {
    let policy = Policy::default();
    for (name, booking) in samples::states() {
        let Some(booking) = booking else { continue };
        let (wakes, limit) = (
            booking.wake_at(&policy),
            booking.stays_until(booking.since, &policy),
        );
        assert_eq!(wakes.is_some(), limit.is_some(), "{name}");
        assert_eq!(wakes.is_some(), booking.waits_for().is_some(), "{name}");
        if let (Some(wakes), Some(limit)) = (wakes, limit) {
            assert!(limit > wakes, "{name}: {limit} is before {wakes}");
        }
    }
}
