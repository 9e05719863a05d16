//! Every state meets every input, once and twice.

use boxoffice_saga::{
    Booking, Capture, Decision, Effect, Input, Phase, Policy, Status, decide, diagram, samples,
};
use std::collections::BTreeSet;

/// Effects whose repetition at the other end is harmless by key, so that a re-send may repeat them.
fn is_repeatable(effect: &Effect) -> bool {
    match effect {
        Effect::Reconcile { .. }
        | Effect::Capture { .. }
        | Effect::CloseIntent
        | Effect::Refund { .. }
        | Effect::Settle { .. }
        | Effect::Announce(_)
        | Effect::Mail { .. } => true,
        Effect::Claim { .. }
        | Effect::Sell { .. }
        | Effect::Free { .. }
        | Effect::Authorize { .. }
        | Effect::IssueTickets { .. }
        | Effect::VoidTickets { .. }
        | Effect::Render { .. } => false,
    }
}

fn version(booking: Option<&Booking>) -> u32 {
    booking.map_or(0, |b| b.version)
}

#[test]
fn samples_are_what_they_are_called_and_cover_every_status() {
    let mut met = BTreeSet::new();
    for (name, booking) in samples::states() {
        let Some(booking) = booking else {
            assert_eq!(name, "none");
            continue;
        };
        let status = booking.status.as_str();
        assert!(name.starts_with(status), "{name} is {:?}", booking.status);
        met.insert(status);
        match name {
            "authorizing (in flight)" => {
                assert_eq!(booking.status, Status::Authorizing(Phase::InFlight));
            }
            "confirmed (repaying)" => assert!(matches!(
                booking.status,
                Status::Confirmed(Capture::Repaying { .. })
            )),
            "authorizing (cancel waits)" | "confirmed (cancel waits)" => {
                assert!(booking.pending_cancel.is_some());
            }
            "expired (intent open)" => assert!(booking.wake_at(&Policy::default()).is_some()),
            _ => {}
        }
    }
    assert_eq!(met.len(), 12, "{met:?}");
}

#[test]
fn the_same_input_twice_is_harmless() {
    let policy = Policy::default();
    for (from, booking) in samples::states() {
        for (name, input) in samples::inputs() {
            let now = samples::meets(booking.as_ref(), &input, &policy);
            let first = decide(booking.as_ref(), &input, now, &policy);
            let (Decision::Advance { next, .. } | Decision::Reject { next, .. }) = first else {
                continue;
            };
            // What a person orders is done as often as it is ordered; the inbox knows a repetition.
            if matches!(input, Input::Mend(_)) {
                continue;
            }
            let once = format!("{from} + {name} -> {:?}", next.status);
            assert_eq!(next.version, version(booking.as_ref()) + 1, "{once}");
            match decide(Some(&next), &input, now, &policy) {
                Decision::Stay(_) | Decision::Reject { .. } => {}
                Decision::Advance { effects, .. } => {
                    assert!(effects.iter().all(is_repeatable), "{once}: {effects:?}");
                }
                other => panic!("{once}, then {other:?}"),
            }
        }
    }
}

#[test]
fn a_tick_moves_the_next_one() {
    let policy = Policy::default();
    for (from, mut booking) in samples::states() {
        // Long outages: the same command goes out many times.
        for _ in 0..40 {
            let Some(current) = &booking else { break };
            let Some(wake_at) = current.wake_at(&policy) else {
                break;
            };
            match decide(Some(current), &Input::Tick, wake_at, &policy) {
                Decision::Advance { next, .. } => {
                    assert!(
                        next.wake_at(&policy).is_none_or(|at| at > wake_at),
                        "{from}"
                    );
                    booking = Some(*next);
                }
                other => panic!("{from}: a due tick got {other:?}"),
            }
        }
    }
}

#[test]
fn an_early_tick_changes_nothing() {
    let policy = Policy::default();
    for (from, booking) in samples::states() {
        let decision = decide(booking.as_ref(), &Input::Tick, samples::start(), &policy);
        assert!(
            matches!(decision, Decision::Stay(_)),
            "{from}: {decision:?}"
        );
    }
}

#[test]
fn the_table_and_the_diagram_are_complete_and_do_not_change_by_themselves() {
    let table = diagram::table();
    assert_eq!(
        table.len(),
        samples::states().len() * samples::inputs().len()
    );
    assert_eq!(table, diagram::table());
    let mermaid = diagram::mermaid();
    assert_eq!(mermaid, diagram::mermaid());
    println!("{mermaid}");
    for arrow in [
        "[*] --> held: submit",
        "held --> authorizing: pay",
        "authorizing --> confirmed: authorized",
        "confirmed --> paid: captured",
        "paid --> completed: rendered, tick",
        "expired --> confirmed: authorized",
        "refunding --> refunded: refunded",
        "completed --> [*]",
    ] {
        assert!(mermaid.contains(arrow), "{arrow} is missing in\n{mermaid}");
    }
}
