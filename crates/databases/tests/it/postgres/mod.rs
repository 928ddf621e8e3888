//! `PostgreSQL` as it is: a real server, a fresh database for each test.

mod access;
pub(crate) mod cluster;
mod families;
mod journey;
mod objects;
mod random;
mod up_keeping;
pub(crate) mod upward;
