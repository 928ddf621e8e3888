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
    use ripcord_core::model::{Generation, PlanId};
    use ripcord_core::plan::{Forecast, Intent};
    use ripcord_core::run::{Draft, Outcome};
    use ripcord_engine::control;
    use ripcord_ledger::{OpenOptions, SqliteLedger};
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    /// Long enough that reading all of it takes longer than a look may.
    const LONG: u64 = 4_000;

    fn ledger(directory: &Path) -> SqliteLedger {
        let options = OpenOptions::new("test", || jiff::Timestamp::UNIX_EPOCH);
        SqliteLedger::open(directory, options).unwrap()
    }

    fn write(ledger: &SqliteLedger, subject: Subject, event: Event) {
        ledger.append(Draft { subject, by: "test".into(), event }).unwrap();
    }

    /// The fold is what reading everything says, and a look that finds nothing new is cheap.
    #[test]
    fn as_good_as_reading_everything_and_cheaper() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = ledger(directory.path());
        let name = EnvironmentName::from("test");
        for number in 0..LONG {
            let event = Event::Repaired { what: format!("number {number}") };
            write(&ledger, Subject::Environment(name.clone()), event);
        }
        let mut past = Past::default();
        past.refresh(&ledger, &name).unwrap();
        assert_eq!(past.history, control::history(&ledger, &name).unwrap());
        assert_eq!(past.sequence, ledger.head().sequence);
        let looks = 20;
        let began = Instant::now();
        for _ in 0..looks {
            past.refresh(&ledger, &name).unwrap();
        }
        assert!(began.elapsed() < looks * Duration::from_millis(5), "{:?}", began.elapsed());
    }

    fn plan(generation: u64, to: &str) -> Plan {
        let mut plan = Plan {
            format: Plan::FORMAT,
            id: PlanId(String::new()),
            environment: "test".into(),
            based_on: Generation(generation),
            intent: Intent::Deploy,
            from: None,
            to: to.into(),
            abort_on_deadline: true,
            steps: Vec::new(),
            forecast: Forecast::without_schema(jiff::Timestamp::UNIX_EPOCH),
            report: Vec::new(),
            accepted: None,
        };
        plan.id = plan.computed_id();
        plan
    }

    /// Whenever one looks, one sees what reading everything shows, other environments aside.
    #[test]
    fn follows_each_plan_from_its_beginning_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = ledger(directory.path());
        let name = EnvironmentName::from("test");
        let mut past = Past::default();
        for (generation, to) in [(0, "v1"), (1, "v2")] {
            let plan = plan(generation, to);
            let of = |environment: &str| Subject::Plan {
                environment: environment.into(),
                plan: plan.id.clone(),
                step: 0,
            };
            let started = || Event::PlanStarted { plan: Arc::new(plan.clone()) };
            for (subject, event, entries) in [
                (of("other"), started(), None),
                (of("test"), started(), Some(1)),
                (Subject::Environment(name.clone()), Event::Resumed, Some(1)),
                (of("test"), Event::Promoted, Some(2)),
                (of("other"), Event::Finished { outcome: Outcome::Live }, Some(2)),
                (of("test"), Event::Finished { outcome: Outcome::Live }, None),
                (of("test"), Event::Retried, None),
            ] {
                write(&ledger, subject, event);
                past.refresh(&ledger, &name).unwrap();
                assert_eq!(past.history, control::history(&ledger, &name).unwrap());
                let running = past.running.as_ref();
                let whole = control::running_plan(&ledger, &name).unwrap();
                assert_eq!(running.map(|running| running.plan.clone()), whole);
                assert_eq!(running.map(|running| running.entries.len()), entries);
                if let Some(running) = running {
                    let after = ledger.entries(&name, running.before).unwrap();
                    assert_eq!(after.first(), running.entries.first());
                }
            }
        }
    }
}
