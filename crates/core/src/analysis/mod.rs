//! Is this release bad? Counts in, verdict out; the same counts always give the same verdict.

pub mod absolute;
pub mod verdict;

pub use absolute::AbsoluteTest;
pub use verdict::Verdict;
