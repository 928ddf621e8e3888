//! What each statement of a migration does, judged on five axes that tools like to mix: does it
//! block, does it break the old code, does it destroy, has it an inverse, does it depend on data.

use crate::model::{Digest, MigrationRef};
use crate::schema::change::{Direction, MigrationScript};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything known beforehand about running some migrations against one database now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaPreview {
    /// Which way.
    pub direction: Direction,
    /// The migrations with their scripts, ascending.
    pub scripts: Vec<MigrationScript>,
    /// The catalogue as it is.
    pub from: Digest,
    /// The catalogue as it will be, from a rehearsal on a copy of the schema.
    pub to: Digest,
    /// What each migration does, in the same order, always read forward.
    pub reviews: Vec<MigrationReview>,
    /// The price.
    pub forecast: SchemaForecast,
    /// Whether a copy of the whole database can be made beforehand. Where not, only what is
    /// removed is kept, within the database.
    pub can_be_copied: bool,
}

impl SchemaPreview {
    /// Why a release from before these migrations cannot work on the schema after them. Empty
    /// when it can.
    pub fn breaks_old_code(&self) -> Vec<String> {
        let statements = self.reviews.iter().flat_map(|review| &review.statements);
        statements.filter_map(|statement| statement.breaks_old_code.clone()).collect()
    }
}

/// What one migration does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationReview {
    /// Which.
    pub migration: MigrationRef,
    /// Its statements in order.
    pub statements: Vec<StatementReview>,
    /// What its down script is worth.
    pub down: DownReview,
}

/// What one statement does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementReview {
    /// The line in its file, from 1.
    pub line: u32,
    /// The statement in one line, shortened for people.
    pub text: String,
    /// Whether others wait for it, and for how long in words.
    pub blocks: Option<String>,
    /// Why code written for the schema before would fail on the schema after.
    pub breaks_old_code: Option<String>,
    /// What it removes from the database: tables, columns, rows.
    pub destroys: Vec<String>,
    /// How it is taken back.
    pub inverse: Inverse,
    /// What in the data could make it fail.
    pub depends_on_data: Option<String>,
    /// What becomes of that which it destroys.
    pub mode: Mode,
    /// When in a release it belongs.
    pub phase: Phase,
}

/// How a statement is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inverse {
    /// From the catalogue as it was.
    Catalogue,
    /// From the rows and values that were kept.
    Kept,
    /// Only with what the author wrote, or from the copy taken before.
    Opaque,
    /// Not at all: what it removes was asked to be destroyed.
    None,
}

/// What becomes of what a statement destroys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is copied aside, then the statement runs as written.
    Drop,
    /// It is renamed or moved aside.
    Hide,
    /// The statement waits until the rollback window closes.
    Defer,
    /// It is destroyed, as its author asked, with a reason.
    Destroy,
}

/// When in a release a statement belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It adds; old and new code work on it.
    Expand,
    /// It changes rows.
    Data,
    /// It removes or narrows; old code does not survive it.
    Contract,
}

/// What a down script is worth, by rehearsal on a copy of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownReview {
    /// It brings back exactly the catalogue from before.
    Exact,
    /// There is none; the inverse is derived from the catalogue.
    Missing,
    /// It leaves another catalogue, which is then repaired; this says where.
    Differs(Vec<String>),
    /// There is one; what it leaves is compared when it runs, and put right.
    Untried,
    /// It cannot run; the inverse is derived from the catalogue.
    Fails(String),
}

/// The price of a change of schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaForecast {
    /// Set aside, to come back when the change is taken back.
    pub kept: Vec<Counted>,
    /// Written since by newer code; out of sight while the older schema is in force.
    pub hidden: Vec<Counted>,
    /// Destroyed for good.
    pub gone: Vec<Counted>,
    /// What cannot come back as it was, by name.
    pub caveats: Vec<String>,
    /// How long the change takes, estimated.
    pub takes_ms: u64,
    /// When this was counted.
    pub counted_at: Timestamp,
}

/// A number of things of one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counted {
    /// What: `orders.note`, `audit_log`, `index orders_by_day`.
    pub what: String,
    /// Counted in.
    pub unit: Unit,
    /// How many.
    pub count: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole rows.
    Rows,
    /// Values of one column.
    Values,
    /// Tables, indexes, views, triggers.
    Objects,
    /// Changes of feature flags.
    Flags,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match (self.unit, self.count) {
            (Unit::Rows, 1) => "row",
            (Unit::Rows, _) => "rows",
            (Unit::Values, 1) => "value",
            (Unit::Values, _) => "values",
            (Unit::Objects, 1) => "object",
            (Unit::Objects, _) => "objects",
            (Unit::Flags, 1) => "flag",
            (Unit::Flags, _) => "flags",
        };
        match self.unit {
            Unit::Objects | Unit::Flags => f.write_str(&self.what),
            Unit::Rows | Unit::Values => write!(f, "{} {unit} of {}", self.count, self.what),
        }
    }
}
