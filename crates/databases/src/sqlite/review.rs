//! Judging statements on five axes. Pure: what only the database can know is left to rehearsal.

use crate::sqlite::statement::{Script, Statement, Step};
use ripcord_core::schema::{Inverse, Mode, Phase, StatementReview};

/// Reviews a script's statements in order.
pub(crate) fn review(script: &Script) -> Vec<StatementReview> {
    let born: Vec<&str> = script.steps.iter().filter_map(created).collect();
    script.steps.iter().map(|step| one(step, &born)).collect()
}

/// The tables that a script creates itself: nothing done to them breaks or destroys anything.
fn created(step: &Step) -> Option<&str> {
    match &step.statement {
        Statement::CreateTable { table } => Some(table),
        _ => None,
    }
}

fn one(step: &Step, born: &[&str]) -> StatementReview {
    let new = table_of(&step.statement)
        .is_some_and(|table| born.iter().any(|name| name.eq_ignore_ascii_case(table)));
    let breaks_old_code = if new { None } else { breaks(&step.statement) };
    let destroys = if new { Vec::new() } else { destroys(&step.statement) };
    let phase = if breaks_old_code.is_some() {
        Phase::Contract
    } else if step.statement.is_data() {
        Phase::Data
    } else {
        Phase::Expand
    };
    let mode = if step.piece.destroy.is_some() { Mode::Destroy } else { Mode::Drop };
    StatementReview {
        line: step.piece.line,
        text: shortened(&step.piece.text),
        blocks: blocks(&step.statement),
        breaks_old_code,
        inverse: match (&step.statement, mode) {
            (_, Mode::Destroy) if !destroys.is_empty() => Inverse::None,
            (Statement::Opaque, _) => Inverse::Opaque,
            (statement, _) if !destroys.is_empty() || statement.is_data() => Inverse::Kept,
            _ => Inverse::Catalogue,
        },
        destroys,
        depends_on_data: depends(&step.statement),
        mode,
        phase,
    }
}

fn breaks(statement: &Statement) -> Option<String> {
    use Statement as S;
    match statement {
        S::DropTable { table } => Some(format!("table {table} is dropped")),
        S::DropColumn { table, column } => Some(format!("column {table}.{column} is dropped")),
        S::RenameTable { from, to } => Some(format!("table {from} becomes {to}")),
        S::RenameColumn { table, from, to } => Some(format!("column {table}.{from} becomes {to}")),
        S::AddColumn { table, column, demands: true } => {
            Some(format!("column {table}.{column} demands a value and has no default"))
        }
        S::CreateIndex { index, table, unique: true } => {
            Some(format!("index {index} demands that rows of {table} are unique"))
        }
        S::DropView { view } => Some(format!("view {view} is dropped")),
        S::CreateTrigger { trigger, table } => {
            Some(format!("trigger {trigger} acts on every write of {table}"))
        }
        S::Opaque => Some("a statement that is not understood may do anything".to_owned()),
        _ => None,
    }
}

fn destroys(statement: &Statement) -> Vec<String> {
    use Statement as S;
    match statement {
        S::DropTable { table } => vec![format!("table {table}")],
        S::DropColumn { table, column } => vec![format!("column {table}.{column}")],
        S::Delete { table } => vec![format!("rows of {table}")],
        S::Update { table } => vec![format!("values of {table}")],
        S::Opaque => vec!["whatever it touches".to_owned()],
        _ => Vec::new(),
    }
}

fn blocks(statement: &Statement) -> Option<String> {
    use Statement as S;
    match statement {
        S::Harmless => None,
        S::CreateIndex { table, .. } | S::DropColumn { table, .. } => {
            Some(format!("all writers, while every row of {table} is read"))
        }
        statement if statement.is_data() => Some("all writers, while rows are written".to_owned()),
        _ => Some("all writers, for milliseconds".to_owned()),
    }
}

fn depends(statement: &Statement) -> Option<String> {
    use Statement as S;
    match statement {
        S::CreateIndex { table, unique: true, .. } => {
            Some(format!("fails when rows of {table} are not unique"))
        }
        S::AddColumn { table, demands: true, .. } => Some(format!("fails when {table} has rows")),
        S::Insert { table } | S::Update { table } => {
            Some(format!("fails when a constraint of {table} does not hold"))
        }
        S::Delete { table } => Some(format!("fails when rows of {table} are referred to")),
        S::Opaque => Some("may fail for any reason".to_owned()),
        _ => None,
    }
}

fn table_of(statement: &Statement) -> Option<&str> {
    use Statement as S;
    match statement {
        S::CreateTable { table }
        | S::DropTable { table }
        | S::AddColumn { table, .. }
        | S::DropColumn { table, .. }
        | S::RenameColumn { table, .. }
        | S::RenameTable { from: table, .. }
        | S::CreateIndex { table, .. }
        | S::CreateTrigger { table, .. }
        | S::Insert { table }
        | S::Update { table }
        | S::Delete { table } => Some(table),
        _ => None,
    }
}

/// One line of at most 100 characters.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 100 {
        return line;
    }
    line.chars().take(99).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, breaks: Option<&str>, phase: Phase, inverse: &Inverse, mode: Mode) {
        let script = Script::parse("f", text).unwrap();
        let last = review(&script).pop().unwrap();
        assert_eq!(last.breaks_old_code.as_deref(), breaks, "{text}");
        assert_eq!((last.phase, &last.inverse, last.mode), (phase, inverse, mode), "{text}");
    }

    #[test]
    fn five_axes() {
        use Inverse::{Catalogue, Kept, None as Never, Opaque};
        use Mode::{Destroy, Drop};
        use Phase::{Contract, Data, Expand};
        check("ALTER TABLE a ADD b", None, Expand, &Catalogue, Drop);
        check("CREATE INDEX i ON a(b)", None, Expand, &Catalogue, Drop);
        check("UPDATE a SET b = 1", None, Data, &Kept, Drop);
        check("INSERT INTO a VALUES(1)", None, Data, &Kept, Drop);
        check("DROP TABLE a", Some("table a is dropped"), Contract, &Kept, Drop);
        check("ALTER TABLE a DROP b", Some("column a.b is dropped"), Contract, &Kept, Drop);
        check(
            "-- ripcord: destroy law\nALTER TABLE a DROP b",
            Some("column a.b is dropped"),
            Contract,
            &Never,
            Destroy,
        );
        check(
            "ALTER TABLE a ADD b NOT NULL",
            Some("column a.b demands a value and has no default"),
            Contract,
            &Catalogue,
            Drop,
        );
        check(
            "CREATE UNIQUE INDEX i ON a(b)",
            Some("index i demands that rows of a are unique"),
            Contract,
            &Catalogue,
            Drop,
        );
        check("CREATE TABLE a(b); CREATE UNIQUE INDEX i ON a(b)", None, Expand, &Catalogue, Drop);
        check(
            "WHAT",
            Some("a statement that is not understood may do anything"),
            Contract,
            &Opaque,
            Drop,
        );
    }
}
