//! Rules: `JSONLogic` and flagd's own operators, compiled once and evaluated many times. Bounded in
//! depth and in work; without locks, clock or chance.

mod bucket;
mod cbor;
mod compare;
mod compile;
mod fractional;
mod list;
mod murmur;
mod number;
mod rule;
mod run;
mod sem_ver;
mod string;
mod value;

pub use bucket::Bucketing;
pub(crate) use compile::{Evaluators, compile};
pub(crate) use rule::{Operator, Rule};
pub(crate) use run::Run;
pub(crate) use sem_ver::{OPERATORS as VERSION_OPERATORS, is_strict as is_strict_version};
pub(crate) use value::Value;
