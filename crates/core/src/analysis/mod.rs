//! Is this release bad? Counts in, verdict out; the same counts always give the same verdict.

pub mod absolute;
pub mod errors;
pub mod judge;
mod nats;
pub mod policy;
pub mod reference;
pub mod tick;
pub mod verdict;

pub use absolute::AbsoluteTest;
pub use errors::ErrorEvidence;
pub use judge::{Assessment, BadTick, Judge};
pub use policy::{Boundary, JudgeMode, JudgePolicy, MetricKind, MetricSpec, OnBlind, Thresholds};
pub use reference::Reference;
pub use tick::{ArmCounts, BUCKETS, Pair, Reading, Sample, Tick};
pub use verdict::Verdict;
