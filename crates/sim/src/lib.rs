//! A simulated world for the real executor: one value, a virtual clock, faults at every moment,
//! and a checker that looks at nothing but that world and its raw journal. Never shipped.

mod abroad;
mod book;
pub mod catalogue;
pub mod checker;
mod clients;
pub mod controller;
mod database;
pub mod fault;
mod flags;
mod fleet;
pub mod journey;
pub mod lab;
pub mod metrics;
mod periods;
pub mod prng;
mod proxy;
pub mod release;
pub mod script;
mod settings;
pub mod state;
mod story;
mod tell;
pub mod wishes;

pub use checker::{Violation, judge};
pub use controller::{Controller, Sim};
pub use fault::{Fault, Protection, Schedule};
pub use journey::{Journey, journeys};
pub use lab::{Answers, Denied, NAME, Operator, Rest, Wish};
pub use metrics::Source;
pub use release::{Behaviour, SimRelease};
pub use state::{Moment, State, StepKind, Struck};
