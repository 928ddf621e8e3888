//! From a wish to a plan: observes the environment, asks the database what the pending
//! migrations would do, and lets the pure planner decide. Nothing is changed here.

use crate::config::DatabasePlace;
use crate::controller::environment::EnvironmentControl;
use crate::controller::{Controller, FREE_BYTES_MIN};
use crate::failure::{Code, Failure};
use crate::store::Store;
use ripcord_core::flag::Clash;
use ripcord_core::model::{AppliedMigration, Environment, Release, ReleaseId, Strategy};
use ripcord_core::plan::{
    Acceptance, DeployRequest, Intent, Plan, Refusal, RollbackRequest, deploy, rollback,
};
use ripcord_core::schema::{Direction, MigrationScript, SchemaPreview};
use ripcord_engine::{World, control};

/// What somebody wants.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// A release goes live.
    Deploy { release: ReleaseId, retry: bool, accepted: Option<Acceptance>, force_flags: bool },
    /// An earlier release comes back; none: the last verified one.
    Rollback { to: Option<ReleaseId>, force_flags: bool },
}

impl Controller {
    /// Makes a plan for a wish, or says why there is none.
    pub(crate) fn plan(
        &self,
        environment: &EnvironmentControl,
        wish: &Wish,
    ) -> Result<Plan, Failure> {
        self.reload(environment)?;
        let observed = self.observe(environment)?;
        refuse_while_running(&observed)?;
        match wish {
            Wish::Deploy { release, retry, accepted, force_flags } => {
                let release = self.release(release)?;
                if observed.history.live() == Some(&release.id) {
                    return Err(Refusal::AlreadyLive(release.id).into());
                }
                self.space_for_a_deploy()?;
                try_metrics(environment, &observed)?;
                self.store.materialise(&release, &self.layout.release(&release.id))?;
                let scripts = pending(&observed, &release, &self.scripts(&release)?)?;
                let schema = preview(environment, Direction::Up, &scripts)?;
                let clash = clash(*force_flags);
                let flags = self.flags_of_deploy(environment, &observed, &release, clash)?;
                let request = DeployRequest {
                    release: &release,
                    schema: schema.as_ref(),
                    flags: Some(&flags),
                    retry: *retry,
                    accepted: accepted.clone(),
                };
                Ok(deploy(&observed, &request)?)
            }
            Wish::Rollback { to, force_flags } => {
                let target = self.target(&observed, to.as_ref())?;
                self.store.materialise(&target, &self.layout.release(&target.id))?;
                let scripts = self.surplus(&observed, &target)?;
                let schema = preview(environment, Direction::Down, &scripts)?;
                let clash = clash(*force_flags);
                let flags =
                    self.flags_of_rollback(environment, &observed, &target, &scripts, clash)?;
                let request = RollbackRequest {
                    target: &target,
                    schema: schema.as_ref(),
                    flags: Some(&flags),
                    room_for_a_copy: self.room_for_a_copy(environment),
                };
                Ok(rollback(&observed, &request)?)
            }
        }
    }

    /// What the environment is now.
    pub(crate) fn observe(&self, environment: &EnvironmentControl) -> Result<Environment, Failure> {
        self.observe_in(environment, &environment.world())
    }

    /// The same for people who want to know what is the matter: where the database is out of
    /// reach, everything but its schema, and why.
    pub(crate) fn observe_the_rest(
        &self,
        environment: &EnvironmentControl,
    ) -> Result<(Environment, Option<String>), Failure> {
        let failure = match self.observe(environment) {
            Ok(observed) => return Ok((observed, None)),
            Err(failure) => failure,
        };
        let rest = World { database: None, ..environment.world() };
        match self.observe_in(environment, &rest) {
            Ok(observed) => Ok((observed, Some(failure.error))),
            // It was not the database.
            Err(_) => Err(failure),
        }
    }

    fn observe_in(
        &self,
        environment: &EnvironmentControl,
        world: &World<'_>,
    ) -> Result<Environment, Failure> {
        let settings = environment.settings();
        let history = environment.past(&self.ledger)?.history;
        let observed =
            control::look(&environment.name, &settings.policy, &settings.authority, history, world);
        observed.map_err(|error| Failure::new(Code::CannotObserve, error.to_string()))
    }

    /// Whether a copy of the database fits beside what is there, with as much left again.
    fn room_for_a_copy(&self, environment: &EnvironmentControl) -> bool {
        let Some(DatabasePlace::Sqlite(path)) = environment.settings().database else {
            return true;
        };
        let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let free = self.ledger.free_bytes().unwrap_or(0);
        free >= size.saturating_mul(2).max(FREE_BYTES_MIN)
    }

    /// The release of this id.
    pub(crate) fn release(&self, id: &ReleaseId) -> Result<Release, Failure> {
        self.registry.get(id).ok_or_else(|| {
            let known: Vec<String> =
                self.registry.all().iter().map(|release| release.id.to_string()).collect();
            let failure = Failure::new(Code::UnknownRelease, format!("there is no release {id}"));
            if known.is_empty() {
                failure.hint("freeze one with `ripcord release create`")
            } else {
                failure.hint(format!("there are: {}", known.join(", ")))
            }
        })
    }

    fn target(&self, observed: &Environment, to: Option<&ReleaseId>) -> Result<Release, Failure> {
        let history = &observed.history;
        let Some(id) = to else {
            let last = history.last_verified_before_live().ok_or(Refusal::NoTarget)?;
            return self.release(&last.release);
        };
        if history.verified.iter().any(|verified| &verified.release == id) {
            return self.release(id);
        }
        let others = history.verified.iter().map(|verified| verified.release.clone());
        let available = others.filter(|other| Some(other) != history.live()).collect();
        Err(Refusal::NotVerified { target: id.clone(), available }.into())
    }

    /// The scripts of a release's migrations, from the store.
    pub(crate) fn scripts(&self, release: &Release) -> Result<Vec<MigrationScript>, Failure> {
        scripts_of(&self.store, release)
    }

    /// The migrations that the database has and the target does not know, with their scripts from
    /// whichever release brought them.
    fn surplus(
        &self,
        observed: &Environment,
        target: &Release,
    ) -> Result<Vec<MigrationScript>, Failure> {
        let applied = observed.schema.as_ref().map(|s| s.applied.as_slice()).unwrap_or_default();
        let known = |applied: &&AppliedMigration| {
            !target.migrations.iter().any(|m| m.migration == applied.migration)
        };
        let mut scripts = Vec::new();
        for surplus in applied.iter().filter(known) {
            let carrier = self.registry.all().into_iter().rev().find(|release| {
                release.migrations.iter().any(|m| m.migration == surplus.migration)
            });
            let carrier = carrier.ok_or_else(|| Refusal::UnknownMigrations {
                release: target.id.clone(),
                unknown: vec![surplus.migration.clone()],
            })?;
            let found = self.scripts(&carrier)?;
            scripts.extend(found.into_iter().filter(|s| s.migration == surplus.migration));
        }
        Ok(scripts)
    }
}

/// The scripts of a release's migrations, from the store.
pub(crate) fn scripts_of(
    store: &Store,
    release: &Release,
) -> Result<Vec<MigrationScript>, Failure> {
    let script = |migration: &ripcord_core::model::ReleaseMigration| {
        let text = |digest| -> Result<String, Failure> {
            let bytes = store.read(digest)?;
            String::from_utf8(bytes).map_err(|error| {
                Failure::new(Code::StoreDamaged, format!("a migration is not text: {error}"))
            })
        };
        Ok(MigrationScript {
            migration: migration.migration.clone(),
            up: text(&migration.migration.checksum)?,
            down: migration.down.as_ref().map(text).transpose()?,
            origin: migration.origin.clone(),
        })
    };
    release.migrations.iter().map(script).collect()
}

/// One operation at a time: says who does what, and since when.
fn refuse_while_running(observed: &Environment) -> Result<(), Failure> {
    let last = observed.history.operations.last();
    let Some(running) = last.filter(|operation| operation.outcome.is_none()) else {
        return Ok(());
    };
    let verb = match running.intent {
        Intent::Deploy => "deploy",
        Intent::Rollback => "rollback",
    };
    let since = running.started_at.strftime("%Y-%m-%d %H:%M:%S");
    let (to, by) = (&running.to, &running.by);
    Err(Failure::new(
        Code::OperationRunning,
        format!("a {verb} to {to}, begun by {by}, is running since {since} UTC"),
    )
    .hint("`ripcord status` shows it, --wait waits for its end, `ripcord abort` takes it back"))
}

/// The migrations that a release has and the database has not.
fn pending(
    observed: &Environment,
    release: &Release,
    scripts: &[MigrationScript],
) -> Result<Vec<MigrationScript>, Refusal> {
    let Some(schema) = &observed.schema else { return Ok(Vec::new()) };
    for applied in &schema.applied {
        let of_version =
            scripts.iter().find(|script| script.migration.version == applied.migration.version);
        match of_version {
            None => {
                return Err(Refusal::UnknownMigrations {
                    release: release.id.clone(),
                    unknown: vec![applied.migration.clone()],
                });
            }
            Some(script) if script.migration.checksum != applied.migration.checksum => {
                return Err(Refusal::EditedMigration { migration: applied.migration.clone() });
            }
            Some(_) => {}
        }
    }
    let latest = schema.applied.iter().map(|applied| &applied.migration).max();
    let is_applied = |script: &&MigrationScript| {
        !schema.applied.iter().any(|applied| applied.migration.version == script.migration.version)
    };
    let pending: Vec<MigrationScript> = scripts.iter().filter(is_applied).cloned().collect();
    let late = pending
        .iter()
        .find(|script| latest.is_some_and(|latest| script.migration.version < latest.version));
    match (late, latest) {
        (Some(late), Some(latest)) => {
            Err(Refusal::OutOfOrder { migration: late.migration.clone(), latest: latest.clone() })
        }
        _ => Ok(pending),
    }
}

/// Every metric that the judge is to look at must be readable now.
fn try_metrics(environment: &EnvironmentControl, observed: &Environment) -> Result<(), Failure> {
    let (Some(live), strategy) = (observed.history.live(), &observed.policy.strategy) else {
        return Ok(());
    };
    if *strategy == Strategy::BlueGreen {
        return Ok(());
    }
    environment.metrics.try_out(&observed.policy.judge.external, live).map_err(|why| {
        Failure::new(Code::MetricUnusable, format!("the metric {why}"))
            .hint("mend the query or its source in ripcord.toml; nothing was begun")
    })
}

fn preview(
    environment: &EnvironmentControl,
    direction: Direction,
    scripts: &[MigrationScript],
) -> Result<Option<SchemaPreview>, Failure> {
    let Some(database) = environment.world().database else { return Ok(None) };
    if scripts.is_empty() {
        return Ok(None);
    }
    let preview = database.preview(direction, scripts);
    preview.map(Some).map_err(|error| Failure::new(Code::MigrationRefused, error.to_string()))
}
/// What becomes of flags that somebody changed since.
fn clash(force: bool) -> Clash {
    if force { Clash::Force } else { Clash::Keep }
}
