//! What has happened in an environment, folded once and kept up to date: looking again costs one
//! query for what is new, however long the ledger has become. The ledger stays the only truth;
//! starting a plan reads it whole.

use ripcord_core::model::EnvironmentName;
use ripcord_core::plan::Plan;
use ripcord_core::run::{Entry, Event, History, Subject};
use ripcord_engine::{Ledger, LedgerError};

/// The past of one environment, as far as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    /// The sequence of the newest entry that was read.
    pub(crate) sequence: u64,
    /// What the entries add up to.
    pub(crate) history: History,
    /// The plan that is not over, with its entries.
    pub(crate) running: Option<Running>,
}

/// A plan that is not over.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) plan: Plan,
    /// The sequence of the entry before it began.
    pub(crate) before: u64,
    pub(crate) entries: Vec<Entry>,
}

impl Past {
    /// Takes over what is new.
    pub(crate) fn refresh(
        &mut self,
        ledger: &dyn Ledger,
        environment: &EnvironmentName,
    ) -> Result<(), LedgerError> {
        for entry in ledger.entries(environment, self.sequence)? {
            self.take(entry);
        }
        Ok(())
    }

    fn take(&mut self, entry: Entry) {
        self.history.take(&entry);
        if let Event::PlanStarted { plan } = &entry.event {
            let plan = Plan::clone(plan);
            let before = entry.sequence.saturating_sub(1);
            self.running = Some(Running { plan, before, entries: Vec::new() });
        }
        self.sequence = entry.sequence;
        let Subject::Plan { plan: of, .. } = &entry.subject else { return };
        let Some(running) = self.running.as_mut().filter(|running| &running.plan.id == of) else {
            return;
        };
        if matches!(entry.event, Event::Finished { .. }) {
            self.running = None;
        } else {
            running.entries.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ripcord_core::run::Draft;
    use ripcord_engine::control;
    use ripcord_ledger::{OpenOptions, SqliteLedger};
    use std::time::{Duration, Instant};

    /// The fold is what reading everything says, and a look that finds nothing new is cheap.
    #[test]
    fn as_good_as_reading_everything_and_cheaper() {
        let directory = tempfile::tempdir().unwrap();
        let options = OpenOptions::new("test", || jiff::Timestamp::UNIX_EPOCH);
        let ledger = SqliteLedger::open(directory.path(), options).unwrap();
        let name = EnvironmentName::from("test");
        for number in 0..20_000 {
            let what = format!("number {number}");
            let subject = Subject::Environment(name.clone());
            let event = Event::Repaired { what };
            ledger.append(Draft { subject, by: "test".into(), event }).unwrap();
        }
        let began = Instant::now();
        let whole = control::history(&ledger, &name).unwrap();
        let running = control::running_plan(&ledger, &name).unwrap();
        eprintln!("MEASURE both {:?} {:?}", began.elapsed(), running.is_none());
        let mut past = Past::default();
        past.refresh(&ledger, &name).unwrap();
        drop(whole);
        assert_eq!(past.history, control::history(&ledger, &name).unwrap());
        assert_eq!(past.sequence, ledger.head().sequence);
        let began = Instant::now();
        for _ in 0..20 {
            past.refresh(&ledger, &name).unwrap();
        }
        eprintln!("MEASURE 20 {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
    }
}
