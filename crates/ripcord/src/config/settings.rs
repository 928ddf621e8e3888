//! What one environment is to be, with every default filled in: what the rest of Ripcord reads.

use crate::config::document::{
    AuthorityTable, Check, Document, Engine, Environment, FlagsServing, OnDeadline,
};
use crate::config::file::Config;
use crate::config::quantity::Duration;
use crate::config::rollout;
use crate::config::service::ServiceSettings;
use crate::config::text::Name;
use crate::config::variable::Variable;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::policy::{CheckSpec, ResourceSpec};
use ripcord_core::model::{Authorities, Domain, EnvironmentName, HoldLimits, Policy, Role};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

const INSTANCES: u32 = 2;
const ROLE_INSTANCES: u32 = 1;
const BAKE_MS: Millis = 10 * 60_000;
const KEEP_WARM_MS: Millis = 30 * 60_000;
const ROLLBACK_WINDOW_MS: Millis = 7 * 86_400_000;
const DRAIN_MS: Millis = 30_000;
const HOLD_MS: Millis = 30_000;
const TOLERATED_HUNDREDTHS: u16 = 50;

/// How much longer than its requests an instance may take to end.
const STOP_EXTRA_MS: Millis = 5_000;

/// One environment, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvironmentSettings {
    /// Its name.
    pub(crate) name: EnvironmentName,
    /// Where users find the service.
    pub(crate) listen: SocketAddr,
    /// Where a release can be looked at before users see it.
    pub(crate) preview: Option<SocketAddr>,
    /// Where the database is; none when the service has none.
    pub(crate) database: Option<DatabasePlace>,
    /// What planning needs.
    pub(crate) policy: Policy,
    /// Who serves flags here; none when nobody does.
    pub(crate) flags_server: Option<FlagsServer>,
    /// Services of other people that serve flags here, by name.
    pub(crate) flag_services: BTreeMap<String, ServiceSettings>,
    /// How far Ripcord may go.
    pub(crate) authority: Authorities,
    /// The path that answers 200 when an instance can serve.
    pub(crate) health_path: String,
    /// How long an instance may take to end after it was asked to.
    pub(crate) stop_ms: Millis,
    /// The most memory of an instance.
    pub(crate) memory_bytes_max: Option<u64>,
}

/// Where the database of an environment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DatabasePlace {
    /// A file, absolute.
    Sqlite(PathBuf),
    /// A server's address, or where that is kept secret.
    Postgres(Variable),
}

/// The flags server of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlagsServer {
    /// Where clients ask.
    pub(crate) listen: SocketAddr,
    /// The file with their keys.
    pub(crate) keys: Option<PathBuf>,
    /// The web origins whose pages may read answers; empty means all.
    pub(crate) origins: Vec<String>,
    /// Where the headers are with which instances ask: `file:/path` or `env:NAME`.
    pub(crate) headers: Option<String>,
}

impl FlagsServer {
    /// The address at which a process of this machine reaches it.
    pub(crate) fn local(&self) -> SocketAddr {
        let mut address = self.listen;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }
}

/// The settings of one environment.
pub(crate) fn of(config: &Config, name: &Name, environment: &Environment) -> EnvironmentSettings {
    let document = config.document();
    let database = document.database.as_ref().and_then(|database| match database.engine {
        Engine::Sqlite => {
            let path = environment.database.as_ref().or(database.path.as_ref())?;
            Some(DatabasePlace::Sqlite(config.resolve(path.get_ref().as_path())))
        }
        Engine::Postgres => {
            let url = environment.database_url.as_ref().or(database.url.as_ref())?;
            Some(DatabasePlace::Postgres(url.get_ref().clone()))
        }
    });
    let policy = policy(config, environment);
    EnvironmentSettings {
        name: name.as_str().into(),
        listen: environment.listen.get_ref().0,
        preview: environment.preview.as_ref().map(|address| address.get_ref().0),
        database,
        flags_server: environment.flags.as_ref().map(|flags| flags_server(config, flags.get_ref())),
        flag_services: flag_services(environment),
        authority: authorities(&environment.authority),
        health_path: document.health.path.as_str().to_owned(),
        stop_ms: policy.drain_ms_max + STOP_EXTRA_MS,
        memory_bytes_max: environment.memory_max.map(|memory| memory.bytes),
        policy,
    }
}

fn flags_server(config: &Config, flags: &FlagsServing) -> FlagsServer {
    FlagsServer {
        listen: flags.serve.get_ref().0,
        keys: flags.keys.as_ref().map(|keys| config.resolve(keys.get_ref().as_path())),
        origins: flags.origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        headers: flags.headers.as_ref().map(|headers| headers.reference().to_owned()),
    }
}

/// That each has what it needs was checked before.
fn flag_services(environment: &Environment) -> BTreeMap<String, ServiceSettings> {
    let services = environment.flag_services.iter();
    let resolved = services.filter_map(|(name, table)| {
        Some((name.as_str().to_owned(), table.get_ref().resolve().ok()?))
    });
    resolved.collect()
}

/// What runs beside the web, as releases name it.
pub(crate) fn roles(document: &Document) -> BTreeMap<String, Role> {
    let roles = document.roles.iter().map(|(name, role)| {
        let role = role.get_ref();
        let instances = role.instances.map_or(ROLE_INSTANCES, |count| count.0);
        let command = role.command.get_ref().words().to_vec();
        (name.as_str().to_owned(), Role { command, instances })
    });
    roles.collect()
}

/// How many instances of a release serve.
pub(crate) fn instances(environment: &Environment) -> u32 {
    environment.instances.map_or(INSTANCES, |instances| instances.0)
}

/// How long a release is watched.
pub(crate) fn bake_ms(environment: &Environment) -> Millis {
    environment.bake.as_ref().map_or(BAKE_MS, |bake| bake.get_ref().ms)
}

fn policy(config: &Config, environment: &Environment) -> Policy {
    let document = config.document();
    let bake_ms = bake_ms(environment);
    let keep_warm = environment.keep_warm.as_ref().map(|keep_warm| keep_warm.get_ref().ms);
    let hold_ms = environment.pause_requests_max.map_or(HOLD_MS, |hold| hold.ms);
    let resources = document.infrastructure.iter().map(|infrastructure| ResourceSpec {
        name: infrastructure.name.get_ref().as_str().to_owned(),
        apply: infrastructure.apply.words().to_vec(),
        revert: infrastructure.revert.words().to_vec(),
    });
    let external = document.external.iter().map(|external| external.name.as_str().to_owned());
    let error_floor =
        environment.tolerated_errors.map_or(TOLERATED_HUNDREDTHS, |share| share.hundredths);
    Policy {
        strategy: rollout::strategy(environment),
        judge: rollout::judge(environment, error_floor),
        abort_keep_ms: environment.abort_keep.map_or(Some(0), |keep| keep.0),
        instances: instances(environment),
        ready_ms_max: document.health.ready_within.ms,
        drain_ms_max: environment.drain.map_or(DRAIN_MS, |drain| drain.ms),
        hold: HoldLimits { wait_ms_max: hold_ms, ..HoldLimits::default() },
        bake_ms,
        // The default must not contradict a longer bake that somebody asked for.
        keep_warm_ms: keep_warm.unwrap_or(KEEP_WARM_MS.max(bake_ms)),
        rollback_window_ms: environment
            .rollback_window
            .map_or(ROLLBACK_WINDOW_MS, |Duration { ms }| ms),
        error_floor,
        approve: environment.approve,
        abort_on_deadline: environment.on_deadline == OnDeadline::Abort,
        checks: environment.checks.iter().filter_map(|check| spec(check.get_ref())).collect(),
        resources: resources.collect(),
        does_not_come_back: external.collect(),
    }
}

/// The check as plans carry it; that it has exactly one of the two forms was checked before.
fn spec(check: &Check) -> Option<CheckSpec> {
    match (&check.http, &check.command) {
        (Some(path), _) => Some(CheckSpec::Http {
            path: path.as_str().to_owned(),
            status: check.status.map_or(200, |status| status.0),
        }),
        (None, Some(command)) => Some(CheckSpec::Command { argv: command.words().to_vec() }),
        (None, None) => None,
    }
}

fn authorities(table: &AuthorityTable) -> Authorities {
    let named = [
        (Domain::Traffic, table.traffic),
        (Domain::Database, table.database),
        (Domain::Flags, table.flags),
        (Domain::Config, table.config),
    ];
    let given = named.into_iter().filter_map(|(domain, level)| Some((domain, level?)));
    Authorities(given.collect())
}
