//! Whether each queue of a role is consumed. Three wills meet here: a person's hold, the outage of a service,
//! the end of the process.

use crate::{Service, controls::Hold, reader::Mode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// One role's gate: a slot for each of its queues, one for a role without.
#[derive(Debug)]
pub(crate) struct Gate {
    will: Mutex<Will>,
    modes: Vec<watch::Sender<Mode>>,
    /// What people want each consumer to take ahead; `None`: what the topology says.
    prefetches: Vec<watch::Sender<Option<u16>>>,
}

#[derive(Debug)]
struct Will {
    stopping: bool,
    paused: Option<Service>,
    /// `None` until the controls were read for the first time: a hold outlives the restart of a worker.
    holds: Option<Vec<Option<Hold>>>,
}

impl Will {
    fn mode(&self, slot: usize) -> Mode {
        let held = match &self.holds {
            None => true,
            Some(holds) => holds.get(slot).is_some_and(Option::is_some),
        };
        if self.stopping {
            Mode::Stop
        } else if held || self.paused.is_some() {
            Mode::Hold
        } else {
            Mode::Consume
        }
    }
}

impl Gate {
    pub(crate) fn new(queues: usize) -> Self {
        Self {
            will: Mutex::new(Will {
                stopping: false,
                paused: None,
                holds: None,
            }),
            modes: (0..queues.max(1))
                .map(|_| watch::Sender::new(Mode::Hold))
                .collect(),
            prefetches: (0..queues).map(|_| watch::Sender::new(None)).collect(),
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.modes.len()
    }

    pub(crate) fn subscribe(&self, slot: usize) -> watch::Receiver<Mode> {
        self.modes[slot].subscribe()
    }

    pub(crate) fn prefetch(&self, slot: usize) -> watch::Receiver<Option<u16>> {
        self.prefetches[slot].subscribe()
    }

    pub(crate) fn take_ahead(&self, slot: usize, prefetch: Option<u16>) {
        self.prefetches[slot]
            .send_if_modified(|known| std::mem::replace(known, prefetch) != prefetch);
    }

    pub(crate) fn stop(&self) {
        self.change(|will| will.stopping = true);
    }

    pub(crate) fn pause(&self, service: Service) {
        self.change(|will| will.paused = Some(service));
    }

    pub(crate) fn resume(&self) {
        self.change(|will| will.paused = None);
    }

    /// What people want, one for each slot.
    pub(crate) fn hold(&self, holds: Vec<Option<Hold>>) {
        self.change(|will| will.holds = Some(holds));
    }

    /// What a beat tells of a slot.
    pub(crate) fn state(&self, slot: usize, in_hand: usize) -> (&'static str, Option<Service>) {
        let will = self.will();
        let hold = will
            .holds
            .as_ref()
            .map(|holds| holds.get(slot).copied().flatten());
        let state = match (will.stopping, will.paused, hold) {
            (true, ..) => "stopped",
            (_, Some(_), _) => "paused",
            (_, None, None) => "starting",
            (_, None, Some(None)) => "running",
            (_, None, Some(Some(Hold::Pause))) => "held",
            (_, None, Some(Some(Hold::Drain))) if in_hand > 0 => "draining",
            (_, None, Some(Some(Hold::Drain))) => "drained",
        };
        (state, will.paused)
    }

    fn change(&self, change: impl FnOnce(&mut Will)) {
        let mut will = self.will();
        change(&mut will);
        for (slot, sender) in self.modes.iter().enumerate() {
            let wanted = will.mode(slot);
            sender.send_if_modified(|mode| std::mem::replace(mode, wanted) != wanted);
        }
    }

    fn will(&self) -> MutexGuard<'_, Will> {
        self.will.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_consumed_only_when_nobody_objects() {
        let gate = Gate::new(2);
        let modes = [gate.subscribe(0), gate.subscribe(1)];
        let now = || modes.each_ref().map(|mode| *mode.borrow());
        assert_eq!(now(), [Mode::Hold; 2], "the controls are not known yet");
        assert_eq!(gate.state(0, 0).0, "starting");
        gate.hold(vec![None, Some(Hold::Pause)]);
        assert_eq!(now(), [Mode::Consume, Mode::Hold]);
        assert_eq!(gate.state(1, 3).0, "held");
        gate.pause(Service::Gateway);
        assert_eq!(now(), [Mode::Hold; 2]);
        assert_eq!(gate.state(0, 0), ("paused", Some(Service::Gateway)));
        gate.hold(vec![None, None]);
        assert_eq!(now(), [Mode::Hold; 2], "the service is still away");
        gate.resume();
        assert_eq!(now(), [Mode::Consume; 2]);
        gate.hold(vec![Some(Hold::Drain), None]);
        assert_eq!(gate.state(0, 1).0, "draining");
        assert_eq!(gate.state(0, 0).0, "drained");
        gate.stop();
        gate.resume();
        assert_eq!(now(), [Mode::Stop; 2]);
    }
}
