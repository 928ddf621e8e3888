//! Feature flags in flagd's format: reading a document and saying what each flag is without
//! targeting. Pure: no clock, no files, no network.

mod document;

pub use document::{Document, Flag, FlagState, FlagsError};
