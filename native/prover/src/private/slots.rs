//! Which openings of a commitment this process has made.
//!
//! The caller counts openings where a process does not lose the count, and takes each slot there before it is
//! used here. This is a second guard: a slot that comes twice within one process is refused.

use crate::error::ProveError;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The slots of one commitment.
pub(super) struct Slots {
    openings: u64,
    used: Mutex<BTreeSet<u64>>,
}

impl Slots {
    pub(super) fn new(openings: u32) -> Self {
        Self {
            openings: openings.into(),
            used: Mutex::default(),
        }
    }

    /// How many openings there are in all.
    pub(super) const fn openings(&self) -> u64 {
        self.openings
    }

    fn used(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a slot that is used or that there is not, the last `kept` ones among them.
    pub(super) fn check(&self, slot: u64, kept: u64) -> Result<(), ProveError> {
        let openings = self.openings.saturating_sub(kept);
        if slot >= openings {
            return Err(ProveError::Slot { slot, openings });
        }
        if self.used().contains(&slot) {
            return Err(ProveError::Spent(slot));
        }
        Ok(())
    }

    /// Uses a slot, before its opening is made: one that fails after that is spent.
    pub(super) fn take(&self, slot: u64) -> Result<(), ProveError> {
        if self.used().insert(slot) {
            Ok(())
        } else {
            Err(ProveError::Spent(slot))
        }
    }

    /// Forgets what was used.
    #[cfg(feature = "audit")]
    pub(super) fn forget(&self) {
        self.used().clear();
    }
}
