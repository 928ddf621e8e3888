//! The process platform: instances of releases as units on ports of the loopback address.

mod ensure;
mod inventory;
mod part;

use crate::fence;
use crate::health;
use crate::platform::ensure::Starting;
use crate::platform::inventory::{Instance, Inventory};
use crate::platform::part::Part;
use crate::unit::{Health, Limits, Phase, UnitSpec, Value};
use ripcord_core::model::{EnvironmentName, Fence, Instances, ReleaseId};
use ripcord_core::run::Receipt;
use ripcord_engine::{Failure, Platform, ReleaseState, Result, Ticket};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long an instance may take to answer when it is only looked at.
const OBSERVE_MAX: Duration = Duration::from_millis(300);

/// The size at which the log of an instance is put aside and begun anew.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Says how instances of a release are run; an error names what is missing.
pub type Template =
    Box<dyn Fn(&ReleaseId) -> std::result::Result<UnitTemplate, String> + Send + Sync>;

/// What a process platform needs to know.
pub struct ProcessOptions {
    /// Where the units of all environments are.
    pub root: PathBuf,
    /// Where the logs of this environment are.
    pub logs: PathBuf,
    /// Which environment.
    pub environment: EnvironmentName,
    /// The command that, with a unit's directory as its last argument, calls
    /// [`crate::run_shim`].
    pub launcher: Vec<OsString>,
    /// How instances of a release are run.
    pub template: Template,
}

/// How instances of a release are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitTemplate {
    /// Program and arguments. A program with a slash is found from the working directory.
    pub command: Vec<String>,
    /// The same for each role beside the web. All else is the same for them, but they have no port
    /// and nobody asks for their health.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Where it runs.
    pub working_directory: PathBuf,
    /// Its environment, besides `PORT` and the few variables that every process needs.
    pub environment: BTreeMap<String, Value>,
    /// How it says that it is ready.
    pub health: Health,
    /// How long it may take to end when asked to.
    pub stop_ms: u64,
    /// What it may use.
    pub limits: Limits,
}

/// Instances of releases as processes of this machine.
pub struct ProcessPlatform {
    options: ProcessOptions,
    inventory: Inventory,
}

/// One instance, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// Of which release.
    pub release: ReleaseId,
    /// Of which role; none for an instance that answers requests.
    pub role: Option<String>,
    /// Which of the instances, from 1.
    pub number: u32,
    /// Its process, while it has one.
    pub pid: Option<u32>,
    /// Where it listens; none for an instance of a role.
    pub address: Option<SocketAddr>,
    /// Where it stands; a unit whose shim is gone says what the shim last wrote.
    pub phase: Phase,
    /// Whether its shim lives.
    pub running: bool,
    /// How often it was started again since it was made.
    pub restarts: u32,
    /// Since when it is in this phase, in milliseconds of the wall clock.
    pub since_ms: u64,
    /// How its process last ended.
    pub last_exit: Option<String>,
}

impl ProcessPlatform {
    /// A platform that finds again whatever one of the same root and environment started.
    pub fn new(options: ProcessOptions) -> ProcessPlatform {
        let inventory = Inventory::new(options.root.join(options.environment.as_str()));
        ProcessPlatform { options, inventory }
    }

    /// Where the instances of a release listen, ready or not, in the order of their numbers. Of
    /// fewer instances the first ones remain: whoever lowers the number asks traffic to use only
    /// the first so many of these, and then stops the others, which have no request then.
    ///
    /// # Errors
    ///
    /// When it cannot be known.
    pub fn addresses(&self, release: &ReleaseId) -> Result<Vec<SocketAddr>> {
        let instances = self.inventory.of(&Part::web(release))?;
        Ok(instances.into_values().filter_map(|instance| instance.address).collect())
    }

    /// The same for every release that has any.
    ///
    /// # Errors
    ///
    /// When it cannot be known.
    pub fn all_addresses(&self) -> Result<BTreeMap<ReleaseId, Vec<SocketAddr>>> {
        let mut found: BTreeMap<ReleaseId, Vec<SocketAddr>> = BTreeMap::new();
        for instance in self.inventory.all()? {
            let Some(address) = instance.address else { continue };
            found.entry(instance.part.release).or_default().push(address);
        }
        Ok(found)
    }

    /// All instances, for people.
    ///
    /// # Errors
    ///
    /// When it cannot be known.
    pub fn units(&self) -> Result<Vec<UnitState>> {
        Ok(self.inventory.all()?.into_iter().map(state).collect())
    }

    /// Stops every instance of every release of the environment, whoever started it.
    ///
    /// # Errors
    ///
    /// When one of them does not end.
    pub fn stop_everything(&self) -> Result<()> {
        let units: Vec<_> = self.inventory.all()?.into_iter().map(|found| found.unit).collect();
        ensure::stop(&units, &|| false)
    }

    /// What an instance runs, as the template says now.
    fn spec(&self, part: &Part, number: u32, listen: Option<u16>) -> Result<UnitSpec> {
        let mut template = (self.options.template)(&part.release).map_err(Failure::Definite)?;
        let command = match &part.role {
            None => template.command,
            Some(role) => template.roles.remove(role).ok_or_else(|| {
                Failure::definite(format!("{} has no role `{role}`", part.release))
            })?,
        };
        Ok(UnitSpec {
            command,
            working_directory: template.working_directory,
            environment: template.environment,
            port: listen,
            health: listen.map(|_| template.health),
            stop_ms: template.stop_ms,
            limits: template.limits,
            log: self.options.logs.join(part.log_name(number)),
            log_bytes_max: LOG_BYTES_MAX,
            fence_file: Some(self.inventory.fence_path()),
        })
    }

    /// Starts one instance that does not run. It keeps its port, unless somebody else took it.
    fn start(&self, part: &Part, number: u32, fence: Fence) -> Result<()> {
        let failed = |error: crate::UnitError| Failure::transient(error);
        let unit = self.inventory.unit(part, number);
        // What a killed shim left may still have the port.
        unit.clear();
        let before = unit.spec();
        let listen = match before.as_ref().and_then(|spec| spec.port) {
            _ if part.role.is_some() => None,
            Some(own) if inventory::is_free(own) => Some(own),
            _ => Some(self.inventory.choose_port()?),
        };
        let spec = self.spec(part, number, listen)?;
        match before {
            None => unit.create(&spec).map_err(failed)?,
            Some(before) if before != spec => unit.write(&spec).map_err(failed)?,
            Some(_) => {}
        }
        unit.start(&self.options.launcher, fence).map_err(failed)
    }

    /// Ensures that the instances 1 to `count` of a part run, and no other.
    fn ensure_part(&self, part: &Part, count: u32, ticket: &Ticket<'_>) -> Result<Receipt> {
        self.inventory.prepare(part)?;
        fence::admit(&self.inventory.fence_path(), ticket.fence.0)?;
        let there = self.inventory.of(part)?;
        // The last is stopped first, so that those of an interrupted stop are numbered without a
        // gap.
        let surplus: Vec<_> = there
            .into_iter()
            .rev()
            .filter(|(number, _)| *number > count)
            .map(|(_, instance)| instance.unit)
            .collect();
        let stopped = surplus.len();
        let started = if count > 0 { Starting::new(self, part, count, ticket)?.run()? } else { 0 };
        ensure::stop(&surplus, ticket.stop)?;
        let what = match (count, started, stopped) {
            (0, _, 0) => format!("no instance of {part} runs"),
            (0, _, stopped) => format!("stopped {stopped} of {part}"),
            (count, started, 0) => format!("{count} of {part} ready, {started} started"),
            (count, started, stopped) => {
                format!("{count} of {part} ready, {started} started, {stopped} stopped")
            }
        };
        Ok(Receipt::of(what))
    }
}

impl Platform for ProcessPlatform {
    fn observe(&self) -> Result<BTreeMap<ReleaseId, ReleaseState>> {
        let (web, roles): (Vec<_>, Vec<_>) =
            self.inventory.all()?.into_iter().partition(|found| found.part.role.is_none());
        let targets: Vec<_> = web.iter().filter_map(Instance::target).collect();
        let answers = health::answer(&targets, OBSERVE_MAX);
        let mut states: BTreeMap<ReleaseId, ReleaseState> = BTreeMap::new();
        for (instance, answers) in web.iter().zip(answers) {
            let state = states.entry(instance.part.release.clone()).or_default();
            state.instances.wanted += u32::from(!instance.is_stopping());
            state.instances.ready += u32::from(answers && instance.may_serve());
            state.restarts += instance.restarts();
        }
        // A worker that ends again and again speaks against its release as much as the web does.
        for instance in &roles {
            if let Some(state) = states.get_mut(&instance.part.release) {
                state.restarts += instance.restarts();
            }
        }
        Ok(states)
    }

    fn ready(&self, release: &ReleaseId) -> Result<u32> {
        let web: Vec<_> = self.inventory.of(&Part::web(release))?.into_values().collect();
        let targets: Vec<_> = web.iter().filter_map(Instance::target).collect();
        let answers = health::answer(&targets, OBSERVE_MAX);
        let ready =
            |(instance, answers): (&Instance, bool)| u32::from(answers && instance.may_serve());
        Ok(web.iter().zip(answers).map(ready).sum())
    }

    fn ensure(&self, release: &ReleaseId, count: u32, ticket: &Ticket<'_>) -> Result<Receipt> {
        self.ensure_part(&Part::web(release), count, ticket)
    }

    fn roles(&self) -> Result<BTreeMap<ReleaseId, BTreeMap<String, Instances>>> {
        let mut states: BTreeMap<ReleaseId, BTreeMap<String, Instances>> = BTreeMap::new();
        for instance in self.inventory.all()? {
            let Some(role) = instance.part.role.clone() else { continue };
            let roles = states.entry(instance.part.release.clone()).or_default();
            let state = roles.entry(role).or_default();
            state.wanted += u32::from(!instance.is_stopping());
            state.ready += u32::from(instance.has_settled());
        }
        Ok(states)
    }

    fn ensure_role(
        &self,
        release: &ReleaseId,
        role: &str,
        count: u32,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        self.ensure_part(&Part::role(release, role), count, ticket)
    }
}

fn state(instance: Instance) -> UnitState {
    let running = instance.unit.is_running();
    let status = instance.status;
    UnitState {
        release: instance.part.release,
        role: instance.part.role,
        number: instance.number,
        pid: status.as_ref().and_then(|s| s.child).filter(|_| running).map(|child| child.pid),
        address: instance.address,
        phase: status.as_ref().map_or(Phase::Starting, |status| status.phase.clone()),
        running,
        restarts: status.as_ref().map_or(0, |status| status.restarts),
        since_ms: status.as_ref().map_or(0, |status| status.since_ms),
        last_exit: status.and_then(|status| status.last_exit),
    }
}

impl std::fmt::Debug for ProcessPlatform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessPlatform")
            .field("inventory", &self.inventory)
            .finish_non_exhaustive()
    }
}
