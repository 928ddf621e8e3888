//! Downtime windows: requests get a page, and fingerprints of every table prove afterwards
//! whether anything was written.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::failure::{Code, Failure};
use ripcord_core::model::{Digest, PlanId, Requests, TrafficState};
use ripcord_core::run::{Draft, Event, Subject};
use ripcord_engine::{Ledger, Ticket};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// What people see during a downtime window.
pub(crate) const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<title>Back soon</title><h1>Back soon</h1><p>We are at work on this service. Please come back in a few minutes.</p></html>";

/// What opening or closing a window led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Maintenance {
    /// It is open now.
    Opened,
    /// It is closed now; these tables were written meanwhile.
    Closed {
        /// By name.
        written: Vec<String>,
    },
    /// It already was as asked.
    Unchanged,
}

impl Controller {
    /// Opens or closes the downtime window of an environment.
    pub(crate) fn maintenance(
        &self,
        environment: &EnvironmentControl,
        on: bool,
        by: &str,
        reason: &str,
    ) -> Result<Maintenance, Failure> {
        // Repairs give way at once.
        environment.wake();
        let _turn = environment.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let observed = self.observe(environment)?;
        if observed.history.running.is_some() {
            return Err(Failure::new(Code::OperationRunning, "a plan is running")
                .hint("wait for its end, or abort it: `ripcord status`, `ripcord abort`"));
        }
        match (&observed.history.maintenance, on) {
            (None, true) => {
                let requests = Requests::Maintenance { page: PAGE.to_owned() };
                self.set_requests(environment, &observed.traffic, requests)?;
                let fingerprints = fingerprints(environment)?;
                let event = Event::MaintenanceOn { reason: reason.to_owned(), fingerprints };
                self.write(environment, by, event)?;
                Ok(Maintenance::Opened)
            }
            (Some((_, before)), false) => {
                let written = differing(before, &fingerprints(environment)?);
                let event = Event::MaintenanceOff { written: written.clone() };
                self.write(environment, by, event)?;
                self.set_requests(environment, &observed.traffic, Requests::Flowing)?;
                Ok(Maintenance::Closed { written })
            }
            _ => Ok(Maintenance::Unchanged),
        }
    }

    fn set_requests(
        &self,
        environment: &EnvironmentControl,
        traffic: &TrafficState,
        requests: Requests,
    ) -> Result<(), Failure> {
        let plan = PlanId::from("maintenance");
        let drain_ms_max = environment.settings().policy.drain_ms_max;
        let ticket = Ticket {
            plan: &plan,
            step: 0,
            fence: self.ledger.fence(),
            deadline_ms: drain_ms_max + 10_000,
            stop: &|| false,
        };
        let state = TrafficState { requests, ..traffic.clone() };
        let done = environment.world().traffic.ensure(&state, drain_ms_max, &ticket);
        done.map(drop).map_err(|error| Failure::new(Code::CannotObserve, error.to_string()))
    }

    fn write(
        &self,
        environment: &EnvironmentControl,
        by: &str,
        event: Event,
    ) -> Result<(), Failure> {
        let subject = Subject::Environment(environment.name.clone());
        let written = self.ledger.append(Draft { subject, by: by.to_owned(), event });
        environment.wake();
        written.map(drop).map_err(|error| Failure::new(Code::LedgerUnusable, error.to_string()))
    }
}

fn fingerprints(environment: &EnvironmentControl) -> Result<BTreeMap<String, Digest>, Failure> {
    let Some(database) = environment.world().database else { return Ok(BTreeMap::new()) };
    let found = database.fingerprints();
    found.map_err(|error| Failure::new(Code::CannotObserve, error.to_string()))
}

fn differing(before: &BTreeMap<String, Digest>, after: &BTreeMap<String, Digest>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    names.into_iter().filter(differs).cloned().collect()
}
