//! `ripcord.toml`: read whole, refused whole. Whatever is impossible or contradicts itself is
//! found here, before anything starts, with line, caret and hint. Nothing here looks at any file
//! but the configuration itself.

mod caret;
mod contradiction;
mod document;
mod file;
mod judge;
mod placeholder;
mod policy;
mod problem;
mod proportion;
mod quantity;
mod query;
mod rollout;
mod service;
mod settings;
mod source;
mod step;
mod suggestion;
mod text;
mod variable;

#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

pub(crate) use caret::caret;
pub(crate) use document::Engine;
pub(crate) use file::Config;
pub(crate) use placeholder::{Places, fill, uses};
pub(crate) use policy::judge_policy;
pub(crate) use service::{Account, ServiceSettings, Switch};
pub(crate) use settings::{DatabasePlace, EnvironmentSettings, FlagsServer};
pub(crate) use text::Command;
pub(crate) use variable::Variable;
