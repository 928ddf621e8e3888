//! The statements that turn one schema back into another, as far as definitions alone can, in an
//! order in which the server accepts them. What needs rows that were kept, and what no statement
//! can do, is named instead. Nothing is run here, and the server is not asked.

mod alter;
mod attach;
mod column;
mod create;
mod order;
mod plan;
mod privileges;
mod relation;
mod remove;
mod settings;
mod swap;
mod text;

use crate::postgres::catalogue::{Catalogue, Name};
use crate::postgres::kind::Kind;
use plan::{Action, Plan};
use serde::Serialize;
use std::collections::BTreeSet;

pub(crate) use column::{converted, converts};

/// What a session has to be set to before the statements run in it.
pub const SESSION: &str = "SET search_path = ''; SET check_function_bodies = off; \
                           SET standard_conforming_strings = on";

/// The way back, by definitions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Inverse {
    /// What to run, in this order.
    pub statements: Vec<Sql>,
    /// What stays as it is, or comes back empty.
    pub left: Vec<Left>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sql {
    /// What it does, for people.
    pub label: String,
    /// The statement, without a semicolon at its end.
    pub sql: String,
    /// It has to be committed by itself before the statements after it begin.
    pub apart: bool,
    /// What it destroys, or what in the data makes it fail.
    pub caution: Option<String>,
    /// It comes after the rows are back: it is made from them, checks them, or acts on them.
    #[serde(skip)]
    pub(crate) late: bool,
    /// For which object it is.
    #[serde(skip)]
    pub(crate) object: Option<Name>,
}

/// Something that definitions alone do not bring back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Left {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Sql {
    fn new(label: impl Into<String>, sql: impl Into<String>) -> Sql {
        Sql {
            label: label.into(),
            sql: sql.into(),
            apart: false,
            caution: None,
            late: false,
            object: None,
        }
    }

    fn late(self) -> Sql {
        Sql { late: true, ..self }
    }

    fn caution(mut self, caution: impl Into<String>) -> Sql {
        self.caution = Some(caution.into());
        self
    }
}

impl Inverse {
    /// The whole as a script for `psql`, in one transaction except for what must stand apart.
    pub fn script(&self) -> String {
        let mut script = format!("{};\n", SESSION.replace("; ", ";\n"));
        let (apart, together): (Vec<&Sql>, Vec<&Sql>) =
            self.statements.iter().partition(|statement| statement.apart);
        for statement in apart {
            script.push_str(&statement.line());
        }
        script.push_str("BEGIN;\n");
        for statement in together {
            script.push_str(&statement.line());
        }
        script.push_str("COMMIT;\n");
        script
    }
}

impl Sql {
    fn line(&self) -> String {
        // A name may hold a line break, which would end the comment.
        let flat = |text: &str| text.replace(['\n', '\r'], " ");
        let caution = self
            .caution
            .as_ref()
            .map(|why| format!("-- caution: {}\n", flat(why)))
            .unwrap_or_default();
        format!("-- {}\n{caution}{};\n", flat(&self.label), self.sql)
    }
}

/// The statements that turn `after` into `before`.
pub fn inverse(before: &Catalogue, after: &Catalogue) -> Inverse {
    made(&Plan::new(before, after, &BTreeSet::new(), false)).inverse
}

/// The way back, with what has to be known where rows are kept and put back along the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct WayBack {
    /// The statements; those that are late come after the rows.
    pub(crate) inverse: Inverse,
    /// What goes, made anew afterwards or not.
    pub(crate) drops: BTreeSet<Name>,
    /// What is made, anew or again.
    pub(crate) creates: BTreeSet<Name>,
    /// What is changed where it stands.
    pub(crate) alters: BTreeSet<Name>,
    /// The tables whose columns will stand in another order than they did.
    pub(crate) reordered: BTreeSet<Name>,
}

/// The same as [`inverse`], but for one transaction, and the tables of `rebuilt` are dropped and made anew, so that their
/// columns stand in order; whoever runs it sets their rows aside and fills them again.
pub(crate) fn way_back(before: &Catalogue, after: &Catalogue, rebuilt: &BTreeSet<Name>) -> WayBack {
    made(&Plan::new(before, after, rebuilt, true))
}

fn made(plan: &Plan<'_>) -> WayBack {
    let mut statements = Vec::new();
    relation::freed(plan, &mut statements);
    for ordered in order::sorted(plan) {
        let from = statements.len();
        let (action, name) = ordered.node;
        match action {
            Action::Drop => remove::remove(plan, name, &mut statements),
            Action::Alter => alter::alter(plan, name, &mut statements),
            Action::Create => create::create(plan, name, &ordered.along, &mut statements),
            Action::Attach => attach::attach(plan, name, &mut statements),
        }
        for statement in statements.iter_mut().skip(from) {
            statement.late |= ordered.late;
            statement.object.get_or_insert_with(|| name.clone());
        }
    }
    // These come first whatever needs them: nothing in the same transaction could use them.
    statements.sort_by_key(|statement| !statement.apart);
    let owned = |set: &BTreeSet<&Name>| set.iter().map(|name| (*name).clone()).collect();
    let (drops, creates, alters) = (owned(&plan.drops), owned(&plan.creates), owned(&plan.alters));
    let reordered = plan.reordered.clone();
    let mut left = plan.left.clone();
    left.sort();
    left.dedup();
    WayBack { reordered, inverse: Inverse { statements, left }, drops, creates, alters }
}

/// Whether objects of a kind are made when the rows are back: they are made from rows, check
/// them, or act when rows are written.
fn waits_for_rows(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::MaterializedView
            | Kind::Constraint
            | Kind::Index
            | Kind::Statistics
            | Kind::Rule
            | Kind::Trigger
            | Kind::Policy
            | Kind::Publication
            | Kind::Subscription
            | Kind::EventTrigger
    )
}
