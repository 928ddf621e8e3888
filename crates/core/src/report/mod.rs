//! What people read while a plan runs and afterwards: its journal, told as a story.

#[cfg(test)]
mod fixture;
pub mod outcome;
pub mod replay;
pub mod rollout;
pub mod story;
pub mod timeline;

pub use outcome::Account;
pub use replay::{Comparison, replay};
pub use rollout::Rollout;
pub use story::Story;
pub use timeline::{Line, Mark, line};
