//! What checks rows, is made from them or acts on them: it comes when they are back, and may find
//! rows of users in its way.

use super::{ABOUT, Back, run};
use crate::postgres::connection::Connection;
use crate::postgres::inverse::Sql;
use crate::postgres::outcome::{Conflict, Outcome};
use crate::postgres::trouble::PostgresError;
use crate::postgres::undo::{count_conflicts, some_conflicts};

impl Back<'_> {
    /// What checks rows, is made from them or acts on them comes when they are back.
    pub(super) fn late(
        &self,
        connection: &mut Connection,
        statements: &[Sql],
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        let mut conflicts = Vec::new();
        for statement in statements {
            connection.run(ABOUT, "SAVEPOINT ripcord_late")?;
            let failed = match run(connection, statement) {
                Ok(()) => {
                    connection.run(ABOUT, "RELEASE SAVEPOINT ripcord_late")?;
                    continue;
                }
                Err(error) if error.code().starts_with("23") => error,
                // What hangs on what could not be made cannot be made either.
                Err(error) if !conflicts.is_empty() && !error.is_lost() => {
                    drop(error);
                    connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_late")?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_late")?;
            let object = statement.object.as_ref();
            let object = object.and_then(|name| Some((name, self.target.objects.get(name)?)));
            let (count, some) = match object {
                Some((name, object)) => (
                    count_conflicts(connection, name, object)?,
                    some_conflicts(connection, name, object)?,
                ),
                None => (None, Vec::new()),
            };
            let shown = if some.is_empty() {
                failed.to_string()
            } else {
                format!("such as {}", some.join(", "))
            };
            conflicts.push(Conflict {
                what: object.map_or_else(|| statement.label.clone(), |(name, _)| name.to_string()),
                why: shown,
                count: count.unwrap_or(1),
            });
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = conflicts
            .iter()
            .map(|one| format!("{}: {} rows of users, {}", one.what, one.count, one.why))
            .collect();
        outcome.conflicts.extend(conflicts);
        Err(PostgresError::Refused {
            place: connection.place().to_owned(),
            what: "the way back".to_owned(),
            why: format!(
                "rows that users wrote since stand against what comes back. {}. Nothing was \
                 changed. Either give these rows other values, or delete or move them, and run it \
                 again; or leave this migration in force and write what is to be as a new one",
                list.join("; ")
            ),
        })
    }
}
