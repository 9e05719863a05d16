//! What each role is doing, for `/readyz` and the pages.

use crate::{Cause, Service};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What a role is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleState {
    Starting,
    Running,
    /// Waits until a service is there again.
    Paused {
        service: Service,
        cause: Cause,
    },
    Stopped,
}

impl RoleState {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Stopped => "stopped",
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    state: RoleState,
    since: Instant,
    progress: Option<Instant>,
}

/// One role as it is now.
#[derive(Debug, Clone)]
pub struct RoleHealth {
    pub role: &'static str,
    pub state: RoleState,
    pub state_for: Duration,
    /// Since it last settled something.
    pub last_progress: Option<Duration>,
}

/// A handle to the states of all roles of a process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, Entry>>>);

impl Health {
    /// Every role, sorted by name.
    #[must_use]
    pub fn roles(&self) -> Vec<RoleHealth> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .map(|(role, entry)| RoleHealth {
                role,
                state: entry.state.clone(),
                state_for: entry.since.elapsed(),
                last_progress: entry.progress.map(|at| at.elapsed()),
            })
            .collect()
    }

    /// Whether there are roles and every one is running.
    #[must_use]
    pub fn ready(&self) -> bool {
        let roles = self.roles();
        !roles.is_empty() && roles.iter().all(|role| role.state == RoleState::Running)
    }

    pub(crate) fn set(&self, role: &'static str, state: RoleState) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = entries.get(role).and_then(|entry| entry.progress);
        let since = Instant::now();
        entries.insert(
            role,
            Entry {
                state,
                since,
                progress,
            },
        );
    }

    pub(crate) fn progressed(&self, role: &'static str) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(role) {
            entry.progress = Some(Instant::now());
        }
    }
}
