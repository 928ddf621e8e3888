//! What can go wrong, as people and scripts see it: one type with a stable code, an exit code by
//! kind, and hints. Libraries have errors of their own; they become this one at the edge.

mod code;
mod convert;
mod message;

pub(crate) use code::Code;
pub(crate) use message::{Failure, Kind};
