//! Where instances run: so far, as processes of this machine.
//!
//! An instance is a unit: a directory that says what to run, and a small process, the shim, that
//! runs it and outlives the controller. Nothing here chooses what should run; it is told, makes
//! it so, and finds again what it started before.

mod fence;
mod files;
mod health;
mod log;
mod platform;
mod process;
mod shim;
mod unit;

pub use platform::{ProcessOptions, ProcessPlatform, Template, UnitState, UnitTemplate};
pub use process::Process;
pub use shim::{run_exec, run_shim};
pub use unit::{Failed, Health, Limits, Phase, Status, Unit, UnitError, UnitSpec, Value};
