//! What people read while a plan runs and afterwards: its journal, told as a story.

pub mod outcome;
pub mod timeline;

pub use outcome::Account;
pub use timeline::{Line, Mark, line};
