//! Several processes of each worker: what each more of them adds on this machine.

use crate::{book::Step, cost::Cost, crew::Crew, outcome::Outcome, place::Place, sale::Sale};
use tokio::time::Instant;

/// Of each so many run.
const MANY: [&str; 3] = ["reservations", "payments", "tickets"];
/// One is enough.
const ONE: [&str; 1] = ["hold-expiry"];
const UNDER_WAY: usize = 400;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Processes of each worker, one number after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4")]
    pub(crate) processes: Vec<usize>,
    #[arg(long, default_value_t = 3_000)]
    pub(crate) bookings: usize,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let each = arguments.bookings * 5 / 4;
    let sale = Sale::open(&place, each * arguments.processes.len()).await?;
    let crowd = &sale.crowd;
    let mut outcome = Outcome::default();
    for processes in &arguments.processes {
        let mut crew = Crew::of(place.clone());
        for role in ONE {
            crew.start_worker(role)?;
        }
        for no in 1..=*processes {
            for role in MANY {
                crew.start(&format!("{role}-{no}"), &["worker", "run", role])?;
            }
        }
        let warm_up = arguments.bookings / 4;
        crowd.in_turn(warm_up, UNDER_WAY, Step::Completed).await?;
        let all = crew.place();
        let (cost, begun) = (Cost::look(&all)?, Instant::now());
        crowd
            .in_turn(arguments.bookings, UNDER_WAY, Step::Completed)
            .await?;
        let took = begun.elapsed();
        let bill = cost.until(&Cost::look(&all)?, arguments.bookings);
        let name = format!("processes_{processes}");
        let rate = arguments.bookings as f64 / took.as_secs_f64();
        outcome.put(&format!("{name}.bookings_per_s"), rate);
        outcome.put_all(&name, Outcome::of_bill(&bill));
        crew.stop().await?;
    }
    sale.end().await?;
    Ok(outcome)
}
