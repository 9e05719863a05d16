//! Breadth first through every world that can follow, each world once.

use crate::{
    gateway,
    invariants::{always, at_rest, is_at_rest, story},
    keys::{Keys, key},
    shell::{Handled, handle, take},
    world::{Decide, Msg, Op, POLICY, Scenario, World, operation_number},
};
use boxoffice_saga::{Input, Status};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    fmt,
    hash::BuildHasherDefault,
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

#[derive(Clone, Copy)]
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

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => write!(f, "start"),
            Self::Deliver(booking, msg) => write!(f, "{booking}: {msg:?}"),
            Self::DeliverTwice(booking, msg) => write!(f, "{booking}: {msg:?}, and again later"),
            Self::CrashAfterCommit(booking, msg) => write!(f, "{booking}: {msg:?}, then a crash"),
            Self::InboxHit(booking, msg) => write!(f, "{booking}: {msg:?} is known to the inbox"),
            Self::Tick(booking) => write!(f, "{booking}: due"),
            Self::ShownEndPasses(booking) => write!(f, "{booking}: the shown end passes"),
            Self::Outside(booking, what) => write!(f, "{booking}: {what}"),
        }
    }
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
    if let Input::Mend(order) = input {
        let done = &world.sides[index].operations[operation_number(order.operation)];
        if *done == Op::Done {
            *explored.stories.entry(order.as_str()).or_default() += 1;
        }
    }
    handled
}

/// Which of the customer's commands it is.
pub(crate) fn operation_of(msg: Msg) -> Option<usize> {
    match msg {
        Msg::Submit => Some(0),
        Msg::Pay(number) | Msg::Cancel(number, ..) | Msg::Mend(number, _) => {
            Some(usize::from(number))
        }
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
        steps.push(origin.what.to_string());
        number = origin.parent;
    }
    steps.reverse();
    steps
}
