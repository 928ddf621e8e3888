//! Reading the parser's tree: children of a kind, and the names and words in them.

use crate::statement::name::Name;
use squawk_syntax::{SyntaxKind, SyntaxNode};

/// Whether a node has a token or node of this kind as a child.
pub(super) fn has(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.children_with_tokens().any(|child| child.kind() == kind)
}

/// The first child of this kind.
pub(super) fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

/// The first node of this kind anywhere below.
pub(super) fn below(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.descendants().find(|found| found.kind() == kind)
}

/// Whether a node has a token or node of this kind anywhere below.
pub(super) fn has_below(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.descendants_with_tokens().any(|found| found.kind() == kind)
}

/// What a node names.
pub(super) fn name(node: &SyntaxNode) -> Name {
    Name::read(&node.text().to_string())
}

/// What the first node of this kind below names.
pub(super) fn name_below(node: &SyntaxNode, kind: SyntaxKind) -> Option<Name> {
    below(node, kind).map(|found| name(&found))
}

/// What the first child of this kind names, as a column or constraint: without a schema.
pub(super) fn word(node: &SyntaxNode, kind: SyntaxKind) -> Option<String> {
    child(node, kind).map(|found| name(&found).name)
}

/// All names of this kind below.
pub(super) fn names_below(node: &SyntaxNode, kind: SyntaxKind) -> Vec<Name> {
    node.descendants().filter(|found| found.kind() == kind).map(|found| name(&found)).collect()
}

/// A node as one line of words.
pub(super) fn words(node: &SyntaxNode) -> String {
    let text = node.text().to_string();
    let text = text.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The keywords with which a node begins, lower case: `text search dictionary`.
pub(super) fn leading(node: &SyntaxNode) -> Vec<String> {
    node.children_with_tokens()
        .filter(|child| child.kind() != SyntaxKind::WHITESPACE)
        .filter(|child| child.kind() != SyntaxKind::COMMENT)
        .map_while(squawk_syntax::SyntaxElement::into_token)
        .map(|token| token.text().to_ascii_lowercase())
        .take_while(|word| word.chars().all(char::is_alphabetic))
        .collect()
}

/// Whether CASCADE is asked for.
pub(super) fn cascades(node: &SyntaxNode) -> bool {
    has(node, SyntaxKind::CASCADE)
}
