//! Planted errors: each must be caught, else the walk looks away.

mod alter;

use crate::{
    CANCELLING, LONELY, NONE, PARTIAL, RUSH, STORIES, UNWAVERING,
    explore::explore,
    world::{Budget, Scenario},
};
use boxoffice_contracts::Instant;
use boxoffice_saga::{Booking, Decision, Input, Policy};

type Mutant = fn(Option<&Booking>, &Input, Instant, &Policy) -> Decision;

struct Planted {
    error: &'static str,
    mutant: Mutant,
    scenario: Scenario,
    caught_by: &'static str,
}

const LATE: &str = "late money honoured";

fn planted() -> Vec<Planted> {
    let row = |error, mutant, scenario, caught_by| Planted {
        error,
        mutant,
        scenario,
        caught_by,
    };
    let with = |scenario: Scenario, budget: Budget| Scenario { budget, ..scenario };
    let lost = Budget { lost: 1, ..NONE };
    let decline = Budget { decline: 1, ..NONE };
    let odd = Budget { odd: 1, ..NONE };
    let repaid = Budget {
        capture: 1,
        dup: 1,
        ..NONE
    };
    vec![
        row(
            "claims again without looking at the seats",
            alter::seats_unseen,
            with(RUSH, lost),
            "at most one live claim per seat",
        ),
        row(
            "confirms late money under the former epoch",
            alter::former_epoch,
            with(LONELY, lost),
            "claims are what the status says",
        ),
        row(
            "keeps the seats when a hold ends",
            alter::seats_kept,
            LONELY,
            "claims are what the status says",
        ),
        row(
            "takes a void for done when it is ordered",
            alter::void_forgotten,
            LONELY,
            "no intent is left open",
        ),
        row(
            "never asks the gateway",
            alter::never_asks,
            with(LONELY, lost),
            "every world can come to rest",
        ),
        row(
            "voids at expiry instead of asking",
            alter::voids_at_expiry,
            with(LONELY, lost),
            LATE,
        ),
        row(
            "gives every refund order a fresh id",
            alter::fresh_refund_id,
            CANCELLING,
            "no more goes back than was taken",
        ),
        row(
            "begins every attempt on a new intent",
            alter::new_intents,
            with(UNWAVERING, decline),
            "no intent is left open",
        ),
        row(
            "believes answers about a former intent",
            alter::any_generation,
            with(UNWAVERING, repaid),
            "no intent is left open",
        ),
        row(
            "frees seats without a refund",
            alter::no_refund,
            CANCELLING,
            "money equals valid tickets and retained fees",
        ),
        row(
            "keeps money that was taken without seats",
            alter::money_kept,
            with(CANCELLING, odd),
            "money equals valid tickets and retained fees",
        ),
        row(
            "forgets the cancellation that waits",
            alter::cancel_forgotten,
            CANCELLING,
            "every operation has an outcome",
        ),
        row(
            "takes any amount for the right one",
            alter::any_amount,
            with(LONELY, odd),
            "money equals valid tickets and retained fees",
        ),
        row(
            "leaves tickets valid that are paid back",
            alter::tickets_valid,
            PARTIAL,
            "tickets are valid for sold positions only",
        ),
        row(
            "captures before the seats are sold",
            alter::unsold,
            LONELY,
            "claims are what the status says",
        ),
        row(
            "decides without a new version",
            alter::same_version,
            LONELY,
            "every decision raises the version by one",
        ),
    ]
}

#[test]
fn every_planted_error_is_caught() {
    let mut missed = Vec::new();
    for Planted {
        error,
        mutant,
        scenario,
        caught_by,
    } in planted()
    {
        let caught = match explore(&scenario, &mutant) {
            Err(broken) => Some((broken.invariant, broken.trace.len())),
            // The promise was kept, but what customers are owed no longer happens.
            Ok(explored) => STORIES
                .iter()
                .find(|story| **story == caught_by && !explored.stories.contains_key(**story))
                .map(|story| (*story, 0)),
        };
        println!("{error}: {caught:?}");
        if caught.is_none_or(|(invariant, _)| invariant != caught_by) {
            missed.push((error, caught));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
