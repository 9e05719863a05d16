//! Breadth first through every world that can follow, each world once.

use crate::{
    gateway,
    invariants::{always, at_rest, is_at_rest, story},
    shell::{Handled, handle, take},
    world::{Decide, Msg, POLICY, Scenario, World},
};
use boxoffice_contracts::Instant;
use boxoffice_saga::{Booking, Capture, Input, Status, booking::Hold};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// More than any scenario needs: a mutant may open a world without end.
const WORLDS_MAX: usize = 3_000_000;

#[derive(Debug, Default)]
pub(crate) struct Explored {
    pub(crate) worlds: usize,
    pub(crate) moves: usize,
    pub(crate) rests: usize,
    pub(crate) stories: BTreeMap<&'static str, usize>,
}

#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) invariant: &'static str,
    /// How the world came to be.
    pub(crate) trace: Vec<String>,
}

/// Where a world came from.
struct Origin {
    parent: u32,
    what: Move,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Start,
    Deliver(usize, Msg),
    DeliverTwice(usize, Msg),
    CrashAfterCommit(usize, Msg),
    InboxHit(usize, Msg),
    Tick(usize),
    ShownEndPasses(usize),
    Outside(usize, &'static str),
}

/// # Errors
/// With the first invariant that a world breaks.
pub(crate) fn explore(scenario: &Scenario, decide: Decide<'_>) -> Result<Explored, Broken> {
    let mut explored = Explored::default();
    let mut seen: HashMap<u64, u32, BuildHasherDefault<Keys>> = HashMap::default();
    let mut origins = vec![Origin {
        parent: 0,
        what: Move::Start,
    }];
    // Backwards, from each world to those it can come from.
    let mut parents: Vec<Vec<u32>> = vec![Vec::new()];
    let mut rests = Vec::new();
    let start = World::new(scenario);
    seen.insert(key(&start, scenario), 0);
    let mut todo = VecDeque::from([(0_u32, start)]);
    let mut moves = Vec::new();
    while let Some((number, world)) = todo.pop_front() {
        let fail = |invariant, origins: &[Origin]| Broken {
            invariant,
            trace: trace(origins, number),
        };
        if let Some(invariant) = always(&world, scenario) {
            return Err(fail(invariant, &origins));
        }
        if is_at_rest(&world) {
            if let Some(invariant) = at_rest(&world, scenario) {
                return Err(fail(invariant, &origins));
            }
            rests.push(number);
        }
        successors(&world, scenario, decide, &mut explored, &mut moves);
        for (what, next) in moves.drain(..) {
            explored.moves += 1;
            let child = match seen.entry(key(&next, scenario)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => {
                    let child = origins.len() as u32;
                    place.insert(child);
                    origins.push(Origin {
                        parent: number,
                        what,
                    });
                    parents.push(Vec::new());
                    todo.push_back((child, next));
                    child
                }
            };
            parents[child as usize].push(number);
        }
        if origins.len() > WORLDS_MAX {
            return Err(fail("the world is finite", &origins));
        }
    }
    explored.worlds = origins.len();
    explored.rests = rests.len();
    match stuck(&parents, &rests) {
        Some(number) => Err(Broken {
            invariant: "every world can come to rest",
            trace: trace(&origins, number),
        }),
        None => Ok(explored),
    }
}

fn successors(
    world: &World,
    scenario: &Scenario,
    decide: Decide<'_>,
    explored: &mut Explored,
    moves: &mut Vec<(Move, World)>,
) {
    for (place, envelope) in world.queue.iter().enumerate() {
        let (index, msg) = (envelope.booking, envelope.msg);
        if envelope.handled {
            let mut next = world.clone();
            next.queue.remove(place);
            moves.push((Move::InboxHit(index, msg), next));
            continue;
        }
        match world.input(scenario, envelope) {
            Some(input) => {
                let mut next = world.clone();
                take(&mut next, place, false);
                if decided(&mut next, scenario, decide, index, &input, explored)
                    == Handled::Deferred
                {
                    continue;
                }
                if world.budget.crash > 0 {
                    let mut crashed = next.clone();
                    crashed.budget.crash -= 1;
                    let mut again = *envelope;
                    again.handled = true;
                    if let Err(place) = crashed.queue.binary_search(&again) {
                        crashed.queue.insert(place, again);
                    }
                    moves.push((Move::CrashAfterCommit(index, msg), crashed));
                }
                // Commands have an operation id: only the gateway's news come in two messages.
                let news = operation_of(msg).is_none();
                if world.budget.dup > 0 && news {
                    let mut again = next.clone();
                    again.budget.dup -= 1;
                    again.send(index, msg);
                    moves.push((Move::DeliverTwice(index, msg), again));
                }
                moves.push((Move::Deliver(index, msg), next));
            }
            None => {
                let mut called = world.clone();
                take(&mut called, place, false);
                for next in gateway::call(&called, scenario, envelope) {
                    if world.budget.dup > 0 {
                        let mut again = next.clone();
                        again.budget.dup -= 1;
                        again.send(index, msg);
                        moves.push((Move::DeliverTwice(index, msg), again));
                    }
                    moves.push((Move::Deliver(index, msg), next));
                }
            }
        }
    }
    for (index, side) in world.sides.iter().enumerate() {
        let Some(booking) = side.booking.as_deref() else {
            continue;
        };
        if let Some(wake_at) = booking.wake_at(&POLICY) {
            let mut next = world.clone();
            next.now = next.now.max(wake_at);
            decided(&mut next, scenario, decide, index, &Input::Tick, explored);
            moves.push((Move::Tick(index), next));
        }
        if let Some(hold) = &booking.hold
            && world.now <= hold.expires_at
            && matches!(booking.status, Status::Held | Status::Authorizing(_))
        {
            let mut next = world.clone();
            next.now = hold.expires_at + TimeDelta::seconds(1);
            moves.push((Move::ShownEndPasses(index), next));
        }
        for (what, next) in gateway::by_itself(world, index) {
            moves.push((Move::Outside(index, what), next));
        }
    }
}

fn decided(
    world: &mut World,
    scenario: &Scenario,
    decide: Decide<'_>,
    index: usize,
    input: &Input,
    explored: &mut Explored,
) -> Handled {
    let before = world.sides[index].booking.clone();
    let handled = handle(world, scenario, decide, index, input);
    if let (Some(before), Some(after)) = (&before, &world.sides[index].booking)
        && let Some(story) = story(before, after)
    {
        *explored.stories.entry(story).or_default() += 1;
    }
    handled
}

/// Which of the customer's commands it is.
pub(crate) fn operation_of(msg: Msg) -> Option<usize> {
    match msg {
        Msg::Submit => Some(0),
        Msg::Pay(number) | Msg::Cancel(number, ..) => Some(usize::from(number)),
        Msg::Authorized { .. }
        | Msg::ActionRequired { .. }
        | Msg::Declined { .. }
        | Msg::Unknown { .. }
        | Msg::Captured { .. }
        | Msg::CaptureFailed { .. }
        | Msg::Voided { .. }
        | Msg::Refunded { .. }
        | Msg::RefundFailed { .. }
        | Msg::Rendered { .. }
        | Msg::DoAuthorize { .. }
        | Msg::DoReconcile { .. }
        | Msg::DoCapture { .. }
        | Msg::DoVoid { .. }
        | Msg::DoRefund { .. }
        | Msg::DoRender { .. } => None,
    }
}

/// A world from which no rest can be reached, if there is one.
fn stuck(parents: &[Vec<u32>], rests: &[u32]) -> Option<u32> {
    let mut ends = vec![false; parents.len()];
    let mut todo = rests.to_vec();
    while let Some(number) = todo.pop() {
        if !std::mem::replace(&mut ends[number as usize], true) {
            todo.extend(&parents[number as usize]);
        }
    }
    ends.iter()
        .position(|ends| !ends)
        .map(|number| number as u32)
}

fn trace(origins: &[Origin], mut number: u32) -> Vec<String> {
    let mut steps = Vec::new();
    while number != 0 {
        let origin = &origins[number as usize];
        steps.push(format!("{:?}", origin.what));
        number = origin.parent;
    }
    steps.reverse();
    steps
}

/// Two worlds with the same key have the same future: versions are left out, time is relative, and bookings
/// that ask for the same have no names.
fn key(world: &World, scenario: &Scenario) -> u64 {
    let mut sides = [0; 2];
    for (index, side) in world.sides.iter().enumerate() {
        let mut keys = Keys::default();
        if let Some(booking) = side.booking.as_deref() {
            booking_key(booking, world.now, &mut keys);
        }
        side.intents.hash(&mut keys);
        keys.write_usize(side.refunds.len());
        for (_, amount) in &side.refunds {
            amount.hash(&mut keys);
        }
        side.operations.hash(&mut keys);
        keys.write_u16(side.tickets);
        for claim in &world.seats {
            claim
                .filter(|claim| claim.booking == index)
                .map(|claim| (claim.epoch, claim.sold))
                .hash(&mut keys);
        }
        for envelope in world.queue.iter().filter(|e| e.booking == index) {
            match envelope.msg {
                Msg::DoRefund { amount, .. } => (1, amount).hash(&mut keys),
                Msg::Refunded { amount, .. } => (2, amount).hash(&mut keys),
                msg => msg.hash(&mut keys),
            }
            envelope.handled.hash(&mut keys);
        }
        sides[index] = keys.finish();
    }
    if scenario.wants.len() == 2 && scenario.wants[0] == scenario.wants[1] {
        sides.sort_unstable();
    }
    let mut keys = Keys::default();
    sides.hash(&mut keys);
    world.budget.hash(&mut keys);
    world.broken.is_some().hash(&mut keys);
    keys.finish()
}

fn booking_key(booking: &Booking, now: Instant, keys: &mut Keys) {
    // Whatever lies behind is over, however long.
    let ahead = |at: Instant| (at - now).num_seconds().clamp(-1, 100);
    let status = match booking.status {
        Status::Confirmed(Capture::Failed { pay_again_until }) => {
            keys.write_i64(ahead(pay_again_until));
            None
        }
        Status::Confirmed(Capture::Repaying {
            pay_again_until,
            phase,
        }) => {
            keys.write_i64(ahead(pay_again_until).max(-1));
            phase.hash(keys);
            None
        }
        Status::Confirmed(Capture::InFlight)
        | Status::Waiting
        | Status::Held
        | Status::Authorizing(_)
        | Status::Paid
        | Status::Completed
        | Status::Cancelling
        | Status::Refunding
        | Status::Rejected
        | Status::PaymentFailed
        | Status::Expired
        | Status::Cancelled
        | Status::Refunded => Some(booking.status),
    };
    status.hash(keys);
    // Where only a repetition waits, it may come at any time: when does not matter.
    if matches!(
        booking.status,
        Status::Held
            | Status::Authorizing(_)
            | Status::Confirmed(Capture::Failed { .. } | Capture::Repaying { .. })
    ) {
        keys.write_i64(booking.wake_at(&POLICY).map_or(-2, ahead));
    }
    if let (Status::Held | Status::Authorizing(_), Some(hold)) = (booking.status, &booking.hold) {
        let Hold {
            first_held_at: _,
            expires_at,
            grace_until,
            cap_at,
        } = hold;
        for at in [expires_at, grace_until, cap_at] {
            keys.write_i64(ahead(*at));
        }
    }
    (booking.resends > 0).hash(keys);
    booking.epoch.hash(keys);
    booking.positions.hash(keys);
    booking.payment.hash(keys);
    keys.write_usize(booking.refunds.len());
    for line in &booking.refunds {
        line.amount_minor.hash(keys);
        line.state.hash(keys);
    }
    booking.pending_cancel.hash(keys);
    booking.ticket_revision.hash(keys);
    booking.mailed_revision.hash(keys);
    booking.attention.hash(keys);
}

/// FNV over words: keys are compared a million times, nobody attacks them.
#[derive(Clone, Copy)]
pub(crate) struct Keys(u64);

impl Default for Keys {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Keys {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }
    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_i64(&mut self, n: i64) {
        self.write_u64(n.cast_unsigned());
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.write_u64(n.cast_unsigned() as u64);
    }
}
