//! What running migrations would do now, without changing or locking anything.

use crate::formats::Migration;
use crate::postgres::history::{Ran, Stand};
use crate::postgres::own::Applied;
use crate::postgres::preview::preview_up;
use crate::postgres::preview_back::preview_down;
use crate::postgres::release::failure::Trouble;
use crate::postgres::release::{View, digest, foretold, observe, record};
use crate::postgres::snapshot::{Scope, snapshot};
use crate::postgres::terms::Terms;
use crate::review::{Choice, ReviewedMigration, ReviewedStatement, review};
use ripcord_core::model::Digest;
use ripcord_core::schema::{
    Direction, DownReview, MigrationReview, MigrationScript, Mode, SchemaPreview, StatementReview,
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
            let key = view.history.key().to_owned();
            let forecast = preview_down(&mut view.connection, &key, &ids, &terms)?;
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

/// Nothing may be half done by somebody else.
fn sound(view: &mut View) -> Result<(), Trouble> {
    let standings = view.history.standing(&view.set, &mut view.connection)?;
    for one in standings {
        let why = match one.stand {
            Stand::Failed => "failed when its own tool ran it; look what of it is in force and set \
                              the tool's mark right",
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
    let of = |script: &MigrationScript| {
        let number = script.migration.version.0;
        let found = reviewed.migrations.iter().find(|one| one.version.parse() == Ok(number));
        MigrationReview {
            migration: script.migration.clone(),
            statements: found.map(statements).unwrap_or_default(),
            down: match script.down {
                Some(_) => DownReview::Untried,
                None => DownReview::Missing,
            },
        }
    };
    scripts.iter().map(of).collect()
}

fn statements(reviewed: &ReviewedMigration) -> Vec<StatementReview> {
    let one = |statement: &ReviewedStatement| StatementReview {
        line: statement.line,
        text: statement.text.clone(),
        blocks: statement.blocks.as_ref().map(ToString::to_string),
        breaks_old_code: statement.breaks_old_code.clone(),
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
