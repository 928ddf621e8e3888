//! Feature flags in flagd's format: reading a document, answering for a user, and changing it
//! without touching what was not meant. Pure: no clock, no files, no network, no chance.

mod context;
mod document;
mod edit;
mod error;
mod evaluation;
mod flag_set;
mod form;
pub mod import;
mod lint;
mod logic;
mod moved;
mod schema;
mod text;
mod trial;

pub use context::{BadContext, Context};
pub use document::{Document, FlagView};
pub use edit::{
    ChangeKind, FlagChange, Merge, OffLayer, Rollout, Target, TargetRules, diff, merge,
};
pub use error::{FlagsError, Problem};
pub use evaluation::{Evaluation, EvaluationError, Reason};
pub use flag_set::{BrokenRules, FlagSet, Options};
pub use form::FlagState;
pub use lint::{Finding, Known, Severity, lint};
pub use logic::Bucketing;
pub use moved::{SAMPLED, Share, moved};
pub use schema::{Schema, check_schema};
pub use text::Place;
pub use trial::try_rule;
