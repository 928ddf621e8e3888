//! One environment as the controller holds it: the real world behind the engine's traits, and
//! the thread that runs its plans.

use crate::config::{Config, DatabasePlace, EnvironmentSettings, Variable};
use crate::controller::bell::Bell;
use crate::controller::past::Past;
use crate::controller::planning::scripts_of;
use crate::controller::registry::Registry;
use crate::flags::{FlagKeeper, FlagsInForce, ServicesInForce, SharedLedger};
use crate::store::Store;
use crate::world::{
    AskedSources, CommandResources, ConfigurationInForce, EnvironmentLayout, FenceFile, Layout,
    PreviewChecks, ProxyTraffic, SystemClock, read_secret,
};
use ripcord_core::model::EnvironmentName;
use ripcord_databases::postgres::{Newest, PostgresDatabase, PostgresOptions};
use ripcord_databases::sqlite::{SqliteDatabase, SqliteOptions};
use ripcord_engine::{Database, Ledger, LedgerError, World};
use ripcord_platforms::{ProcessOptions, ProcessPlatform};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// The database of an environment, whatever it is.
type TargetDatabase = dyn Database + Send + Sync;

/// Everything of one environment.
pub(crate) struct EnvironmentControl {
    pub(crate) name: EnvironmentName,
    pub(crate) layout: EnvironmentLayout,
    /// The owner's wishes, read anew for each plan.
    pub(crate) settings: Arc<RwLock<EnvironmentSettings>>,
    database: Option<Box<TargetDatabase>>,
    pub(crate) platform: Arc<ProcessPlatform>,
    pub(crate) traffic: ProxyTraffic,
    config: ConfigurationInForce,
    pub(crate) flags: FlagsInForce,
    pub(crate) services: ServicesInForce,
    resources: CommandResources,
    checks: PreviewChecks,
    pub(crate) metrics: AskedSources,
    clock: SystemClock,
    /// Held while a plan is being started, so that two cannot start at once.
    pub(crate) starting: Mutex<()>,
    past: Mutex<Past>,
    bell: Bell,
}

/// The database of an environment.
fn target(
    place: DatabasePlace,
    layout: &EnvironmentLayout,
    name: &EnvironmentName,
    registry: &Registry,
    store: &Store,
) -> Box<TargetDatabase> {
    let environment = name.to_string();
    match place {
        DatabasePlace::Sqlite(path) => {
            let backups = layout.backups();
            Box::new(SqliteDatabase::new(SqliteOptions { path, backups, environment }))
        }
        DatabasePlace::Postgres(url) => Box::new(PostgresDatabase::new(PostgresOptions {
            address: Box::new(move || address(&url)),
            newest: newest(registry, store),
            environment,
        })),
    }
}

impl EnvironmentControl {
    pub(crate) fn new(
        layout: &Layout,
        config: &Config,
        settings: EnvironmentSettings,
        registry: &Registry,
        store: &Store,
        program: &OsString,
        ledger: SharedLedger,
    ) -> EnvironmentControl {
        let name = settings.name.clone();
        let environment = layout.environment(&name);
        let fence = FenceFile::new(environment.fence());
        let settings = Arc::new(RwLock::new(settings));
        let current = || settings.read().unwrap_or_else(PoisonError::into_inner).clone();
        let place = current().database;
        let database = place.map(|place| target(place, &environment, &name, registry, store));
        let platform = Arc::new(ProcessPlatform::new(ProcessOptions {
            root: environment.units(),
            logs: environment.logs(),
            environment: name.clone(),
            launcher: vec![program.clone(), "instance".into()],
            template: crate::controller::template::template(
                layout,
                &environment,
                &settings,
                registry,
                store,
            ),
        }));
        let (found, served) = (registry.clone(), Arc::clone(&settings));
        EnvironmentControl {
            traffic: ProxyTraffic::new(environment.proxy_control(), Arc::clone(&platform)),
            config: ConfigurationInForce {
                layout: layout.clone(),
                environment: environment.clone(),
                fence: fence.clone(),
                releases: Box::new(move |id| found.get(id)),
            },
            services: ServicesInForce { settings: Arc::clone(&settings), fence: fence.clone() },
            flags: FlagsInForce {
                keeper: Arc::new(FlagKeeper::new(
                    name.clone(),
                    environment.clone(),
                    fence,
                    store.clone(),
                    ledger,
                )),
                server: Box::new(move || flags_server(&served)),
            },
            resources: CommandResources {
                project: config.directory().to_owned(),
                environment: name.clone(),
            },
            checks: PreviewChecks {
                project: config.directory().to_owned(),
                environment: name.clone(),
                preview: current().preview,
            },
            metrics: AskedSources::new(name.clone()),
            clock: SystemClock::new(),
            starting: Mutex::new(()),
            past: Mutex::default(),
            bell: Bell::default(),
            layout: environment,
            name,
            settings,
            database,
            platform,
        }
    }

    pub(crate) fn world(&self) -> World<'_> {
        World {
            database: self.database.as_deref().map(|database| database as &dyn Database),
            platform: self.platform.as_ref(),
            traffic: &self.traffic,
            config: &self.config,
            flags: &self.flags,
            services: &self.services,
            resources: &self.resources,
            checks: &self.checks,
            metrics: &self.metrics,
            clock: &self.clock,
        }
    }

    pub(crate) fn settings(&self) -> EnvironmentSettings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has happened here, up to now.
    pub(crate) fn past(&self, ledger: &dyn Ledger) -> Result<Past, LedgerError> {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.refresh(ledger, &self.name)?;
        Ok(past.clone())
    }

    /// Wakes the thread that runs the plans, and everybody who waits for news.
    pub(crate) fn wake(&self) {
        self.bell.ring();
    }

    /// How often somebody woke so far.
    pub(crate) fn news(&self) -> u64 {
        self.bell.strokes()
    }

    /// Waits until there is more news than this, or until the time is over.
    pub(crate) fn wait(&self, known: u64, longest: Duration) {
        self.bell.wait(known, longest);
    }
}

/// Where the flags server of an environment answers, if it has one.
fn flags_server(settings: &RwLock<EnvironmentSettings>) -> Option<SocketAddr> {
    let settings = settings.read().unwrap_or_else(PoisonError::into_inner);
    settings.flags_server.as_ref().map(crate::config::FlagsServer::local)
}

/// The address of a database, a secret one as it is now.
fn address(url: &Variable) -> Result<String, String> {
    match url {
        Variable::Plain(url) => Ok(url.clone()),
        Variable::Secret(reference) => read_secret(reference),
    }
}

/// Reads the migrations of the newest release that has any.
fn newest(registry: &Registry, store: &Store) -> Newest {
    let (registry, store) = (registry.clone(), store.clone());
    Box::new(move || {
        let releases = registry.all();
        let newest = releases.iter().rev().find(|release| !release.migrations.is_empty());
        let Some(newest) = newest else { return Ok(Vec::new()) };
        scripts_of(&store, newest).map_err(|failure| failure.to_string())
    })
}
