//! A unit: one process that is kept running by a shim, and the directory that says so.

mod handle;
mod spec;
mod status;

pub use handle::{Unit, UnitError};
pub use spec::{Health, Limits, UnitSpec, Value};
pub use status::{Failed, Phase, Status};
