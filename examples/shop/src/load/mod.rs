//! Steady load as real clients make it, and an independent record of what they were told.
//!
//! The generator is open-loop: requests begin at their time, whether or not earlier ones were
//! answered. It never retries. The record knows nothing of the database; `verify` compares the two.

mod book;
mod client;
mod compare;
mod expect;
mod handle;
mod mix;
mod options;
mod record;
mod report;
mod run;
mod snapshot;

pub use client::{Answer, Client, NoAnswer};
pub use compare::{DataReport, Difference, RowName, verify};
pub use handle::{Load, LoadHandle};
pub use options::LoadOptions;
pub use record::{Change, Record, Sent, Told, Write};
pub use report::{LoadCounts, LoadReport, RequestRecord};
pub use snapshot::{Baseline, Row};
