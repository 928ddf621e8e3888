//! Statements on rows and sessions: from the parser's tree to statements.

use crate::statement::column::calls;
use crate::statement::create::head;
use crate::statement::kind::{Granting, Statement, TransactionWord};
use crate::statement::name::Name;
use crate::statement::tree::{
    below, cascades, child, has, has_below, leading, name, name_below, names_below, words,
};
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

/// Functions of the server that change nothing a review cares about.
const HARMLESS: [&str; 29] = [
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "coalesce",
    "now",
    "lower",
    "upper",
    "length",
    "concat",
    "substring",
    "replace",
    "trim",
    "round",
    "exists",
    "row_number",
    "array_agg",
    "string_agg",
    "json_agg",
    "jsonb_agg",
    "to_char",
    "current_setting",
    "set_config",
    "nextval",
    "currval",
    "version",
    "pg_advisory_lock",
    "pg_advisory_xact_lock",
];

/// What a statement on rows does, with what common table expressions write.
pub(super) fn rows(node: &SyntaxNode) -> Option<Vec<Statement>> {
    match node.kind() {
        K::INSERT
        | K::UPDATE
        | K::DELETE
        | K::MERGE
        | K::SELECT
        | K::SELECT_INTO
        | K::COMPOUND_SELECT
        | K::PAREN_SELECT
        | K::VALUES
        | K::TABLE => {}
        K::COPY => return Some(vec![copy(node)]),
        K::TRUNCATE => return Some(truncate(node)),
        _ => return None,
    }
    let mut found: Vec<Statement> = node.descendants().filter_map(|n| write(&n)).collect();
    let unknown = calls(node).into_iter().find(|call| !HARMLESS.contains(&call.as_str()));
    if node.kind() == K::SELECT_INTO {
        found.push(Statement::Opaque { what: "SELECT INTO".into() });
    }
    if found.is_empty() {
        // What a query calls may write; what a writing statement calls computes, as a rule.
        found.push(match unknown {
            Some(call) => Statement::Opaque { what: format!("the function {call}") },
            None => Statement::Query,
        });
    }
    Some(found)
}

fn write(node: &SyntaxNode) -> Option<Statement> {
    let table = || {
        let relation = child(node, K::RELATION_NAME).unwrap_or_else(|| node.clone());
        child(&relation, K::RELATION_NAME_REF).map(|found| name(&found))
    };
    let every_row = !has(node, K::WHERE_CLAUSE) && !has(node, K::WHERE_CURRENT_OF);
    match node.kind() {
        K::INSERT => Some(Statement::Insert { table: table()? }),
        K::UPDATE => Some(Statement::Update { table: table()?, every_row }),
        K::DELETE => Some(Statement::Delete {
            table: table()?,
            every_row: every_row && !has(node, K::USING_CLAUSE),
        }),
        K::MERGE => {
            let found = child(node, K::TABLE_RELATION_NAME)?;
            Some(Statement::Merge { table: name_below(&found, K::TABLE_NAME_REF)? })
        }
        _ => None,
    }
}

fn copy(node: &SyntaxNode) -> Statement {
    let table = child(node, K::COPY_TABLE).and_then(|found| name_below(&found, K::TABLE_NAME_REF));
    match table {
        Some(table) if child(node, K::COPY_FROM).is_some() => Statement::Insert { table },
        _ => Statement::Query,
    }
}

fn truncate(node: &SyntaxNode) -> Vec<Statement> {
    let cascade = cascades(node);
    let restarts = has(node, K::RESTART_IDENTITY);
    let tables = names_below(node, K::TABLE_NAME_REF).into_iter();
    tables.map(|table| Statement::Truncate { table, cascade, restarts }).collect()
}

/// What a statement on the session, on storage or on privileges does. Opaque if nothing is known.
pub(super) fn session(node: &SyntaxNode) -> Vec<Statement> {
    use TransactionWord as T;
    let words = || words(node);
    let transaction = |word| Statement::Transaction { word };
    vec![match node.kind() {
        K::BEGIN => transaction(T::Begin),
        K::COMMIT_TRANSACTION => transaction(T::Commit),
        K::ROLLBACK_TRANSACTION => transaction(T::Rollback),
        K::SAVEPOINT_CREATE | K::RELEASE_SAVEPOINT | K::ROLLBACK_TO_SAVEPOINT => {
            transaction(T::Savepoint)
        }
        K::PREPARE_TRANSACTION | K::COMMIT_PREPARED | K::ROLLBACK_PREPARED => {
            transaction(T::Prepared)
        }
        K::SET
        | K::RESET
        | K::SET_ROLE
        | K::RESET_ROLE
        | K::SET_CONSTRAINTS
        | K::SET_SESSION_AUTH
        | K::RESET_SESSION_AUTH
        | K::SET_TRANSACTION
        | K::DISCARD => setting(node),
        K::COMMENT_ON | K::SECURITY_LABEL => Statement::Comment,
        K::GRANT => Statement::Privileges { granting: Granting::Grant, what: words() },
        K::REVOKE => Statement::Privileges { granting: Granting::Revoke, what: words() },
        K::ALTER_DEFAULT_PRIVILEGES | K::REASSIGN => {
            Statement::Privileges { granting: Granting::Other, what: words() }
        }
        K::REINDEX => Statement::Reindex {
            what: words().trim_start_matches(|c: char| c.is_alphabetic()).trim().to_owned(),
            concurrently: has_below(node, K::CONCURRENTLY_KW),
        },
        K::REFRESH => match name_below(node, K::VIEW_REF) {
            Some(view) => Statement::Refresh { view, concurrently: has(node, K::CONCURRENTLY_KW) },
            None => Statement::Opaque { what: head(node) },
        },
        K::LOCK => {
            return locks(node);
        }
        K::CLUSTER | K::REPACK => compact(node),
        K::VACUUM if has_below(node, K::FULL_KW) => compact(node),
        K::VACUUM => Statement::Maintain { what: "VACUUM".into(), in_transaction: false },
        K::ANALYZE => Statement::Maintain { what: "ANALYZE".into(), in_transaction: true },
        K::EXPLAIN
        | K::SHOW
        | K::LISTEN
        | K::UNLISTEN
        | K::NOTIFY
        | K::CHECKPOINT
        | K::DEALLOCATE
        | K::DECLARE
        | K::FETCH
        | K::MOVE
        | K::CLOSE => Statement::Query,
        _ => Statement::Opaque { what: opaque(node) },
    }]
}

fn locks(node: &SyntaxNode) -> Vec<Statement> {
    let mode = child(node, K::LOCK_MODE_CLAUSE).map(|clause| words(&clause));
    let mode = mode.unwrap_or_else(|| "ACCESS EXCLUSIVE".to_owned());
    let tables = names_below(node, K::RELATION_NAME_REF).into_iter();
    tables.map(|table| Statement::Lock { table, mode: mode.clone() }).collect()
}

fn compact(node: &SyntaxNode) -> Statement {
    Statement::Compact { table: name_below(node, K::TABLE_NAME_REF), what: head(node) }
}

fn setting(node: &SyntaxNode) -> Statement {
    let config = below(node, K::CONFIG_PARAMETER_REF);
    let name = config.map_or_else(|| words(node), |found| name(&found).to_string());
    let value = below(node, K::TO_CONFIG_VALUE).map(|found| {
        let text = words(&found);
        let text = text.trim_start_matches(['=', ' ']);
        let text = text.strip_prefix("to ").or(text.strip_prefix("TO ")).unwrap_or(text);
        text.trim_matches('\'').to_owned()
    });
    Statement::Setting { name, value }
}

/// Which code runs that a review cannot see into.
fn opaque(node: &SyntaxNode) -> String {
    match node.kind() {
        K::DO => "a DO block".to_owned(),
        K::CALL => {
            let name = name_below(node, K::PROCEDURE_NAME_REF).unwrap_or_else(|| Name::bare("?"));
            format!("the procedure {name}")
        }
        K::EXECUTE => "a prepared statement".to_owned(),
        _ => leading(node).into_iter().next().unwrap_or_default().to_uppercase(),
    }
}
