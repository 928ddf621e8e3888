//! The kinds of statements that a review tells apart, with the objects they name.

use crate::statement::name::Name;

/// One thing that a statement does. `ALTER TABLE` with three actions is three of them, and so is
/// `DROP TABLE a, b, c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    /// CREATE TABLE, with everything that it says about columns and constraints.
    CreateTable(TableDefinition),
    /// ALTER TABLE … ADD COLUMN.
    AddColumn { table: Name, column: Column },
    /// ALTER TABLE … DROP COLUMN.
    DropColumn { table: Name, column: String, cascade: bool },
    /// ALTER TABLE … RENAME COLUMN.
    RenameColumn { table: Name, from: String, to: String },
    /// ALTER TABLE … ALTER COLUMN … TYPE.
    AlterType { table: Name, column: String, to: String, using: bool },
    /// ALTER TABLE … ALTER COLUMN … SET NOT NULL.
    SetNotNull { table: Name, column: String },
    /// ALTER TABLE … ALTER COLUMN … DROP NOT NULL.
    DropNotNull { table: Name, column: String },
    /// ALTER TABLE … ALTER COLUMN … SET or DROP DEFAULT.
    Default { table: Name, column: String, set: bool },
    /// ALTER TABLE … ALTER COLUMN … SET EXPRESSION: computes every row anew.
    SetExpression { table: Name, column: String },
    /// ALTER TABLE … ALTER COLUMN … DROP EXPRESSION: the column becomes an ordinary one.
    DropExpression { table: Name, column: String },
    /// ALTER TABLE … ALTER COLUMN … ADD, SET or DROP identity.
    Identity { table: Name, column: String, adds: bool },
    /// ALTER TABLE … ADD CONSTRAINT.
    AddConstraint { table: Name, constraint: Constraint },
    /// ALTER TABLE … VALIDATE CONSTRAINT.
    ValidateConstraint { table: Name, constraint: String },
    /// ALTER TABLE … DROP CONSTRAINT.
    DropConstraint { table: Name, constraint: String, cascade: bool },
    /// ALTER TABLE … ATTACH PARTITION.
    AttachPartition { table: Name, partition: Name },
    /// ALTER TABLE … DETACH PARTITION.
    DetachPartition { table: Name, partition: Name, concurrently: bool },
    /// An ALTER TABLE that writes the whole table anew: SET LOGGED, SET TABLESPACE and others.
    RewriteTable { table: Name, what: String },
    /// ALTER TABLE … ENABLE, DISABLE, FORCE or NO FORCE ROW LEVEL SECURITY.
    RowSecurity { table: Name, stricter: bool },
    /// Any other ALTER TABLE action: owner, options, statistics targets, triggers on and off.
    TableOption { table: Name, what: String },
    /// CREATE INDEX.
    CreateIndex { index: Option<Name>, table: Name, unique: bool, concurrently: bool },
    /// DROP INDEX.
    DropIndex { index: Name, concurrently: bool },
    /// REINDEX, of an index, table, schema or database.
    Reindex { what: String, concurrently: bool },
    /// DROP TABLE, and FOREIGN TABLE.
    DropTable { table: Name, cascade: bool },
    /// DROP SCHEMA.
    DropSchema { schema: Name, cascade: bool },
    /// DROP TYPE or DOMAIN.
    DropType { type_name: Name, cascade: bool },
    /// DROP MATERIALIZED VIEW.
    DropMaterializedView { view: Name, cascade: bool },
    /// DROP SEQUENCE.
    DropSequence { sequence: Name, cascade: bool },
    /// DROP EXTENSION.
    DropExtension { extension: Name, cascade: bool },
    /// DROP DATABASE or OWNED, which may destroy anything.
    DropWholesale { what: String },
    /// DROP VIEW, or of a function or the like: a definition only.
    DropDefinition { object: Object, cascade: bool },
    /// RENAME TO, of whatever kind.
    Rename { object: Object, to: String },
    /// SET SCHEMA, of whatever kind.
    SetSchema { object: Object, schema: String },
    /// CREATE VIEW.
    CreateView { view: Name, replace: bool },
    /// CREATE MATERIALIZED VIEW.
    CreateMaterializedView { view: Name },
    /// REFRESH MATERIALIZED VIEW.
    Refresh { view: Name, concurrently: bool },
    /// CREATE FUNCTION or PROCEDURE.
    CreateRoutine(Routine),
    /// CREATE TRIGGER.
    CreateTrigger { trigger: Name, table: Name, replace: bool },
    /// CREATE RULE.
    CreateRule { rule: Name, table: Name },
    /// CREATE POLICY, or ALTER POLICY.
    Policy { policy: Name, table: Name },
    /// ALTER TYPE … ADD VALUE.
    AddEnumValue { type_name: Name, value: String },
    /// ALTER TYPE … RENAME VALUE.
    RenameEnumValue { type_name: Name, from: String, to: String },
    /// ALTER TYPE … ADD, ALTER or DROP ATTRIBUTE.
    AlterComposite { type_name: Name, drops: Vec<String> },
    /// ALTER DOMAIN that makes it stricter.
    StricterDomain { domain: Name, not_valid: bool },
    /// ALTER SEQUENCE.
    AlterSequence { sequence: Name, restarts: bool },
    /// Any other CREATE, of a thing that did not exist.
    Create { object: Object },
    /// Any other ALTER.
    Alter { object: Object },
    /// INSERT, and COPY … FROM.
    Insert { table: Name },
    /// UPDATE.
    Update { table: Name, every_row: bool },
    /// DELETE.
    Delete { table: Name, every_row: bool },
    /// MERGE.
    Merge { table: Name },
    /// TRUNCATE.
    Truncate { table: Name, cascade: bool, restarts: bool },
    /// SELECT and the like, which change nothing a review cares about.
    Query,
    /// GRANT, REVOKE and their like.
    Privileges { granting: Granting, what: String },
    /// COMMENT and SECURITY LABEL.
    Comment,
    /// SET and RESET.
    Setting { name: String, value: Option<String> },
    /// LOCK TABLE.
    Lock { table: Name, mode: String },
    /// VACUUM FULL, CLUSTER and REPACK: the whole table is written anew.
    Compact { table: Option<Name>, what: String },
    /// VACUUM and ANALYZE.
    Maintain { what: String, in_transaction: bool },
    /// CREATE or DROP DATABASE, TABLESPACE, SUBSCRIPTION, ALTER SYSTEM: never in a transaction.
    Cluster { what: String },
    /// BEGIN, COMMIT and their like.
    Transaction { word: TransactionWord },
    /// What runs code that cannot be seen into: DO, CALL, EXECUTE, a function's body.
    Opaque { what: String },
    /// What is not for the server but for `psql`.
    MetaCommand { text: String },
    /// The rows of COPY … FROM stdin.
    CopyRows,
    /// What cannot be read as SQL.
    Unreadable { why: String },
}

/// What CREATE TABLE says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TableDefinition {
    /// Its name.
    pub(crate) table: Name,
    /// Its columns, unless it is made from a query.
    pub(crate) columns: Vec<Column>,
    /// Constraints of the table.
    pub(crate) constraints: Vec<Constraint>,
    /// Whether it lives as long as the session only.
    pub(crate) temporary: bool,
    /// The table of which it is a partition.
    pub(crate) partition_of: Option<Name>,
    /// Whether it is filled from a query.
    pub(crate) from_query: bool,
    /// Whether it may exist already.
    pub(crate) if_not_exists: bool,
}

/// A column as a script defines it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Its type as written.
    pub(crate) type_name: String,
    /// Whether it demands a value.
    pub(crate) not_null: bool,
    /// What rows get that say nothing.
    pub(crate) default: DefaultValue,
    /// Constraints beside NOT NULL.
    pub(crate) constraints: Vec<Constraint>,
    /// Whether the script tolerates that it exists.
    pub(crate) if_not_exists: bool,
}

/// What a column gets when nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum DefaultValue {
    /// NULL.
    #[default]
    Missing,
    /// The same for every row, so that no row need be written.
    Constant,
    /// Perhaps another for each row, so that every row is written: a call, an identity, a serial.
    Volatile(String),
    /// Computed from the row and stored.
    Stored,
}

/// A constraint as a script defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constraint {
    /// Its name, if written.
    pub(crate) name: Option<String>,
    /// What it demands.
    pub(crate) kind: ConstraintKind,
    /// Whether existing rows are left unchecked.
    pub(crate) not_valid: bool,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConstraintKind {
    /// CHECK, with the column that it proves to be NOT NULL, if it is just that.
    Check { proves_not_null: Option<String> },
    /// FOREIGN KEY or REFERENCES.
    ForeignKey { to: Name },
    /// UNIQUE, with the index that it adopts.
    Unique { using_index: Option<Name> },
    /// PRIMARY KEY, with the index that it adopts.
    PrimaryKey { using_index: Option<Name> },
    /// EXCLUDE.
    Exclude,
    /// NOT NULL as a table constraint.
    NotNull { column: String },
}

/// An object of a kind that is told apart by words only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// In words: `view`, `function`, `text search dictionary`.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: Name,
    /// The table that it belongs to: of a trigger, a policy, a rule.
    pub(crate) table: Option<Name>,
}

/// What CREATE FUNCTION or PROCEDURE says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Routine {
    /// `function` or `procedure`.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: Name,
    /// Whether it may replace another.
    pub(crate) replace: bool,
}

/// Whether privileges are given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granting {
    /// GRANT.
    Grant,
    /// REVOKE.
    Revoke,
    /// ALTER DEFAULT PRIVILEGES, REASSIGN OWNED.
    Other,
}

/// A word that controls a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionWord {
    /// BEGIN or START TRANSACTION.
    Begin,
    /// COMMIT or END.
    Commit,
    /// ROLLBACK or ABORT.
    Rollback,
    /// SAVEPOINT, RELEASE, ROLLBACK TO.
    Savepoint,
    /// PREPARE TRANSACTION and what ends it.
    Prepared,
}

/// What a script as a whole may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migrating {
    /// Forward.
    Up,
    /// Back.
    Down,
}

impl Statement {
    /// The table that it concerns, if it is one.
    pub(crate) fn table(&self) -> Option<&Name> {
        use Statement as S;
        match self {
            S::CreateTable(definition) => Some(&definition.table),
            S::AddColumn { table, .. }
            | S::DropColumn { table, .. }
            | S::RenameColumn { table, .. }
            | S::AlterType { table, .. }
            | S::SetNotNull { table, .. }
            | S::DropNotNull { table, .. }
            | S::Default { table, .. }
            | S::SetExpression { table, .. }
            | S::DropExpression { table, .. }
            | S::Identity { table, .. }
            | S::AddConstraint { table, .. }
            | S::ValidateConstraint { table, .. }
            | S::DropConstraint { table, .. }
            | S::AttachPartition { table, .. }
            | S::DetachPartition { table, .. }
            | S::RewriteTable { table, .. }
            | S::RowSecurity { table, .. }
            | S::TableOption { table, .. }
            | S::CreateIndex { table, .. }
            | S::DropTable { table, .. }
            | S::CreateTrigger { table, .. }
            | S::CreateRule { table, .. }
            | S::Policy { table, .. }
            | S::Insert { table }
            | S::Update { table, .. }
            | S::Delete { table, .. }
            | S::Merge { table }
            | S::Truncate { table, .. }
            | S::Lock { table, .. } => Some(table),
            S::Compact { table, .. } => table.as_ref(),
            S::Rename { object, .. } | S::SetSchema { object, .. } if object.kind == "table" => {
                Some(&object.name)
            }
            S::DropDefinition { object, .. }
            | S::Rename { object, .. }
            | S::Alter { object }
            | S::Create { object } => object.table.as_ref(),
            _ => None,
        }
    }

    /// Whether it goes on while others read and write, for which it must be in no transaction.
    pub(crate) fn is_concurrent(&self) -> bool {
        use Statement as S;
        matches!(
            self,
            S::CreateIndex { concurrently: true, .. }
                | S::DropIndex { concurrently: true, .. }
                | S::Reindex { concurrently: true, .. }
                | S::DetachPartition { concurrently: true, .. }
        )
    }

    /// Whether the server refuses it inside a transaction.
    pub(crate) fn refuses_transaction(&self) -> bool {
        use Statement as S;
        self.is_concurrent()
            || matches!(self, S::Cluster { .. } | S::Maintain { in_transaction: false, .. })
            || matches!(self, S::Compact { what, .. } if what.get(..6).is_some_and(|w| w.eq_ignore_ascii_case("vacuum")))
    }

    /// Whether it writes rows.
    pub(crate) fn is_data(&self) -> bool {
        use Statement as S;
        matches!(
            self,
            S::Insert { .. }
                | S::Update { .. }
                | S::Delete { .. }
                | S::Merge { .. }
                | S::Truncate { .. }
                | S::CopyRows
        )
    }
}
