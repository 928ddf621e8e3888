//! `PostgreSQL` as it is: a real server, a fresh database for each test.

mod access;
pub(crate) mod cluster;
mod down_users;
mod families;
mod hiding;
mod journey;
mod objects;
mod property;
mod proxy;
mod random;
mod release;
mod round_trip;
mod surroundings;
mod up_faults;
mod up_keeping;
mod up_locks;
mod up_preview;
mod up_traps;
pub(crate) mod upward;
