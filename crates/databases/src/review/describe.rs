//! A statement in a few words, for tables that people read.

use crate::statement::{Constraint, ConstraintKind, Granting, Name, Statement, TransactionWord};

/// What a statement is, in a few words.
pub(crate) fn describe(statement: &Statement) -> String {
    use Statement as S;
    match statement {
        S::CreateTable(definition) => format!("create table {}", definition.table),
        S::AddColumn { table, column } => format!("add column {table}.{}", column.name),
        S::DropColumn { table, column, .. } => format!("drop column {table}.{column}"),
        S::RenameColumn { table, from, to } => format!("rename column {table}.{from} to {to}"),
        S::AlterType { table, column, to, .. } => format!("type of {table}.{column} to {to}"),
        S::SetNotNull { table, column } => format!("set not null {table}.{column}"),
        S::DropNotNull { table, column } => format!("drop not null {table}.{column}"),
        S::Default { table, column, set: true } => format!("set default {table}.{column}"),
        S::Default { table, column, set: false } => format!("drop default {table}.{column}"),
        S::SetExpression { table, column } => format!("set expression {table}.{column}"),
        S::DropExpression { table, column } => format!("drop expression {table}.{column}"),
        S::Identity { table, column, .. } => format!("identity of {table}.{column}"),
        S::AddConstraint { table, constraint } => added(table, constraint),
        S::ValidateConstraint { table, constraint } => format!("validate {constraint} of {table}"),
        S::DropConstraint { table, constraint, .. } => {
            format!("drop constraint {constraint} of {table}")
        }
        S::AttachPartition { table, partition } => format!("attach {partition} to {table}"),
        S::DetachPartition { table, partition, .. } => format!("detach {partition} from {table}"),
        S::RewriteTable { table, what } | S::TableOption { table, what } => {
            format!("{what} of {table}")
        }
        S::RowSecurity { table, .. } => format!("row security of {table}"),
        S::CreateIndex { index, table, unique, .. } => {
            let name = index.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            let unique = if *unique { "unique " } else { "" };
            format!("create {unique}index{name} on {table}")
        }
        S::DropIndex { index, .. } => format!("drop index {index}"),
        S::Reindex { what, .. } => format!("reindex {what}"),
        S::Insert { table } => format!("write rows of {table}"),
        S::Update { table, .. } => format!("update {table}"),
        S::Delete { table, .. } => format!("delete from {table}"),
        S::Merge { table } => format!("merge into {table}"),
        S::Truncate { table, .. } => format!("truncate {table}"),
        S::Lock { table, mode } => format!("lock {table} {}", mode.to_lowercase()),
        _ => other(statement),
    }
}

fn other(statement: &Statement) -> String {
    use Statement as S;
    match statement {
        S::DropTable { table, .. } => format!("drop table {table}"),
        S::DropSchema { schema, .. } => format!("drop schema {schema}"),
        S::DropType { type_name, .. } => format!("drop type {type_name}"),
        S::DropMaterializedView { view, .. } => format!("drop materialized view {view}"),
        S::DropSequence { sequence, .. } => format!("drop sequence {sequence}"),
        S::DropExtension { extension, .. } => format!("drop extension {extension}"),
        S::DropDefinition { object, .. } => format!("drop {} {}", object.kind, object.name),
        S::Rename { object, to } => format!("rename {} {} to {to}", object.kind, object.name),
        S::SetSchema { object, schema } => {
            format!("move {} {} to {schema}", object.kind, object.name)
        }
        S::CreateView { view, .. } => format!("create view {view}"),
        S::CreateMaterializedView { view } => format!("create materialized view {view}"),
        S::Refresh { view, .. } => format!("refresh {view}"),
        S::CreateRoutine(routine) => format!("create {} {}", routine.kind, routine.name),
        S::CreateTrigger { trigger, table, .. } => format!("create trigger {trigger} on {table}"),
        S::CreateRule { rule, table } => format!("create rule {rule} on {table}"),
        S::Policy { policy, table } => format!("policy {policy} on {table}"),
        S::AddEnumValue { type_name, value } => format!("add '{value}' to {type_name}"),
        S::RenameEnumValue { type_name, from, to } => {
            format!("rename '{from}' of {type_name} to '{to}'")
        }
        S::AlterComposite { type_name, .. } => format!("alter type {type_name}"),
        S::StricterDomain { domain, .. } => format!("alter domain {domain}"),
        S::AlterSequence { sequence, .. } => format!("alter sequence {sequence}"),
        S::Create { object } => format!("create {} {}", object.kind, object.name),
        S::Alter { object } => format!("alter {} {}", object.kind, object.name),
        S::Query => "query".to_owned(),
        S::Privileges { granting: Granting::Grant, .. } => "grant".to_owned(),
        S::Privileges { granting: Granting::Revoke, .. } => "revoke".to_owned(),
        S::Privileges { granting: Granting::Other, .. } => "privileges".to_owned(),
        S::Comment => "comment".to_owned(),
        S::Setting { name, .. } => format!("set {name}"),
        S::Compact { what, .. }
        | S::Maintain { what, .. }
        | S::Cluster { what }
        | S::DropWholesale { what } => what.to_lowercase(),
        S::Transaction { word } => match word {
            TransactionWord::Begin => "begin".to_owned(),
            TransactionWord::Commit => "commit".to_owned(),
            TransactionWord::Rollback => "rollback".to_owned(),
            TransactionWord::Savepoint => "savepoint".to_owned(),
            TransactionWord::Prepared => "prepared transaction".to_owned(),
        },
        S::Opaque { what } => what.clone(),
        S::MetaCommand { .. } => "psql command".to_owned(),
        S::CopyRows => "rows".to_owned(),
        S::Unreadable { .. } => "cannot be read".to_owned(),
        _ => String::new(),
    }
}

fn added(table: &Name, constraint: &Constraint) -> String {
    let kind = match constraint.kind {
        ConstraintKind::Check { .. } => "check",
        ConstraintKind::ForeignKey { .. } => "foreign key",
        ConstraintKind::Unique { .. } => "unique",
        ConstraintKind::PrimaryKey { .. } => "primary key",
        ConstraintKind::Exclude => "exclusion",
        ConstraintKind::NotNull { .. } => "not null",
    };
    let name = constraint.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("add {kind}{name} to {table}")
}

/// A statement as one line of at most 100 characters.
pub(crate) fn shortened(text: &str) -> String {
    // What is far beyond cannot be shown, so it need not be looked at.
    let near: String = text.chars().take(2_000).collect();
    let line = near.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 100 {
        return line;
    }
    line.chars().take(99).chain(['…']).collect()
}
