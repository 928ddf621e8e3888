//! What a review says, as data: the shape is versioned, since other programs read it.

use crate::formats::{Format, Migration, MigrationKind, MigrationSet, Transaction};
use crate::review::axes::{Block, Kept};
use crate::review::baseline::Baseline;
use crate::review::rules::{Level, Topic};
use ripcord_core::schema::{Inverse, Mode, Phase};
use serde::Serialize;
use std::path::PathBuf;

/// The version of the report's shape. Fields may be added within one; none goes or changes.
const VERSION: u32 = 1;

/// What a review says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Review {
    /// The version of this shape.
    pub version: u32,
    /// The tool that the migrations are for.
    pub format: Format,
    /// Where they are.
    pub folder: PathBuf,
    /// The table in which the tool remembers what it ran, if the tool is known.
    pub history: Option<String>,
    /// How much was found.
    pub counts: Counts,
    /// The migrations, in the order in which the tool runs them.
    pub migrations: Vec<ReviewedMigration>,
    /// What should be looked at, in the order of files and lines.
    pub findings: Vec<Finding>,
}

/// How much was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Findings that should not be merged as they are.
    pub errors: usize,
    /// Findings to look at.
    pub warnings: usize,
    /// Findings worth knowing.
    pub notes: usize,
    /// Findings that an annotation or the baseline silences.
    pub silenced: usize,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewedMigration {
    /// The version as the tool writes it; empty where it has none.
    pub version: String,
    /// What its author called it.
    pub name: String,
    /// How often it runs.
    pub kind: MigrationKind,
    /// The checksum that the tool computes of it, if it does.
    pub checksum: Option<String>,
    /// When in a release it belongs: where its last statement does.
    pub phase: Phase,
    /// What it does.
    pub up: ReviewedScript,
    /// What taking it back does, if its author wrote that.
    pub down: Option<ReviewedScript>,
}

/// One direction of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewedScript {
    /// The file, relative to the folder.
    pub file: PathBuf,
    /// How the tool runs it.
    pub transaction: Transaction,
    /// Its statements in order; one with several actions is several of them.
    pub statements: Vec<ReviewedStatement>,
}

/// What one statement does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewedStatement {
    /// The line in its file, from 1.
    pub line: u32,
    /// The statement in one line, shortened for people.
    pub text: String,
    /// What it is, in a few words.
    pub what: String,
    /// In whose way it stands.
    pub blocks: Option<Block>,
    /// Why code written for the schema before fails on the schema after.
    pub breaks_old_code: Option<String>,
    /// What it removes.
    pub destroys: Vec<String>,
    /// How it is taken back.
    pub inverse: Inverse,
    /// What in the data could make it fail.
    pub depends_on_data: Option<String>,
    /// When in a release it belongs.
    pub phase: Phase,
    /// What becomes of it, or of what it destroys, in a release of Ripcord's.
    pub mode: Option<Mode>,
    /// How what it destroys is kept.
    pub kept: Option<Kept>,
    /// Why its author wants it destroyed, if so.
    pub because: Option<String>,
    /// Whether it was too long to be read whole.
    pub read_in_part: bool,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that says so.
    pub rule: &'static str,
    /// How loud it is.
    pub level: Level,
    /// What it is about.
    pub topic: Topic,
    /// The file, relative to the folder.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u32,
    /// What is the matter.
    pub message: String,
    /// What to write instead, where there is a safer way.
    pub instead: Option<String>,
    /// The statement in one line, shortened.
    pub statement: String,
    /// Why it does not count.
    pub silenced: Option<Silence>,
}

/// Why a finding does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// An annotation says so.
    Annotation {
        /// Why.
        reason: String,
    },
    /// It was there when the baseline was written.
    Baseline,
}

impl Review {
    pub(super) fn new(
        set: &MigrationSet,
        migrations: Vec<ReviewedMigration>,
        findings: Vec<Finding>,
    ) -> Review {
        let mut review = Review {
            version: VERSION,
            format: set.format,
            folder: set.root.clone(),
            history: set.history.clone(),
            counts: Counts::default(),
            migrations,
            findings,
        };
        review.count();
        review
    }

    /// Silences what a baseline knows.
    pub fn apply(&mut self, baseline: &Baseline) {
        baseline.silence(&mut self.findings);
        self.count();
    }

    /// The findings that count.
    pub fn loud(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.silenced.is_none())
    }

    fn count(&mut self) {
        let mut counts = Counts::default();
        for finding in &self.findings {
            let counted = match (&finding.silenced, finding.level) {
                (Some(_), _) => &mut counts.silenced,
                (None, Level::Error) => &mut counts.errors,
                (None, Level::Warning) => &mut counts.warnings,
                (None, Level::Note) => &mut counts.notes,
            };
            *counted += 1;
        }
        self.counts = counts;
    }
}

impl ReviewedMigration {
    pub(super) fn new(
        migration: &Migration,
        up: ReviewedScript,
        down: Option<ReviewedScript>,
    ) -> ReviewedMigration {
        let rank = |phase: &Phase| match phase {
            Phase::Expand => 0,
            Phase::Data => 1,
            Phase::Contract => 2,
        };
        let phases = up.statements.iter().map(|statement| statement.phase);
        ReviewedMigration {
            version: migration.version.clone(),
            name: migration.name.clone(),
            kind: migration.kind,
            checksum: migration.checksum.clone(),
            phase: phases.max_by_key(rank).unwrap_or(Phase::Expand),
            up,
            down,
        }
    }
}
