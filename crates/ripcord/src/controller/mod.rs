//! The controller: one process per state directory that owns the ledger and runs the plans.

mod bell;
mod clearing;
mod crash;
pub(crate) mod environment;
mod executor;
mod flag_plans;
mod flags;
mod flags_server;
mod maintenance;
mod operator;
mod past;
mod planning;
mod proxy;
mod reconcile;
pub(crate) mod registry;
mod releases;
mod service_flags;
mod status;
mod template;

pub(crate) use flags::{FlagAnswer, FlagRequest, FlagsView, RevisionView};
pub(crate) use operator::{Request, Verb};
pub(crate) use planning::Wish;
pub(crate) use service_flags::ServiceFlagView;
pub(crate) use status::{Operation, Phase, Status};

use crate::config::Config;
use crate::controller::crash::{CrashPoint, Plugged};
use crate::controller::environment::EnvironmentControl;
use crate::controller::registry::Registry;
use crate::failure::{Code, Failure};
use crate::store::Store;
use crate::terminal;
use crate::world::{Layout, read_secret};
use jiff::Timestamp;
use ripcord_core::model::EnvironmentName;
use ripcord_core::run::{Event, History};
use ripcord_integrations::Sources;
use ripcord_ledger::{OpenOptions, SqliteLedger};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// The least free space with which a deploy may begin, beside the reserve.
pub(crate) const FREE_BYTES_MIN: u64 = 32 << 20;

/// One running controller.
pub(crate) struct Controller {
    pub(crate) layout: Layout,
    pub(crate) ledger: Arc<SqliteLedger>,
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) environments: BTreeMap<EnvironmentName, Arc<EnvironmentControl>>,
    pub(crate) shutdown: AtomicBool,
    /// A plan is over, and what it leaves without need is not cleared away yet.
    pub(crate) clearing_due: AtomicBool,
    /// The pasts of environments that the configuration does not name any more.
    elsewhere: BTreeMap<EnvironmentName, History>,
    config_path: PathBuf,
    crash: Arc<CrashPoint>,
    program: OsString,
    numbering: Mutex<()>,
    fatal: Mutex<Option<String>>,
    problems: Mutex<BTreeMap<EnvironmentName, String>>,
}

/// How a controller is opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// The state directory.
    pub(crate) state: PathBuf,
    /// Take the state directory from a controller that holds it.
    pub(crate) takeover: bool,
    /// The program to start instances and proxies with: this binary.
    pub(crate) program: OsString,
}

impl Controller {
    /// Takes the state directory, reads the ledger and prepares every environment.
    pub(crate) fn open(opening: &Opening) -> Result<Arc<Controller>, Failure> {
        let config = Config::load(&opening.config)?;
        let layout = Layout::new(&opening.state);
        let version = env!("CARGO_PKG_VERSION");
        let options =
            OpenOptions { takeover: opening.takeover, ..OpenOptions::new(version, Timestamp::now) };
        let ledger = Arc::new(SqliteLedger::open(&opening.state, options)?);
        let store = Store::open(layout.root())?;
        let registry = Registry::default();
        let entries = ledger.all_entries(0)?;
        registry.take(&entries);
        for entry in &entries {
            if let Event::Pruned { releases } = &entry.event {
                store.note_cleared(releases);
            }
        }
        let crash = Arc::new(CrashPoint::from_environment());
        let mut environments = BTreeMap::new();
        for settings in config.environments()? {
            let environment = EnvironmentControl::new(
                &layout,
                &config,
                settings,
                &registry,
                &store,
                &opening.program,
                Arc::new(Plugged { ledger: Arc::clone(&ledger), point: Arc::clone(&crash) }),
            );
            environment.metrics.set(sources(&config)?);
            environments.insert(environment.name.clone(), Arc::new(environment));
        }
        let controller = Arc::new(Controller {
            layout,
            ledger,
            store,
            registry,
            elsewhere: clearing::elsewhere(&entries, environments.keys()),
            environments,
            shutdown: AtomicBool::new(false),
            // The last controller may not have come to it.
            clearing_due: AtomicBool::new(true),
            config_path: opening.config.clone(),
            crash,
            program: opening.program.clone(),
            numbering: Mutex::new(()),
            fatal: Mutex::new(None),
            problems: Mutex::new(BTreeMap::new()),
        });
        for environment in controller.environments.values() {
            Controller::take_up_flags(environment)?;
            controller.start_proxy(environment)?;
            controller.start_flags_server(environment)?;
        }
        Ok(controller)
    }

    /// Starts the thread of each environment.
    pub(crate) fn start(self: &Arc<Controller>) -> Vec<JoinHandle<()>> {
        let start = |environment: &Arc<EnvironmentControl>| {
            let (controller, environment) = (Arc::clone(self), Arc::clone(environment));
            thread::spawn(move || executor::run(&controller, &environment))
        };
        self.environments.values().map(start).collect()
    }

    /// The environment of this name; without a name, the only one.
    pub(crate) fn environment(&self, name: &str) -> Result<&Arc<EnvironmentControl>, Failure> {
        self.environments.get(&EnvironmentName::from(name)).ok_or_else(|| {
            let known: Vec<&str> = self.environments.keys().map(EnvironmentName::as_str).collect();
            Failure::new(Code::UnknownEnvironment, format!("there is no environment `{name}`"))
                .hint(format!("there are: {}", known.join(", ")))
        })
    }

    /// Ends the process, because going on would be guessing.
    pub(crate) fn fail(&self, why: &str) {
        let mut fatal = self.fatal.lock().unwrap_or_else(PoisonError::into_inner);
        fatal.get_or_insert_with(|| why.to_owned());
        self.stop();
    }

    /// Why the controller ended by itself, if it did.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the threads. Instances and proxies go on; the next controller adopts them.
    pub(crate) fn stop(&self) {
        self.shutdown.store(true, Ordering::SeqCst);
        for environment in self.environments.values() {
            environment.wake();
        }
    }

    /// Ends instances and proxies as well. Users are no longer served afterwards.
    pub(crate) fn stop_everything(&self) {
        for environment in self.environments.values() {
            let stopped = proxy::proxy_unit(environment).stop().map_err(|error| error.to_string());
            let flags = flags_server::flags_unit(environment).stop();
            let stopped = stopped
                .and(flags.map_err(|error| error.to_string()))
                .and(environment.platform.stop_everything().map_err(|error| error.to_string()));
            if let Err(error) = stopped {
                terminal::say(&format!("{}: {error}", environment.name));
            }
        }
    }

    /// Reads the configuration file anew, so that a plan is made by what it says now.
    fn reload(&self, environment: &EnvironmentControl) -> Result<(), Failure> {
        let config = Config::load(&self.config_path)?;
        let settings = config.environment(Some(environment.name.as_str()))?;
        let before = environment.settings();
        if (before.listen, before.preview, &before.database, &before.flags_server)
            != (settings.listen, settings.preview, &settings.database, &settings.flags_server)
        {
            return Err(Failure::new(
                Code::RestartNeeded,
                "listen, preview, database or the serving of flags changed in ripcord.toml since the controller started",
            )
            .hint("restart `ripcord serve`; instances and proxy go on meanwhile"));
        }
        environment.metrics.set(sources(&config)?);
        *environment.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    /// Refuses to begin what the disk may not let us end.
    fn space_for_a_deploy(&self) -> Result<(), Failure> {
        let free = self.ledger.free_bytes().unwrap_or(u64::MAX);
        if free >= FREE_BYTES_MIN && self.ledger.has_reserve() {
            return Ok(());
        }
        Err(Failure::new(
            Code::DiskFull,
            format!("only {} MiB are free beside the reserve", free >> 20),
        )
        .hint(format!("free at least {} MiB; a rollback still works", FREE_BYTES_MIN >> 20)))
    }

    pub(crate) fn note_problem(&self, environment: &EnvironmentControl, what: &str) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.insert(environment.name.clone(), what.to_owned());
    }

    pub(crate) fn clear_problem(&self, environment: &EnvironmentControl) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).remove(&environment.name);
    }

    pub(crate) fn problem(&self, environment: &EnvironmentControl) -> Option<String> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.get(&environment.name).cloned()
    }
}

/// The sources of metrics that a configuration names.
fn sources(config: &Config) -> Result<Sources, Failure> {
    let named = config.metric_sources(&|reference| read_secret(reference))?;
    Sources::new(named).map_err(|error| Failure::new(Code::ConfigValue, error.to_string()))
}
