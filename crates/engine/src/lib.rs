//! The executor and the traits through which it acts on the world.
//!
//! The executor makes no choices about the domain: plans hold them all, `ripcord_core::run::next`
//! says what comes next, and this crate writes the journal, calls the effect and writes the
//! result. It is synchronous and takes its clock and its world as arguments, so that a simulated
//! world runs it unchanged.

mod act;
mod bake;
mod compare;
pub mod control;
mod execute;
mod failure;
mod latencies;
mod pulse;
mod services;
mod signs;
mod ticket;
mod watched;
mod world;

pub use execute::{ExecuteError, Halt, Runner};
pub use failure::{Failure, Result};
pub use pulse::Pulse;
pub use ticket::Ticket;
pub use world::{
    Answer, Arm, Checks, Clock, Config, Counts, Database, FlagServices, Flags, Ledger, LedgerError,
    Memory, Metrics, Period, Periods, Platform, Question, ReleaseState, Renewal, Resources,
    Traffic, World,
};
