//! The measurements.

/// One measurement: which house it needs, and what is done with it.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Roles of the house that run; all without any.
    pub(crate) roles: &'static [&'static str],
    /// Settings beside the usual ones.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Of the catalogue, a thousand bookings each.
    pub(crate) shows: &'static str,
    /// A subcommand of `boxoffice-bench`, and its arguments.
    pub(crate) scenario: &'static str,
    pub(crate) arguments: &'static [&'static str],
}

/// What a booking needs until its tickets lie there, and nothing else.
const CORE: &[&str] = &["api", "reservations", "payments", "hold-expiry", "tickets"];
const LEAN: &[&str] = &["api", "reservations", "payments", "hold-expiry", "timeline"];
/// The gateway's part is done within the payments worker.
const INSTANT: (&str, &str) = ("BOXOFFICE__GATEWAY__KIND", "instant");

pub(crate) const TRIALS: &[Trial] = &[
    Trial {
        name: "core",
        what: "the peers' work: held, captured at an in-process stub, two ticket pages stored",
        roles: CORE,
        settings: &[INSTANT],
        shows: "16",
        scenario: "pipeline",
        arguments: &["--mode", "core", "--shows", "16"],
    },
    Trial {
        name: "full",
        what: "everything, against the gateway's sandbox over HTTP; then at half and at 80 % of that rate",
        roles: &[],
        settings: &[],
        shows: "60",
        scenario: "pipeline",
        arguments: &["--mode", "full", "--shows", "60", "--paced", "0.5,0.8"],
    },
    Trial {
        name: "full-150ms",
        what: "the same with a gateway that takes 150 ms for each call",
        roles: &[],
        settings: &[("SANDBOX_LATENCY_MS", "150")],
        shows: "60",
        scenario: "pipeline",
        arguments: &["--mode", "full", "--shows", "60", "--paced", "0.5,0.8"],
    },
    Trial {
        name: "lean",
        what: "everything but documents and mail, until the money is captured",
        roles: LEAN,
        settings: &[],
        shows: "16",
        scenario: "pipeline",
        arguments: &["--mode", "lean", "--shows", "16"],
    },
    Trial {
        name: "hot",
        what: "10,000 customers, one seat each, for 100 seats",
        roles: &[],
        settings: &[],
        shows: "1",
        scenario: "hot",
        arguments: &[],
    },
];
