//! ALTER: from the parser's tree to statements, one for each action.

use crate::statement::column::{column, constraint, type_text};
use crate::statement::create::{head, object};
use crate::statement::kind::{Object, Statement};
use crate::statement::name::Name;
use crate::statement::tree::{below, cascades, child, has, leading, name, name_below, word, words};
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

/// What an ALTER does. None for what is not one.
pub(super) fn alter(node: &SyntaxNode) -> Option<Vec<Statement>> {
    match node.kind() {
        K::ALTER_TABLE | K::ALTER_FOREIGN_TABLE => return Some(table(node)),
        K::ALTER_TYPE => return Some(vec![type_(node)]),
        K::ALTER_SYSTEM | K::ALTER_SUBSCRIPTION | K::ALTER_DATABASE | K::ALTER_TABLESPACE => {
            return Some(vec![Statement::Cluster { what: head(node) }]);
        }
        K::ALTER_DEFAULT_PRIVILEGES => return None,
        _ => {}
    }
    if leading(node).first().is_none_or(|word| word != "alter") {
        return None;
    }
    let object = object(node);
    let action = node.children().last()?;
    if let Some(moved) = moved(&object, &action) {
        return Some(vec![moved]);
    }
    Some(vec![match (node.kind(), action.kind()) {
        (K::ALTER_POLICY, _) => Statement::Policy {
            policy: object.name.clone(),
            table: object.table.clone().unwrap_or_default(),
        },
        (K::ALTER_DOMAIN, K::SET_NOT_NULL) => {
            Statement::StricterDomain { domain: object.name, not_valid: false }
        }
        (K::ALTER_DOMAIN, K::ADD_CONSTRAINT) => Statement::StricterDomain {
            domain: object.name,
            not_valid: below(&action, K::NOT_VALID).is_some(),
        },
        (K::ALTER_SEQUENCE, _) => Statement::AlterSequence {
            sequence: object.name,
            restarts: below(node, K::OPTION_RESTART).is_some(),
        },
        (K::ALTER_VIEW | K::ALTER_MATERIALIZED_VIEW, K::RENAME_COLUMN) => {
            rename_column(&object.name, &action)?
        }
        _ => Statement::Alter { object },
    }])
}

/// RENAME TO and SET SCHEMA, which all kinds of objects know.
fn moved(object: &Object, action: &SyntaxNode) -> Option<Statement> {
    let words = leading(action);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let target = action.children().last().map(|last| name(&last).name)?;
    match words.as_slice() {
        ["rename", "to"] => Some(Statement::Rename { object: object.clone(), to: target }),
        ["set", "schema"] => Some(Statement::SetSchema { object: object.clone(), schema: target }),
        _ => None,
    }
}

fn table(node: &SyntaxNode) -> Vec<Statement> {
    let Some(name) = name_below(node, K::TABLE_NAME_REF) else {
        return vec![Statement::Cluster { what: head(node) }];
    };
    let skipped = [K::TABLE_RELATION_NAME, K::IF_EXISTS];
    let actions = node.children().filter(|child| !skipped.contains(&child.kind()));
    actions.map(|action| table_action(&name, &action)).collect()
}

fn table_action(table: &Name, action: &SyntaxNode) -> Statement {
    known_action(table, action)
        .unwrap_or_else(|| Statement::TableOption { table: table.clone(), what: words(action) })
}

fn known_action(table: &Name, action: &SyntaxNode) -> Option<Statement> {
    let table = table.clone();
    let object = Object { kind: "table".into(), name: table.clone(), table: None };
    if let Some(moved) = moved(&object, action) {
        return Some(moved);
    }
    let constraint_ref = || word(action, K::CONSTRAINT_NAME_REF);
    let partition = || name_below(action, K::TABLE_NAME_REF);
    Some(match action.kind() {
        K::ADD_COLUMN => Statement::AddColumn { table, column: column(action) },
        K::DROP_COLUMN => Statement::DropColumn {
            table,
            column: word(action, K::COLUMN_NAME_REF)?,
            cascade: cascades(action),
        },
        K::RENAME_COLUMN => rename_column(&table, action)?,
        K::ALTER_COLUMN => column_action(table, action)?,
        K::ADD_CONSTRAINT => Statement::AddConstraint {
            table,
            constraint: action.children().find_map(|child| constraint(&child))?,
        },
        K::VALIDATE_CONSTRAINT => {
            Statement::ValidateConstraint { table, constraint: constraint_ref()? }
        }
        K::DROP_CONSTRAINT => Statement::DropConstraint {
            table,
            constraint: constraint_ref()?,
            cascade: cascades(action),
        },
        K::ATTACH_PARTITION => Statement::AttachPartition { table, partition: partition()? },
        K::DETACH_PARTITION => Statement::DetachPartition {
            table,
            partition: partition()?,
            concurrently: has(action, K::DETACH_CONCURRENTLY) || has(action, K::DETACH_FINALIZE),
        },
        K::SET_LOGGED
        | K::SET_UNLOGGED
        | K::SET_TABLESPACE
        | K::SET_ACCESS_METHOD
        | K::SET_WITHOUT_OIDS
        | K::MERGE_PARTITIONS
        | K::SPLIT_PARTITION => Statement::RewriteTable { table, what: words(action) },
        K::ENABLE_RLS | K::FORCE_RLS => Statement::RowSecurity { table, stricter: true },
        K::DISABLE_RLS | K::NO_FORCE_RLS => Statement::RowSecurity { table, stricter: false },
        _ => return None,
    })
}

fn rename_column(table: &Name, action: &SyntaxNode) -> Option<Statement> {
    Some(Statement::RenameColumn {
        table: table.clone(),
        from: word(action, K::COLUMN_NAME_REF)?,
        to: word(action, K::COLUMN_NAME)?,
    })
}

fn column_action(table: Name, action: &SyntaxNode) -> Option<Statement> {
    let column = word(action, K::COLUMN_NAME_REF)?;
    let option = action.children().find(|child| child.kind() != K::COLUMN_NAME_REF)?;
    Some(match option.kind() {
        K::SET_TYPE => Statement::AlterType {
            table,
            column,
            to: type_text(&option),
            using: child(&option, K::USING_EXPR).is_some(),
        },
        K::SET_NOT_NULL => Statement::SetNotNull { table, column },
        K::DROP_NOT_NULL => Statement::DropNotNull { table, column },
        K::SET_DEFAULT => Statement::Default { table, column, set: true },
        K::DROP_DEFAULT => Statement::Default { table, column, set: false },
        K::SET_EXPRESSION => Statement::SetExpression { table, column },
        K::DROP_EXPRESSION => Statement::DropExpression { table, column },
        K::ADD_GENERATED => Statement::Identity { table, column, adds: true },
        K::SET_GENERATED
        | K::SET_GENERATED_OPTIONS
        | K::SET_SEQUENCE_OPTION
        | K::RESTART
        | K::DROP_IDENTITY => Statement::Identity { table, column, adds: false },
        _ => return None,
    })
}

fn type_(node: &SyntaxNode) -> Statement {
    let object = object(node);
    let type_name = object.name.clone();
    let Some(action) = node.children().last() else { return Statement::Alter { object } };
    let literals = || {
        let found = action.children().filter(|child| child.kind() == K::LITERAL);
        found.map(|literal| literal.text().to_string().trim_matches('\'').replace("''", "'"))
    };
    match action.kind() {
        K::ADD_VALUE => {
            Statement::AddEnumValue { type_name, value: literals().next().unwrap_or_default() }
        }
        K::RENAME_VALUE => Statement::RenameEnumValue {
            type_name,
            from: literals().next().unwrap_or_default(),
            to: literals().nth(1).unwrap_or_default(),
        },
        K::ALTER_TYPE_ATTRIBUTE_ACTION_LIST => {
            let drops = action.children().filter(|child| child.kind() == K::DROP_ATTRIBUTE);
            let drops = drops.filter_map(|drop| word(&drop, K::COMPOSITE_FIELD_REF)).collect();
            Statement::AlterComposite { type_name, drops }
        }
        _ => moved(&object, &action).unwrap_or(Statement::Alter { object }),
    }
}
