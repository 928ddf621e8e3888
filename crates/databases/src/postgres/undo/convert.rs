//! A column gets its old type back although some of its values cannot be read as such: the
//! migration computed them, and what they were is put back afterwards; or users wrote them, and
//! then they were set aside.

use super::ABOUT;
use crate::postgres::catalogue::Catalogue;
use crate::postgres::connection::Connection;
use crate::postgres::inverse::Sql;
use crate::postgres::kind::Kind;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

/// Runs a statement of the way back. Where it changes a type and values stand against that, these
/// become empty; what then has to wait until they are filled is answered.
pub(crate) fn run_converting(
    connection: &mut Connection,
    statement: &Sql,
    target: &Catalogue,
) -> Result<Option<Sql>, PostgresError> {
    let column = statement.object.as_ref().filter(|name| name.kind == Kind::Column);
    let parts = statement.sql.split_once(" USING ").filter(|(head, _)| head.contains(" TYPE "));
    let (Some(column), Some((head, _))) = (column, parts) else {
        return connection.run(ABOUT, &statement.sql).map(|()| None);
    };
    let Some(old) = target.objects.get(column) else {
        return connection.run(ABOUT, &statement.sql).map(|()| None);
    };
    connection.run(ABOUT, "SAVEPOINT ripcord_type")?;
    match connection.run(ABOUT, &statement.sql) {
        Ok(()) => {
            connection.run(ABOUT, "RELEASE SAVEPOINT ripcord_type")?;
            return Ok(None);
        }
        // Values that cannot be read, a missing cast, or a check or demand that they fail.
        Err(error) if ["22", "42", "23"].contains(&error.code().get(..2).unwrap_or_default()) => {
            connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_type")?;
        }
        Err(error) => return Err(error),
    }
    let (of, local) = (old.of.as_deref().unwrap_or_default(), &old.local);
    let kind = old.word("type");
    let body = format!("BEGIN RETURN $1::{kind}; EXCEPTION WHEN OTHERS THEN RETURN NULL; END");
    let demand = format!("ALTER TABLE {of} ALTER COLUMN {local}");
    connection.run(
        ABOUT,
        &format!(
            "CREATE OR REPLACE FUNCTION ripcord.read(text) RETURNS {kind} LANGUAGE plpgsql AS {}; \
             {demand} DROP NOT NULL; {head} USING ripcord.read({local}::text); \
             DROP FUNCTION ripcord.read(text)",
            literal(&body)
        ),
    )?;
    Ok(old.flag("not_null").then(|| Sql {
        label: format!("{column} is never empty"),
        sql: format!("{demand} SET NOT NULL"),
        apart: false,
        caution: None,
        late: true,
        object: Some(column.clone()),
    }))
}
