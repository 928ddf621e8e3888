//! Wishes become plans and plans are run, through crashes and restarts, until everything is at
//! rest. The planners, the linter and the executor are the real ones.

use crate::controller::{Controller, Sim};
use crate::fault::Protection;
use crate::state::{ACTIONS_MAX, State};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Environment, Generation, PlanId, ReleaseId};
use ripcord_core::plan::{self, DeployRequest, Effect, Plan, Refusal, RollbackRequest, Undo};
use ripcord_core::run::{Event, Hold, Outcome, Subject};
use ripcord_core::schema::{Direction, MigrationScript, SchemaPreview};
use ripcord_engine::control::{self, StartError};
use ripcord_engine::{Database, ExecuteError, Failure, Halt, LedgerError, Runner};

/// The name of the simulated environment.
pub const NAME: &str = "production";

/// How often a controller may start in one run.
const LIVES_MAX: u32 = 60;

/// How often whoever waits looks after the proxy.
const ATTEND_MS: Millis = 50;

/// How long requests in flight are given to end.
const SETTLE_MS: Millis = 1_500;

/// How often a person is asked in one run.
const QUESTIONS_MAX: u32 = 12;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A release goes forward.
    Deploy {
        /// Which.
        release: ReleaseId,
        /// Although it is held.
        retry: bool,
    },
    /// Back to a release, or to the last verified one before the present.
    Rollback {
        /// Which.
        release: Option<ReleaseId>,
    },
}

/// Why a wish came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// There is no such release.
    NoSuchRelease(ReleaseId),
    /// The planner refuses.
    Refused(Refusal),
    /// The plan does not start.
    NotStarted(StartError),
    /// The world does not answer.
    Blind(String),
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Denied::NoSuchRelease(release) => write!(f, "there is no release {release}"),
            Denied::Refused(refusal) => write!(f, "{refusal}"),
            Denied::NotStarted(why) => write!(f, "{why}"),
            Denied::Blind(why) => f.write_str(why),
        }
    }
}

/// How a run came to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// The plan is over.
    Over(Outcome),
    /// A person must mend something.
    NeedsOperator(u32),
    /// It waits, and nobody answers.
    Held(Hold),
    /// Nothing runs.
    Idle,
    /// It found no end.
    Endless(String),
}

/// How the person behaves who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operator {
    /// What they answer when a plan waits.
    pub answers: Answers,
    /// Whether they abort as soon as a controller starts again.
    pub aborts_after_restart: bool,
}

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answers {
    /// They let it go on: resume, approve, retry; what is past its deadline is aborted.
    #[default]
    GoOn,
    /// They abort.
    Abort,
    /// Nothing.
    Nothing,
}

impl Controller<'_> {
    /// Everything that planning needs to know.
    ///
    /// # Errors
    ///
    /// When a part of the world does not answer.
    pub fn observe_environment(&self) -> Result<Environment, Denied> {
        let wishes = self.with(|state| state.wishes.clone());
        let (policy, authority) = (&wishes.policy, &wishes.authority);
        control::observe(&NAME.into(), policy, authority, self, &self.world())
            .map_err(|error| Denied::Blind(error.to_string()))
    }

    /// Makes a plan.
    ///
    /// # Errors
    ///
    /// [`Denied`] with the reason.
    pub fn plan(&self, wish: &Wish) -> Result<(Environment, Plan), Denied> {
        let environment = self.observe_environment()?;
        let plan = match wish {
            Wish::Deploy { release, retry } => self.plan_deploy(&environment, release, *retry)?,
            Wish::Rollback { release } => {
                let last = environment.history.last_verified_before_live();
                let last = last.map(|verified| verified.release.clone());
                let target = release.clone().or(last);
                let target = target.ok_or(Denied::Refused(Refusal::NoTarget))?;
                self.plan_rollback(&environment, &target)?
            }
        };
        Ok((environment, plan))
    }

    fn plan_deploy(
        &self,
        environment: &Environment,
        id: &ReleaseId,
        retry: bool,
    ) -> Result<Plan, Denied> {
        let release = self.release(id)?;
        let applied = self.applied();
        let is_new = |script: &&MigrationScript| !applied.contains(&script.migration.version.0);
        let pending: Vec<MigrationScript> =
            release.scripts.iter().filter(is_new).cloned().collect();
        let schema = self.preview_of(Direction::Up, &pending)?;
        let mut flags = self.flags_of_deploy(environment, &release);
        self.abroad_of_deploy(environment, &release, &mut flags);
        let request = DeployRequest {
            release: &release.document,
            schema: schema.as_ref(),
            flags: Some(&flags),
            retry,
            accepted: None,
        };
        plan::deploy(environment, &request).map_err(Denied::Refused)
    }

    fn plan_rollback(&self, environment: &Environment, id: &ReleaseId) -> Result<Plan, Denied> {
        let target = self.release(id)?;
        let knows = |script: &MigrationScript| {
            target.scripts.iter().any(|known| known.migration == script.migration)
        };
        let applied = self.applied();
        let mut later: Vec<MigrationScript> = self
            .with(|state| state.releases.values().flat_map(|one| one.scripts.clone()).collect());
        later.retain(|script| applied.contains(&script.migration.version.0) && !knows(script));
        later.sort_by_key(|script| script.migration.version);
        later.dedup();
        let schema = self.preview_of(Direction::Down, &later)?;
        let mut flags = self.flags_of_rollback(environment, &target, &later);
        self.abroad_of_rollback(environment, &target, &later, &mut flags);
        let request = RollbackRequest {
            target: &target.document,
            schema: schema.as_ref(),
            flags: Some(&flags),
            room_for_a_copy: true,
        };
        plan::rollback(environment, &request).map_err(Denied::Refused)
    }

    fn release(&self, id: &ReleaseId) -> Result<crate::release::SimRelease, Denied> {
        let release = self.with(|state| state.releases.get(id).cloned());
        release.ok_or_else(|| Denied::NoSuchRelease(id.clone()))
    }

    fn applied(&self) -> Vec<u64> {
        self.with(|state| state.store.applied.iter().map(|one| one.migration.version.0).collect())
    }

    fn preview_of(
        &self,
        direction: Direction,
        scripts: &[MigrationScript],
    ) -> Result<Option<SchemaPreview>, Denied> {
        if scripts.is_empty() {
            return Ok(None);
        }
        let blind = |failure: Failure| Denied::Blind(failure.to_string());
        self.preview(direction, scripts).map(Some).map_err(blind)
    }

    /// Makes a plan and writes that it begins.
    ///
    /// # Errors
    ///
    /// [`Denied`] with the reason; nothing has happened then.
    pub fn begin(&self, wish: &Wish, by: &str) -> Result<PlanId, Denied> {
        let (environment, mut plan) = self.plan(wish)?;
        if !self.protects(Protection::BackAtOnce) {
            back_step_by_step(&mut plan);
        }
        control::start(&plan, &environment, self, by).map_err(Denied::NotStarted)?;
        Ok(plan.id)
    }

    /// Runs what the ledger says runs, as far as one life of a controller goes.
    ///
    /// # Errors
    ///
    /// What stopped the executor.
    pub fn run(&self) -> Result<Option<Halt>, ExecuteError> {
        let Some(plan) = control::running_plan(self, &NAME.into())? else { return Ok(None) };
        let shutdown = || self.is_dead();
        Runner::new(&plan, self, self.world(), &shutdown).run().map(Some)
    }

    /// Waits while a plan holds, and lets the proxy know that somebody watches.
    pub fn attend(&self, ms: Millis) {
        let running = control::running_plan(self, &NAME.into()).ok().flatten();
        let shutdown = || self.is_dead();
        let runner = running.as_ref().map(|plan| Runner::new(plan, self, self.world(), &shutdown));
        for _ in 0..ms.div_ceil(ATTEND_MS) {
            if let Some(runner) = &runner {
                runner.tend();
            }
            self.with(|state| state.advance(ATTEND_MS));
        }
    }
}

/// What a plan without that protection would be: each share goes back to the one before it.
fn back_step_by_step(plan: &mut Plan) {
    let mut before: Option<Effect> = None;
    for step in &mut plan.steps {
        let Effect::EnsureTraffic { state, .. } = &step.effect else { continue };
        if let (Some(before), Undo::Apply(undo)) = (&before, &mut step.undo)
            && state.lease.is_some()
        {
            *undo = vec![before.clone()];
        }
        before = state.lease.is_some().then(|| step.effect.clone());
    }
    plan.id = plan.computed_id();
}

impl Sim {
    /// Starts controllers until what runs is at rest, and lets requests in flight end.
    pub fn drive(&self, operator: Operator) -> Rest {
        let mut questions = 0;
        for life in 0..LIVES_MAX {
            let controller = self.start_controller();
            if life > 0 && operator.aborts_after_restart {
                let abort = Event::AbortRequested { reason: "after the restart".to_owned() };
                drop(control::request(&controller, &NAME.into(), "ann", abort));
            }
            loop {
                let halt = controller.run();
                if self.with(|state| state.actions >= ACTIONS_MAX) {
                    return Rest::Endless("too many actions".to_owned());
                }
                let waits = match halt {
                    Ok(None) => return self.settle(self.last_outcome()),
                    Ok(Some(Halt::Over(outcome))) => return self.settle(Rest::Over(outcome)),
                    Ok(Some(Halt::Hold(hold))) => Rest::Held(hold),
                    Ok(Some(Halt::NeedsOperator(step))) => Rest::NeedsOperator(step),
                    Ok(Some(Halt::Stopped))
                    | Err(ExecuteError::Ledger(LedgerError::Unusable(_) | LedgerError::Full(_))) => {
                        break;
                    }
                    // A newer one has taken over, and has come to its end or died by now.
                    Err(_) if self.with(|state| state.book.fence > controller.fence) => break,
                    Err(error) => return self.settle(Rest::Endless(error.to_string())),
                };
                let Some(answer) = operator.answer(&waits) else {
                    controller.attend(SETTLE_MS);
                    return self.settle_for(0, waits);
                };
                questions += 1;
                if questions > QUESTIONS_MAX {
                    return Rest::Endless("it asks too often".to_owned());
                }
                if control::request(&controller, &NAME.into(), "ann", answer).is_err() {
                    break;
                }
            }
        }
        Rest::Endless("too many lives".to_owned())
    }

    /// One life of a controller, up to its death or to where a person is needed.
    pub fn one_life(&self) {
        // How it ended is for the next life to find out.
        drop(self.start_controller().run());
    }

    /// How the last plan ended, when nothing runs any more.
    fn last_outcome(&self) -> Rest {
        self.with(|state| {
            state.book.entries.iter().rev().find_map(|entry| match &entry.event {
                Event::Finished { outcome } => Some(Rest::Over(outcome.clone())),
                _ => None,
            })
        })
        .unwrap_or(Rest::Idle)
    }

    fn settle(&self, rest: Rest) -> Rest {
        self.settle_for(SETTLE_MS, rest)
    }

    fn settle_for(&self, ms: Millis, rest: Rest) -> Rest {
        self.with(|state| {
            state.schedule = crate::fault::Schedule::default();
            state.advance(ms);
        });
        rest
    }

    /// A wish from beginning to rest, without faults before the plan has begun.
    ///
    /// # Errors
    ///
    /// [`Denied`] when there is no plan or it does not start.
    pub fn fulfil(&self, wish: &Wish, operator: Operator) -> Result<Rest, Denied> {
        self.start_controller().begin(wish, "ann")?;
        Ok(self.drive(operator))
    }
}

impl Operator {
    fn answer(self, waits: &Rest) -> Option<Event> {
        let abort = || Event::AbortRequested { reason: "no".to_owned() };
        match (self.answers, waits) {
            (Answers::Nothing, _) => None,
            (_, Rest::NeedsOperator(_) | Rest::Held(Hold::NeedsPerson(_))) => Some(Event::Retried),
            (Answers::Abort, _) | (_, Rest::Held(Hold::Degraded(_))) => Some(abort()),
            (Answers::GoOn, Rest::Held(Hold::Paused(_))) => Some(Event::Resumed),
            (Answers::GoOn, _) => Some(Event::Promoted),
        }
    }
}

impl State {
    /// The generation that the ledger's plans have reached.
    pub fn generation(&self) -> Generation {
        Generation(self.golden.len() as u64)
    }

    /// Everything that a controller could change, in lines to compare.
    pub fn fingerprint(&self) -> Vec<String> {
        let settings = &self.settings;
        let mut lines = vec![
            format!("columns {:?}", self.store.columns),
            format!("applied {:?}", self.store.applied),
            format!("data changes {:?}", self.store.bumps),
            format!("markers {:?}", self.store.markers),
            format!("backups {:?}", self.store.backups),
            format!("config {:?}", settings.config),
            format!("flags {:?}", self.flags.file),
            format!("flags at a service {:?}", self.abroad.flags),
            format!("resources {:?}", settings.resources),
            format!("traffic {}", self.proxy.live),
            format!("saved traffic {}", self.proxy.saved),
        ];
        let processes = self.fleet.processes.iter();
        lines.extend(processes.map(|one| {
            let role = one.role.as_deref().unwrap_or("web");
            format!("process {} of {}, {role}", one.id, one.release)
        }));
        let written = self.book.entries.iter();
        let written = written.filter(|entry| !matches!(entry.subject, Subject::Controller));
        lines.extend(written.map(|entry| format!("entry {:?} {:?}", entry.subject, entry.event)));
        lines
    }
}
