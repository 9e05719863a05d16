//! Errors that are made on purpose, in the ports and around the engine: each must be caught, by the promise that it
//! breaks. What no error can break is no promise.

use boxoffice_simulator::{Planted, Settings, run_as};

/// Seeds that an error may hide from.
const SEEDS: u64 = 400;

/// The first seed that an error is caught by, and how.
fn caught(planted: Planted) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| {
        let mut settings = Settings::of(seed);
        settings.harshness = settings.harshness.max(10);
        settings.planted = Some(planted);
        let broken = run_as(seed, settings, false).broken?;
        Some((seed, broken))
    })
}

#[test]
fn every_planted_error_is_caught() {
    let errors: &[(Planted, &[&str])] = &[
        (
            Planted::AckOnDelivery,
            &["acknowledged when what replaces it is durable"],
        ),
        (
            Planted::InboxOutside,
            &[
                "has no outcome",
                "was never decided",
                "has not come to its end",
                "is due",
            ],
        ),
        (
            Planted::NoRequeue,
            &[
                "nothing that was accepted is forgotten",
                "have no document",
                "was never decided",
                "has not come to its end",
            ],
        ),
        (
            Planted::PublishBeforeCommit,
            &["nothing is published that was not committed"],
        ),
        (Planted::HalfForgotten, &["something is in"]),
        (
            Planted::SilenceConfirms,
            &[
                "deleted when its message has left",
                "nothing that was accepted is forgotten",
                "acknowledged when what replaces it is durable",
            ],
        ),
        (
            Planted::InboxOutlivesRetry,
            &["has no outcome", "have no document", "was never decided"],
        ),
        (
            Planted::CommitAssumed,
            &[
                "acknowledged when what replaces it is durable",
                "nothing is published that was not committed",
            ],
        ),
        (Planted::NoRelay, &["the outbox keeps"]),
        (
            Planted::NoClock,
            &[
                "is due",
                "has not come to its end",
                "is left open",
                "was not mailed",
            ],
        ),
        (
            Planted::ClaimsUnseen,
            &[
                "at most one live claim per seat",
                "claims are what the state says",
            ],
        ),
        (
            Planted::FreedTwice,
            &["the counter is the sum of live admissions"],
        ),
        (
            Planted::NewRefundKey,
            &["captured - refunded", "what the gateway knows"],
        ),
        (
            Planted::LostUpdate,
            &[
                "the log of decisions ends with the state's version",
                "a version is decided once",
            ],
        ),
    ];
    let mut missed = Vec::new();
    for (planted, promises) in errors {
        let found = caught(*planted);
        println!("{planted:?}: {found:?}");
        let named =
            found.is_some_and(|(_, by)| promises.iter().any(|promise| by.contains(promise)));
        if !named {
            missed.push(planted);
        }
    }
    assert!(
        missed.is_empty(),
        "not caught, or by another promise: {missed:?}"
    );
}
