//! Columns and constraints as CREATE TABLE and ALTER TABLE define them.

use crate::statement::kind::{Column, Constraint, ConstraintKind, DefaultValue};
use crate::statement::name::Name;
use crate::statement::tree::{below, child, has, name, name_below, word, words};
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

/// Functions that give one value to all rows of a statement, so that a default need not be
/// computed for each row.
const SAME_FOR_ALL_ROWS: [&str; 22] = [
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "current_setting",
    "current_user",
    "session_user",
    "current_schema",
    "timezone",
    "date_trunc",
    "jsonb_build_object",
    "json_build_object",
    "jsonb_build_array",
    "to_jsonb",
    "lower",
    "upper",
    "make_interval",
    "to_timestamp",
];

/// A column of CREATE TABLE or ADD COLUMN.
pub(super) fn column(node: &SyntaxNode) -> Column {
    let type_node = node.children().find(|child| is_type(child.kind()));
    let type_name = type_node.as_ref().map(words).unwrap_or_default();
    let mut column = Column {
        name: word(node, K::COLUMN_NAME).unwrap_or_default(),
        default: if is_serial(&type_name) {
            DefaultValue::Volatile("nextval".to_owned())
        } else {
            DefaultValue::Missing
        },
        not_null: is_serial(&type_name),
        type_name,
        if_not_exists: has(node, K::IF_NOT_EXISTS),
        constraints: Vec::new(),
    };
    for part in node.children() {
        match part.kind() {
            K::NOT_NULL_CONSTRAINT => column.not_null = true,
            K::DEFAULT_CONSTRAINT => column.default = default(&part),
            K::GENERATED_CONSTRAINT => column.default = generated(&part),
            _ => column.constraints.extend(constraint(&part)),
        }
    }
    let key = |c: &Constraint| matches!(c.kind, ConstraintKind::PrimaryKey { .. });
    column.not_null |= column.constraints.iter().any(key);
    column
}

/// A constraint other than NOT NULL and DEFAULT of a column.
pub(super) fn constraint(node: &SyntaxNode) -> Option<Constraint> {
    let using_index = child(node, K::USING_INDEX_NAME).and_then(|n| name_below(&n, K::INDEX_REF));
    let kind = match node.kind() {
        K::CHECK_CONSTRAINT => ConstraintKind::Check { proves_not_null: proves_not_null(node) },
        K::FOREIGN_KEY_CONSTRAINT | K::REFERENCES_CONSTRAINT => {
            ConstraintKind::ForeignKey { to: child(node, K::TABLE_NAME_REF).map(|n| name(&n))? }
        }
        K::UNIQUE_CONSTRAINT => ConstraintKind::Unique { using_index },
        K::PRIMARY_KEY_CONSTRAINT => ConstraintKind::PrimaryKey { using_index },
        K::EXCLUDE_CONSTRAINT => ConstraintKind::Exclude,
        K::NOT_NULL_CONSTRAINT => {
            ConstraintKind::NotNull { column: word(node, K::COLUMN_NAME_REF)? }
        }
        _ => return None,
    };
    let clause = child(node, K::CONSTRAINT_NAME_CLAUSE);
    let name = clause.and_then(|clause| word(&clause, K::CONSTRAINT_NAME));
    let not_valid = has(node, K::NOT_VALID) || has(node, K::NOT_ENFORCED);
    Some(Constraint { name, kind, not_valid })
}

/// The type that follows `TYPE` or a column's name.
pub(super) fn type_text(node: &SyntaxNode) -> String {
    node.children().find(|child| is_type(child.kind())).as_ref().map(words).unwrap_or_default()
}

fn is_type(kind: K) -> bool {
    matches!(
        kind,
        K::ARRAY_TYPE
            | K::PATH_TYPE
            | K::VARCHAR_TYPE
            | K::CHARACTER_TYPE
            | K::BIT_TYPE
            | K::BIT_VARYING_TYPE
            | K::DOUBLE_TYPE
            | K::TIME_TYPE
            | K::TIMESTAMP_TYPE
            | K::INTERVAL_TYPE
    )
}

fn is_serial(type_name: &str) -> bool {
    let serials = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];
    serials.iter().any(|serial| type_name.eq_ignore_ascii_case(serial))
}

fn default(node: &SyntaxNode) -> DefaultValue {
    let calls = calls(node);
    match calls.into_iter().find(|call| !SAME_FOR_ALL_ROWS.contains(&call.as_str())) {
        Some(call) => DefaultValue::Volatile(call),
        None if words(node).eq_ignore_ascii_case("default null") => DefaultValue::Missing,
        None => DefaultValue::Constant,
    }
}

fn generated(node: &SyntaxNode) -> DefaultValue {
    if below(node, K::GENERATED_IDENTITY).is_some() {
        DefaultValue::Volatile("nextval".to_owned())
    } else if below(node, K::STORED).is_some() {
        DefaultValue::Stored
    } else {
        // A virtual column is computed when it is read.
        DefaultValue::Constant
    }
}

/// The functions called below a node, without their schemas.
pub(super) fn calls(node: &SyntaxNode) -> Vec<String> {
    let calls = node.descendants().filter(|found| found.kind() == K::CALL_EXPR);
    calls.filter_map(|call| call.children().next()).map(|callee| name(&callee).name).collect()
}

/// The column of a CHECK that says nothing but `column IS NOT NULL`.
fn proves_not_null(node: &SyntaxNode) -> Option<String> {
    let said = node.children().find(|child| child.kind() != K::CONSTRAINT_NAME_CLAUSE)?;
    let text = words(&said);
    let text = text.trim_matches(['(', ')', ' ']);
    let cut = text.len().checked_sub(" is not null".len())?;
    let (column, rest) = (text.get(..cut)?, text.get(cut..)?);
    let plain = !column.contains([' ', '(', ')']) || column.starts_with('"');
    (plain && rest.eq_ignore_ascii_case(" is not null")).then(|| Name::read(column).name)
}
