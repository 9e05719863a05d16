//! All goals, in their order.

use super::{
    Bound::{AtLeast, AtMost},
    Line, Value,
    Value::{Highest, Of, Share},
};

/// Of CPU time per booking, over all processes that are counted.
const CPU: &str = "cpu.all_ms";
const RATE: &str = "bookings_per_s";
const APP_IDLE: &str = "idle.memory.group.app.resident_mib";

pub(super) const LINES: &[Line] = &[
    line(
        "N1",
        "CPU per booking of the peers' work, as a share of Node's",
        Share(("core", CPU), ("node", CPU)),
    )
    .at_most(1.0 / 10.0)
    .stretch(1.0 / 15.0),
    line(
        "N1",
        "the same, as a share of Celery's",
        Share(("core", CPU), ("celery", CPU)),
    )
    .at_most(1.0 / 14.0)
    .stretch(1.0 / 20.0),
    line(
        "N2",
        "CPU per booking with everything, as a share of Node's for the peers' work",
        Share(("full", CPU), ("node", CPU)),
    )
    .at_most(1.0 / 6.0)
    .stretch(1.0 / 10.0),
    line(
        "N3",
        "bookings per second without documents and mail, as a share of a bare driver's",
        Share(("lean", RATE), ("bare", RATE)),
    )
    .at_least(0.6)
    .stretch(0.8),
    line(
        "N4",
        "submit to held at 80 % load, p99",
        Of(("full", "latency.load_80.held.p99_ms")),
    )
    .unit("ms")
    .at_most(50.0)
    .stretch(25.0),
    line(
        "N4",
        "submit to confirmed at 80 % load, p99",
        Of(("full", "latency.load_80.confirmed.p99_ms")),
    )
    .unit("ms")
    .at_most(150.0)
    .stretch(100.0),
    line(
        "N5",
        "hot show: all 10,000 are answered, as a share of Node's time",
        Share(("hot", "answered_s"), ("hot-node", "answered_s")),
    )
    .at_most(1.0 / 4.0)
    .stretch(1.0 / 8.0),
    line("N5", "hot show: CPU per attempt", Of(("hot", CPU)))
        .unit("ms")
        .at_most(0.4)
        .stretch(0.2),
    line(
        "N5",
        "hot show: the last winner knows",
        Of(("hot", "last_winner_s")),
    )
    .unit("s")
    .at_most(2.0),
    line(
        "N6",
        "ticket pages per CPU second",
        Of(("papers", "pages_per_cpu_s")),
    )
    .at_least(1_500.0)
    .stretch(5_000.0),
    line(
        "N6",
        "largest document of two pages",
        Of(("papers", "bytes_max")),
    )
    .unit("bytes")
    .at_most(16_384.0),
    line(
        "N6",
        "share of a sample whose codes can be read and verified",
        Of(("papers", "verified_share")),
    )
    .at_least(1.0),
    line(
        "N7",
        "CPU per booking with 1,000,000 waiting, as a share of that with 1,000",
        Share(
            ("drain", "backlog_1000000.cpu_ms"),
            ("drain", "shortest.cpu_ms"),
        ),
    )
    .at_most(1.15)
    .stretch(1.05),
    line(
        "N8",
        "memory of an idle worker",
        Highest(
            "core",
            &[
                "idle.memory.reservations.resident_mib",
                "idle.memory.payments.resident_mib",
                "idle.memory.tickets.resident_mib",
            ],
        ),
    )
    .unit("MiB")
    .at_most(25.0),
    line(
        "N8",
        "memory of a worker with 1,000,000 waiting",
        Highest(
            "drain",
            &[
                "deep.memory.reservations.resident_mib",
                "deep.memory.payments.resident_mib",
            ],
        ),
    )
    .unit("MiB")
    .at_most(60.0),
    line(
        "N8",
        "memory of the whole house in one idle process, as a share of Node's",
        Share(
            ("start", "in_one.memory.group.app.resident_mib"),
            ("node", APP_IDLE),
        ),
    )
    .at_most(1.0 / 3.0),
    line(
        "N8",
        "the same in a process for each role of the peers' work",
        Share(("core", APP_IDLE), ("node", APP_IDLE)),
    )
    .at_most(1.0 / 3.0),
    line(
        "N9",
        "from exec until the API answers",
        Of(("start", "api_answers_ms")),
    )
    .unit("ms")
    .at_most(100.0),
    line(
        "N9",
        "from exec until the first booking is confirmed",
        Of(("start", "first_confirmed_ms")),
    )
    .unit("ms")
    .at_most(300.0),
    line(
        "N9",
        "a worker is killed at 80 % load: until the backlog is as before",
        Of(("kill", "normal_again_s")),
    )
    .unit("s")
    .at_most(3.0),
    line(
        "N10",
        "reads of a booking's status while selling",
        Of(("reads", "status.per_s")),
    )
    .unit("per s")
    .at_least(10_000.0),
    line(
        "N10",
        "reads of a map of 1,000 seats while selling",
        Of(("reads", "map.per_s")),
    )
    .unit("per s")
    .at_least(3_000.0),
    line(
        "N10",
        "from commit to each of 1,000 watchers, p99",
        Of(("reads", "watch.p99_ms")),
    )
    .unit("ms")
    .at_most(100.0),
];

/// Without a limit yet: nothing meets it.
const fn line(id: &'static str, what: &'static str, value: Value) -> Line {
    Line {
        id,
        what,
        unit: "",
        bound: AtMost,
        must: f64::NAN,
        stretch: None,
        value,
    }
}

impl Line {
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    const fn at_most(mut self, must: f64) -> Self {
        (self.bound, self.must) = (AtMost, must);
        self
    }

    const fn at_least(mut self, must: f64) -> Self {
        (self.bound, self.must) = (AtLeast, must);
        self
    }

    const fn stretch(mut self, stretch: f64) -> Self {
        self.stretch = Some(stretch);
        self
    }
}
