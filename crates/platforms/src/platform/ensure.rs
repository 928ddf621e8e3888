//! Making it so: starting what is missing, waiting until all of it answers, stopping what is too
//! much. Every wait has an end and looks whether somebody asks to stop.

use crate::health;
use crate::platform::ProcessPlatform;
use crate::platform::part::Part;
use crate::unit::{Failed, Phase, Status, Unit};
use ripcord_engine::{Failure, Result, Ticket};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How long an instance may take to answer one question for its health.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(25);

/// How often an instance may end before it is ever ready.
const CRASHES_MAX: u32 = 3;

/// How often a shim is started for one instance within one attempt.
const STARTS_MAX: u32 = 3;

/// How many lines of the log a failure shows.
const LOG_LINES: usize = 5;

/// The instances of one part of a release on their way to being ready.
pub(super) struct Starting<'a> {
    platform: &'a ProcessPlatform,
    part: &'a Part,
    ticket: &'a Ticket<'a>,
    units: BTreeMap<u32, Unit>,
    /// How often each had been started again when this began.
    restarts: BTreeMap<u32, u32>,
    starts: BTreeMap<u32, u32>,
    ready: BTreeSet<u32>,
    ever_ready: BTreeSet<u32>,
    /// Since when the deadline runs.
    since: Instant,
}

impl<'a> Starting<'a> {
    /// Looks at what there is.
    pub(super) fn new(
        platform: &'a ProcessPlatform,
        part: &'a Part,
        count: u32,
        ticket: &'a Ticket<'a>,
    ) -> Result<Starting<'a>> {
        let found = platform.inventory.of(part)?;
        let restarts = found.iter().map(|(number, instance)| (*number, instance.restarts()));
        Ok(Starting {
            platform,
            part,
            ticket,
            units: (1..=count).map(|n| (n, platform.inventory.unit(part, n))).collect(),
            restarts: restarts.collect(),
            starts: BTreeMap::new(),
            ready: BTreeSet::new(),
            ever_ready: BTreeSet::new(),
            since: Instant::now(),
        })
    }

    /// Starts what does not run and waits until all is ready. Returns how many were started.
    pub(super) fn run(mut self) -> Result<usize> {
        loop {
            for number in self.waiting() {
                self.look_after(number)?;
            }
            self.probe();
            if self.waiting().is_empty() && self.all_still_ready() {
                return Ok(self.starts.len());
            }
            if (self.ticket.stop)() {
                return Err(Failure::Interrupted);
            }
            if self.since.elapsed() > Duration::from_millis(self.ticket.deadline_ms) {
                return Err(self.too_late());
            }
            std::thread::sleep(POLL);
        }
    }

    fn waiting(&self) -> Vec<u32> {
        self.units.keys().copied().filter(|number| !self.ready.contains(number)).collect()
    }

    /// Starts an instance that does not run, unless it cannot.
    fn look_after(&mut self, number: u32) -> Result<()> {
        let unit = &self.units[&number];
        if unit.is_running() {
            return self.crashes(number, unit);
        }
        let starts = self.starts.get(&number).copied().unwrap_or(0);
        if starts > 0
            && let Some(Status { phase: Phase::Failed(failed), .. }) = unit.status()
        {
            return Err(self.cannot_run(number, unit, &failed));
        }
        if starts >= STARTS_MAX {
            let what = format!("its shim ended {starts} times");
            return Err(Failure::Definite(self.describe(number, unit, &what)));
        }
        self.starts.insert(number, starts + 1);
        self.platform.start(self.part, number, self.ticket.fence)
    }

    /// Whether an instance ends again and again instead of becoming ready.
    fn crashes(&self, number: u32, unit: &Unit) -> Result<()> {
        let Some(status) = unit.status() else { return Ok(()) };
        let before = self.restarts.get(&number).copied().unwrap_or(0);
        let crashes = status.restarts.saturating_sub(before);
        if crashes < CRASHES_MAX {
            return Ok(());
        }
        let exit = status.last_exit.unwrap_or_else(|| "no exit status".to_owned());
        let what = format!("it ended {crashes} times without becoming ready, last with {exit}");
        Err(Failure::Definite(self.describe(number, unit, &what)))
    }

    /// Looks who became ready. Each that did gives the others time anew, once.
    fn probe(&mut self) {
        let ready = match self.part.role {
            None => self.answering(),
            Some(_) => self.settled(),
        };
        for number in ready {
            self.ready.insert(number);
            if self.ever_ready.insert(number) {
                self.since = Instant::now();
            }
        }
    }

    /// Those of the waiting that have stayed up for a moment.
    fn settled(&self) -> Vec<u32> {
        let settled = |number: &u32| {
            let unit = &self.units[number];
            unit.status().is_some_and(|status| unit.has_settled(&status))
        };
        self.waiting().into_iter().filter(settled).collect()
    }

    /// Those of the waiting that say so when they are asked.
    fn answering(&self) -> Vec<u32> {
        let asked: Vec<(u32, SocketAddr, String)> =
            self.waiting().into_iter().filter_map(|number| self.target(number)).collect();
        let targets: Vec<(SocketAddr, &str)> =
            asked.iter().map(|(_, address, path)| (*address, path.as_str())).collect();
        let answers = health::answer(&targets, PROBE_MAX);
        let answers = asked.iter().zip(answers).filter(|(_, answers)| *answers);
        answers.map(|((number, _, _), _)| *number).collect()
    }

    /// Whether those that were ready first did not end while the others were waited for.
    fn all_still_ready(&mut self) -> bool {
        let lost: Vec<u32> =
            self.units.keys().copied().filter(|number| !self.is_alive(*number)).collect();
        for number in &lost {
            self.ready.remove(number);
        }
        lost.is_empty()
    }

    fn is_alive(&self, number: u32) -> bool {
        let unit = &self.units[&number];
        let running = unit.status().is_some_and(|status| status.phase == Phase::Running);
        running && unit.is_running()
    }

    /// Whom to ask, while its process lives.
    fn target(&self, number: u32) -> Option<(u32, SocketAddr, String)> {
        if !self.is_alive(number) {
            return None;
        }
        let spec = self.units[&number].spec()?;
        Some((number, (Ipv4Addr::LOCALHOST, spec.port?).into(), spec.health?.path))
    }

    fn cannot_run(&self, number: u32, unit: &Unit, failed: &Failed) -> Failure {
        let what = self.describe(number, unit, &failed.to_string());
        match failed {
            Failed::CannotStart(_) => Failure::Definite(what),
            // The next attempt chooses another port.
            Failed::PortTaken(_) => Failure::Transient(what),
            Failed::Fenced { seen, ours } => Failure::Fenced { seen: *seen, ours: *ours },
        }
    }

    fn too_late(&self) -> Failure {
        let waiting = self.waiting();
        let ready = self.units.len() - waiting.len();
        let what = format!(
            "{ready} of {} instances of {} are ready, and no other became so within {} ms",
            self.units.len(),
            self.part,
            self.ticket.deadline_ms
        );
        let first = waiting.first().map(|number| (number, &self.units[number]));
        Failure::Deadline(match first {
            Some((number, unit)) => format!("{what}{}", log_of(*number, unit)),
            None => what,
        })
    }

    fn describe(&self, number: u32, unit: &Unit, what: &str) -> String {
        let log = log_of(number, unit);
        format!("instance {number} of {} does not run: {what}{log}", self.part)
    }
}

fn log_of(number: u32, unit: &Unit) -> String {
    let lines = unit.last_lines(LOG_LINES);
    if lines.is_empty() {
        return format!("; instance {number} has logged nothing");
    }
    format!("; the last lines of instance {number}:\n  | {}", lines.join("\n  | "))
}

/// Stops units gracefully, all at the same time, and removes them.
pub(super) fn stop(units: &[Unit], stop: &dyn Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    for unit in units {
        unit.ask_to_stop();
    }
    for unit in units {
        let allowed = unit.stop_max();
        while unit.is_running() {
            if stop() {
                return Err(Failure::Interrupted);
            }
            if began.elapsed() > allowed * 2 {
                let what =
                    format!("{} does not end although it was killed", unit.directory().display());
                return Err(Failure::Transient(what));
            }
            if began.elapsed() > allowed {
                unit.kill();
            } else {
                // A shim that had only just begun may not have been named when it was asked.
                unit.ask_to_stop();
            }
            std::thread::sleep(POLL);
        }
        unit.clear();
        unit.remove().map_err(Failure::transient)?;
    }
    Ok(())
}
