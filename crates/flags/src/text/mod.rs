//! JSON as somebody wrote it: a tree that knows where everything stands, so that mistakes are shown
//! with their place and edits leave everything else as it was. It knows nothing of flags.

mod parse;
mod place;
mod tree;

pub(crate) use parse::parse;
pub use place::Place;
pub(crate) use tree::{Kind, Member, Node, quote};
