//! What an application hangs on its tables stays quiet while rows are put back: a trigger that
//! stamps, audits or sends would act a second time. It is switched off and on again inside the
//! transaction, so that nobody else ever sees it off.

use super::ABOUT;
use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use std::collections::BTreeSet;

/// Runs an act while nothing acts on these tables by itself. What was switched off is named.
pub(crate) fn quietly<T>(
    connection: &mut Connection,
    tables: &BTreeSet<String>,
    notes: &mut Vec<String>,
    act: impl FnOnce(&mut Connection) -> Result<T, PostgresError>,
) -> Result<T, PostgresError> {
    let mut again = Vec::new();
    for table in tables {
        let rows = connection.rows(ABOUT, &active(table))?;
        for row in rows {
            let [Some(off), Some(on), Some(what)] = &row[..] else { continue };
            connection.run(ABOUT, off)?;
            again.push(on.clone());
            let note = format!("{what} does not act while rows are put back");
            if !what.starts_with("row security") && !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    connection.run(ABOUT, "SET CONSTRAINTS ALL DEFERRED")?;
    let done = act(connection)?;
    // A table with checks that still wait cannot be altered.
    connection.run(ABOUT, "SET CONSTRAINTS ALL IMMEDIATE")?;
    for on in again {
        connection.run(ABOUT, &on)?;
    }
    Ok(done)
}

/// The statements that switch off and on what acts on a table and its partitions: triggers of
/// users, rules on writing, and row security that binds even the owner.
fn active(table: &str) -> String {
    format!(
        "WITH RECURSIVE t AS (SELECT pg_catalog.to_regclass({name}) AS oid UNION ALL \
         SELECT i.inhrelid::pg_catalog.regclass FROM pg_catalog.pg_inherits i JOIN t ON t.oid = i.inhparent), \
         named AS (SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relforcerowsecurity \
         FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) \
         SELECT pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', c.name, g.tgname), \
         pg_catalog.format('ALTER TABLE ONLY %s ENABLE %sTRIGGER %I', c.name, \
         CASE g.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END, g.tgname), \
         pg_catalog.format('trigger %I of %s', g.tgname, c.name) FROM named c JOIN pg_catalog.pg_trigger g \
         ON g.tgrelid = c.oid WHERE NOT g.tgisinternal AND g.tgname NOT LIKE ' ripcord%' AND g.tgenabled <> 'D' \
         UNION ALL SELECT pg_catalog.format('ALTER TABLE %s DISABLE RULE %I', c.name, r.rulename), \
         pg_catalog.format('ALTER TABLE %s ENABLE %sRULE %I', c.name, \
         CASE r.ev_enabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END, r.rulename), \
         pg_catalog.format('rule %I of %s', r.rulename, c.name) FROM named c JOIN pg_catalog.pg_rewrite r \
         ON r.ev_class = c.oid WHERE r.ev_type <> '1' AND r.ev_enabled <> 'D' \
         UNION ALL SELECT pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', c.name), \
         pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', c.name), 'row security' \
         FROM named c WHERE c.relforcerowsecurity",
        name = literal(table)
    )
}
