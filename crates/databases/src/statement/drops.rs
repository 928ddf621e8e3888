//! DROP: from the parser's tree to statements, one for each thing dropped.

use crate::statement::create::{head, object};
use crate::statement::kind::{Object, Statement};
use crate::statement::name::Name;
use crate::statement::tree::{cascades, has, name, names_below};
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

/// What a DROP does. None for what is not one.
pub(super) fn drops(node: &SyntaxNode) -> Option<Vec<Statement>> {
    let cascade = cascades(node);
    let each = |kind: K, make: &dyn Fn(Name) -> Statement| {
        names_below(node, kind).into_iter().map(make).collect::<Vec<_>>()
    };
    Some(match node.kind() {
        K::DROP_TABLE | K::DROP_FOREIGN_TABLE => {
            each(K::TABLE_NAME_REF, &|table| Statement::DropTable { table, cascade })
        }
        K::DROP_SCHEMA => each(K::SCHEMA_REF, &|schema| Statement::DropSchema { schema, cascade }),
        K::DROP_TYPE => {
            each(K::TYPE_NAME_REF, &|type_name| Statement::DropType { type_name, cascade })
        }
        K::DROP_DOMAIN => {
            each(K::DOMAIN_REF, &|type_name| Statement::DropType { type_name, cascade })
        }
        K::DROP_MATERIALIZED_VIEW => {
            each(K::VIEW_REF, &|view| Statement::DropMaterializedView { view, cascade })
        }
        K::DROP_SEQUENCE => {
            each(K::SEQUENCE_REF, &|sequence| Statement::DropSequence { sequence, cascade })
        }
        K::DROP_EXTENSION => {
            each(K::EXTENSION_REF, &|extension| Statement::DropExtension { extension, cascade })
        }
        K::DROP_INDEX => {
            let concurrently = has(node, K::CONCURRENTLY_KW);
            each(K::INDEX_REF, &|index| Statement::DropIndex { index, concurrently })
        }
        K::DROP_OWNED => vec![Statement::DropWholesale { what: head(node) }],
        K::DROP_DATABASE | K::DROP_TABLESPACE | K::DROP_SUBSCRIPTION => {
            vec![Statement::Cluster { what: head(node) }]
        }
        kind => match names_kind(kind) {
            Some((words, names)) => each(names, &|name| Statement::DropDefinition {
                object: Object { kind: words.to_owned(), name, table: None },
                cascade,
            }),
            None if is_drop(node) => {
                vec![Statement::DropDefinition { object: named(node), cascade }]
            }
            None => return None,
        },
    })
}

/// Definitions of which one DROP may name several.
fn names_kind(kind: K) -> Option<(&'static str, K)> {
    Some(match kind {
        K::DROP_VIEW => ("view", K::VIEW_REF),
        K::DROP_FUNCTION => ("function", K::FUNCTION_NAME_REF),
        K::DROP_PROCEDURE => ("procedure", K::PROCEDURE_NAME_REF),
        K::DROP_ROUTINE => ("routine", K::ROUTINE_NAME_REF),
        _ => return None,
    })
}

/// Operators and casts have no names, only signs and types.
fn named(node: &SyntaxNode) -> Object {
    let mut found = object(node);
    if found.name.name.is_empty() {
        let last = node.children().find(|child| child.kind() != K::IF_EXISTS);
        let text = last.map(|last| last.text().to_string()).unwrap_or_default();
        found.name = Name::bare(text.trim());
    }
    if let Some(agg) = node.children().find(|child| child.kind() == K::AGGREGATE) {
        found.name = name(&agg);
    }
    found
}

fn is_drop(node: &SyntaxNode) -> bool {
    has(node, K::DROP_KW)
}
