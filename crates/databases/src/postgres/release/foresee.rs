//! What running migrations would do now, without changing or locking anything.

use crate::formats::Migration;
use crate::postgres::history::{Ran, Stand};
use crate::postgres::own::Applied;
use crate::postgres::preview::preview_up;
use crate::postgres::preview_back::{Ahead, Taking, preview_down};
use crate::postgres::release::failure::Trouble;
use crate::postgres::release::{View, digest, foretold, observe, record};
use crate::postgres::snapshot::{Scope, snapshot};
use crate::postgres::terms::Terms;
use crate::review::{Choice, ReviewedMigration, ReviewedStatement, review};
use ripcord_core::model::Digest;
use ripcord_core::schema::{
    Direction, DownReview, MigrationReview, MigrationScript, Mode, SchemaForecast, SchemaPreview,
    StatementReview,
};
use std::collections::BTreeSet;

/// Looks.
pub(super) fn preview(
    view: &mut View,
    direction: Direction,
    scripts: &[MigrationScript],
) -> Result<SchemaPreview, Trouble> {
    sound(view)?;
    let found = digest(view)?;
    let from = record::name_of(&mut view.connection, found)?;
    let terms = Terms::default();
    let reviews = reviews(view, scripts);
    let (forecast, to) = match direction {
        Direction::Up => {
            let migrations: Vec<Migration> =
                scripts.iter().filter_map(|script| migration(view, script)).cloned().collect();
            let forecast = preview_up(&mut view.connection, &migrations, &terms)?;
            (forecast, foretold(&from, direction, scripts))
        }
        Direction::Down => {
            let runs = runs(view, scripts)?;
            let ids: Vec<i64> = runs.iter().map(|run| run.id).collect();
            let takings: Vec<Taking> =
                runs.iter().map(|run| Taking { run: run.id, script: run.has_down }).collect();
            let key = view.history.key().to_owned();
            let ahead = preview_down(&mut view.connection, &key, &takings, &terms)?;
            let forecast = told(ahead);
            let to = match target(view, &ids)? {
                Some(to) => record::name_of(&mut view.connection, to)?,
                None => foretold(&from, direction, scripts),
            };
            (forecast, to)
        }
    };
    let scripts = scripts.to_vec();
    Ok(SchemaPreview { direction, scripts, from, to, reviews, forecast, can_be_copied: false })
}

/// The forecast, with what stands in the way of it.
fn told(ahead: Ahead) -> SchemaForecast {
    let mut forecast = ahead.forecast;
    let stays = ahead.conflicts.iter().map(|one| (one, "stays as users wrote it"));
    let against = ahead.against.iter().map(|one| (one, "stands against the way back"));
    for (one, what) in stays.chain(against) {
        forecast.caveats.push(format!("{} ({}) {what}: {}", one.what, one.count, one.why));
    }
    forecast
}

/// Nothing may be half done by somebody else.
fn sound(view: &mut View) -> Result<(), Trouble> {
    let standings = view.history.standing(&view.set, &mut view.connection)?;
    for one in standings {
        let why = match one.stand {
            Stand::Failed => {
                "failed when its own tool ran it; look what of it is in force and set \
                              the tool's mark right"
            }
            Stand::Unfinished | Stand::HalfUndone => {
                "did not get through; run `ripcord db up` to end it"
            }
            Stand::Pending | Stand::Applied | Stand::Undone | Stand::Covered => continue,
        };
        return Err(Trouble::refuse(format!("version {} {why}", one.version)));
    }
    Ok(())
}

/// The folder's form of a script.
pub(super) fn migration<'a>(view: &'a View, script: &MigrationScript) -> Option<&'a Migration> {
    let number = script.migration.version.0;
    view.set.migrations.iter().find(|one| one.version.parse() == Ok(number))
}

/// The runs by which these migrations are in force, the latest first.
fn runs(view: &mut View, scripts: &[MigrationScript]) -> Result<Vec<Ran>, Trouble> {
    let ran = view.history.runs(&mut view.connection)?;
    let mut found = Vec::with_capacity(scripts.len());
    for script in scripts {
        let number = script.migration.version.0;
        let run = ran.iter().rev().find(|run| run.version.parse() == Ok(number));
        found.push(run.cloned().ok_or_else(|| {
            Trouble::refuse(format!(
                "{} was run by another tool than Ripcord, so it is not known how to take it back; \
                 `ripcord db attach` stores its script",
                script.migration
            ))
        })?);
    }
    found.sort_by_key(|run| std::cmp::Reverse(run.id));
    Ok(found)
}

/// The schema without these runs; none when it is not known what one of them changed.
pub(super) fn target(view: &mut View, runs: &[i64]) -> Result<Option<Digest>, Trouble> {
    let mut now = snapshot(&mut view.connection, &Scope::default())?;
    let key = view.history.key().to_owned();
    let all = Applied::of(&mut view.connection, &key)?;
    for run in runs {
        let delta = all.iter().find(|one| one.id == *run).and_then(|one| one.delta.as_ref());
        let Some(delta) = delta else { return Ok(None) };
        now = delta.taken_from(&now).0;
    }
    Ok(Some(observe::digest(&now, &key)))
}

fn reviews(view: &View, scripts: &[MigrationScript]) -> Vec<MigrationReview> {
    let paths: BTreeSet<_> =
        scripts.iter().filter_map(|one| Some(migration(view, one)?.up.path.clone())).collect();
    let reviewed = review(&view.set, &Choice { only: Some(paths) });
    let breaks = breaks(view, scripts);
    let of = |script: &MigrationScript| {
        let number = script.migration.version.0;
        let found = reviewed.migrations.iter().find(|one| one.version.parse() == Ok(number));
        MigrationReview {
            migration: script.migration.clone(),
            statements: found.map(|one| statements(one, &breaks)).unwrap_or_default(),
            down: match script.down {
                Some(_) => DownReview::Untried,
                None => DownReview::Missing,
            },
        }
    };
    scripts.iter().map(of).collect()
}

/// Why code from before all of these fails after them. What one of them makes, no such code knows,
/// so they are read as the one script that they are together.
fn breaks(view: &View, scripts: &[MigrationScript]) -> BTreeSet<String> {
    let mut ours = scripts.iter().filter_map(|script| migration(view, script));
    let Some(first) = ours.next() else { return BTreeSet::new() };
    let mut together = first.clone();
    for migration in ours {
        together.up.text.push_str("\n;\n");
        together.up.text.push_str(&migration.up.text);
    }
    let path = together.up.path.clone();
    let is_ours = |one: &Migration| {
        let number = one.version.parse::<u64>();
        scripts.iter().any(|script| number == Ok(script.migration.version.0))
    };
    let mut set = view.set.clone();
    let place = set.migrations.iter().position(is_ours).unwrap_or_default();
    set.migrations.retain(|one| !is_ours(one));
    set.migrations.insert(place.min(set.migrations.len()), together);
    let reviewed = review(&set, &Choice { only: Some([path].into()) });
    let statements = reviewed.migrations.into_iter().flat_map(|one| one.up.statements);
    statements.filter_map(|statement| statement.breaks_old_code).collect()
}

fn statements(reviewed: &ReviewedMigration, breaks: &BTreeSet<String>) -> Vec<StatementReview> {
    let one = |statement: &ReviewedStatement| StatementReview {
        line: statement.line,
        text: statement.text.clone(),
        blocks: statement.blocks.as_ref().map(ToString::to_string),
        breaks_old_code: statement.breaks_old_code.clone().filter(|why| breaks.contains(why)),
        destroys: statement.destroys.clone(),
        inverse: statement.inverse.clone(),
        depends_on_data: statement.depends_on_data.clone(),
        // Nothing is hidden or deferred here, whatever would be best.
        mode: match statement.mode {
            Some(Mode::Destroy) => Mode::Destroy,
            _ => Mode::Drop,
        },
        phase: statement.phase,
    };
    reviewed.up.statements.iter().map(one).collect()
}
