//! Explores every interleaving of small worlds over the same `decide` that production runs.
//!
//! Messages come in any order, twice, or after a crash; answers of the gateway get lost; customers pay late,
//! twice or not at all; time passes at the worst moment. No step of any of these may break a promise, every
//! world can come to rest, and at rest money equals tickets.

mod explore;
mod facts;
mod gateway;
mod invariants;
mod keys;
mod mutants;
mod shell;
mod world;

use boxoffice_contracts::message::booking::{MendAction, Tender};
use explore::explore;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};
use world::{Budget, Msg, Scenario, Who};

const NONE: Budget = Budget {
    dup: 0,
    crash: 0,
    lost: 0,
    decline: 0,
    capture: 0,
    refund: 0,
    odd: 0,
};

/// Two customers, one seat; nothing goes wrong but the order of things.
const RUSH: Scenario = Scenario {
    name: "rush",
    wants: &[&[0], &[0]],
    prices: [10, 5],
    commands: &[(0, Msg::Submit), (1, Msg::Submit)],
    pays: true,
    tender: Tender::Card,
    three_ds: false,
    documents: false,
    budget: NONE,
};

/// One customer who pays, pays again and cancels.
const WAVERING: Scenario = Scenario {
    name: "wavering",
    wants: &[&[0]],
    commands: &[
        (0, Msg::Submit),
        (0, Msg::Pay(1)),
        (0, Msg::Cancel(2, None, Who::Customer)),
    ],
    three_ds: true,
    ..RUSH
};

/// Two seats, given back one by one.
const PARTIAL: Scenario = Scenario {
    name: "partial",
    wants: &[&[0, 1]],
    commands: &[
        (0, Msg::Submit),
        (0, Msg::Cancel(1, Some(1), Who::Customer)),
        (0, Msg::Cancel(2, None, Who::Show)),
    ],
    ..RUSH
};

/// One customer who pays again when a payment fails, and never cancels.
const UNWAVERING: Scenario = Scenario {
    name: "unwavering",
    commands: &[(0, Msg::Submit), (0, Msg::Pay(1))],
    ..WAVERING
};

/// One customer who books, pays and waits.
const LONELY: Scenario = Scenario {
    name: "lonely",
    commands: &[(0, Msg::Submit)],
    ..WAVERING
};

/// One customer who cancels at any moment.
const CANCELLING: Scenario = Scenario {
    name: "cancelling",
    commands: &[(0, Msg::Submit), (0, Msg::Cancel(1, None, Who::Customer))],
    ..WAVERING
};

/// Nothing to pay, then cancelled seat by seat.
const FREE: Scenario = Scenario {
    name: "free",
    prices: [0, 0],
    documents: true,
    ..PARTIAL
};

/// A partner books for a customer, pays again when the credit is exhausted, and cancels.
const ON_CREDIT: Scenario = Scenario {
    name: "on credit",
    pays: false,
    tender: Tender::PartnerCredit,
    three_ds: false,
    ..WAVERING
};

macro_rules! with {
    ($scenario:expr, $($kind:ident $times:literal),*) => {
        Scenario { budget: Budget { $($kind: $times,)* ..NONE }, ..$scenario }
    };
}

/// Staff order something at any moment of a booking that its customer cancels, or would.
macro_rules! mended {
    ($action:ident, $($kind:ident $times:literal),*) => {
        with!(
            Scenario {
                name: concat!("mended by ", stringify!($action)),
                commands: &[
                    (0, Msg::Submit),
                    (0, Msg::Cancel(1, None, Who::Customer)),
                    (0, Msg::Mend(2, MendAction::$action)),
                ],
                three_ds: false,
                documents: true,
                ..LONELY
            },
            $($kind $times),*
        )
    };
}

/// Every kind of trouble, each in a world small enough for a push.
fn scenarios() -> Vec<Scenario> {
    vec![
        RUSH,
        with!(RUSH, decline 1),
        with!(WAVERING, lost 1),
        with!(WAVERING, decline 1),
        with!(WAVERING, refund 1),
        with!(UNWAVERING, capture 1),
        with!(UNWAVERING, lost 1, decline 1),
        with!(LONELY, lost 1, dup 1, crash 1),
        with!(CANCELLING, odd 1),
        with!(CANCELLING, capture 1),
        PARTIAL,
        with!(PARTIAL, odd 1),
        with!(PARTIAL, capture 1),
        FREE,
        with!(ON_CREDIT, decline 1),
        mended!(Nudge, lost 1),
        mended!(Reconcile, lost 1),
        mended!(Cancel, lost 1),
        mended!(Cancel, capture 1),
        mended!(RetryRefund, refund 1),
        mended!(RenderTickets, crash 1),
        mended!(MailTickets, crash 1),
        mended!(Acknowledge, capture 1),
    ]
}

/// The same in combination: minutes, for the night.
fn deep_scenarios() -> Vec<Scenario> {
    vec![
        with!(RUSH, dup 1),
        with!(RUSH, lost 1),
        with!(RUSH, crash 1),
        with!(RUSH, odd 1),
        with!(RUSH, lost 1, decline 1),
        with!(WAVERING, dup 1),
        with!(WAVERING, lost 1, dup 1),
        with!(WAVERING, crash 1),
        with!(WAVERING, decline 1, lost 1),
        with!(WAVERING, capture 1),
        with!(WAVERING, capture 1, decline 1),
        with!(WAVERING, odd 1),
        with!(UNWAVERING, capture 1, dup 1),
        with!(UNWAVERING, capture 2, lost 1),
        with!(LONELY, lost 1, dup 1, crash 1, odd 1),
        with!(ON_CREDIT, decline 2, dup 1),
        with!(ON_CREDIT, crash 1),
        with!(PARTIAL, dup 1),
        with!(PARTIAL, refund 1),
        with!(PARTIAL, crash 1),
        mended!(Nudge, capture 1, lost 1),
        mended!(Nudge, refund 1, dup 1),
        mended!(Reconcile, odd 1),
        mended!(Reconcile, lost 1, dup 1),
        mended!(Cancel, odd 1),
        mended!(Cancel, decline 1, crash 1),
        mended!(RetryRefund, refund 2, lost 1),
        mended!(Acknowledge, refund 1, crash 1),
        Scenario {
            name: "two of the staff",
            commands: &[
                (0, Msg::Submit),
                (0, Msg::Pay(1)),
                (0, Msg::Mend(2, MendAction::Cancel)),
                (0, Msg::Mend(3, MendAction::Reconcile)),
            ],
            ..mended!(Cancel, lost 1)
        },
        Scenario {
            documents: true,
            ..PARTIAL
        },
    ]
}

/// Stories that some scenario must have told, or the walk has walked past what matters.
const STORIES: [&str; 20] = [
    "cancelled",
    "cancelled while authorizing",
    "cancelled while capturing",
    "capture failed for good",
    "capture failed, then paid again",
    "captured without seats, given back",
    "declined, then paid",
    "expired while paying",
    "late money honoured",
    "late money refused",
    "mend_acknowledge",
    "mend_cancel",
    "mend_mail_tickets",
    "mend_nudge",
    "mend_reconcile",
    "mend_render_tickets",
    "mend_retry_refund",
    "partly refunded",
    "payment failed",
    "refunded",
];

#[test]
fn no_interleaving_breaks_a_promise() {
    let (worlds, stories) = walk(&scenarios());
    println!("{worlds} worlds\n{stories:#?}");
    assert!(worlds > 100_000, "{worlds} worlds are too few to mean much");
    for story in STORIES {
        assert!(stories.contains_key(story), "nobody told: {story}");
    }
}

#[test]
fn no_interleaving_of_several_troubles_breaks_a_promise() {
    let (worlds, stories) = walk(&deep_scenarios());
    println!("{worlds} worlds\n{stories:#?}");
    assert!(
        worlds > 1_000_000,
        "{worlds} worlds are too few to mean much"
    );
}

/// Walks through all of them, on two threads.
fn walk(scenarios: &[Scenario]) -> (usize, BTreeMap<&'static str, usize>) {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut worlds = 0;
        let mut stories: BTreeMap<&'static str, usize> = BTreeMap::new();
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            let explored = match explore(scenario, &boxoffice_saga::decide) {
                Ok(explored) => explored,
                Err(broken) => panic!("{}: {}\n{broken:#?}", scenario.name, broken.invariant),
            };
            worlds += explored.worlds;
            for (story, times) in explored.stories {
                *stories.entry(story).or_default() += times;
            }
        }
        (worlds, stories)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(worker);
        let (mut worlds, mut stories) = worker();
        match other.join() {
            Ok((more, others)) => {
                worlds += more;
                for (story, times) in others {
                    *stories.entry(story).or_default() += times;
                }
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
        (worlds, stories)
    })
}
