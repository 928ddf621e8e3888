//! `PostgreSQL` scripts as statements: what each one is and which objects it names. Says nothing
//! about what that costs or breaks; that is the review's.
//!
//! A parser made by others does the grammar. It is wrapped here and nowhere else, so that its
//! types never leave this module, and it is never given more than it can hold.

mod alter;
mod column;
mod create;
mod drops;
mod kind;
mod lower;
mod name;
mod note;
mod parse;
mod piece;
mod rows;
mod tree;
mod types;

pub(crate) use kind::{
    Column, Constraint, ConstraintKind, DefaultValue, Granting, Migrating, Object, Statement,
    TableDefinition, TransactionWord,
};
pub(crate) use name::Name;
pub(crate) use note::Note;
pub(crate) use parse::{Parsed, STACK_BYTES, parse};
pub(crate) use piece::split;
pub(crate) use types::{TypeChange, change as type_change};
