//! What tests of plans and journals begin with: an environment, releases, and changes of schema.

use crate::analysis::JudgePolicy;
use crate::flag::{FlagChange, FlagPreview, FlagSource, LayerChange, OffLayer};
use crate::model::environment::SchemaState;
use crate::model::policy::{CheckSpec, ResourceSpec};
use crate::model::{
    Authorities, Digest, Environment, FlagSet, Generation, HoldLimits, Instances, MigrationRef,
    MigrationVersion, Policy, Release, ReleaseId, Requests, Role, Source, Split, Strategy,
    TrafficState,
};
use crate::plan::{DeployRequest, Plan, RollbackRequest, deploy, rollback};
use crate::run::{History, Verified};
use crate::schema::{
    Counted, Direction, DownReview, Inverse, MigrationReview, MigrationScript, Mode, Phase,
    SchemaForecast, SchemaPreview, StatementReview, Unit,
};
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

pub(crate) fn policy() -> Policy {
    Policy {
        strategy: Strategy::BlueGreen,
        judge: JudgePolicy::default(),
        abort_keep_ms: Some(0),
        instances: 2,
        ready_ms_max: 30_000,
        drain_ms_max: 5_000,
        hold: HoldLimits::default(),
        bake_ms: 10_000,
        keep_warm_ms: 60_000,
        rollback_window_ms: 3_600_000,
        error_floor: 50,
        approve: false,
        abort_on_deadline: true,
        checks: vec![CheckSpec::Http { path: "/health".into(), status: 200 }],
        resources: Vec::new(),
        does_not_come_back: Vec::new(),
    }
}

pub(crate) fn queue() -> ResourceSpec {
    let command = |verb: &str| vec!["queue".to_owned(), verb.to_owned()];
    ResourceSpec { name: "queue".into(), apply: command("apply"), revert: command("revert") }
}

pub(crate) fn release(id: &str) -> Release {
    Release {
        format: Release::FORMAT,
        id: id.into(),
        service: "shop".into(),
        artifact: Digest::of_bytes(id.as_bytes()),
        command: vec!["shop".into()],
        roles: BTreeMap::new(),
        config: BTreeMap::new(),
        environment: BTreeMap::new(),
        migrations: Vec::new(),
        flags: FlagSet { document: Some(flags(id)), ..FlagSet::default() },
        source: Source { commit: None, dirty: false },
        created_by: "ann".into(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

/// A release that runs a worker and a cron beside the web.
pub(crate) fn release_with_roles(id: &str) -> Release {
    let role = |instances| Role { command: vec!["shop".into()], instances };
    let roles = BTreeMap::from([("cron".to_owned(), role(1)), ("worker".to_owned(), role(3))]);
    Release { roles, ..release(id) }
}

/// The roles that run of a release which has some.
pub(crate) fn roles_run(environment: &mut Environment, id: &str) {
    let run = |count| Instances { wanted: count, ready: count };
    let roles = BTreeMap::from([("cron".to_owned(), run(1)), ("worker".to_owned(), run(2))]);
    environment.roles.insert(id.into(), roles);
}

fn flags(id: &str) -> Digest {
    Digest::of_bytes(format!("flags of {id}").as_bytes())
}

/// An environment in which these releases were verified, the last one being live.
pub(crate) fn environment(verified: &[&str]) -> Environment {
    let now = Timestamp::UNIX_EPOCH + 100.hours();
    let mut history = History {
        generation: Generation(verified.len() as u64),
        verified: verified
            .iter()
            .map(|id| Verified { release: (*id).into(), at: now, replaced_at: Some(now) })
            .collect(),
        ..History::default()
    };
    if let Some(last) = history.verified.last_mut() {
        last.replaced_at = None;
    }
    let live = history.live().cloned();
    let running = Instances { wanted: 2, ready: 2 };
    Environment {
        name: "production".into(),
        generation: history.generation,
        traffic: TrafficState::of(
            live.as_ref().map(Split::all_to).unwrap_or_default(),
            None,
            Requests::Flowing,
        ),
        roles: BTreeMap::new(),
        instances: verified.iter().map(|id| ((*id).into(), running)).collect(),
        schema: Some(SchemaState { digest: Digest::of_bytes(b"before"), applied: Vec::new() }),
        config: live.clone(),
        flags: live.as_ref().map(|live| flags(live.as_str())),
        policy: policy(),
        authority: Authorities::default(),
        past: None,
        observed_at: now,
        history,
    }
}

/// A change of one statement.
pub(crate) fn preview(direction: Direction, breaks: bool, gone: u64) -> SchemaPreview {
    let migration = MigrationRef {
        version: MigrationVersion(7),
        name: "drop_note".into(),
        checksum: Digest::of_bytes(b"up"),
    };
    let counted = |count| Counted { what: "orders.note".into(), unit: Unit::Values, count };
    let statement = StatementReview {
        line: 1,
        text: "ALTER TABLE orders DROP COLUMN note".into(),
        blocks: None,
        breaks_old_code: breaks.then(|| "orders.note goes away".to_owned()),
        destroys: Vec::new(),
        inverse: Inverse::Kept,
        depends_on_data: None,
        mode: Mode::Drop,
        phase: Phase::Contract,
    };
    SchemaPreview {
        direction,
        scripts: vec![MigrationScript {
            migration: migration.clone(),
            up: "ALTER TABLE orders DROP COLUMN note;".into(),
            down: None,
            origin: None,
        }],
        from: Digest::of_bytes(b"before"),
        to: Digest::of_bytes(b"after"),
        reviews: vec![MigrationReview {
            migration,
            statements: vec![statement],
            down: DownReview::Missing,
        }],
        forecast: SchemaForecast {
            kept: vec![counted(3)],
            hidden: Vec::new(),
            gone: if gone > 0 { vec![counted(gone)] } else { Vec::new() },
            caveats: Vec::new(),
            takes_ms: 40,
            counted_at: Timestamp::UNIX_EPOCH,
        },
        can_be_copied: true,
    }
}

/// What a deploy of `v2` does to the flags.
pub(crate) fn flags_of_deploy() -> FlagPreview {
    let change = FlagChange {
        release: "v2".into(),
        from: Some(flags("v1")),
        to: Some(flags("v2")),
        undoes: false,
        source: FlagSource::Deploy,
        reason: "v2 goes live".into(),
    };
    FlagPreview { change: Some(change), ..FlagPreview::default() }
}

/// What a rollback from `v2` does to the flags: `checkout` needs migration 7.
pub(crate) fn flags_of_rollback() -> FlagPreview {
    let layer = OffLayer {
        flags: ["checkout".to_owned()].into(),
        requires: BTreeMap::from([("checkout".to_owned(), MigrationVersion(7))]),
        reason: "v2 is left for v1".into(),
        by: "ripcord".into(),
    };
    let layer = LayerChange {
        release: "v2".into(),
        layer: Some(layer),
        undoes: false,
        reason: "v2 is left for v1".into(),
    };
    let change = FlagChange {
        from: Some(flags("v2")),
        to: Some(flags("v1")),
        source: FlagSource::Rollback,
        ..flags_of_deploy().change.unwrap()
    };
    FlagPreview {
        layer: Some(layer),
        change: Some(change),
        confirm_ms_max: 5_000,
        ..FlagPreview::default()
    }
}

/// The plan of deploying `v2` over `v1`.
pub(crate) fn deploy_plan(schema: Option<&SchemaPreview>) -> (Environment, Plan) {
    let environment = environment(&["v1"]);
    let (release, flags) = (release("v2"), flags_of_deploy());
    let request = DeployRequest {
        release: &release,
        schema,
        flags: Some(&flags),
        retry: false,
        accepted: None,
    };
    let plan = deploy(&environment, &request).unwrap();
    (environment, plan)
}

/// The plan of returning from `v2` to `v1`.
pub(crate) fn rollback_plan(schema: Option<&SchemaPreview>) -> (Environment, Plan) {
    let environment = environment(&["v1", "v2"]);
    let (target, flags) = (release("v1"), flags_of_rollback());
    let plan = rollback(
        &environment,
        &RollbackRequest { target: &target, schema, flags: Some(&flags), room_for_a_copy: true },
    )
    .unwrap();
    (environment, plan)
}

/// The releases that run.
pub(crate) fn running(environment: &Environment) -> std::collections::BTreeSet<ReleaseId> {
    environment.instances.keys().cloned().collect()
}
