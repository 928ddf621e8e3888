//! Changes of a document. Each makes a new one, in which everything that was not meant stands as
//! it stood: order, blanks, digits of numbers, members that are not known here.

mod bucketing;
mod chain;
mod diff;
mod flag;
mod layer;
mod merge;
mod rollout;
mod splice;
mod target;

pub use diff::{ChangeKind, FlagChange, diff};
pub use flag::TargetRules;
pub use layer::OffLayer;
pub use merge::{Merge, merge};
pub use rollout::Rollout;
pub use target::Target;
