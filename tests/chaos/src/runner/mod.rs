//! A run: warm-up, faults in three lanes, rest, judgement.

mod plan;
mod strike;

pub use plan::{Lane, Planned, choose, draw};
pub use strike::{Struck, UnderWay};

use crate::{
    diary::Diary,
    fault::Kind,
    judge,
    report::{Findings, Machine},
    scrape::Scrape,
    stage::Stage,
    workload::{Crowd, Ended, Line},
};
use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use strike::{recovery, strike};
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

/// Without faults at first: what the house does when it is left alone.
const WARM_UP_MAX: Duration = Duration::from_secs(30);
/// Part of the run.
const WARM_UP: f64 = 0.1;
/// After the last heal everything is at rest within this, or it is stuck.
pub const REST_MAX: Duration = Duration::from_secs(120);
/// Rest is rest when it was seen twice.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What is asked of a run.
#[derive(Debug, Clone)]
pub struct Order {
    pub minutes: f64,
    pub seed: u64,
    /// Visits a second.
    pub rate: f64,
    pub kinds: Vec<&'static Kind>,
    pub journal: bool,
    /// Where history and report go.
    pub folder: PathBuf,
    /// Of the product.
    pub programs: PathBuf,
    /// The line that repeats it.
    pub command: String,
}

/// Runs it.
///
/// # Errors
/// The harness could not do its part: nothing is said of the product.
pub async fn run(order: Order) -> anyhow::Result<Findings> {
    std::fs::create_dir_all(&order.folder)?;
    let length = Duration::from_secs_f64(order.minutes * 60.0);
    let warm_up = length.mul_f64(WARM_UP).min(WARM_UP_MAX);
    say("starting the servers and the house");
    let visits = (order.rate * length.as_secs_f64()) as usize;
    let stage = Stage::start_with(order.programs.clone(), visits, order.journal).await;
    let stage = Arc::new(stage);
    let machine = Machine::look(&stage).await;
    let lines = Line::open_all(&stage).await;
    let diary = Diary::open(&order.folder.join("history.jsonl"))?;
    let crowd = Crowd::new(Arc::clone(&stage), Arc::clone(&diary), lines, order.seed);
    let scrape = Arc::new(Scrape::default());
    let scraping = tokio::spawn(Arc::clone(&scrape).run(Arc::clone(&stage)));

    let plan = draw(order.seed, &order.kinds, warm_up, length);
    say(&format!(
        "{} faults are planned, of {} kinds",
        plan.len(),
        order.kinds.len()
    ));
    let (stop, stopped) = watch::channel(false);
    let coming = tokio::spawn(Arc::clone(&crowd).come(order.rate, stopped));
    let timeline: Arc<Mutex<Vec<Struck>>> = Arc::default();
    let under_way = Arc::new(UnderWay::default());
    let progress = tokio::spawn(tell(Arc::clone(&crowd), Arc::clone(&timeline), length));
    let mut lanes = JoinSet::new();
    for lane in Lane::ALL {
        let of: Vec<Planned> = plan.iter().filter(|p| p.lane == lane).cloned().collect();
        let (stage, crowd) = (Arc::clone(&stage), Arc::clone(&crowd));
        let (under_way, timeline) = (Arc::clone(&under_way), Arc::clone(&timeline));
        lanes.spawn(go(of, length, stage, crowd, under_way, timeline));
    }
    // A panic in a fault is the harness's; what is struck then stays, so the run is over.
    while let Some(lane) = lanes.join_next().await {
        lane?;
    }
    if let Some(left) = length.checked_sub(diary.now()) {
        sleep(left).await;
    }
    let last_heal = diary.now();
    let _ = stop.send(true);
    say("the last fault is healed: waiting for rest");
    let stuck = rest(&stage, &crowd).await;
    crowd.close();
    coming.await?;
    progress.abort();
    scraping.abort();

    say("comparing everybody's books");
    let rest_after = diary.now().saturating_sub(last_heal);
    let report = judge::check(&stage, crowd.accepted(), diary.close()?).await;
    let cents_off = judge::cents_off(&stage).await?;
    let visits: Vec<Ended> = crowd.ended();
    let findings = Findings {
        machine,
        order,
        warm_up,
        planned: plan,
        timeline: Arc::try_unwrap(timeline).map_or_else(|_| Vec::new(), Mutex::into_inner),
        stuck,
        rest_after,
        report,
        cents_off,
        met: stage.meter.counts(),
        replies: crowd.lines.iter().map(|line| line.replies()).collect(),
        turned_away: crowd.numbers().2,
        sums: scrape.sums(),
        visits,
        ended_badly: Vec::new(),
    };
    leave(stage, crowd, findings).await
}

/// Ends the house; who doesn't end well is told.
async fn leave(
    stage: Arc<Stage>,
    crowd: Arc<Crowd>,
    mut findings: Findings,
) -> anyhow::Result<Findings> {
    for line in &crowd.lines {
        line.hang_up();
    }
    drop(crowd);
    // Tasks that were aborted let go of it in a moment; who still submits a duplicate gives up by himself.
    let deadline = Instant::now() + Duration::from_secs(100);
    let mut stage = stage;
    let stage = loop {
        match Arc::try_unwrap(stage) {
            Ok(stage) => break stage,
            Err(shared) if Instant::now() < deadline => stage = shared,
            Err(_) => anyhow::bail!("somebody still holds the stage"),
        }
        sleep(Duration::from_millis(50)).await;
    };
    findings.ended_badly = stage.leave().await;
    Ok(findings)
}

/// One lane: its faults, one after the other.
async fn go(
    plan: Vec<Planned>,
    until: Duration,
    stage: Arc<Stage>,
    crowd: Arc<Crowd>,
    under_way: Arc<UnderWay>,
    timeline: Arc<Mutex<Vec<Struck>>>,
) {
    let mut recoveries = JoinSet::new();
    for planned in plan {
        let now = crowd.diary.now();
        // Whoever is late begins at once, as long as he can end in time.
        if now + planned.lasts >= until {
            break;
        }
        sleep(planned.at.saturating_sub(now)).await;
        let struck = strike(
            Arc::clone(&stage),
            Arc::clone(&crowd),
            Arc::clone(&under_way),
            planned,
        )
        .await;
        let healed_at = Duration::from_secs_f64(struck.healed_at_s);
        let which = {
            let mut timeline = timeline.lock().await;
            timeline.push(struck);
            timeline.len() - 1
        };
        let (crowd, under_way) = (Arc::clone(&crowd), Arc::clone(&under_way));
        let timeline = Arc::clone(&timeline);
        recoveries.spawn(async move {
            let took = recovery(&crowd, &under_way, healed_at).await;
            let struck = &mut timeline.lock().await[which];
            struck.recovered_after_s = took.map(|took| took.undisturbed);
            struck.well_again_after_s = took.map(|took| took.by_the_clock);
        });
    }
    while let Some(recovered) = recoveries.join_next().await {
        recovered.unwrap();
    }
}

/// Waits until nothing is due, unsent or waiting, and everybody knows how it ended. Returns what is stuck.
async fn rest(stage: &Stage, crowd: &Crowd) -> Vec<String> {
    let deadline = Instant::now() + REST_MAX;
    {
        let mut world = stage.world.lock().await;
        world.reconnect_broker().await;
        // Some were lost on purpose, and are for ever undelivered.
        world.allow_lost_webhooks();
    }
    let mut quiet = 0;
    loop {
        let mut unrest = stage.world.lock().await.unrest().await;
        let (_, under_way, _) = crowd.numbers();
        if under_way > 0 {
            unrest.push(format!("{under_way} clients don't know how it ended"));
        }
        quiet = if unrest.is_empty() { quiet + 1 } else { 0 };
        if quiet > 1 || Instant::now() >= deadline {
            return unrest;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// A line that moves, on a terminal.
async fn tell(crowd: Arc<Crowd>, timeline: Arc<Mutex<Vec<Struck>>>, length: Duration) {
    let terminal = std::io::stderr().is_terminal();
    let mut spoke = Instant::now();
    loop {
        sleep(PROGRESS_EVERY).await;
        // Elsewhere a line now and then is enough.
        if !terminal && spoke.elapsed() < Duration::from_secs(15) {
            continue;
        }
        spoke = Instant::now();
        let (accepted, under_way, _) = crowd.numbers();
        let mut line = format!(
            "{:>4.0} s of {:.0}: {accepted} accepted, {under_way} under way, ",
            crowd.diary.now().as_secs_f64(),
            length.as_secs_f64()
        );
        {
            let timeline = timeline.lock().await;
            let effective = timeline
                .iter()
                .filter(|struck| struck.effect.is_some())
                .count();
            let _ = write!(line, "{effective} of {} faults effective", timeline.len());
            if let Some(last) = timeline.last() {
                let _ = write!(line, ", last {} on {}", last.kind, last.target);
            }
        }
        if terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
        } else {
            say(&line);
        }
    }
}

/// Tells the person who waits.
pub(crate) fn say(line: &str) {
    let end = if std::io::stderr().is_terminal() {
        "\r\x1b[2K"
    } else {
        ""
    };
    let _ = writeln!(std::io::stderr(), "{end}chaos: {line}");
}
