//! What the simulated proxy counts of requests that were divided by chance, by the state that
//! divided them.

use ripcord_core::analysis::ArmCounts;
use ripcord_core::model::{ReleaseId, Split};
use ripcord_engine::{Arm, Period, Periods};
use std::collections::{BTreeSet, VecDeque};

/// How many periods the proxy remembers.
const PERIODS_MAX: usize = 16;

/// The counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted {
    number: u64,
    periods: VecDeque<Known>,
}

/// One period, and the users that were counted in it.
#[derive(Debug, Clone)]
struct Known {
    period: Period,
    users: BTreeSet<u64>,
}

impl Counted {
    /// A new state divides from now on.
    pub(crate) fn begin(&mut self, split: Split) {
        self.number += 1;
        let period = Period { number: self.number, split, ..Period::default() };
        self.periods.push_back(Known { period, users: BTreeSet::new() });
        while self.periods.len() > PERIODS_MAX {
            self.periods.pop_front();
        }
    }

    /// The period that divides now.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A request of a period was answered. Where users keep their release, the first answer of
    /// each counts.
    pub(crate) fn answered(
        &mut self,
        number: u64,
        release: &ReleaseId,
        user: Option<u64>,
        error: bool,
    ) {
        let Some(known) = self.periods.iter_mut().find(|known| known.period.number == number)
        else {
            return;
        };
        let arm: &mut Arm = known.period.arms.entry(release.clone()).or_default();
        arm.requests_all += 1;
        if user.is_some_and(|user| !known.users.insert(user)) {
            return;
        }
        let ArmCounts { requests, errors, .. } = &mut arm.counts;
        *requests += 1;
        *errors += u64::from(error);
    }

    /// What is told to whoever asks.
    pub(crate) fn periods(&self, epoch: u64) -> Periods {
        Periods { epoch, periods: self.periods.iter().map(|known| known.period.clone()).collect() }
    }
}
