//! Is this release bad? Counts in, verdict out; the same counts always give the same verdict.
//!
//! A [`Judge`] takes in [`Tick`]s and [`Sample`]s and gives an [`Assessment`]. It compares errors
//! (`errors`, `strata`), latency (`latency`) and metrics from outside (`external`, `gauge`) of two
//! releases that answer at the same time, in whole numbers (`nats`). Beside that stand what needs
//! no comparison ([`Alone`] with [`AbsoluteTest`] and [`BurnRate`], `thresholds`) and what keeps it honest (`ratio`,
//! `outage`, `warmth`, `bad`). Nothing here may read a clock or draw a random number.

pub mod absolute;
mod advice;
pub mod alone;
pub mod assessment;
pub mod bad;
pub mod boundary;
pub mod burn;
pub mod calibration;
mod errors;
pub mod explain;
mod external;
mod gauge;
pub mod interval;
pub mod judge;
mod latency;
mod look;
mod nats;
mod outage;
pub mod past;
pub mod policy;
pub mod promotion;
mod ratio;
pub mod reference;
mod restarts;
mod strata;
#[cfg(test)]
mod tests;
mod thresholds;
pub mod tick;
pub mod verdict;
mod warmth;

pub use absolute::AbsoluteTest;
pub use alone::{Alarm, Alone, Finding};
pub use assessment::{Assessment, Bound, Counts, MetricEvidence, MetricState};
pub use bad::BadTick;
pub use burn::BurnRate;
pub use interval::Interval;
pub use judge::Judge;
pub use outage::SharedOutage;
pub use past::Past;
pub use policy::{Boundary, JudgeMode, JudgePolicy, MetricKind, MetricSpec, OnBlind, Thresholds};
pub use promotion::Need;
pub use reference::Reference;
pub use tick::{ArmCounts, BUCKETS, Pair, Reading, Sample, Tick};
pub use verdict::Verdict;
