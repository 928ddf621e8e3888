//! What running migrations would do, found out by doing it on a copy: forward, back, and forward
//! again, by the very code that will do it in earnest.

use crate::migrations::up_file;
use crate::sqlite::catalogue::Catalogue;
use crate::sqlite::estimate;
use crate::sqlite::fingerprint::fingerprints;
use crate::sqlite::history;
use crate::sqlite::integrity::{orphans, told};
use crate::sqlite::kept::{Kept, add_counts};
use crate::sqlite::records;
use crate::sqlite::review::review;
use crate::sqlite::scratch::Scratch;
use crate::sqlite::statement::Script;
use crate::sqlite::transition::Passed;
use crate::sqlite::trouble::{Result, Trouble};
use ripcord_core::model::Digest;
use ripcord_core::schema::{
    Direction, DownReview, MigrationReview, MigrationScript, SchemaForecast, SchemaPreview, diff,
};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::time::Instant;

/// Previews migrations; the database itself is only read.
pub(crate) fn preview(
    live: Option<&Connection>,
    direction: Direction,
    scripts: &[MigrationScript],
    environment: &str,
    whole_bytes_max: i64,
) -> Result<SchemaPreview> {
    let scratch = Scratch::of(live, environment, whole_bytes_max)?;
    let scripts = match direction {
        Direction::Up => scripts.to_vec(),
        Direction::Down => as_recorded(&scratch.session.connection, scripts)?,
    };
    if !scripts.windows(2).all(|pair| pair[0].migration.version < pair[1].migration.version) {
        return Err(Trouble::refuse("migrations are not in ascending order of version"));
    }
    let from = Catalogue::read(&scratch.session.connection)?;
    let mut reviews = Vec::new();
    for script in &scripts {
        let parsed = Script::parse(&up_file(&script.migration), &script.up)?;
        reviews.push(MigrationReview {
            migration: script.migration.clone(),
            statements: review(&parsed),
            down: DownReview::Missing,
        });
    }
    let rehearsal = Rehearsal { scratch: &scratch, scripts: &scripts, from: &from };
    let (to, forecast) = match direction {
        Direction::Up => rehearsal.up(live, &mut reviews)?,
        Direction::Down => rehearsal.down(live, &mut reviews)?,
    };
    let from = from.digest();
    Ok(SchemaPreview { direction, scripts, from, to, reviews, forecast, can_be_copied: true })
}

/// Scripts as the database has them: a release need not carry the scripts of later ones.
fn as_recorded(
    connection: &Connection,
    scripts: &[MigrationScript],
) -> Result<Vec<MigrationScript>> {
    let recorded = |script: &MigrationScript| {
        let record = history::recorded(connection, &script.migration)?;
        let down = record.script.down.clone().or_else(|| script.down.clone());
        Ok(MigrationScript { down, ..record.script })
    };
    scripts.iter().map(recorded).collect()
}

struct Rehearsal<'a> {
    scratch: &'a Scratch,
    scripts: &'a [MigrationScript],
    from: &'a Catalogue,
}

type Contents = BTreeMap<String, Digest>;

impl Rehearsal<'_> {
    fn up(
        &self,
        live: Option<&Connection>,
        reviews: &mut [MigrationReview],
    ) -> Result<(Digest, SchemaForecast)> {
        let session = &self.scratch.session;
        let mut forecast = self.forecast()?;
        let contents = self.contents()?;
        let orphans_before = orphans(&session.connection)?;
        let began = Instant::now();
        self.begin(self.enforcing()?)?;
        let mut by_number = Vec::new();
        for script in self.scripts {
            let passed = history::apply(session, script)?;
            by_number.extend(passed.kept.iter().filter(|k| k.by_rowid).map(|k| k.table.clone()));
            add_counts(&mut forecast.kept, passed.kept.iter().flat_map(Kept::counted));
            add_counts(&mut forecast.gone, passed.gone);
        }
        let new: Vec<String> =
            orphans(&session.connection)?.difference(&orphans_before).cloned().collect();
        if !new.is_empty() {
            return Err(Trouble::refuse(format!(
                "the change leaves rows that refer to nothing: {}",
                told(&new)
            )));
        }
        forecast.takes_ms = elapsed_ms(began);
        let to = Catalogue::read(&session.connection)?.digest();
        session.connection.execute_batch("COMMIT")?;
        self.begin("OFF")?;
        for (script, review) in self.scripts.iter().zip(reviews.iter_mut()).rev() {
            review.down = self.back(script)?.script;
        }
        self.returned(self.from, "applying and taking back")?;
        if forecast.gone.is_empty() {
            self.compare(&contents, &mut forecast)?;
        }
        session.connection.execute_batch("ROLLBACK")?;
        if !self.scratch.has_rows {
            estimate::up(live, self.scripts, &mut forecast)?;
        }
        for table in by_number {
            forecast.caveats.push(format!(
                "{table} has no primary key: its rows are found again by number, so do not VACUUM \
                 before the change is settled"
            ));
        }
        self.note_virtual(&mut forecast);
        Ok((to, forecast))
    }

    fn down(
        &self,
        live: Option<&Connection>,
        reviews: &mut [MigrationReview],
    ) -> Result<(Digest, SchemaForecast)> {
        let session = &self.scratch.session;
        let mut forecast = self.forecast()?;
        let contents = self.contents()?;
        let began = Instant::now();
        self.begin("OFF")?;
        for (script, review) in self.scripts.iter().zip(reviews.iter_mut()).rev() {
            let passed = self.back(script)?;
            review.down = passed.script;
            let hidden = passed.kept.iter().flat_map(Kept::out_of_sight).collect::<Vec<_>>();
            add_counts(&mut forecast.hidden, hidden);
            add_counts(&mut forecast.gone, passed.gone);
            forecast.caveats.extend(passed.merged.without_value);
            for users in passed.merged.users {
                forecast.caveats.push(format!("{users} stay as users wrote them since"));
            }
            for held in passed.merged.held_back {
                forecast.caveats.push(format!("{held} find no place any more and stay aside"));
            }
        }
        forecast.takes_ms = elapsed_ms(began);
        let to = Catalogue::read(&session.connection)?.digest();
        for script in self.scripts {
            history::redo(session, script)?;
        }
        self.returned(self.from, "taking back and applying again")?;
        if forecast.gone.is_empty() {
            self.compare(&contents, &mut forecast)?;
        }
        session.connection.execute_batch("ROLLBACK")?;
        if !self.scratch.has_rows {
            estimate::down(live, self.scripts, &mut forecast)?;
        }
        self.note_virtual(&mut forecast);
        Ok((to, forecast))
    }

    fn back(&self, script: &MigrationScript) -> Result<Passed> {
        history::take_back(&self.scratch.session, script)
    }

    fn begin(&self, foreign_keys: &str) -> Result<()> {
        let connection = &self.scratch.session.connection;
        connection
            .execute_batch(&format!("PRAGMA foreign_keys = {foreign_keys}; BEGIN IMMEDIATE"))?;
        Ok(())
    }

    /// As the change itself will decide it.
    fn enforcing(&self) -> Result<&'static str> {
        let connection = &self.scratch.session.connection;
        for script in self.scripts {
            let parsed = Script::parse(&up_file(&script.migration), &script.up)?;
            let known = records::find(connection, script.migration.version)?.is_some();
            if known || !crate::sqlite::ensure::acts_on_references(&parsed) {
                return Ok("OFF");
            }
        }
        Ok("ON")
    }

    fn returned(&self, expected: &Catalogue, what: &str) -> Result<()> {
        let found = Catalogue::read(&self.scratch.session.connection)?;
        if found.snapshot == expected.snapshot {
            return Ok(());
        }
        let differences: Vec<String> =
            diff(&expected.snapshot, &found.snapshot).iter().map(ToString::to_string).collect();
        Err(Trouble::refuse(format!(
            "{what} does not lead back to the same schema: {}",
            differences.join(", ")
        )))
    }

    fn contents(&self) -> Result<Contents> {
        fingerprints(&self.scratch.session.connection)
    }

    fn compare(&self, before: &Contents, forecast: &mut SchemaForecast) -> Result<()> {
        let after = self.contents()?;
        for (table, _) in before.iter().filter(|(table, print)| after.get(*table) != Some(print)) {
            forecast.caveats.push(format!(
                "rows of {table} would not come back exactly as they are now, because scripts also \
                 change rows that the change did not touch"
            ));
        }
        Ok(())
    }

    fn forecast(&self) -> Result<SchemaForecast> {
        Ok(SchemaForecast {
            kept: Vec::new(),
            hidden: Vec::new(),
            gone: Vec::new(),
            caveats: Vec::new(),
            takes_ms: 0,
            counted_at: records::now(&self.scratch.session.connection)?,
        })
    }

    fn note_virtual(&self, forecast: &mut SchemaForecast) {
        for table in self.from.tables.iter().filter(|table| table.is_virtual) {
            forecast.caveats.push(format!(
                "{} is a virtual table: what triggers write into it is not taken back",
                table.name
            ));
        }
    }
}

/// The time a rehearsal in memory took, with room for the disk.
fn elapsed_ms(began: Instant) -> u64 {
    let spent = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    spent.saturating_mul(3).saturating_add(20)
}
