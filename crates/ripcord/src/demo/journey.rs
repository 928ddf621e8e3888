//! The journey of the demo: release, release well, release badly, be taken back; all under load.

use crate::api::{Client, WishKind};
use crate::cli::{Ended, follow};
use crate::demo::Options;
use crate::demo::canary::CanaryOutcome;
use crate::demo::outcome::{Before, Clients, Outcome};
use crate::demo::stage::{ENVIRONMENT, Fixture, Stage};
use crate::demo::story;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::model::ReleaseId;
use ripcord_core::plan::Plan;
use ripcord_shop::Schema;
use ripcord_shop::load::{Load, LoadHandle, LoadOptions, verify};
use std::thread::sleep;
use std::time::Duration;

/// How long each release is enjoyed before the next.
const CALM: Duration = Duration::from_secs(1);

/// How long a plan may take.
const PLAN_MAX: Duration = Duration::from_mins(2);

/// Plays it, and says what came of it.
pub(crate) fn play(stage: &Stage, options: &Options) -> Result<Outcome, Failure> {
    story::chapter("The controller and the proxy start");
    let client = stage.open(options.keep)?;
    terminal::say(&format!("users are served at {}", stage.url()));

    story::chapter("v1, the first release");
    let first = release(stage, &client, Fixture::GOOD)?;
    expect_live(&first)?;
    let load = load(stage, options)?;
    terminal::say(&format!("{} requests a second begin: reads and writes", options.rps));
    sleep(CALM);

    story::chapter("v2, a good release: additive migration, other configuration, a new flag");
    let second = release(stage, &client, Fixture::ADDITIVE)?;
    expect_live(&second)?;
    sleep(CALM);

    story::chapter("v3, a bad canary: one user in ten gets it, its migration only adds a table");
    let before_canary = Before::take(stage, &client)?;
    let canary = release(stage, &client, Fixture::CANARY)?;
    let canary_schema = before_canary.schema_is_back(stage, &client)?;
    sleep(CALM);

    story::chapter("v4, a bad release: its migration drops a column, deletes and rewrites rows");
    let before = Before::take(stage, &client)?;
    let bad = release(stage, &client, Fixture::BAD)?;
    sleep(CALM);

    story::chapter("What came of it");
    let (report, record) = load.stop().map_err(|error| load_failed(&error))?;
    let data = verify(stage.database(), &record, Some(&before.baseline), Schema::V2)
        .map_err(|error| load_failed(&error))?;
    let canary = CanaryOutcome::of(&canary, canary_schema, &report);
    let clients = Clients { report: &report, record: &record, data: &data };
    let outcome = Outcome::of(stage, &client, &before, &bad, canary, &clients)?;
    story::tell(stage, &client, &bad, &outcome, &report)?;
    Ok(outcome)
}

/// One release from the project to its end, followed live.
pub(crate) struct Released {
    pub(crate) release: ReleaseId,
    pub(crate) plan: Plan,
    pub(crate) ended: Ended,
}

fn release(stage: &Stage, client: &Client, fixture: Fixture) -> Result<Released, Failure> {
    stage.dress(fixture)?;
    let release = stage.freeze(client)?;
    let wish = WishKind::Deploy {
        release: release.clone(),
        retry: false,
        accepted: None,
        force_flags: false,
    };
    let plan = client.plan(ENVIRONMENT, &wish)?;
    terminal::say(plan.to_string().trim_end());
    let after = client.status(ENVIRONMENT)?.sequence;
    client.start(ENVIRONMENT, plan.clone(), "demo".to_owned())?;
    let ended = follow(client, ENVIRONMENT, &plan, after, PLAN_MAX, true)?;
    Ok(Released { release, plan, ended })
}

fn expect_live(released: &Released) -> Result<(), Failure> {
    match &released.ended {
        Ended::Over(ripcord_core::run::Outcome::Live) => Ok(()),
        other => Err(Failure::new(
            Code::DemoFailed,
            format!("{} should have gone live: {other:?}", released.release),
        )),
    }
}

fn load(stage: &Stage, options: &Options) -> Result<LoadHandle, Failure> {
    Load::start(LoadOptions {
        url: stage.url(),
        rps: options.rps,
        fault_log: Some(stage.fault_log()),
        record_file: Some(stage.directory.join("written.jsonl")),
        timeout_ms: 35_000,
        ..LoadOptions::default()
    })
    .map_err(|error| load_failed(&error))
}

fn load_failed(error: &ripcord_shop::ShopError) -> Failure {
    Failure::new(Code::DemoFailed, error.to_string())
}
