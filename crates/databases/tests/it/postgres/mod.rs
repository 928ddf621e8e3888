//! `PostgreSQL` as it is: a real server, a fresh database for each test.

pub(crate) mod cluster;
mod families;
mod journey;
mod objects;
