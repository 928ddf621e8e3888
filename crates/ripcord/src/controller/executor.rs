//! The thread of an environment: runs the plan that the ledger says is running, and puts right
//! what drifts while none is.

use crate::controller::Controller;
use crate::controller::crash::Plugged;
use crate::controller::environment::EnvironmentControl;
use ripcord_core::plan::{Intent, Plan};
use ripcord_core::run::{Draft, Event, Subject};
use ripcord_engine::{ExecuteError, Halt, Ledger, LedgerError, Runner};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often an idle environment is looked at.
const IDLE: Duration = Duration::from_millis(500);

/// Runs until the controller shuts down.
pub(crate) fn run(controller: &Controller, environment: &EnvironmentControl) {
    while !controller.shutdown.load(Ordering::SeqCst) {
        // What others want while this turn looks elsewhere must not wait for the next one.
        let mut known = environment.news();
        match turn(controller, environment) {
            Ok(Turn::Idle) => {}
            Ok(Turn::Worked) => {
                environment.wake();
                // This was only oneself.
                known += 1;
            }
            Err(error) => match error {
                // Without a journal nothing may be done; the process ends and recovers by
                // starting anew. A controller that was replaced ends as well.
                ExecuteError::Ledger(_) | ExecuteError::Corrupt(_) | ExecuteError::Fenced(_) => {
                    controller.fail(&error.to_string());
                    return;
                }
            },
        }
        environment.wait(known, IDLE);
    }
}

/// What became of a turn.
enum Turn {
    /// No plan runs.
    Idle,
    /// A plan ran, as far as it could.
    Worked,
}

fn turn(controller: &Controller, environment: &EnvironmentControl) -> Result<Turn, ExecuteError> {
    let past = environment.past(&controller.ledger)?;
    let Some(running) = past.running else {
        environment.traffic.look();
        controller.reconcile(environment);
        controller.clear_away();
        return Ok(Turn::Idle);
    };
    let plan = running.plan;
    // After a restart, a plan that goes back may use the reserve as before.
    controller.ledger.set_emergency(plan.intent == Intent::Rollback);
    let done = match execute(controller, environment, &plan, running.before) {
        Err(ExecuteError::Ledger(LedgerError::Full(why))) => {
            // No disk for going forward. The reserve is for going back.
            controller.ledger.set_emergency(true);
            let reason = format!("the disk is full: {why}");
            let subject = Subject::Plan {
                environment: environment.name.clone(),
                plan: plan.id.clone(),
                step: 0,
            };
            let event = Event::AbortRequested { reason };
            controller.ledger.append(Draft { subject, by: "ripcord".to_owned(), event })?;
            execute(controller, environment, &plan, running.before)
        }
        other => other,
    };
    if let Halt::Over(_) = done? {
        controller.clearing_due.store(true, Ordering::SeqCst);
    }
    Ok(Turn::Worked)
}

fn execute(
    controller: &Controller,
    environment: &EnvironmentControl,
    plan: &Plan,
    before: u64,
) -> Result<Halt, ExecuteError> {
    let shutdown = || controller.shutdown.load(Ordering::SeqCst);
    let ledger =
        Plugged { ledger: Arc::clone(&controller.ledger), point: Arc::clone(&controller.crash) };
    let runner = Runner::new(plan, &ledger, environment.world(), &shutdown).after(before);
    let halt = runner.run();
    if let Ok(Halt::Hold(_)) = halt {
        // Whoever waits for a person still watches.
        runner.tend();
    }
    halt
}
