//! CREATE: from the parser's tree to statements.

use crate::statement::column::{column, constraint};
use crate::statement::kind::{Object, Routine, Statement, TableDefinition};
use crate::statement::name::Name;
use crate::statement::tree::{child, has, leading, name, name_below, words};
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

/// What a CREATE does. None for what is not one.
pub(super) fn create(node: &SyntaxNode) -> Option<Statement> {
    let replace = has(node, K::OR_REPLACE);
    Some(match node.kind() {
        K::CREATE_TABLE | K::CREATE_TABLE_AS => Statement::CreateTable(table(node)),
        K::CREATE_INDEX => Statement::CreateIndex {
            index: child(node, K::INDEX).map(|found| name(&found)),
            table: on_table(node)?,
            unique: has(node, K::UNIQUE_KW),
            concurrently: has(node, K::CONCURRENTLY_KW),
        },
        K::CREATE_VIEW => Statement::CreateView { view: name_below(node, K::VIEW)?, replace },
        K::CREATE_MATERIALIZED_VIEW => {
            Statement::CreateMaterializedView { view: name_below(node, K::VIEW)? }
        }
        K::CREATE_FUNCTION => Statement::CreateRoutine(Routine {
            kind: "function",
            name: name_below(node, K::FUNCTION_NAME)?,
            replace,
        }),
        K::CREATE_PROCEDURE => Statement::CreateRoutine(Routine {
            kind: "procedure",
            name: name_below(node, K::PROCEDURE_NAME)?,
            replace,
        }),
        K::CREATE_TRIGGER => Statement::CreateTrigger {
            trigger: name_below(node, K::TRIGGER)?,
            table: name_below(node, K::RELATION_NAME_REF)?,
            replace,
        },
        K::CREATE_RULE => Statement::CreateRule {
            rule: name_below(node, K::RULE)?,
            table: name_below(node, K::RELATION_NAME_REF)?,
        },
        K::CREATE_POLICY => Statement::Policy {
            policy: name_below(node, K::POLICY)?,
            table: name_below(node, K::TABLE_NAME_REF)?,
        },
        K::CREATE_DATABASE | K::CREATE_TABLESPACE | K::CREATE_SUBSCRIPTION => {
            Statement::Cluster { what: head(node) }
        }
        K::CREATE_ROLE | K::CREATE_USER | K::CREATE_GROUP => Statement::Create {
            object: Object { kind: "role".into(), name: first_name(node), table: None },
        },
        _ if leading(node).first().is_some_and(|word| word == "create") => {
            Statement::Create { object: object(node) }
        }
        _ => return None,
    })
}

fn table(node: &SyntaxNode) -> TableDefinition {
    let mut found = TableDefinition {
        table: child(node, K::TABLE_NAME).map(|n| name(&n)).unwrap_or_default(),
        temporary: has(node, K::TEMP),
        partition_of: child(node, K::PARTITION_OF).and_then(|n| name_below(&n, K::TABLE_NAME_REF)),
        from_query: node.kind() == K::CREATE_TABLE_AS,
        if_not_exists: has(node, K::IF_NOT_EXISTS),
        ..TableDefinition::default()
    };
    for part in child(node, K::TABLE_ARG_LIST).iter().flat_map(SyntaxNode::children) {
        if part.kind() == K::COLUMN {
            found.columns.push(column(&part));
        } else {
            found.constraints.extend(constraint(&part));
        }
    }
    found
}

/// The table of `ON table`, which is not one of a query's.
fn on_table(node: &SyntaxNode) -> Option<Name> {
    child(node, K::TABLE_RELATION_NAME).and_then(|found| name_below(&found, K::TABLE_NAME_REF))
}

/// The thing that a CREATE, ALTER or DROP of no particular interest is about.
pub(super) fn object(node: &SyntaxNode) -> Object {
    let noise = ["create", "alter", "drop", "or", "replace", "global", "trusted", "procedural"];
    let kind: Vec<String> =
        leading(node).into_iter().filter(|word| !noise.contains(&word.as_str())).collect();
    let kind = if kind.is_empty() { "object".to_owned() } else { kind.join(" ") };
    let table = child(node, K::ON_RELATION).or_else(|| child(node, K::ON_TABLE));
    let table = table.map(|on| {
        let found = name_below(&on, K::TABLE_NAME_REF);
        found.or_else(|| name_below(&on, K::RELATION_NAME_REF)).unwrap_or_default()
    });
    Object { kind, name: first_name(node), table }
}

fn first_name(node: &SyntaxNode) -> Name {
    let skipped = [K::IF_EXISTS, K::IF_NOT_EXISTS, K::OR_REPLACE];
    let found = node.children().find(|child| !skipped.contains(&child.kind()));
    found.map(|found| name(&found)).unwrap_or_default()
}

/// A statement's first words, for people.
pub(super) fn head(node: &SyntaxNode) -> String {
    words(node).split(' ').take(4).collect::<Vec<_>>().join(" ")
}
