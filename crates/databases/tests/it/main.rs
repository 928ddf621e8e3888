//! Changes of real `SQLite` files, made and taken back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backups;
mod changes;
mod down;
mod kill;
mod postgres;
mod preview;
mod property;
mod protocol;
mod references;
mod review;
mod world;
