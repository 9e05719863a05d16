//! The processes: the runtime's engine over the simulated ports, with the workers of the house.

use crate::{
    Planted,
    broker::SimPublisher,
    consumer::consume,
    payments::payments,
    sim::{PROCESSES, Port, Sim},
    store::{SimStore, SimTx},
};
use boxoffice_contracts::{
    BookingId, Instant, Message, MessageId,
    message::{mail, ticket},
    topology::{self, Exchange, Queue},
};
use boxoffice_jobs::reservations::{
    Accepted, happenings,
    simulation::{advance_over, ticks},
};
use boxoffice_runtime::{
    Cause, Failure, Job, Service, Verdict, accepted,
    simulation::{
        Decides, Delivered, Hand, Host, Publish as _, Purger, Settlement, Settler, Store as _,
        Transaction as _, work,
    },
};
use boxoffice_saga::Policy;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Starts a process again whenever it has ended.
pub async fn keep(sim: Arc<Sim>, process: usize) {
    loop {
        start(sim.port(process));
        sim.died[process].notified().await;
        let pause = {
            let mut state = sim.state();
            let pause = state.chance.millis(20, 4_000);
            state.note(PROCESSES[process], "starts again", 0);
            pause
        };
        sleep(pause).await;
    }
}

fn start(port: Port) {
    match port.process {
        0 | 1 => {
            let queues = &[topology::RESERVATIONS, topology::RESERVATIONS_SUBMIT];
            let host = SimHost::start(&port, queues);
            let policy = port.sim.state().settings.policy.clone();
            decide(host, Reservations(policy));
        }
        2 => {
            let host = SimHost::start(&port, &[topology::PAYMENTS]);
            tokio::spawn(payments(host));
        }
        3 => {
            decide(SimHost::start(&port, &[topology::TICKETS]), Tickets);
            decide(SimHost::start(&port, &[topology::MAIL]), Mails);
        }
        _ => {
            let host = SimHost::start(&port, &[]);
            tokio::spawn(clock(Arc::clone(&host)));
            tokio::spawn(relay(port));
        }
    }
}

fn decide<D: Decides<SimTx>>(host: Arc<SimHost>, worker: D) {
    let worker = Arc::new(worker);
    let max = host.port.sim.state().settings.batch_max;
    tokio::spawn(async move { work(&host, &worker, max).await });
}

/// One role of one process.
pub(crate) struct SimHost {
    pub(crate) port: Port,
    pub(crate) store: SimStore,
    hand: Arc<Hand>,
    pub(crate) settler: Arc<Settler<SimPublisher>>,
    tasks: TaskTracker,
}

impl SimHost {
    fn start(port: &Port, queues: &'static [Queue]) -> Arc<Self> {
        let hand = Hand::new(queues.len());
        for (slot, queue) in queues.iter().enumerate() {
            tokio::spawn(consume(port.clone(), queue, slot, Arc::clone(&hand)));
        }
        let tasks = TaskTracker::new();
        let (purger, rows) = Purger::open();
        tokio::spawn(purge(port.clone(), rows));
        let publisher = SimPublisher(port.clone());
        let kill = CancellationToken::new();
        Arc::new(Self {
            store: SimStore(port.clone()),
            settler: Settler::new(publisher, purger, tasks.clone(), kill),
            port: port.clone(),
            hand,
            tasks,
        })
    }
}

impl Host for SimHost {
    type Store = SimStore;
    type Publish = SimPublisher;

    fn store(&self) -> &SimStore {
        &self.store
    }

    fn settler(&self) -> &Arc<Settler<SimPublisher>> {
        &self.settler
    }

    fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    async fn take(&self, max: usize) -> Option<Vec<Arc<Delivered>>> {
        let mut batch = self.hand.take(max).await;
        self.port.step("takes a batch", batch.len() as u64).await;
        if batch.len() > 1 && self.port.sim.state().settings.is(Planted::HalfForgotten) {
            // Not dropped, as a vector that was split and never pushed back would be held by nobody.
            std::mem::forget(batch.split_off(batch.len() / 2));
        }
        Some(batch)
    }

    fn progressed(&self) {}

    async fn conflict(&self, _queue: &'static str, _run: u32) {
        let wait = self.port.sim.state().chance.millis(10, 100);
        sleep(wait).await;
    }

    async fn pause(&self, _service: Service, _cause: Cause) -> bool {
        self.port.step("pauses", 0).await;
        while self.port.sim.state().is_down {
            sleep(Duration::from_secs(1)).await;
        }
        self.port.step("resumes", 0).await;
        true
    }
}

/// The saga's step, as production runs it.
struct Reservations(Policy);

impl Decides<SimTx> for Reservations {
    type Message = Accepted;

    async fn decide(
        &self,
        tx: &mut SimTx,
        jobs: &[Job<Accepted>],
    ) -> Result<Vec<Verdict>, Failure> {
        advance_over(tx, &self.0, &happenings(jobs)).await
    }
}

accepted! { enum Renders { Render(ticket::Render) } }
accepted! { enum Sends { Send(mail::Send) } }
/// Stores a document once per revision, and says so.
struct Tickets;

impl Decides<SimTx> for Tickets {
    type Message = Renders;

    async fn decide(&self, tx: &mut SimTx, jobs: &[Job<Renders>]) -> Result<Vec<Verdict>, Failure> {
        let now = tx.clock().await?;
        let mut verdicts = Vec::with_capacity(jobs.len());
        for job in jobs {
            let Renders::Render(order) = &job.message;
            if tx.on(|state| state.fault(10)).await {
                let cause = Cause::new("no_fonts", "simulated");
                verdicts.push(Verdict::Retry(cause));
                continue;
            }
            let key = (order.booking_id, order.revision);
            tx.on(|state| state.put(|data| &mut data.documents, key, Some(())))
                .await;
            let rendered = ticket::Rendered {
                booking_id: order.booking_id,
                revision: order.revision,
                sha256: "0".repeat(64),
            };
            send(tx, job, order.booking_id, &rendered, now)?;
            verdicts.push(Verdict::Done);
        }
        Ok(verdicts)
    }
}

/// Sends a mail once per booking, template and revision.
struct Mails;

impl Decides<SimTx> for Mails {
    type Message = Sends;

    async fn decide(&self, tx: &mut SimTx, jobs: &[Job<Sends>]) -> Result<Vec<Verdict>, Failure> {
        tx.clock().await?;
        for job in jobs {
            let Sends::Send(order) = &job.message;
            let key = (order.booking_id, order.template.as_str(), order.revision);
            // Ordered again, the same mail is not sent again.
            tx.on(|state| state.put(|data| &mut data.mails, key, Some(())))
                .await;
        }
        Ok(vec![Verdict::Done; jobs.len()])
    }
}

/// Answers an order.
pub(crate) fn send<J, M: Message>(
    tx: &mut SimTx,
    job: &Job<J>,
    booking: BookingId,
    message: &M,
    now: Instant,
) -> Result<(), Failure> {
    let id = MessageId::of_answer(job.envelope.message_id, M::KIND.as_str());
    tx.outbox_mut()
        .send(Exchange::Commands, &job.envelope, id, booking, message, now)
}

/// Looks for due rows and takes them a step.
async fn clock(host: Arc<SimHost>) {
    let policy = host.port.sim.state().settings.policy.clone();
    loop {
        let wait = host.port.sim.state().chance.millis(1_000, 4_000);
        sleep(wait).await;
        let (due, off) = {
            let state = host.port.sim.state();
            let due = state.data.due.values().any(|at| *at <= state.now);
            (due, state.settings.is(Planted::NoClock))
        };
        if due && !off && host.port.is_alive() {
            match sweep(&host, &policy).await {
                Ok(sent) => {
                    let settlement = Settlement {
                        sent,
                        ..Settlement::default()
                    };
                    host.settler.settle(settlement).await;
                }
                Err(Failure::Down(service, cause)) => {
                    host.pause(service, cause).await;
                }
                Err(_) => host.conflict("clock", 1).await,
            }
        }
    }
}

async fn sweep(
    host: &SimHost,
    policy: &Policy,
) -> Result<Vec<boxoffice_runtime::simulation::Sent>, Failure> {
    let mut tx = host.store.begin().await?;
    let due = tx
        .on(|state| {
            let rows = state.data.due.iter().filter(|(_, at)| **at <= state.now);
            rows.filter_map(|(id, _)| state.data.bookings.get(id).cloned())
                .collect::<Vec<_>>()
        })
        .await;
    advance_over(&mut tx, policy, &ticks(&due)).await?;
    let outgoing = tx.outbox_mut().take();
    let sent = tx.insert(outgoing).await?;
    tx.commit().await?;
    Ok(sent)
}

/// Sends what was committed and never confirmed.
async fn relay(port: Port) {
    let publisher = SimPublisher(port.clone());
    loop {
        let wait = port.sim.state().chance.millis(1_000, 3_000);
        sleep(wait).await;
        let (none, off) = {
            let state = port.sim.state();
            (
                state.overdue().is_empty(),
                state.settings.is(Planted::NoRelay),
            )
        };
        if none || off || !port.is_alive() {
            continue;
        }
        let Ok(mut tx) = SimStore(port.clone()).begin().await else {
            continue;
        };
        let rows = tx.on(|state| state.overdue()).await;
        drop(tx);
        let wires: Vec<_> = rows.iter().map(|sent| sent.wire.clone()).collect();
        let results = publisher.publish(&wires).await;
        let confirmed = rows
            .iter()
            .zip(results)
            .filter(|(_, result)| result.is_ok());
        let confirmed: Vec<_> = confirmed.map(|(sent, _)| sent.row).collect();
        delete(&port, &confirmed).await;
    }
}

/// Deletes rows whose messages are confirmed.
async fn purge(
    port: Port,
    mut rows: tokio::sync::mpsc::UnboundedReceiver<boxoffice_runtime::simulation::Row>,
) {
    let mut confirmed = Vec::new();
    while rows.recv_many(&mut confirmed, 100).await > 0 {
        sleep(Duration::from_millis(100)).await;
        while !delete(&port, &confirmed).await {
            sleep(Duration::from_secs(1)).await;
        }
        confirmed.clear();
    }
}

async fn delete(port: &Port, rows: &[boxoffice_runtime::simulation::Row]) -> bool {
    if rows.is_empty() {
        return true;
    }
    let Ok(mut tx) = SimStore(port.clone()).begin().await else {
        return false;
    };
    tx.delete(rows).await;
    tx.commit().await.is_ok()
}
