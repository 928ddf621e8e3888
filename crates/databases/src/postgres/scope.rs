//! Which tables the statements of a script may write to, found beforehand: those they name, what
//! hangs on them by inheritance and foreign keys, or everything where that cannot be known.

use crate::postgres::connection::Connection;
use crate::postgres::script::{Script, Step};
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use crate::statement::{Name, Statement};
use std::collections::BTreeSet;

const ABOUT: &str = "tables to be written";

/// The tables of users that a script may write to, by number. Tables that it makes itself are not
/// there yet, and nothing of theirs has to be kept.
pub(crate) fn written(
    guard: &mut Connection,
    script: &Script,
) -> Result<BTreeSet<u32>, PostgresError> {
    let kept = || script.steps.iter().filter(|step| step.reason().is_none());
    if !kept().any(|step| step.writes() || step.is_opaque()) {
        return Ok(BTreeSet::new());
    }
    // What a trigger or a rule of the script's own leads to is known only to the server.
    let leads = |step: &Step| {
        let leads = |does: &Statement| {
            matches!(does, Statement::CreateTrigger { .. } | Statement::CreateRule { .. })
        };
        step.parsed.does.iter().any(leads)
    };
    if kept().any(|step| step.is_opaque() || leads(step)) {
        return everything(guard);
    }
    let targets: Vec<&Name> = kept().flat_map(targets).collect();
    let mut named = Vec::new();
    for name in targets {
        named.push(match &name.schema {
            Some(schema) => format!("({}, {})", literal(schema), literal(&name.name)),
            // The script may set the search path itself; a table too many does no harm.
            None => format!("(NULL, {})", literal(&name.name)),
        });
    }
    let sql = format!(
        "WITH RECURSIVE named (schema, name) AS (VALUES {}), \
         reached (oid) AS ( \
           SELECT c.oid FROM pg_catalog.pg_class c \
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
           JOIN named ON named.name = c.relname AND coalesce(named.schema, n.nspname) = n.nspname \
           WHERE {USERS} \
           UNION SELECT x.oid FROM reached, LATERAL ({HANGING}) AS x \
         ) SELECT c.oid, c.relkind, c.relhasrules OR EXISTS (SELECT FROM pg_catalog.pg_trigger g \
             JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
             WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' \
             AND p.pronamespace <> (SELECT oid FROM pg_catalog.pg_namespace \
               WHERE nspname = 'ripcord')) \
         FROM reached JOIN pg_catalog.pg_class c ON c.oid = reached.oid",
        named.join(", ")
    );
    let mut found = BTreeSet::new();
    for row in guard.rows(ABOUT, &sql)? {
        let text = |at: usize| row.get(at).and_then(Option::as_deref).unwrap_or_default();
        match (text(1), text(2)) {
            // Triggers, rules and views lead anywhere.
            (_, "t") | ("v", _) => return everything(guard),
            ("r", _) => found.extend(text(0).parse::<u32>()),
            _ => {}
        }
    }
    Ok(found)
}

/// What a statement writes to, by name.
pub(crate) fn targets(step: &Step) -> Vec<&Name> {
    step.parsed
        .does
        .iter()
        .filter_map(|does| match does {
            Statement::Insert { table }
            | Statement::Update { table, .. }
            | Statement::Delete { table, .. }
            | Statement::Merge { table } => Some(table),
            _ => None,
        })
        .collect()
}

/// The number of what a name means to the script, here and now.
pub(crate) fn resolve(
    connection: &mut Connection,
    name: &Name,
) -> Result<Option<u32>, PostgresError> {
    let sql =
        format!("SELECT pg_catalog.to_regclass({})::pg_catalog.oid", literal(&name.to_string()));
    Ok(connection.value(ABOUT, &sql)?.and_then(|oid| oid.parse().ok()))
}

/// All tables of users that hold rows.
fn everything(guard: &mut Connection) -> Result<BTreeSet<u32>, PostgresError> {
    let sql = format!(
        "SELECT c.oid FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND {USERS}"
    );
    let number = |row: Vec<Option<String>>| row.first()?.as_deref()?.parse().ok();
    Ok(guard.rows(ABOUT, &sql)?.into_iter().filter_map(number).collect())
}

/// What belongs to users and is not of a session alone.
const USERS: &str = "c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
    AND n.nspname NOT IN ('information_schema', 'ripcord') \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e \
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid \
      AND e.deptype = 'e')";

/// What changes with a table: its partitions and children, and whatever follows its keys.
const HANGING: &str = "SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i \
    WHERE i.inhparent = reached.oid \
    UNION ALL SELECT f.conrelid FROM pg_catalog.pg_constraint f WHERE f.contype = 'f' \
    AND f.confrelid = reached.oid AND (f.confdeltype IN ('c', 'n', 'd') \
    OR f.confupdtype IN ('c', 'n', 'd'))";

/// What stands behind a view.
const BEHIND: &str = "SELECT d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d \
    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid \
    WHERE r.ev_class = reached.oid \
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class";

/// Whether something is a table at another server.
pub(crate) fn is_foreign(connection: &mut Connection, oid: u32) -> Result<bool, PostgresError> {
    let sql = format!("SELECT 1 FROM pg_catalog.pg_class WHERE oid = {oid} AND relkind = 'f'");
    Ok(!connection.rows(ABOUT, &sql)?.is_empty())
}

/// The tables whose rows are written when these, or views, are.
pub(crate) fn reached(
    connection: &mut Connection,
    tables: &[u32],
) -> Result<Vec<u32>, PostgresError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let list = tables.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "WITH RECURSIVE reached (oid) AS ( \
           SELECT pg_catalog.unnest(ARRAY[{list}]::pg_catalog.oid[]) \
           UNION SELECT x.oid FROM reached, LATERAL ({HANGING} UNION ALL {BEHIND}) AS x \
         ) SELECT c.oid FROM reached JOIN pg_catalog.pg_class c ON c.oid = reached.oid \
         WHERE c.relkind = 'r' AND c.relpersistence <> 't'"
    );
    let number = |row: Vec<Option<String>>| row.first()?.as_deref()?.parse().ok();
    Ok(connection.rows(ABOUT, &sql)?.into_iter().filter_map(number).collect())
}

/// All tables that lose their rows when some are emptied, and the sequences that start anew.
pub(crate) fn emptied(
    connection: &mut Connection,
    tables: &[u32],
    cascade: bool,
    only: bool,
) -> Result<Vec<u32>, PostgresError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let list = tables.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "WITH RECURSIVE emptied (oid) AS ( \
           SELECT pg_catalog.unnest(ARRAY[{list}]::pg_catalog.oid[]) \
           UNION SELECT x.oid FROM emptied, LATERAL ( \
             SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i \
             WHERE i.inhparent = emptied.oid AND NOT {only} \
             UNION ALL SELECT f.conrelid FROM pg_catalog.pg_constraint f \
             WHERE f.contype = 'f' AND f.confrelid = emptied.oid AND {cascade}) AS x \
         ) SELECT c.oid FROM emptied JOIN pg_catalog.pg_class c ON c.oid = emptied.oid \
         WHERE c.relkind = 'r' AND c.relpersistence <> 't' ORDER BY c.oid"
    );
    let number = |row: Vec<Option<String>>| row.first()?.as_deref()?.parse().ok();
    Ok(connection.rows(ABOUT, &sql)?.into_iter().filter_map(number).collect())
}

/// The sequences that belong to columns of tables.
pub(crate) fn owned_sequences(
    connection: &mut Connection,
    tables: &[u32],
) -> Result<Vec<u32>, PostgresError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let list = tables.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT c.oid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid \
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind = 'S' \
         AND d.refclassid = d.classid AND d.refobjid IN ({list}) AND d.deptype IN ('a', 'i')"
    );
    let number = |row: Vec<Option<String>>| row.first()?.as_deref()?.parse().ok();
    Ok(connection.rows(ABOUT, &sql)?.into_iter().filter_map(number).collect())
}
