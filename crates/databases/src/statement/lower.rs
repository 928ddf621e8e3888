//! From the parser's tree of one statement to what it does.

use crate::statement::kind::Statement;
use crate::statement::{alter, create, drops, rows};
use squawk_syntax::{SyntaxKind, SyntaxNode};

/// Everything that one statement does, in order.
pub(super) fn lower(node: &SyntaxNode) -> Vec<Statement> {
    if node.kind() == SyntaxKind::CREATE_SCHEMA {
        return schema(node);
    }
    let one = create::create(node).map(|statement| vec![statement]);
    one.or_else(|| drops::drops(node))
        .or_else(|| alter::alter(node))
        .or_else(|| rows::rows(node))
        .unwrap_or_else(|| rows::session(node))
}

/// CREATE SCHEMA may create what is in it too.
fn schema(node: &SyntaxNode) -> Vec<Statement> {
    let mut found = vec![Statement::Create { object: create::object(node) }];
    found.extend(node.children().filter_map(|child| create::create(&child)));
    found
}
