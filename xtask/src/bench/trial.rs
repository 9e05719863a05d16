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
    /// No servers, no processes.
    Nowhere,
}

/// A house for one measurement.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Roles that run from the beginning.
    pub(crate) started: Started,
    /// Settings beside the usual ones.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Of the catalogue, a thousand bookings each.
    pub(crate) shows: &'static str,
}

/// Roles, each in a process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Started {
    All,
    Only(&'static [&'static str]),
    /// The measurement starts whom it needs.
    None,
}

impl Started {
    /// As they are named to whoever starts them: no name means all.
    pub(crate) const fn names(self) -> Option<&'static [&'static str]> {
        match self {
            Self::All => Some(&[]),
            Self::Only(roles) => Some(roles),
            Self::None => None,
        }
    }

    pub(crate) fn contains(self, role: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(roles) => roles.contains(&role),
            Self::None => false,
        }
    }
}

/// What a booking needs until its tickets lie there, and nothing else.
const CORE: Started = Started::Only(&["api", "reservations", "payments", "hold-expiry", "tickets"]);
const LEAN: Started =
    Started::Only(&["api", "reservations", "payments", "hold-expiry", "timeline"]);
const DOOR: Started = Started::Only(&["api"]);
/// The gateway's part is done within the payments worker.
const INSTANT: (&str, &str) = ("BOXOFFICE__GATEWAY__KIND", "instant");
/// As many mails as can be made: who was left out of a measurement catches up sooner.
const MAILS: (&str, &str) = ("BOXOFFICE__SMTP__MAILS_PER_SEC", "0");
const SLOW: (&str, &str) = ("SANDBOX_LATENCY_MS", "150");

pub(crate) const TRIALS: &[Trial] = &[
    Trial {
        name: "core",
        what: "the peers' work: held, captured at an in-process stub, two ticket pages stored",
        place: Where::House(Setup {
            started: CORE,
            settings: &[INSTANT, MAILS],
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
        name: "burst",
        what: "everything, and as many mails as one worker can make",
        place: Where::House(Setup {
            started: Started::All,
            settings: &[MAILS],
            shows: "16",
        }),
        scenario: "pipeline",
        arguments: &["--mode", "full"],
    },
    Trial {
        name: "lean",
        what: "everything but documents and mail, until the money is captured",
        place: Where::House(Setup {
            started: LEAN,
            settings: &[MAILS],
            shows: "16",
        }),
        scenario: "pipeline",
        arguments: &["--mode", "lean"],
    },
    Trial {
        name: "bare",
        what: "the publishes, commits, calls and acknowledgements of `lean`, and nothing else",
        place: Where::House(Setup {
            started: Started::None,
            settings: &[],
            shows: "1",
        }),
        scenario: "bare",
        arguments: &[],
    },
    Trial {
        name: "parts",
        what: "what the broker and the database can do alone",
        place: Where::House(Setup {
            started: DOOR,
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
            started: DOOR,
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
            started: Started::All,
            settings: &[],
            shows: "1",
        }),
        scenario: "reads",
        arguments: &[],
    },
    Trial {
        name: "drain",
        what: "the door up to a line of a million, and the cost of a booking when the line is short or long",
        place: Where::House(Setup {
            started: DOOR,
            settings: &[
                INSTANT,
                MAILS,
                ("BOXOFFICE__AMQP__SUBMITS_MAX", "1100000"),
                ("BOXOFFICE__API__SUBMIT_DEADLINE_SECS", "3600"),
            ],
            shows: "1060",
        }),
        scenario: "drain",
        arguments: &[],
    },
    Trial {
        name: "scale",
        what: "one, two, three and four processes of each worker",
        place: Where::House(Setup {
            started: DOOR,
            settings: &[INSTANT, MAILS],
            shows: "20",
        }),
        scenario: "scale",
        arguments: &[],
    },
    Trial {
        name: "start",
        what: "from running servers to the first booking",
        place: Where::House(Setup {
            started: Started::None,
            settings: &[],
            shows: "1",
        }),
        scenario: "start",
        arguments: &[],
    },
    Trial {
        name: "kill",
        what: "a worker is killed at 80 % load and started again",
        place: Where::House(Setup {
            started: DOOR,
            settings: &[],
            shows: "60",
        }),
        scenario: "kill",
        arguments: &[],
    },
    Trial {
        name: "papers",
        what: "ticket documents alone, on one thread",
        place: Where::Nowhere,
        scenario: "papers",
        arguments: &[],
    },
    Trial {
        name: "hot",
        what: "10,000 customers, one seat each, for 100 seats",
        place: Where::House(Setup {
            started: Started::All,
            settings: &[],
            shows: "1",
        }),
        scenario: "hot",
        arguments: &[],
    },
    Trial {
        name: "neighbours",
        what: "what customers of other shows wait while 10,000 want one",
        place: Where::House(Setup {
            started: Started::All,
            settings: &[INSTANT],
            shows: "1",
        }),
        scenario: "neighbours",
        // Fewer than the door has places for: what is measured is the line behind it.
        arguments: &["--at-once", "192"],
    },
    peer("hot-node", "node", "the same in Node", HOT),
    peer("hot-celery", "celery", "the same in Python", HOT),
];

/// Short, and of numbers that hardly depend on the machine.
pub(crate) const GUARD: Trial = Trial {
    name: "guard",
    what: "a short one of `core`",
    place: Where::House(Setup {
        started: CORE,
        settings: &[INSTANT],
        shows: "4",
    }),
    scenario: "pipeline",
    arguments: &["--mode", "core", "--bookings", "1500", "--warm-up", "500"],
};

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
            started: Started::All,
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
