//! `cascade`: CASCADE drops what depends on it, unnamed.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "cascade",
    level: Level::Warning,
    topic: Topic::Destroys,
    title: "CASCADE drops what depends on it, unnamed",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    use Statement as S;
    let cascades = match at.statement {
        S::DropColumn { cascade, .. }
        | S::DropTable { cascade, .. }
        | S::DropSchema { cascade, .. }
        | S::DropType { cascade, .. }
        | S::DropMaterializedView { cascade, .. }
        | S::DropSequence { cascade, .. }
        | S::DropExtension { cascade, .. }
        | S::DropConstraint { cascade, .. }
        | S::DropDefinition { cascade, .. }
        | S::Truncate { cascade, .. } => *cascade,
        _ => false,
    };
    cascades
        .then(|| Found::new("CASCADE also takes what depends on it, which is not named here"))?
        .instead("name what goes too, in statements of its own")
}
