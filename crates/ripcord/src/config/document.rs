//! The shape of `ripcord.toml`, key by key. The words on the fields are the documentation that
//! editors show.

use crate::config::judge::Judge;
use crate::config::quantity::{
    Address, Bytes, Count, Duration, InstanceCount, Percentage, PositiveDuration, Status,
};
use crate::config::service::{FlagAtService, ServiceTable};
use crate::config::source::Metrics;
use crate::config::step::{Keep, Step, Sticky};
use crate::config::text::{
    AnyPath, Command, FlagKey, InnerPath, Name, UrlPath, VariableName, Words,
};
use crate::config::variable::{Secret, Variable};
use ripcord_core::model::Authority;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// The configuration of one service. Paths are relative to the directory of this file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ripcord.toml")]
pub(crate) struct Document {
    /// The name of the service. Since 0.1.
    pub(crate) service: Name,
    /// What is released. Since 0.1.
    pub(crate) artifact: Artifact,
    /// What runs beside the instances that answer requests, by name: `worker`, `cron`. Frozen with
    /// each release. Since 0.2.
    #[serde(default)]
    #[schemars(with = "BTreeMap<Name, Role>")]
    pub(crate) roles: BTreeMap<Name, Spanned<Role>>,
    /// The service's own configuration, frozen with each release. Since 0.1.
    #[serde(default)]
    pub(crate) config: ServiceConfig,
    /// How an instance says that it is ready. Since 0.1.
    #[serde(default)]
    pub(crate) health: Health,
    /// The service's database. Since 0.1.
    pub(crate) database: Option<Database>,
    /// The service's feature flags. Since 0.1.
    pub(crate) flags: Option<Flags>,
    /// The flags at other people's services that come with this release, by service and key: a
    /// rollback from it turns them off before anything else. Since 0.3.
    #[serde(default)]
    #[schemars(with = "BTreeMap<Name, BTreeMap<FlagKey, FlagAtService>>")]
    pub(crate) flag_services: BTreeMap<Name, BTreeMap<FlagKey, Spanned<FlagAtService>>>,
    /// Infrastructure that changes with releases, by commands of your own. Since 0.1.
    #[serde(default)]
    pub(crate) infrastructure: Vec<Infrastructure>,
    /// What releases set in motion and no rollback returns; plans and reports name it. Since 0.1.
    #[serde(default)]
    pub(crate) external: Vec<External>,
    /// Metrics beside the requests themselves. Since 0.2.
    #[serde(default)]
    pub(crate) metrics: Metrics,
    /// Where the service runs, by name. Since 0.1.
    #[schemars(with = "BTreeMap<Name, Environment>", extend("minProperties" = 1))]
    pub(crate) environments: Spanned<BTreeMap<Name, Environment>>,
}

/// What is released.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifact {
    /// A file or a directory; it is frozen whole. Since 0.1.
    #[schemars(with = "AnyPath")]
    pub(crate) path: Spanned<AnyPath>,
    /// Program and arguments of an instance, run in the artifact's directory without a shell.
    /// Placeholders are filled in. Since 0.1.
    #[schemars(with = "Command")]
    pub(crate) command: Spanned<Command>,
}

/// What runs beside the instances that answer requests. It has no port, and is ready once it has
/// stayed up for a moment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    /// Program and arguments, run in the artifact's directory without a shell. Placeholders are
    /// filled in. Since 0.2.
    #[schemars(with = "Command")]
    pub(crate) command: Spanned<Command>,
    /// How many instances there are. Default 1. Since 0.2.
    pub(crate) instances: Option<Count>,
}

/// The service's own configuration.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceConfig {
    /// Files that each release takes along; an instance finds them below `{config}`. Since 0.1.
    #[serde(default)]
    #[schemars(with = "Vec<InnerPath>")]
    pub(crate) files: Vec<Spanned<InnerPath>>,
    /// Environment variables. Placeholders: `{config}` `{database}` `{flags}` `{release}`
    /// `{environment}` `{state}`. A secret is written as a reference. Since 0.1.
    #[serde(default)]
    #[schemars(with = "BTreeMap<VariableName, Variable>")]
    pub(crate) environment: BTreeMap<VariableName, Spanned<Variable>>,
}

/// How an instance says that it is ready.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Health {
    /// The path that answers 200 when the instance can serve. Default "/up". Since 0.1.
    pub(crate) path: UrlPath,
    /// How long an instance may take to become ready. Default "30s". Since 0.1.
    pub(crate) ready_within: PositiveDuration,
}

impl Default for Health {
    fn default() -> Health {
        Health { path: UrlPath::default(), ready_within: PositiveDuration { ms: 30_000 } }
    }
}

/// The service's database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// Which database it is. Since 0.1.
    pub(crate) engine: Engine,
    /// The file of an `SQLite` database; an environment may name another. Since 0.1.
    #[schemars(with = "Option<AnyPath>")]
    pub(crate) path: Option<Spanned<AnyPath>>,
    /// The address of a `PostgreSQL` database, `postgresql://user@host:port/name`, best as a
    /// reference to a secret; an environment may name another. Instances get it as `DATABASE_URL`.
    /// Since 0.3.
    #[schemars(with = "Option<Variable>")]
    pub(crate) url: Option<Spanned<Variable>>,
    /// The folder of migrations: for `SQLite` with `NNN_name.up.sql` and `NNN_name.down.sql`, for
    /// `PostgreSQL` as the tool keeps it that it is for. Since 0.1.
    #[schemars(with = "InnerPath")]
    pub(crate) migrations: Spanned<InnerPath>,
}

/// The databases that Ripcord knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Engine {
    /// `SQLite`, a file on this machine.
    Sqlite,
    /// `PostgreSQL`, a server.
    Postgres,
}

/// The service's feature flags.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flags {
    /// The flags document, in the format of flagd. Since 0.1.
    #[schemars(with = "InnerPath")]
    pub(crate) file: Spanned<InnerPath>,
    /// The flags that come with this release, by key: a rollback from it turns them off before
    /// anything else. Since 0.3.
    #[serde(default)]
    #[schemars(with = "BTreeMap<FlagKey, FlagOfRelease>")]
    pub(crate) release: BTreeMap<FlagKey, Spanned<FlagOfRelease>>,
}

/// A flag that comes with this release.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagOfRelease {
    /// What a deploy makes it: "on", "off", a variant, or a share of the users such as "25%".
    /// Default: what the document says. Since 0.3.
    pub(crate) want: Option<Words>,
    /// The version of the migration without which it must not be on. Since 0.3.
    pub(crate) requires_schema: Option<u64>,
}

/// A piece of infrastructure that changes with releases.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Infrastructure {
    /// Its name. Since 0.1.
    #[schemars(with = "Name")]
    pub(crate) name: Spanned<Name>,
    /// The command that makes it as the new release needs it; safe to repeat. Since 0.1.
    pub(crate) apply: Command,
    /// The command that makes it as it was; safe also if it was never applied. Since 0.1.
    pub(crate) revert: Command,
}

/// Something that no rollback returns.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct External {
    /// What it is, in words that a plan can show. Since 0.1.
    pub(crate) name: Words,
}

/// One place where the service runs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    /// Where users find the service. Since 0.1.
    #[schemars(with = "Address")]
    pub(crate) listen: Spanned<Address>,
    /// Where a release can be looked at before users see it. Since 0.1.
    #[schemars(with = "Option<Address>")]
    pub(crate) preview: Option<Spanned<Address>>,
    /// The database file here, instead of the usual one. Since 0.1.
    #[schemars(with = "Option<AnyPath>")]
    pub(crate) database: Option<Spanned<AnyPath>>,
    /// The address of the `PostgreSQL` database here, instead of the usual one. Since 0.3.
    #[schemars(with = "Option<Variable>")]
    pub(crate) database_url: Option<Spanned<Variable>>,
    /// How many instances of a release serve. Default 2. Since 0.1.
    pub(crate) instances: Option<InstanceCount>,
    /// How a release takes over. Default "blue-green". Since 0.1.
    #[serde(default)]
    pub(crate) strategy: Strategy,
    /// What a canary does, in order; after the last step the release gets everything. Default:
    /// "5%", "analysis 10m", "25%", "analysis 10m", "50%", "analysis 10m". Since 0.2.
    #[schemars(with = "Option<Vec<Step>>", length(min = 1, max = 50))]
    pub(crate) steps: Option<Spanned<Vec<Spanned<String>>>>,
    /// How users keep their release during a canary: "cookie NAME" or "header NAME". Default: each
    /// request is drawn anew. Since 0.2.
    #[schemars(with = "Option<Sticky>")]
    pub(crate) sticky: Option<Spanned<Sticky>>,
    /// How long a share holds without a word from the controller; then the release before gets
    /// everything. "1s" to "1h". Default "30s". Since 0.2.
    #[schemars(with = "Option<PositiveDuration>")]
    pub(crate) lease: Option<Spanned<PositiveDuration>>,
    /// How many instances a rolling release exchanges at a time. Default 1. Since 0.2.
    #[schemars(with = "Option<Count>")]
    pub(crate) batch: Option<Spanned<Count>>,
    /// How long is watched after each exchange. Default "30s". Since 0.2.
    #[schemars(with = "Option<Duration>")]
    pub(crate) batch_pause: Option<Spanned<Duration>>,
    /// How long the instances of a release that was taken back stay, so that they can be looked
    /// at; "keep": until another release needs their place. Default "0s". Since 0.2.
    pub(crate) abort_keep: Option<Keep>,
    /// How the judge decides during a canary or a rolling release. Since 0.2.
    #[schemars(with = "Option<Judge>")]
    pub(crate) judge: Option<Spanned<Judge>>,
    /// How long a release is watched after the switch. Default "10m". Since 0.1.
    #[schemars(with = "Option<Duration>")]
    pub(crate) bake: Option<Spanned<Duration>>,
    /// How long the old release stays running after the new one is proven; not less than `bake`.
    /// Default "30m", or `bake` if that is longer. Since 0.1.
    #[schemars(with = "Option<Duration>")]
    pub(crate) keep_warm: Option<Spanned<Duration>>,
    /// How long a rollback to an earlier release needs no checks again. Default "7d". Since 0.1.
    pub(crate) rollback_window: Option<Duration>,
    /// How long requests in flight may take to end when traffic moves. Default "30s". Since 0.1.
    pub(crate) drain: Option<PositiveDuration>,
    /// The longest that requests are held back for a change that the old release does not
    /// survive. Default "30s". Since 0.1.
    pub(crate) pause_requests_max: Option<PositiveDuration>,
    /// The share of failed answers that is tolerated whatever is usual. Default "0.5%". Since 0.1.
    pub(crate) tolerated_errors: Option<Percentage>,
    /// How flags are served here. Since 0.3.
    #[schemars(with = "Option<FlagsServing>")]
    pub(crate) flags: Option<Spanned<FlagsServing>>,
    /// Services of other people that serve flags here, by name. Since 0.3.
    #[serde(default)]
    #[schemars(with = "BTreeMap<Name, ServiceTable>")]
    pub(crate) flag_services: BTreeMap<Name, Spanned<ServiceTable>>,
    /// The most memory of an instance; more, and it is started again. Default: no limit. Since 0.1.
    pub(crate) memory_max: Option<Bytes>,
    /// A person approves between the checks and the switch. Default false. Since 0.1.
    #[serde(default)]
    pub(crate) approve: bool,
    /// What happens when a step is past its deadline. Default "abort". Since 0.1.
    #[serde(default)]
    pub(crate) on_deadline: OnDeadline,
    /// Checks before the switch. Since 0.1.
    #[serde(default)]
    #[schemars(with = "Vec<Check>")]
    pub(crate) checks: Vec<Spanned<Check>>,
    /// How far Ripcord may go, by domain. Default "act" everywhere. Since 0.1.
    #[serde(default)]
    pub(crate) authority: AuthorityTable,
}

/// How flags are served in an environment, over the open flag protocol (OFREP).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagsServing {
    /// Where clients ask. Instances find it as `OFREP_ENDPOINT`. Since 0.3.
    #[schemars(with = "Address")]
    pub(crate) serve: Spanned<Address>,
    /// The file with the keys of clients, by `ripcord flags new-key`; needed where other machines
    /// can ask. Since 0.3.
    #[schemars(with = "Option<AnyPath>")]
    pub(crate) keys: Option<Spanned<AnyPath>>,
    /// The headers with which instances ask, as `OFREP_HEADERS`: the text `X-API-Key=KEY`, as a
    /// reference to a secret. Since 0.3.
    pub(crate) headers: Option<Secret>,
    /// The web origins whose pages may read answers. Default: all. Since 0.3.
    #[serde(default)]
    pub(crate) origins: Vec<Words>,
}

/// How a release takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strategy {
    /// The new release starts beside the old one and gets all requests at once.
    #[default]
    BlueGreen,
    /// It gets a growing share of the requests, and is compared with the old one meanwhile.
    Canary,
    /// Its instances replace those of the old one a few at a time.
    Rolling,
}

/// What happens when a step is past its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnDeadline {
    /// The release is taken back.
    #[default]
    Abort,
    /// The plan waits for a person.
    Hold,
}

/// A check before the switch: either `http` or `command`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// A path at the preview address. Since 0.1.
    pub(crate) http: Option<UrlPath>,
    /// The status that it must answer with. Default 200. Since 0.1.
    pub(crate) status: Option<Status>,
    /// A command that must exit with 0; it finds `RIPCORD_PREVIEW_URL` and `RIPCORD_RELEASE` in
    /// its environment. Since 0.1.
    pub(crate) command: Option<Command>,
}

/// How far Ripcord may go in each domain.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Authorities")]
pub(crate) struct AuthorityTable {
    /// Who answers requests.
    #[schemars(with = "Option<AuthorityWord>")]
    pub(crate) traffic: Option<Authority>,
    /// Schema and data.
    #[schemars(with = "Option<AuthorityWord>")]
    pub(crate) database: Option<Authority>,
    /// Feature flags.
    #[schemars(with = "Option<AuthorityWord>")]
    pub(crate) flags: Option<Authority>,
    /// Configuration and instances.
    #[schemars(with = "Option<AuthorityWord>")]
    pub(crate) config: Option<Authority>,
}

/// The words for [`Authority`], which is not ours to give a schema to.
#[derive(JsonSchema)]
#[schemars(rename = "Authority", rename_all = "snake_case")]
#[expect(dead_code, reason = "stands for its schema alone")]
enum AuthorityWord {
    /// Ripcord only looks.
    Observe,
    /// Ripcord writes the plan; people or other tools carry it out.
    Propose,
    /// Ripcord carries it out.
    Act,
}
