//! What people read afterwards: a plan and its journal, told as a story.

pub mod timeline;
