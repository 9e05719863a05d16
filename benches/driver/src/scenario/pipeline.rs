//! The whole way of a booking: how many a second, what each costs, how long it takes.

use crate::{
    book::Step, broker, calibration, cost::Cost, crowd::STUCK, database::Database,
    outcome::Outcome, place::Place, queues::Queues, sale::Sale,
};
use std::time::Duration;
use tokio::time::Instant;

/// How much of the house runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// The peers' work: held, captured, two ticket pages stored, completed. No mail, no timeline.
    Core,
    /// Everything: also mail and timeline.
    Full,
    /// Everything but documents and mail: until the money is captured.
    Lean,
}

impl Mode {
    /// The step that ends a booking.
    const fn last(self) -> Step {
        match self {
            Self::Core | Self::Full => Step::Completed,
            Self::Lean => Step::Paid,
        }
    }

    /// Queues whose workers run, beside those that a booking waits for anyway.
    const fn drained(self) -> &'static [&'static str] {
        match self {
            Self::Core => &["tickets"],
            Self::Full => &["tickets", "mail", "timeline"],
            Self::Lean => &["timeline"],
        }
    }
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    pub(crate) mode: Mode,
    /// Bookings that are measured.
    #[arg(long, default_value_t = 4_000)]
    pub(crate) bookings: usize,
    /// Bookings before that, which warm the house up.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) warm_up: usize,
    /// Bookings that are under way at once: more would only wait.
    #[arg(long, default_value_t = 400)]
    pub(crate) under_way: usize,
    /// Then bookings at these shares of the rate that was reached, such as 0.5,0.8, for --paced-secs each.
    #[arg(long, value_delimiter = ',')]
    pub(crate) paced: Vec<f64>,
    #[arg(long, default_value_t = 60)]
    pub(crate) paced_secs: u64,
}

/// Everything that a run looks at.
struct Run {
    place: Place,
    mode: Mode,
    sale: Sale,
    database: Database,
    queues: Queues,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let wanted = arguments.warm_up + arguments.bookings;
    let run = Run {
        mode: arguments.mode,
        sale: Sale::open(&place, wanted).await?,
        database: Database::connect(&place.mysql).await?,
        queues: Queues::connect(&place.amqp).await?,
        place,
    };
    let mut outcome = Outcome::default();
    let mut idle = Outcome::default();
    idle.put_memory(&run.place)?;
    outcome.put_all("idle", idle);
    let crowd = &run.sale.crowd;
    crowd
        .in_turn(arguments.warm_up, arguments.under_way, run.mode.last())
        .await?;
    run.rest(arguments.warm_up).await?;
    // The machine's speed changes: it is looked at on both sides of what is measured.
    let before = calibration::cpu_ms()?;
    let rate = run.at_most(arguments, &mut outcome).await?;
    let speed = f64::midpoint(before, calibration::cpu_ms()?);
    outcome.put("calibration.cpu_ms", speed);
    let mut done = wanted;
    for share in &arguments.paced {
        let lasts = Duration::from_secs(arguments.paced_secs);
        done += run.paced(rate, *share, lasts, done, &mut outcome).await?;
    }
    outcome.put_memory(&run.place)?;
    run.queues.end().await?;
    run.sale.end().await?;
    Ok(outcome)
}

impl Run {
    /// As many bookings as it carries: a new one begins when one is done, and the clock stops when nothing of any
    /// booking is left to do.
    async fn at_most(&self, arguments: &Arguments, outcome: &mut Outcome) -> anyhow::Result<f64> {
        let messages = broker::Counters::look(&self.place).await?;
        let (cost, counters) = (Cost::look(&self.place)?, self.database.counters().await?);
        let begun = Instant::now();
        let crowd = &self.sale.crowd;
        crowd
            .in_turn(arguments.bookings, arguments.under_way, self.mode.last())
            .await?;
        let completed = begun.elapsed();
        self.rest(arguments.warm_up + arguments.bookings).await?;
        let all = begun.elapsed();
        let bill = cost.until(&Cost::look(&self.place)?, arguments.bookings);
        let rate = arguments.bookings as f64 / all.as_secs_f64();
        outcome.put("bookings_per_s", rate);
        outcome.put("seconds", all.as_secs_f64());
        outcome.put("left_over_s", (all - completed).as_secs_f64());
        outcome.put_bill(&bill);
        let counters = counters.until(&self.database.counters().await?, arguments.bookings);
        let messages = messages.until(
            &broker::Counters::look(&self.place).await?,
            arguments.bookings,
        );
        for (name, each) in counters.into_iter().chain(messages) {
            outcome.put(name, each);
        }
        let book = self.sale.book();
        for step in [Step::Held, Step::Confirmed, self.mode.last()] {
            let spread = book.spread(step, begun, begun + completed);
            outcome.put_spread(&format!("latency.full_load.{}", step.name()), &spread);
        }
        Ok(rate)
    }

    /// At a share of that, one after the other at their time: what a customer waits.
    async fn paced(
        &self,
        rate: f64,
        share: f64,
        lasts: Duration,
        done: usize,
        outcome: &mut Outcome,
    ) -> anyhow::Result<usize> {
        let (cost, counters) = (Cost::look(&self.place)?, self.database.counters().await?);
        let begun = Instant::now();
        let rate = rate * share;
        let count = (rate * lasts.as_secs_f64()) as usize;
        self.sale
            .crowd
            .at_rate(rate, lasts, self.mode.last())
            .await?;
        let over = Instant::now();
        self.rest(done + count).await?;
        let load = format!("load_{:.0}", share * 100.0);
        let bill = cost.until(&Cost::look(&self.place)?, count);
        outcome.put(&format!("cpu.{load}_ms"), bill.cpu_ms);
        outcome.put_all(&load, Outcome::of_bill(&bill));
        let counters = counters.until(&self.database.counters().await?, count);
        for (name, each) in counters {
            outcome.put(&format!("{load}.{name}"), each);
        }
        outcome.put(&format!("{load}.bookings_per_s"), rate);
        for step in [Step::Held, Step::Confirmed, self.mode.last()] {
            let spread = self.sale.book().spread(step, begun, over);
            outcome.put_spread(&format!("latency.{load}.{}", step.name()), &spread);
        }
        Ok(count)
    }

    /// Until nothing is left to do for any of so many bookings.
    async fn rest(&self, bookings: usize) -> anyhow::Result<()> {
        self.queues.until_empty(self.mode.drained(), STUCK).await?;
        if self.mode == Mode::Full {
            self.database.until_mailed(bookings, STUCK).await?;
        }
        Ok(())
    }
}
