//! The pure heart of Ripcord: what a release is, what a plan is, and what to do next.
//!
//! Nothing in this crate reads a clock, a file, a socket, a random number or an environment
//! variable. Whatever it needs to know comes in as data; whatever it decides goes out as data.

pub mod analysis;
pub mod flag;
pub mod model;
pub mod plan;
pub mod report;
pub mod run;
pub mod schema;
