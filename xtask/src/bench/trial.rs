//! The measurements.

/// One measurement: where it happens, and what is done there.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) place: Where,
    /// A subcommand of `boxoffice-bench`, and its arguments.
    pub(crate) scenario: &'static str,
    pub(crate) arguments: &'static [&'static str],
}

#[derive(Debug)]
pub(crate) enum Where {
    House(Setup),
    /// Of `benches/peers`, by its name.
    Peer(&'static str),
}

/// A house for one measurement.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Roles that run; all without any.
    pub(crate) roles: &'static [&'static str],
    /// Settings beside the usual ones.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Of the catalogue, a thousand bookings each.
    pub(crate) shows: &'static str,
}

/// What a booking needs until its tickets lie there, and nothing else.
const CORE: &[&str] = &["api", "reservations", "payments", "hold-expiry", "tickets"];
const LEAN: &[&str] = &["api", "reservations", "payments", "hold-expiry", "timeline"];
const ALL: &[&str] = &[];
/// The gateway's part is done within the payments worker.
const INSTANT: (&str, &str) = ("BOXOFFICE__GATEWAY__KIND", "instant");
const SLOW: (&str, &str) = ("SANDBOX_LATENCY_MS", "150");

pub(crate) const TRIALS: &[Trial] = &[
    Trial {
        name: "core",
        what: "the peers' work: held, captured at an in-process stub, two ticket pages stored",
        place: Where::House(Setup {
            roles: CORE,
            settings: &[INSTANT],
            shows: "16",
        }),
        scenario: "pipeline",
        arguments: &["--mode", "core"],
    },
    peer(
        "node",
        "node",
        "the same in Node: amqplib, mysql2, pdfkit",
        &[],
    ),
    peer(
        "celery",
        "celery",
        "the same in Python: FastAPI, Celery, reportlab",
        &[],
    ),
    full(
        "full",
        "everything, against the gateway's sandbox over HTTP; then at half and at 80 % of that rate",
        &[],
    ),
    full(
        "full-150ms",
        "the same with a gateway that takes 150 ms for each call",
        &[SLOW],
    ),
    Trial {
        name: "lean",
        what: "everything but documents and mail, until the money is captured",
        place: Where::House(Setup {
            roles: LEAN,
            settings: &[],
            shows: "16",
        }),
        scenario: "pipeline",
        arguments: &["--mode", "lean"],
    },
    Trial {
        name: "parts",
        what: "what the broker and the database can do alone",
        place: Where::House(Setup {
            roles: &["api"],
            settings: &[],
            shows: "1",
        }),
        scenario: "parts",
        arguments: &[],
    },
    Trial {
        name: "intake",
        what: "bookings accepted and confirmed by the broker while no worker runs",
        place: Where::House(Setup {
            roles: &["api"],
            settings: &[],
            shows: "24",
        }),
        scenario: "intake",
        arguments: &[],
    },
    Trial {
        name: "reads",
        what: "status, seat maps and 1,000 open streams, while others buy",
        place: Where::House(Setup {
            roles: ALL,
            settings: &[],
            shows: "1",
        }),
        scenario: "reads",
        arguments: &[],
    },
    Trial {
        name: "hot",
        what: "10,000 customers, one seat each, for 100 seats",
        place: Where::House(Setup {
            roles: ALL,
            settings: &[],
            shows: "1",
        }),
        scenario: "hot",
        arguments: &[],
    },
    peer("hot-node", "node", "the same in Node", HOT),
    peer("hot-celery", "celery", "the same in Python", HOT),
];

const HOT: &[&str] = &["--hot", "10000"];

const fn full(
    name: &'static str,
    what: &'static str,
    settings: &'static [(&'static str, &'static str)],
) -> Trial {
    Trial {
        name,
        what,
        place: Where::House(Setup {
            roles: ALL,
            settings,
            shows: "60",
        }),
        scenario: "pipeline",
        arguments: &["--mode", "full", "--paced", "0.5,0.8"],
    }
}

const fn peer(
    name: &'static str,
    peer: &'static str,
    what: &'static str,
    arguments: &'static [&'static str],
) -> Trial {
    Trial {
        name,
        what,
        place: Where::Peer(peer),
        scenario: "peer",
        arguments,
    }
}
