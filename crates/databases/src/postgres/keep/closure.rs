//! What a DROP would take with it, by what the server knows of what needs what. For forecasts: the
//! run itself looks at what is missing afterwards.

use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use crate::statement::Statement;
use std::collections::BTreeMap;

const ABOUT: &str = "dependencies";

/// The tables, and of the tables that stay the columns, that a statement would drop.
pub(crate) fn doomed(
    connection: &mut Connection,
    does: &Statement,
) -> Result<BTreeMap<u32, Vec<i32>>, PostgresError> {
    let Some((start, cascade)) = start(does) else { return Ok(BTreeMap::new()) };
    let follow = if cascade { "'n', 'a', 'i', 'P', 'S', 'x'" } else { "'a', 'i', 'P', 'S'" };
    let sql = format!(
        "WITH RECURSIVE gone (class, object, part) AS ( \
           SELECT s.class::pg_catalog.oid, s.object::pg_catalog.oid, s.part::pg_catalog.int4 \
           FROM ({start}) AS s (class, object, part) WHERE s.object IS NOT NULL \
           UNION SELECT d.classid, d.objid, d.objsubid FROM gone \
           JOIN pg_catalog.pg_depend d ON d.refclassid = gone.class AND d.refobjid = gone.object \
           AND (gone.part = 0 OR d.refobjsubid = gone.part) AND d.deptype IN ({follow}) \
         ) SELECT c.oid, gone.part, c.relkind FROM gone JOIN pg_catalog.pg_class c ON c.oid = gone.object \
         WHERE gone.class = 'pg_catalog.pg_class'::pg_catalog.regclass \
         AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' \
         ORDER BY 1, 2"
    );
    let mut found: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
    let (mut whole, mut roots) = (Vec::new(), Vec::new());
    for row in connection.rows(ABOUT, &sql)? {
        let field = |at: usize| row.get(at).and_then(Option::as_deref);
        let oid: Option<u32> = field(0).and_then(|text| text.parse().ok());
        let part: Option<i32> = field(1).and_then(|text| text.parse().ok());
        match oid.zip(part) {
            // The rows of a partitioned table are in its partitions.
            Some((oid, 0)) if field(2) == Some("p") => roots.push(oid),
            Some((oid, 0)) => whole.push(oid),
            Some((oid, part)) => found.entry(oid).or_default().push(part),
            None => {}
        }
    }
    found.retain(|oid, _| !roots.contains(oid));
    found.extend(whole.into_iter().map(|oid| (oid, Vec::new())));
    Ok(found)
}

/// The objects that a statement drops by name, as a query for catalogue, row and part.
fn start(does: &Statement) -> Option<(String, bool)> {
    let relation = |name: &crate::statement::Name| {
        format!("pg_catalog.to_regclass({})", literal(&name.to_string()))
    };
    let one = |class: &str, object: String| {
        format!("SELECT 'pg_catalog.{class}'::pg_catalog.regclass, {object}, 0")
    };
    Some(match does {
        Statement::DropTable { table, cascade } => (one("pg_class", relation(table)), *cascade),
        Statement::DropSequence { sequence, cascade } => {
            (one("pg_class", relation(sequence)), *cascade)
        }
        Statement::DropMaterializedView { view, cascade } => {
            (one("pg_class", relation(view)), *cascade)
        }
        Statement::DropSchema { schema, cascade } => {
            let object = format!("pg_catalog.to_regnamespace({})", literal(&schema.to_string()));
            (one("pg_namespace", object), *cascade)
        }
        Statement::DropType { type_name, cascade } => {
            let object = format!("pg_catalog.to_regtype({})", literal(&type_name.to_string()));
            (one("pg_type", object), *cascade)
        }
        Statement::DropColumn { table, column, cascade } => {
            let start = format!(
                "SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, a.attnum \
                 FROM pg_catalog.pg_attribute a WHERE a.attrelid = {} AND a.attname = {} \
                 AND NOT a.attisdropped",
                relation(table),
                literal(column)
            );
            (start, *cascade)
        }
        Statement::DropExtension { extension, cascade } => {
            let start = format!(
                "SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d \
                 JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid \
                 WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass \
                 AND d.deptype = 'e' AND e.extname = {}",
                literal(&extension.name)
            );
            (start, *cascade)
        }
        _ => return None,
    })
}
