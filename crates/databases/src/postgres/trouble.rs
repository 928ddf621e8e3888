//! What can go wrong between Ripcord and a `PostgreSQL` server.

use thiserror::Error;

/// Why a server could not be asked. No message holds a password.
#[derive(Debug, Error)]
pub enum PostgresError {
    /// The address is not one.
    #[error(
        "this is not the address of a database: {why}; write postgresql://user@host:port/name or postgresql:///name?host=/socket/directory"
    )]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// The connection cannot be encrypted as the address asks.
    #[error("{place} is to be reached by TLS, which cannot be: {why}")]
    Tls {
        /// Host and database.
        place: String,
        /// What is missing.
        why: String,
    },
    /// A pooler gives each transaction another session.
    #[error(
        "{place} is behind a pooler that gives each transaction another session (PgBouncer with pool_mode = transaction or statement); go to the server itself, or to a pool with pool_mode = session"
    )]
    Pooled {
        /// Host and database.
        place: String,
    },
    /// It only reads.
    #[error(
        "{place} is a replica, which only reads: `plan`, `status` and `review` work there; go to the primary for this"
    )]
    Replica {
        /// Host and database.
        place: String,
    },
    /// Nobody answers there, or not to us.
    #[error(
        "cannot reach {place}: {why}; check the address, that the server runs, and that it lets this user in"
    )]
    Unreachable {
        /// Host and database.
        place: String,
        /// What was tried.
        why: String,
    },
    /// The server is too old.
    #[error("{place} runs PostgreSQL {version}; the oldest that is supported is 14")]
    TooOld {
        /// Host and database.
        place: String,
        /// Its version.
        version: String,
    },
    /// A question failed.
    #[error("{place} did not answer a question about its {about}: {why}")]
    Query {
        /// Host and database.
        place: String,
        /// What was asked for.
        about: &'static str,
        /// What the server said.
        why: String,
        /// Its SQLSTATE.
        code: String,
    },
    /// The schema changed each time it was read.
    #[error(
        "the schema of {place} changed while it was read, {times} times; try again when migrations are over"
    )]
    Restless {
        /// Host and database.
        place: String,
        /// How often it was tried.
        times: u32,
    },
    /// Something named in the scope is not there.
    #[error("{place} has no schema {schema}")]
    NoSchema {
        /// Host and database.
        place: String,
        /// Which.
        schema: String,
    },
    /// The server's answer is not of the form that was asked for.
    #[error(
        "{place} answered a question about its {about} in an unexpected form: {what}; please report this"
    )]
    Answer {
        /// Host and database.
        place: String,
        /// What was asked for.
        about: &'static str,
        /// What was wrong.
        what: String,
    },
    /// A newer version of Ripcord has been at work there.
    #[error(
        "what Ripcord keeps in {place} is of form {found}, which this version does not know; use the version that wrote it, or a newer one"
    )]
    Newer {
        /// Host and database.
        place: String,
        /// The form that was found.
        found: String,
    },
    /// The run was given up, so that it must not be committed any more.
    #[error(
        "this run was given up meanwhile, so nothing of it was left in {place}; start it again"
    )]
    Forbidden {
        /// Host and database.
        place: String,
    },
    /// Another Ripcord is at work in the same database.
    #[error(
        "another Ripcord is at work in {place} ({who}); waited {waited_ms} ms for it: run again when it is done"
    )]
    Busy {
        /// Host and database.
        place: String,
        /// Its process at the server and since when.
        who: String,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// Another Ripcord took over.
    #[error("another Ripcord took over {place} meanwhile, so this one changes nothing more there")]
    Superseded {
        /// Host and database.
        place: String,
    },
    /// What was asked is not done, for a reason known before anything ran or under the lock.
    #[error("{what} is not run in {place}: {why}")]
    Refused {
        /// Host and database.
        place: String,
        /// Which script or statement.
        what: String,
        /// Why, and what to do.
        why: String,
    },
    /// A statement of a script failed.
    #[error("{at}: {why}; the statement is: {text}; {left}")]
    Statement {
        /// Which script, and on which line of it the statement begins.
        at: String,
        /// The statement, shortened.
        text: String,
        /// What the server said.
        why: String,
        /// Its SQLSTATE.
        code: String,
        /// What of the script is in force now.
        left: String,
    },
    /// Others held what was needed, each time it was tried.
    #[error(
        "{place} was busy: {why}; tried {attempts} times and left no trace; try again when fewer long transactions run"
    )]
    Contended {
        /// Host and database.
        place: String,
        /// What the server said, and who was in the way.
        why: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The connection broke while the end of a transaction was awaited, and nobody answers since.
    #[error(
        "the connection to {place} broke while the change was being committed, and nobody answers since ({why}); run again: what happened is found out first"
    )]
    Unsure {
        /// Host and database.
        place: String,
        /// What was tried.
        why: String,
    },
    /// What a person called the history's table cannot be its name.
    #[error(
        "{name:?} is not the name of a table of history; write TABLE or SCHEMA.TABLE, without quotes"
    )]
    HistoryName {
        /// What was written.
        name: String,
    },
    /// Several schemas have a table of this name, and none is on the search path.
    #[error(
        "{place} has a table {table} in each of the schemas {schemas}; say which is the history of this folder with --history SCHEMA.{table}"
    )]
    HistoryAmbiguous {
        /// Host and database.
        place: String,
        /// The table.
        table: String,
        /// The schemas.
        schemas: String,
    },
    /// A table has the name of a tool's history, and is not.
    #[error(
        "{table} in {place} is not the history of {tool}, which has the columns {columns}; say with --format which tool the folder is for, or with --history which table is meant"
    )]
    HistoryForeign {
        /// Host and database.
        place: String,
        /// The table, with its schema.
        table: String,
        /// The tool.
        tool: &'static str,
        /// What it has.
        columns: String,
    },
    /// There is no schema in which the history could be made.
    #[error(
        "no schema of the search path exists in {place}, so the table {table} has no place; create one, or name one with --history SCHEMA.{table}"
    )]
    NoHome {
        /// Host and database.
        place: String,
        /// The table.
        table: String,
    },
}

impl PostgresError {
    /// The server's own code for what went wrong; empty when it did not answer.
    pub fn code(&self) -> &str {
        match self {
            PostgresError::Query { code, .. } | PostgresError::Statement { code, .. } => code,
            _ => "",
        }
    }

    /// Whether the connection is gone, so that what was sent last may or may not have happened.
    pub(crate) fn is_lost(&self) -> bool {
        let ended = ["57P01", "57P02", "57P03", "57P05", "25P03"].contains(&self.code());
        ended || self.code().starts_with("08") || matches!(self, PostgresError::Unreachable { .. })
    }

    /// Whether others were in the way, so that the same may succeed a moment later.
    pub(crate) fn is_contention(&self) -> bool {
        ["55P03", "40P01", "40001"].contains(&self.code())
    }
}

impl PostgresError {
    /// What the role lacks, as the statement that gives it.
    pub fn grant(&self) -> Option<String> {
        match self {
            PostgresError::Query { why, code, .. } | PostgresError::Statement { why, code, .. }
                if code == "42501" =>
            {
                grant(why)
            }
            _ => None,
        }
    }
}

/// Reads the server's refusal.
fn grant(why: &str) -> Option<String> {
    let why = why.split(" (SQLSTATE").next().unwrap_or(why);
    if let Some(rest) = why.strip_prefix("permission denied for ") {
        let (kind, name) = rest.split_once(' ')?;
        return Some(match kind {
            "schema" if name == "ripcord" => "GRANT USAGE ON SCHEMA ripcord TO …; GRANT SELECT ON \
                                              ALL TABLES IN SCHEMA ripcord TO …"
                .to_owned(),
            "schema" => format!("GRANT USAGE, CREATE ON SCHEMA {name} TO …"),
            "database" => format!("GRANT CREATE ON DATABASE {name} TO …"),
            "table" | "view" => format!("GRANT SELECT ON {name} TO …"),
            "sequence" => format!("GRANT SELECT, USAGE ON SEQUENCE {name} TO …"),
            "function" => format!("GRANT EXECUTE ON FUNCTION {name} TO …"),
            _ => return None,
        });
    }
    let (kind, name) = why.strip_prefix("must be owner of ")?.split_once(' ')?;
    Some(format!("GRANT the role that owns the {kind} {name} TO …, or go on as that role"))
}

#[cfg(test)]
mod tests {
    use super::grant;

    #[test]
    fn what_is_lacking_is_named() {
        let check = |why: &str, expected: Option<&str>| {
            assert_eq!(grant(why).as_deref(), expected, "{why}");
        };
        check(
            "permission denied for database shop (SQLSTATE 42501)",
            Some("GRANT CREATE ON DATABASE shop TO …"),
        );
        check("permission denied for table t (SQLSTATE 42501)", Some("GRANT SELECT ON t TO …"));
        check(
            "must be owner of table t (SQLSTATE 42501)",
            Some("GRANT the role that owns the table t TO …, or go on as that role"),
        );
        check("permission denied to create role", None);
    }
}
